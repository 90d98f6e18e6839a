#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Inlined functions, files and lines of what runs, and what `go tool pprof` makes of them."""
import json
import os
import re
import shutil
import subprocess

from harness import (TARGETS, Target, check, check_equal, end, folder, need, pprof, profd, record,
                     run, start)

SOURCE = os.path.join(os.path.dirname(os.path.realpath(__file__)), '..', 'targets', 'inlines.c')
OUTPUTS = ('out.pb.gz', 'out.folded', 'out.txt')


def line_of(comment):
    with open(SOURCE, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            if line.rstrip().endswith(f'/* {comment} */'):
                return number
    raise AssertionError(comment)


def chains(recording):
    """(weight in ms, [(function, file, line, inlined), ...] leaf first) of each stack."""
    found = []
    text = pprof(recording, '-traces', '-lines', '-unit=ms')
    for block in text.split('-----------+')[1:]:
        frames, weight = [], 0.0
        for line in block.splitlines()[1:]:
            match = re.match(r'\s*(?:([\d.]+)ms)?\s+(\S+)(?: (\S+):(\d+))?( \(inline\))?$', line)
            if match:
                weight = float(match[1]) if match[1] else weight
                frames.append((match[2], os.path.basename(match[3] or ''), int(match[4] or 0),
                               bool(match[5])))
        if frames:
            found.append((weight, frames))
    return found


def check_chains(recording):
    """The time is in the inner loop, three quarters of it by way of the second call."""
    inner, calls = line_of('innermost'), line_of('call of inner')
    weights = {'first call of middle': 0.0, 'second call of middle': 0.0}
    whole = 0.0
    for weight, frames in chains(recording):
        whole += weight
        if not frames[0][0] == 'inner':
            continue
        check(abs(frames[0][2] - inner) <= 1, f'innermost line: {frames[0]}, not {inner}')
        check_equal(frames[0][1:2] + frames[0][3:], ('inlines.c', True), 'the innermost frame')
        check_equal(frames[1], ('middle', 'inlines.c', calls, True), 'what inner is inlined into')
        check_equal(frames[2][:2] + frames[2][3:], ('outer', 'inlines.c', False), 'the function')
        place = [name for name in weights if line_of(name) == frames[2][2]]
        check(place, f'line of the call of middle: {frames[2]}')
        weights[place[0]] += weight
        check_equal(frames[3], ('main', 'inlines.c', line_of('call of outer'), False), 'the caller')
    named = sum(weights.values())
    print(f'    {100 * named / whole:.1f} % in the inner loop, '
          f'{100 * weights["second call of middle"] / named:.1f} % by the second call')
    check(named > 0.95 * whole, 'most of the time has its chain')
    check(0.68 < weights['second call of middle'] / named < 0.82, weights)


def test_inlined_functions_and_lines():
    with Target('inlines') as target:
        # Interrupts on a busy machine are not what this is about.
        recording = record('-p', target.pid, '--no-kernel', outputs=OUTPUTS)
    check_chains(recording)
    with open(recording.path('out.txt'), encoding='utf-8') as file:
        check('inner  [inlines] (inlined)' in file.read(), 'the text marks what was inlined')


def test_inlined_functions_left_out():
    with Target('inlines') as target:
        recording = record('-p', target.pid, '--no-kernel', '--no-inline', outputs=OUTPUTS)
    check(not {'inner', 'middle'} & recording.functions(), 'inlined functions are shown')
    check(recording.share(lambda frames: frames[-1] == 'outer') > 0.95, 'their time is the caller\'s')
    lines = {frames[0][2] for weight, frames in chains(recording) if frames[0][0] == 'outer'}
    check(lines <= {line_of('first call of middle'), line_of('second call of middle')},
          f'the lines that they were called from: {lines}')


def test_lines_out_of_a_separate_file():
    """Debug information in a file of its own, found by the link to it."""
    place = folder()
    program = os.path.join(place, 'inlines')
    shutil.copy(os.path.join(TARGETS, 'inlines'), program)
    debug = os.path.join(place, 'inlines.debug')
    subprocess.run(['objcopy', '--only-keep-debug', program, debug], check=True)
    subprocess.run(['objcopy', '--strip-debug', f'--add-gnu-debuglink={debug}', program], check=True)
    with Target(program) as target:
        recording = record('-p', target.pid, '--no-kernel', outputs=OUTPUTS)
    check_chains(recording)


def split_program():
    """The folder of a program that has its debug information in here.dwo."""
    place = folder()
    clang = need('clang')
    with open(os.path.join(place, 'here.c'), 'w', encoding='utf-8') as file:
        file.write(f'#include "{os.path.realpath(SOURCE)}"\n')
    subprocess.run([clang, '-O2', '-g', '-gsplit-dwarf', '-c', 'here.c', '-o', 'here.o'], cwd=place,
                   check=True)
    subprocess.run([clang, 'here.o', '-o', 'here'], cwd=place, check=True)
    check(os.path.exists(os.path.join(place, 'here.dwo')), 'there is no .dwo file')
    return place


def test_lines_out_of_split_files():
    with Target(os.path.join(split_program(), 'here')) as target:
        recording = record('-p', target.pid, '--no-kernel', outputs=OUTPUTS)
    check_chains(recording)


def test_lines_out_of_a_package():
    place = split_program()
    subprocess.run([need('llvm-dwp'), '-e', 'here', '-o', 'here.dwp'], cwd=place, check=True,
                   timeout=60)
    os.unlink(os.path.join(place, 'here.dwo'))
    with Target(os.path.join(place, 'here')) as target:
        recording = record('-p', target.pid, '--no-kernel', outputs=OUTPUTS)
    check_chains(recording)


def test_source_and_disassembly():
    """Where source and program are there, pprof shows both with their cost."""
    with Target('inlines') as target:
        recording = record('-p', target.pid, outputs=OUTPUTS)
    program = os.path.join(TARGETS, 'inlines')
    environment = dict(os.environ, PPROF_BINARY_PATH=TARGETS)
    # Where the compiler ran: pprof's own reader of the program gives relative paths.
    built = os.path.join(TARGETS, '..', '..')
    for view in ('-list=outer', '-weblist=outer', '-disasm=outer'):
        output = recording.path('view')
        done = subprocess.run([need('go'), 'tool', 'pprof', view, f'-output={output}', program,
                               recording.path('out.pb.gz')], capture_output=True, check=False,
                              env=environment, cwd=built, timeout=120)
        check_equal(done.returncode, 0, f'{view}: {done.stderr.decode()}')
        with open(output, encoding='utf-8') as file:
            text = file.read()
        if view == '-list=outer':
            hot = [line for line in text.splitlines() if 'second call of middle' in line]
            check(hot and re.search(r'\d(ms|s)\s', hot[0]), f'cost of the line: {hot}')
        elif view == '-weblist=outer':
            check('IMULQ' in text and 'innermost' in text, 'source and instructions')
        else:
            check(re.search(r'\d(ms|s).*(IMULQ|ADDQ)', text), 'cost of an instruction')


    check_report(recording)


def check_report(recording):
    """So does profd's own report; callers are told by their calls, and what costs, by its lines."""
    def report(*arguments):
        status, output, errors = profd('report', recording.path('out.pb.gz'), '--json', *arguments)
        check_equal(status, 0, errors)
        return json.loads(output)['functions']
    whole = report('--sort', 'total')[0]['total']['weight']
    (outer,) = report('--lines', 'outer')
    shares = {line['line']: line['total']['weight'] / whole for line in outer['lines']}
    check(0.6 < shares[line_of('second call of middle')] < 0.9, f'lines of outer: {shares}')
    (inner,) = report('--lines', 'inner')
    costly = max(inner['lines'], key=lambda line: line['self']['weight'])
    check_equal(costly['line'], line_of('innermost'), 'the costly line')
    (code,) = report('--annotate', 'inner')
    check_equal(code['name'], 'outer', 'the function that inner is a part of')
    check(sum(i['self']['weight'] for i in code['instructions'] if 'self' in i) > 0.95 * whole,
          'nearly all of it is in there')
    (main,) = report('--annotate', 'main')
    costs = [i for i in main['instructions'] if 'total' in i]
    costly = max(costs, key=lambda i: i['total']['weight'])
    check(re.match('call.*<outer>', costly['text']), f'the call: {costly}')
    check_equal(costly['line'], line_of('call of outer'), 'its line')


CACHED = r'''
#include <map>
#include <regex>
#include <string>

int main()
{
	std::map<std::string, int> found;

	for (unsigned i = 0;; i++) {
		std::string text = "item-" + std::to_string(i % 1000);
		std::smatch match;

		if (std::regex_match(text, match, std::regex("([a-z]+)-([0-9]*)")))
			found[match[1]]++;
	}
}
'''


def lines_of(recording):
    """"function file:line" of all frames with regular expressions in them, inlined ones included."""
    text = pprof(recording, '-traces', '-lines', '-unit=ms')
    return set(re.findall(r'\S*regex.* \S+:\d+', text))


def cached_program(where):
    source = os.path.join(where, 'cached.cc')
    with open(source, 'w', encoding='utf-8') as file:
        file.write(CACHED)
    program = os.path.join(where, 'cached')
    subprocess.run([need('g++'), '-O1', '-g', '-o', program, source], check=True)
    return program


def test_names_are_kept_for_the_next_recording():
    where = folder()
    cache = os.path.join(where, 'cache')
    program = cached_program(where)

    def recorded():
        process = start([program])
        recording = record('-p', process.pid, '--symbol-cache', cache, outputs=OUTPUTS)
        end(process)
        summary = recording.summary
        return lines_of(recording), summary['symbol_cache_files'], summary['cost']['naming_ns']

    first, used, cost = recorded()
    check_equal(used, 0, 'files of an empty cache that were used')
    check(len(first) > 50, f'lines of the program: {len(first)}')
    kept = [name for name in os.listdir(cache) if os.path.getsize(os.path.join(cache, name))]
    check(kept and all(re.fullmatch('[0-9a-f]+-[0-9a-f]{16}(-table)?', name) for name in kept), kept)
    check(any(name.endswith('-table') for name in kept), 'unwind tables are kept')
    second, used, later = recorded()
    check(used >= 1, 'a second recording used what was kept')
    share = len(first & second) / len(first)
    print(f'    {len(first)} lines, {100 * share:.0f} % of them again; naming took {cost / 1e6:.0f}'
          f' ms of CPU time, then {later / 1e6:.0f}')
    check(share > 0.5, 'the same lines are told')

    # Files that were damaged are not believed, and are made anew.
    for name in os.listdir(cache):
        path = os.path.join(cache, name)
        with open(path, 'r+b') as file:
            file.seek(1024)
            file.write(b'\xff' * 4096)
    third, _, _ = recorded()
    check(len(first & third) / len(first) > 0.5, 'the same lines are told')
    # The same program in another file: whatever it calls itself, it is another one.
    os.rename(program, program + '.old')
    shutil.copy(program + '.old', program)
    before = set(os.listdir(cache))
    recorded()
    check(set(os.listdir(cache)) > before, 'the copy has a file of its own')


def test_names_of_large_symbol_tables_are_kept():
    """Without any debug information, reading the symbols is what takes time."""
    where = folder()
    cache = os.path.join(where, 'cache')
    source = os.path.join(where, 'large.s')
    program = os.path.join(where, 'large')
    with open(source, 'w', encoding='ascii') as file:
        file.write('.globl main\n.type main, @function\nmain: call spins\n.size main, .-main\n'
                   '.type spins, @function\nspins: inc %eax\n'
                   + 'add $1, %ecx\n' * 200 + 'jmp spins\n.size spins, .-spins\n')
        for i in range(300000):
            name = f'a_function_that_is_never_called_{i}'
            file.write(f'.type {name}, @function\n{name}: ret\n.size {name}, .-{name}\n')
        file.write('.section .note.GNU-stack,"",@progbits\n')
    subprocess.run([need('gcc'), '-no-pie', '-o', program, source], check=True)

    def recorded():
        process = start([program])
        recording = record('-p', process.pid, '--symbol-cache', cache, seconds=1)
        end(process)
        stacks = recording.stacks
        named = sum(weight for frames, weight in stacks if 'spins' in frames)
        check(named > 0.9 * sum(weight for _, weight in stacks), stacks)
        return recording.summary['symbol_cache_files'], recording.summary['cost']['naming_ns']

    used, cost = recorded()
    check_equal(used, 0, 'files of an empty cache that were used')
    used, later = recorded()
    check(used >= 1, 'a second recording used what was kept')
    print(f'    naming took {cost / 1e6:.0f} ms of CPU time, then {later / 1e6:.0f}')
    build_id = re.search('Build ID: (\\S+)', subprocess.run(
        [need('readelf'), '-n', program], check=True, capture_output=True, text=True).stdout)[1]
    kept = [name for name in os.listdir(cache) if re.fullmatch(build_id + '-[0-9a-f]{16}', name)]
    check_equal(len(kept), 1, 'files for the program')
    # The whole function: its addresses are many, the function is one.
    size = os.path.getsize(os.path.join(cache, kept[0]))
    check(size < 2048, f'bytes of the file: {size}')


def test_names_of_much_code_without_any_table():
    """What takes long to decode is left to who has time, and is named all the same."""
    where = folder()
    source = os.path.join(where, 'code.s')
    program = os.path.join(where, 'code')
    with open(source, 'w', encoding='ascii') as file:
        file.write('.globl main\nmain: call spins\nret\n.rept 3000000\npush %rbp\nmov %rsp, %rbp\n'
                   'add $1, %eax\npop %rbp\nret\nint3\nint3\nint3\n.endr\n'
                   'spins: push %rbp\nmov %rsp, %rbp\n0: inc %eax\n'
                   + 'add $1, %ecx\n' * 200 + 'jmp 0b\n'
                   '.section .note.GNU-stack,"",@progbits\n')
    subprocess.run([need('gcc'), '-no-pie', '-o', program, source], check=True)
    symbols = subprocess.run([need('nm'), program], check=True, capture_output=True, text=True)
    start_of_spins = int(re.search('(\\S+) t spins', symbols.stdout)[1], 16)
    subprocess.run([need('strip'), program], check=True)
    process = start([program])
    recording = record('-p', process.pid, seconds=1)
    end(process)
    stacks = recording.stacks
    named = sum(weight for frames, weight in stacks if f'code+{start_of_spins:#x}' in frames)
    check(named > 0.9 * sum(weight for _, weight in stacks), (hex(start_of_spins), stacks))
    check_equal(recording.summary['given_up'], [], 'files given up')


def test_a_symbol_cache_that_cannot_be():
    where = folder()
    taken = os.path.join(where, 'taken')
    with open(taken, 'w', encoding='ascii'):
        pass
    shared = os.path.join(where, 'shared')
    os.mkdir(shared)
    os.chmod(shared, 0o777)
    for path, why in ((taken, 'Not a directory'), (shared, 'it is not a folder of ours alone')):
        status, _, errors = profd('record', '-a', '-d', 1, '-o', os.path.join(where, 'x.svg'),
                                  '--symbol-cache', path)
        check_equal(status, 1, f'exit with {path}')
        check_equal(errors.strip(), f"profd: cannot keep symbols in '{path}': {why}", 'the reason')
    check(not os.path.exists(os.path.join(where, 'x.svg')), 'nothing is written')


if __name__ == '__main__':
    run(globals())

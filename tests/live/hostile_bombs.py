#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files that are small on the disk and boundless to who reads them: names, sections, rules.

Each is run, or mapped, by a process of its own, beside one that means no harm.
"""
import contextlib
import os
import shutil
import signal
import struct
import subprocess
import time

import forge
from forge import SHF_COMPRESSED, SHT_DYNSYM, SHT_PROGBITS, SHT_STRTAB, SHT_SYMTAB, Forge
from harness import (Program, Recorder, Target, check, check_equal, folder, need, rate, record, run)
from neighbours import check_untroubled, given_up, of_process, program

NOBODY = 65534
VAST = 100 << 30
MANY_RULES = 'it has more kinds of unwind rules than profd keeps'
TOO_MUCH = 'it holds more than profd reads of a file'


def only_lines(why):
    """Whether a file was given up for its source lines only: those may take what they like."""
    return 'debug information' in why or 'source lines' in why


# ---- names ----

def digits(value, base):
    letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
    text = ''
    while True:
        text = letters[value % base] + text
        value //= base
        if not value:
            return text


def cpp_doubling(levels):
    """f<A<B>, A<A<B>, A<B>>, ...>: each type is the one before it, twice. Itanium C++ ABI 5.1.10."""
    name = '_Z1fI1AI1BE'
    for level in range(levels):
        last = 'S' + digits(level + 2, 36).upper() + '_'
        name += f'S0_I{last}{last}E'
    return name + 'Evv'


def rust_doubling(levels):
    """The same of tuples. Rust RFC 2603: a back reference counts from behind the _R."""
    name, last = 'INvC1a1fTyyE', 8
    for _ in range(levels):
        here = len(name)
        back = 'B' + digits(last - 1, 62) + '_'
        name += f'T{back}{back}E'
        last = here
    return '_R' + name + 'E'


def rust_lifetimes(count):
    """A function pointer for so many lifetimes, each of which has a name."""
    return f'_RINvC1a1fFG{digits(count - 1, 62)}_EuE'


def d_doubling(levels):
    """Associative arrays of what went before. D's ABI, "Mangling": distances back in base 26."""
    name, last = '_D1a1fFHii', 8
    for _ in range(levels):
        here = len(name)
        distance = chr(ord('a') + (here + 1 - last) % 26)
        name += f'HQ{distance}Q{distance}'
        last = here
    return name + 'Zv'


# What is harmless is made readable: so the others are names of that kind, too.
READABLE = {
    'cpp_few': (cpp_doubling(3), 'f<A<B>, A<A<B>'),
    'rust_few': (rust_doubling(2), 'a::f'),
    'rust_two': (rust_lifetimes(2), 'a::f'),
}
UNREADABLE = {
    'cpp_many': cpp_doubling(60),
    'cpp_deep': '_Z1fI' + 'P' * 5000 + 'iEvv',
    'cpp_nested': '_Z1fI' + '1AI' * 2500 + 'i' + 'E' * 2500 + 'Evv',
    'rust_many': rust_doubling(60),
    'rust_ages': rust_lifetimes(62 ** 9),
    'rust_deep': '_RINvC1a1f' + 'R' * 5000 + 'yE',
    'd_many': d_doubling(60),
    'long': 'l' + 'ong' * 30000,
}


def test_names_that_explode():
    """As the function that runs all the time: its samples are there, under the name as it is."""
    path, objcopy = folder(), need('objcopy')
    names = {kind: name for kind, (name, _) in READABLE.items()}
    names.update(UNREADABLE)
    with contextlib.ExitStack() as stack:
        targets = []
        for kind, name in names.items():
            renamed = os.path.join(path, kind)
            with open(renamed + '.names', 'w', encoding='ascii') as file:
                file.write(f'hostile_leaf {name}\n')
            subprocess.run([objcopy, f'--redefine-syms={renamed}.names', program('hostile'),
                            renamed], check=True)
            targets.append(stack.enter_context(Target(renamed, 0, kind)))
        pids = ','.join(str(target.pid) for target in targets)
        recording = record('-p', pids, '--comm', '*', seconds=2)
    check_equal(given_up(recording), {}, 'given up')
    for kind, name in names.items():
        stacks, total = of_process(recording, kind)
        check(total > 20, f'only {total} samples of {kind}: {recording.stderr}')
        shown = READABLE[kind][1] if kind in READABLE else name[:1000]
        good = sum(count for frames, count in stacks
                   if any(above == 'hostile_outer' and frame.startswith(shown)
                          for above, frame in zip(frames, frames[1:])))
        check(good > 0.8 * total, f'{good} of {total} of {kind}: {stacks[0][0][-3:]}'[:400])
        check_untroubled(recording, kind, '_start', 'main', at_least=20)


# ---- sections ----

def with_vast_segment(path):
    """A program whose last segment is code, all of it holes."""
    forged = Forge(program('tailcalls'))
    count, = struct.unpack_from('<H', forged.data, 56)
    for at in range(64, 64 + 56 * count, 56):
        if struct.unpack_from('<I', forged.data, at)[0] == 0x6474e551:  # PT_GNU_STACK
            struct.pack_into('<IIQQQQQQ', forged.data, at, forge.PT_LOAD, forge.PF_R | forge.PF_X,
                             0x10000, 0x100000, 0x100000, VAST, VAST, forge.PAGE)
    return forged.save(path, hole=VAST + 0x10000)


def with_sections(path, *sections, drop=()):
    """A program with more sections. [(name, kind, what to give to Forge.add)]; VAST ones lie in a
    hole."""
    forged = Forge(program('tailcalls'))
    forged.drop(*drop)
    for name, kind, more in sections:
        if more.get('size') == VAST:
            more = dict(more, offset=len(forged.data) & -16)
        forged.add(name, kind, **more)
    return forged.save(path, hole=VAST if any('size' in more for _, _, more in sections) else 0)


def wide_window(bomb):
    """The .xz file with a first block that asks for 4 GiB to be unpacked."""
    bomb = bytearray(bomb)
    size = 4 * (bomb[12] + 1)
    place = bomb.index(b'\x21\x01', 12, 12 + size) + 2
    bomb[place] = 40
    struct.pack_into('<I', bomb, 12 + size - 4, forge.zlib.crc32(bomb[12:12 + size - 4]))
    return bytes(bomb)


def test_sections_of_100_gigabytes():
    """The reader, which may use 1 GiB, reads what makes sense. Two have lost their rows so."""
    path, vast = folder(), {'size': VAST}
    inflated = forge.zlib_bomb(VAST)
    xz = forge.xz_bomb(VAST)
    made = {
        'segment': with_vast_segment,
        'symbols': lambda to: with_sections(
            to, ('.symtab', SHT_SYMTAB, dict(vast, link='.strtab', entry=24)),
            ('.strtab', SHT_STRTAB, vast)),
        'dynamic': lambda to: with_sections(
            to, ('.dynsym', SHT_DYNSYM, dict(vast, link='.dynstr', entry=24)),
            ('.dynstr', SHT_STRTAB, vast), drop=('.symtab', '.strtab')),
        'eh_frame': lambda to: with_sections(to, ('.eh_frame', SHT_PROGBITS, vast)),
        'debug_frame': lambda to: with_sections(to, ('.debug_frame', SHT_PROGBITS, vast)),
        'link': lambda to: with_sections(to, ('.gnu_debuglink', SHT_PROGBITS, vast)),
        'info': lambda to: with_sections(to, ('.debug_info', SHT_PROGBITS, vast)),
        'lines': lambda to: with_sections(to, ('.debug_line', SHT_PROGBITS, vast),
                                          ('.debug_str', SHT_PROGBITS, vast)),
        'info_zlib': lambda to: with_sections(
            to, ('.debug_info', SHT_PROGBITS,
                 {'data': forge.compressed_section(forge.zlib_bomb(1 << 30), VAST),
                  'flags': SHF_COMPRESSED})),
        'go': lambda to: with_sections(to, ('.gopclntab', SHT_PROGBITS, vast),
                                       ('.go.buildinfo', SHT_PROGBITS, vast)),
        'xz': lambda to: with_sections(to, ('.gnu_debugdata', SHT_PROGBITS, {'data': xz}),
                                       drop=('.symtab', '.strtab')),
        'xz_window': lambda to: with_sections(
            to, ('.gnu_debugdata', SHT_PROGBITS, {'data': wide_window(xz)}),
            drop=('.symtab', '.strtab')),
        'zlib': lambda to: with_sections(
            to, ('.debug_frame', SHT_PROGBITS,
                 {'data': forge.compressed_section(inflated, VAST), 'flags': SHF_COMPRESSED})),
        # It says that it is what profd would just still read.
        'zlib_lies': lambda to: with_sections(
            to, ('.debug_frame', SHT_PROGBITS,
                 {'data': forge.compressed_section(inflated, 255 << 20),
                  'flags': SHF_COMPRESSED})),
        'zstd': lambda to: with_sections(
            to, ('.debug_frame', SHT_PROGBITS,
                 {'data': forge.compressed_section(forge.zstd_bomb(VAST), 255 << 20,
                                                   forge.ELFCOMPRESS_ZSTD),
                  'flags': SHF_COMPRESSED})),
        'zstd_window': lambda to: with_sections(
            to, ('.debug_frame', SHT_PROGBITS,
                 {'data': forge.compressed_section(forge.zstd_bomb(1 << 30, window=0xff),
                                                   1 << 20, forge.ELFCOMPRESS_ZSTD),
                  'flags': SHF_COMPRESSED})),
        'info_zstd': lambda to: with_sections(
            to, ('.debug_info', SHT_PROGBITS,
                 {'data': forge.compressed_section(forge.zstd_bomb(VAST), 255 << 20,
                                                   forge.ELFCOMPRESS_ZSTD),
                  'flags': SHF_COMPRESSED})),
        'zdebug': lambda to: with_sections(
            to, ('.zdebug_frame', SHT_PROGBITS,
                 {'data': b'ZLIB' + struct.pack('>Q', 255 << 20) + forge.zlib_bomb(1 << 30)})),
    }
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(Target('sorts'))]
        for name, make in made.items():
            file = make(os.path.join(path, name))
            os.chmod(file, 0o755)
            targets.append(stack.enter_context(Target(file)))
            # They leave the CPUs to who has to read them.
            targets[-1].process.send_signal(signal.SIGSTOP)
        recorder = Recorder('-p', ','.join(str(target.pid) for target in targets), '-F', rate(997))
        recorder.wait_timers()
        for target in targets:
            target.process.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        for target in targets[1:]:
            target.process.send_signal(signal.SIGSTOP)
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    check_equal({name: why for name, why in given_up(recording).items() if not only_lines(why)},
                {'eh_frame': TOO_MUCH, 'debug_frame': TOO_MUCH}, 'given up')
    check_untroubled(recording, 'sorts', '_start', 'main')
    for name in set(made) - {'eh_frame', 'debug_frame'}:
        check_untroubled(recording, name, '_start', at_least=10)
    peak = recording.summary['cost']['rss_bytes']
    print(f'    {peak >> 20} MiB in use at most')
    check(peak < 1 << 30, f'{peak >> 20} MiB')


# ---- debug information ----

def burner(path, name):
    """A program whose 250,000 units each have the last of 65,000 declarations."""
    count = 65000
    declarations = b''.join(forge.uleb(i) + b'\x34\0\0\0' for i in range(1, count + 1)) + b'\0'
    body = struct.pack('<HIB', 4, 0, 8) + forge.uleb(count)
    parts = {'.debug_abbrev': declarations,
             '.debug_info': (struct.pack('<I', len(body)) + body) * 250000}
    file = shutil.copy(program('recurse'), os.path.join(path, name))
    subprocess.run(['objcopy', '--strip-debug', file], check=True)
    for section, data in parts.items():
        piece = os.path.join(path, 'piece')
        with open(piece, 'wb') as out:
            out.write(data)
        subprocess.run(['objcopy', '--add-section', f'{section}={piece}', file], check=True)
    os.chown(file, NOBODY, NOBODY)
    return file


def test_debug_information_of_very_much_work():
    """It takes nobody's names, stacks or time; its own functions are named, too."""
    path = folder()
    first = burner(path, 'burner_0')
    files = [first]
    for number in range(1, 6):
        files.append(shutil.copy(first, os.path.join(path, f'burner_{number}')))
        os.chown(files[-1], NOBODY, NOBODY)
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(Target('inlines'))]
        targets += [stack.enter_context(Target(file, 10)) for file in files]
        recording = record('-p', ','.join(str(target.pid) for target in targets), seconds=2)
    check_untroubled(recording, 'inlines', '_start', 'main', at_least=20)
    for file in files:
        name = os.path.basename(file)
        check_untroubled(recording, name, '_start', 'main', at_least=10)
    check(all(only_lines(why) for why in given_up(recording).values()),
          f'given up: {given_up(recording)}')


# ---- rules ----

def libraries(path, counts, copies):
    """So many rules in each, that no other has; and further copies of each file."""
    files, first = [], 2
    for number, count in enumerate(counts):
        rules = [(first + 3 * i, 2) for i in range(count)]
        files.append(forge.library_of_rules(os.path.join(path, f'rules_{number}.so'), rules))
        first += 3 * count
        for copy in range(1, copies):
            files.append(shutil.copy(files[-1], os.path.join(path, f'rules_{number}_{copy}.so')))
    for file in files:
        os.chown(file, NOBODY, NOBODY)
    return files


def check_others_have_rules(files, everything):
    python = ['/usr/bin/python3', '-c', 'def inner(n): return sum(i * i for i in range(n))\n'
              'while True: inner(1000)']
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(Target('mapper', 0, 'run', *files))]
        targets.append(stack.enter_context(Program(python)))
        targets.append(stack.enter_context(Target('exceptions')))
        recording = record(*(['-a'] if everything else
                             ['-p', ','.join(str(target.pid) for target in targets)]), seconds=2)
    check_untroubled(recording, 'python3')
    check_untroubled(recording, 'exceptions')
    reasons = {name: why for name, why in given_up(recording).items() if 'rules_' in name}
    check_equal(set(reasons.values()), {MANY_RULES}, f'given up {reasons}')
    check(everything or MANY_RULES in recording.stderr, recording.stderr)
    return reasons


def test_libraries_of_very_many_rules():
    """More than the dictionary holds, in libraries that all are run: whoever has the most gives way."""
    files = libraries(folder(), [400000] + [60000] * 11, 1)
    for everything in (False, True):
        reasons = check_others_have_rules(files, everything)
        check_equal(set(reasons), {os.path.basename(file) for file in files}, 'given up')


def test_many_libraries_of_some_rules():
    """The same in files each of which is modest, and has a twin: their owner gives way."""
    check_others_have_rules(libraries(folder(), [2100] * 32, 2), False)


if __name__ == '__main__':
    run(globals())

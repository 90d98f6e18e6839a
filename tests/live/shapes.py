#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Programs whose stacks, code or files have unusual shapes: complete, and the true frames between.

Each target says which stacks are true. `check_chains` holds every sample against that, but for one
in a thousand: a few instructions of libc and libgcc are told about by no table.
"""
import contextlib
import os
import re
import shutil
import subprocess
import time

from elf import Elf
from harness import (HANG_S, TARGETS, Program, Skipped, Target, by_table_only, check,
                     check_complete, folder, has, need, record, run)

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'targets')


def chains_of(recording, names, short=lambda name: name, cut=True):
    """{the functions of these names in the order of the stack, others left out: share}

    cut: also of stacks that are marked as cut.
    """
    chains = {}
    for frames, weight in recording.stacks:
        if not cut and frames[1:2] and frames[1].startswith('[truncated'):
            continue
        chain = tuple(short(name) for name in frames[1:] if short(name) in names)
        chains[chain] = chains.get(chain, 0) + weight
    total = sum(chains.values())
    return {chain: weight / total for chain, weight in chains.items()}


def check_chains(recording, *wholes, most=0.8, short=lambda name: name, cut=True):
    """All chains are beginnings of a whole one, and most are whole; frames of other names aside.

    short: what to compare of a name. cut: stacks that say that they are cut count, too.
    """
    chains = chains_of(recording, {name for whole in wholes for name in whole}, short, cut)
    wrong = {chain: share for chain, share in chains.items()
             if not any(chain == whole[:len(chain)] for whole in wholes)}
    share = sum(chains.get(whole, 0) for whole in set(wholes))
    print(f'    {100 * share:.1f} % are whole, {100 * sum(wrong.values()):.2f} % wrong')
    # Of a few hundred samples a single one is more than 0.1 %.
    check(sum(wrong.values()) <= max(0.001, 1.5 / recording.samples), f'wrong chains: {wrong}')
    check(share >= most, f'only {share:.3f} are one of {wholes}: {chains}')


def record_together(targets, seconds, hz=1999):
    """One recording of several programs, each a list of arguments, as they take turns."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(Target(*arguments)) for arguments in targets]
        return record('-p', ','.join(str(target.pid) for target in running), seconds=seconds,
                      hz=hz)


def record_target(*arguments, seconds=1, hz=1999):
    with Target(*arguments) as target:
        return record('-p', target.pid, seconds=seconds, hz=hz)


@by_table_only('the handlers have a stack of their own, and the copy is of that one')
def test_stack_overflow():
    recording = record_target('altstack', 'overflow')
    check_complete(recording)
    chains = chains_of(recording, {'main', 'attempt', 'sink', 'on_overflow', 'work'})
    depths = {chain.count('sink') for chain in chains if 'on_overflow' in chain}
    print(f'    the stack is full after {depths} calls')
    check(len(depths) == 1 and min(depths) > 100, f'{depths}')
    check_chains(recording, ('main', 'attempt') + ('sink',) * min(depths) + ('on_overflow', 'work'))


@by_table_only('the handlers have a stack of their own, and the copy is of that one')
def test_nested_handlers():
    recording = record_target('altstack', 'nested')
    check_complete(recording)
    check_chains(recording, ('main', 'attempt', 'first', 'second', 'third', 'work'))


@by_table_only('the handlers have a stack of their own, and the copy is of that one')
def test_handlers_over_themselves():
    for way in ('again', 'in_place'):
        recording = record_target('altstack', way)
        check_complete(recording)
        check_chains(recording, ('main', 'attempt') + ('again',) * 8 + ('work',), most=0.6)


def test_exceptions_in_flight():
    """While libgcc's unwinder leaves for a landing pad its frame holds two functions' registers."""
    for program in ('exceptions', 'exceptions_fp', 'exceptions_static'):
        recording = record_target(program, hz=3999)
        check_complete(recording)
        check_chains(recording, ('main', 'attempt') + ('Diver::dive',) * 10, most=0.3)


def coroutines(way, *bodies, first, roots=()):
    """first: the functions in which stacks begin, a frame above the process."""
    recording = record_target('coroutines', way)
    check_complete(recording, roots=roots)
    summary = recording.summary
    check(summary['complete'] >= 0.99 * summary['samples'], f'{summary["truncated"]} are cut')
    check_chains(recording, *((body,) + ('descend',) * 5 + ('coroutine_leaf',)
                              for body in bodies), most=0.9)
    share = recording.share(lambda frames: frames[1] in first)
    check(share > 0.99, f'only {share} begin in {first}')


def test_makecontext():
    """Also with a uc_link, which lies where a caller's return address would be."""
    for way in ('heap', 'mapped', 'linked'):
        coroutines(way, 'ping', 'pong', first=start_context_names())


def start_context_names():
    """Its name, which only libc6-dbg knows, or its place."""
    return {'__start_context'} | {
        f'libc.so.6+{start:#x}' for start in
        Elf('/usr/lib/x86_64-linux-gnu/libc.so.6').coroutine_starts()}


def test_fibers_of_assembly():
    """Roots that only the program knows, by a zero return address; also of code without CFI."""
    coroutines('zero', 'ping', 'pong', first=('ping', 'pong'), roots=('ping', 'pong'))
    coroutines('trampoline', 'ping', 'pong', first=('fiber_begin',), roots=('fiber_begin',))


def test_fibers_of_boost():
    coroutines('boost', 'boost_body', first=('make_fcontext',))


def test_fiber_without_a_root():
    """What nobody can know is not called complete: data where the return address should be."""
    recording = record_target('coroutines', 'broken')
    summary = recording.summary
    check(summary['complete'] <= 0.01 * summary['samples'], f'{summary["complete"]} are complete')
    check_chains(recording, *((body,) + ('descend',) * 5 + ('coroutine_leaf',)
                              for body in ('ping', 'pong')), most=0.9)


LAYOUTS = [
    'fixed', 'fixed_far', 'fixed_joined', 'fixed_huge', 'fixed_ibt', 'alone', 'pie_based',
    'pie_joined', 'pie_ibt', 'pie_far_text', 'with_plain', 'with_based', 'with_joined', 'with_huge',
    'with_ibt', 'with_now']
OTHER_LINKERS = [
    'fixed_gold', 'pie_gold', 'with_gold', 'fixed_lld', 'pie_lld', 'with_lld', 'with_lld_rx',
    'with_lld_sep']


def layouts(names):
    recording = record_together([(name, 3) for name in names], seconds=2)
    check_complete(recording)
    check_chains(recording, ('main',) + ('outer', 'between') * 3 + ('inner',), most=0.98)
    for name in names:
        weight = sum(count for frames, count in recording.stacks if frames[0] == name)
        check(weight > 0, f'{name} has no samples')


def test_layouts():
    """Addresses in files that are no offsets, segments that share pages, PLTs of other forms."""
    layouts(LAYOUTS)


def test_layouts_of_other_linkers():
    missing = [name for name in OTHER_LINKERS if not os.path.exists(os.path.join(TARGETS, name))]
    if missing:
        raise Skipped(f'ld.gold or ld.lld is not installed: {missing} were not built')
    layouts(OTHER_LINKERS)


def test_one_writable_segment():
    recording = record_target('one_segment')
    check_complete(recording)
    check(recording.share(has('_start', 'program', 'outer', 'inner', 'leaf')) > 0.98, 'not whole')


def exchanged(ways, seconds):
    recording = record_together([('text_moves', way, when) for way, when in ways], seconds, hz=997)
    # Some exchange their code all the time: what cannot be told of such a moment is cut, and counted.
    check_complete(recording, percent=95)
    check_chains(recording, ('main', 'outer', 'paged', 'inner', 'leaf'), most=0.9, cut=False)


def test_code_in_exchanged_memory():
    """Split by mprotect, or covered by copies of itself as for huge pages."""
    exchanged([(way, when) for way in ('split', 'covered', 'middle', 'swapped', 'file')
               for when in ('first', 'often')], 3)


def test_code_that_moves():
    """By mremap, before and while it is recorded; nothing tells of that."""
    exchanged([('moved', 'first'), ('moved', 'later')], 2)


def test_node_with_huge_pages():
    """A real program that copies its own code, where the kernel has huge pages to give."""
    work = 'for (;;) JSON.parse(JSON.stringify({ a: [1, 2, 3].map(x => x * 2), b: "text" }));'
    with Program([need('node'), '--use-largepages=on', '-e', work], cwd=folder()) as target:
        time.sleep(0.5)
        recording = record('-p', target.pid, seconds=2)
        with open(f'/proc/{target.pid}/maps', encoding='utf-8') as file:
            program = [line for line in file if re.match(r'[0-9a-f]{1,8}-', line)]
        copied = any(re.search(r' r.xp .* 00:00 0', line) for line in program)
        print(f'    its code {"was copied" if copied else "stayed where it was"}')
    check_complete(recording, percent=99.0)
    # Its compiler and collector have threads of their own.
    share = recording.share(lambda frames: 'node::Start' in frames)
    check(share > 0.9, f'only {share} beneath node::Start')


def test_functions_in_pieces():
    recording = record_target('apart')
    check_complete(recording)
    check_chains(recording, ('main', 'visit', 'far_away', 'leaf'),
                 ('main', 'visit.cold', 'unlikely', 'leaf'), most=0.95)
    check(recording.share(has('visit.cold', 'unlikely')) > 0.2, 'gcc has not split the function')


def compiled(compiler, source, *options):
    """A program that the harness can start, of another language than the build's."""
    program = os.path.join(folder(), os.path.splitext(source)[0])
    source = shutil.copy(os.path.join(SOURCES, source), os.path.dirname(program))
    subprocess.run([need(compiler), *options, '-o', program, source], check=True,
                   cwd=os.path.dirname(program), timeout=HANG_S)
    return program


def test_rust():
    """With std linked in or shared, with frame pointers or not."""
    ring = '<generics::Ring<T> as generics::Shape>::area'
    square = '<generics::Square as generics::Shape>::area'
    main, generic, dive = 'generics::main', 'generics::generic', 'generics::dive'
    for options in ((), ('-C', 'force-frame-pointers=yes')):
        program = compiled('rustc', 'generics.rs', '-O', '-g', *options)
        recording = record_target(program, hz=2999)
        check_complete(recording)
        check_chains(recording, (main, generic, ring, ring),
                     (main,) + (dive,) * 10 + (generic, ring, square), most=0.5)
        panics = recording.share(lambda frames: '_Unwind_RaiseException' in frames)
        print(f'    {100 * panics:.1f} % in the unwinder, for a panic')
        check(panics > 0.01, 'no panics')


def test_ocaml():
    recording = record_target(compiled('ocamlopt', 'closures.ml', '-g'), hz=2999)
    check_complete(recording, deep=2)
    # camlClosures__nest_239: the number tells functions of one name apart.
    check_chains(recording, ('entry',) + ('nest',) * 21, ('entry', 'attempt') + ('dive',) * 11,
                 ('entry', 'lists') + ('build',) * 201, most=0.3,
                 short=lambda name: re.sub(r'^camlClosures__(\w+?)(_[0-9]+)?$', r'\1', name))
    check(any(name.startswith('caml') and 'List__' in name for name in recording.functions()),
          'nothing of the standard library')


@by_table_only('callers are found below the stack pointer, where no copy is')
def test_openssl():
    """CFI by hand: frames found through expressions, and below the stack pointer. See nocfi.py."""
    for function, arguments in (('EVP_Digest', ('-evp', 'sha512')),
                                ('EC_POINT_mul', ('ecdsap256',))):
        print(f'    {arguments[-1]}')
        recording = record(seconds=None, hz=1999, command=[
            need('openssl'), 'speed', '-seconds', '1', '-bytes', '8192', *arguments])
        check_complete(recording)
        share = recording.share(lambda frames: function in frames)
        check(share > 0.2, f'only {share} beneath {function}')


if __name__ == '__main__':
    run(globals())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Go programs, built by every Go there is: with symbols and without, linked in all ways, with C.

A stripped Go program has no symbols and no DWARF, only the table for its own tracebacks.
"""
import os
import re
import shutil
import subprocess
import tempfile
from functools import lru_cache

from harness import (COPIES, DEEPER, HANG_S, Skipped, Target, by_table_only, check, check_complete,
                     check_equal, folder, need, pprof, record, run)
from names import chains

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'targets')
PLACES = ('/usr/bin/go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go')
NO_SYMBOLS = '-ldflags=-s -w'
# What runs on the system's stack is cut by copies, which are of one stack.
SYSTEM_STACK_PERCENT = 30


def run_go(go, *arguments):
    return subprocess.run([go, *arguments], env=environment(), check=True,
                          capture_output=True).stdout.decode().strip()


@lru_cache(maxsize=None)
def toolchains():
    """[(version, path)] of every go command, each once."""
    found = {}
    for path in (shutil.which('go'),) + PLACES:
        if path and os.access(path, os.X_OK):
            found.setdefault(os.path.realpath(path), run_go(path, 'env', 'GOVERSION'))
    if not found:
        raise Skipped('go is not installed')
    return sorted((version, path) for path, version in found.items())


def environment(**more):
    result = dict(os.environ, GOENV='off', GOFLAGS='', GO111MODULE='off', GOTOOLCHAIN='local',
                  GOPATH=os.path.join(tempfile.gettempdir(), 'profd-live-go', 'path'), **more)
    result.setdefault('GOCACHE', os.path.join(tempfile.gettempdir(), 'profd-live-go'))
    result.pop('GOROOT', None)
    return result


@lru_cache(maxsize=None)
def build(go, source, *options):
    """The path of the program."""
    path = os.path.join(folder(), source)
    done = subprocess.run(
        [go, 'build', '-o', path, *options, os.path.join(SOURCES, source + '.go')],
        env=environment(CGO_ENABLED=str(int('cgo' in source or 'external' in str(options)))),
        capture_output=True, timeout=4 * HANG_S, check=False)
    check(done.returncode == 0, f'{go} build {options}: {done.stderr.decode()}')
    return path


def record_program(path):
    with Target(path) as target:
        recording = record('-p', target.pid, seconds=1)
    check_complete(recording, deep=SYSTEM_STACK_PERCENT)
    return recording


def plain(name):
    """Symbol tables tell apart what follows which calling convention."""
    return re.sub(r'\.abi(0|internal)$', '', name)


def in_order(*names):
    """Predicate: these frames are there in this order, root first; others may lie between."""
    def predicate(frames):
        rest = iter(plain(frame) for frame in frames[1:])
        return all(name in rest for name in names)
    return predicate


def share_of_names(recording, but=()):
    """Share of user frames that have a name of their own."""
    named = total = 0
    for frames, weight in recording.stacks:
        for frame in frames[1:]:
            if frame.endswith('_[k]') or DEEPER in frame or any(text in frame for text in but):
                continue
            total += weight
            named += weight * (not re.search(r'\+0x[0-9a-f]+$|^\[', frame))
    return named / total


def check_goroutines(path):
    """What is known of golang.go: chains of calls, and that all the rest is somewhere in Go."""
    recording = record_program(path)
    stacks = [[plain(frame) for frame in frames[1:]] for frames, _ in recording.stacks]
    names = share_of_names(recording, but=('true+0x', 'ld-linux', 'libc.so'))
    check(names > 0.99, f'only {names:.4f} of the frames have names')
    chain = ('main.outer', 'main.middle', 'main.inner')
    known = [stack[:stack.index('main.outer')] for stack in stacks if 'main.outer' in stack]
    check(any(stack[:2] == ['runtime.goexit', 'runtime.main'] for stack in known),
          f'main.outer is never called by the main goroutine: {known[:3]}')
    check(any(stack[:1] == ['runtime.goexit'] and 'main.forever' in stack and
              'runtime.main' not in stack for stack in known),
          f'main.outer is never called by the other goroutine: {known[:3]}')
    # Every one of them passes through the chain, unless it is at its ends.
    for stack in stacks:
        if 'main.inner' in stack and 'main.outer' in stack:
            at = stack.index('main.outer')
            check(tuple(stack[at:at + 3]) == chain, f'not in order: {stack}')
    check(any(stack.count('main.deep') > 200 for stack in stacks), 'no deep recursion')
    for name in ('main.echo', 'main.talk', 'main.tree', 'main.deferring', 'main.call'):
        some = [stack for stack in stacks if name in stack]
        check(some, f'no {name}')
        for stack in some:
            check(stack[0] == 'runtime.goexit', f'{name} does not come from a goroutine: {stack}')
    # What runs on the system's stack belongs to the goroutine that asked for it.
    check(COPIES or any(stack[0] == 'runtime.goexit' and 'runtime.systemstack' in stack
                        for stack in stacks),
          'no stack goes from the system\'s to a goroutine\'s')


def check_c(path, symbols):
    """Go calls C calls Go: through both stacks, back and forth."""
    recording = record_program(path)
    down = ('runtime.goexit', 'main.work', 'runtime.cgocall', 'runtime.asmcgocall')
    back = ('crosscall2', 'runtime.cgocallback', 'main.deep')
    inside = ('c_outer', 'c_inner') if symbols else ()
    both = in_order(*down, *inside, *back)
    through = recording.share(both)
    check(through > 0.2, f'only {through:.3f} of the samples pass from Go through C to Go')
    here = in_order('main.deep')
    lost = recording.share(lambda frames: here(frames) and not both(frames))
    check(lost < 0.001, f'{lost:.4f} of the samples in Go called by C do not pass through it')
    if symbols:
        leaf = recording.share(lambda frames: in_order(*down, *inside)(frames) and
                               frames[-1].startswith('c_leaf'))
        check(leaf > 0.1, f'only {leaf:.3f} of the samples end in C')
    names = share_of_names(recording, but=() if symbols else (os.path.basename(path) + '+0x',))
    check(names > 0.99, f'only {names:.4f} of the frames have names')


def each_toolchain(test):
    for version, go in toolchains():
        print(f'  {version}', flush=True)
        test(go)


def test_with_symbols():
    each_toolchain(lambda go: check_goroutines(build(go, 'golang')))


def test_linked_without_symbols():
    each_toolchain(lambda go: check_goroutines(build(go, 'golang', NO_SYMBOLS)))


def test_stripped():
    def stripped(go):
        path = build(go, 'golang')
        subprocess.run([need('strip'), '--strip-all', '-o', path + '_stripped', path], check=True)
        check_goroutines(path + '_stripped')
    each_toolchain(stripped)


def test_position_independent():
    each_toolchain(lambda go: check_goroutines(build(go, 'golang', NO_SYMBOLS, '-buildmode=pie')))


@by_table_only('a copy is of one stack, and C has another one than the goroutine')
def test_c_and_back():
    need('gcc')
    each_toolchain(lambda go: check_c(build(go, 'golang_cgo'), True))


@by_table_only('a copy is of one stack, and C has another one than the goroutine')
def test_c_and_back_without_symbols():
    need('gcc')
    each_toolchain(lambda go: check_c(build(go, 'golang_cgo', NO_SYMBOLS), False))


@by_table_only('a copy is of one stack, and C has another one than the goroutine')
def test_c_and_back_position_independent():
    """An external linker merges the table with other data."""
    need('gcc')
    each_toolchain(lambda go: check_c(build(go, 'golang_cgo', NO_SYMBOLS, '-buildmode=pie'), False))


@by_table_only('a copy is of one stack, and C has another one than the goroutine')
def test_c_of_the_standard_library():
    """Go's linker alone: there is no call frame information for C, either."""
    need('gcc')

    def standard(go):
        path = build(go, 'golang_cgo_std', '-ldflags=-s -w -linkmode=internal')
        recording = record_program(path)
        through = recording.share(in_order('runtime.goexit', 'main.work', 'runtime.cgocall',
                                           'runtime.asmcgocall', 'getpwnam_r'))
        check(through > 0.5, f'only {through:.3f} of the samples pass from Go to the C library')
        names = share_of_names(recording, but=('libc.so', 'ld-linux'))
        check(names > 0.99, f'only {names:.4f} of the frames have names')
    each_toolchain(standard)


def line_of(comment):
    """In golang_lines.go."""
    with open(os.path.join(SOURCES, 'golang_lines.go'), encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            if line.rstrip().endswith(f' // {comment}'):
                return number
    raise AssertionError(comment)


def check_lines(recording, old):
    """The time is in what is inlined into what is inlined into work(). old: before Go 1.20."""
    source, inner = 'golang_lines.go', line_of('innermost')
    want = [('main.churn', source, True),
            ('main.(*mill).mix', source, line_of('call of churn'), True),
            ('main.work', source, line_of('call of mix'), False),
            ('main.main', source, line_of('call of work'), False)]
    whole = named = 0.0
    for weight, frames in chains(recording):
        whole += weight
        if frames[0][0] == 'main.churn':
            named += weight
            check(abs(frames[0][2] - inner) <= 1, f'innermost line: {frames[0]}, not {inner}')
            check_equal([frames[0][:2] + frames[0][3:]] + frames[1:4], want, 'the frames')
    check(named > 0.95 * whole, f'only {named:.0f} of {whole:.0f} ms have their chain')
    starts = dict(re.findall(r' (main\.\S+) \S*golang_lines\.go:\d+(?::\d+)? s=(\d+)',
                             pprof(recording, '-raw')))
    for name, comment in (('main.churn', 'churn'), ('main.(*mill).mix', 'mix'),
                          ('main.work', 'work')):
        check_equal(int(starts[name]), 0 if old else line_of(comment), f'where {name} begins')


def test_inlined_functions_and_lines():
    def lines(go, *options):
        path = build(go, 'golang_lines', *options)
        with Target(path) as target:
            recording = record('-p', target.pid, seconds=1, outputs=('out.pb.gz', 'out.folded'))
        version = run_go(go, 'env', 'GOVERSION')
        check_lines(recording, int(re.match(r'go1\.(\d+)', version)[1]) < 20)
    each_toolchain(lambda go: lines(go, NO_SYMBOLS))
    # What DWARF tells, too, is the same.
    lines(toolchains()[0][1])
    lines(toolchains()[-1][1], NO_SYMBOLS, '-buildmode=pie')


def test_short_processes():
    """Most samples of each come before anything is known of it: their stacks are copied."""
    def short(go):
        root = run_go(go, 'env', 'GOROOT')
        gofmt = os.path.join(os.path.dirname(os.path.realpath(go)), 'gofmt')
        if not os.access(gofmt, os.X_OK):
            raise Skipped(f'no {gofmt}')
        recording = record(seconds=None, command=[
            'sh', '-c', f'for i in 1 2 3; do {gofmt} -l {root}/src/runtime; done'])
        check_complete(recording, 99 if COPIES else 99.9, deep=SYSTEM_STACK_PERCENT)
        finished = recording.summary['walks_finished_later']
        check(finished > 0, 'everything was known at once')
    each_toolchain(short)


if __name__ == '__main__':
    run(globals())

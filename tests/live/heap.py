#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""-e heap: what is in use by stack, against programs that say themselves what they hold."""
import os
import re
import signal
import subprocess

from harness import (PROFD, TARGETS, Recorder, check, check_equal, end, folder, need, pprof, profd, record,
                     run, start)

LIBRARY = os.path.join(os.path.dirname(PROFD), '../preload/libprofd-heap.so')
INTERVAL = 512 << 10
TYPES = ['alloc_objects/count', 'alloc_space/bytes', 'inuse_objects/count', 'inuse_space/bytes',
         'samples/count']
SIGMAS = 5


def target(name):
    return os.path.join(TARGETS, name)


class Heap:
    """The profile of a recording: values by function, each stack counted for every one in it."""
    def __init__(self, recording):
        text = pprof(recording, '-raw')
        samples, locations = text.split('Samples:\n')[1].split('Locations\n')
        lines = samples.split('\n')
        self.types = [word.split('[')[0] for word in lines[0].split()]
        names, last = {}, None
        for line in locations.split('Mappings')[0].split('\n'):
            found = re.match(r' +(\d+): 0x[0-9a-f]+ (?:M=\d+ )?(.*)$', line)
            if found:
                last = names.setdefault(int(found.group(1)), set())
                line = found.group(2)
            if last is not None and line.strip():
                last.add(re.sub(r'(\[\w+\])?( \S*:\d+:?\d*)?( s=\d+.*)?$', '', line.strip()))
        self.by_function, self.totals = {}, [0] * len(self.types)
        for line in lines[1:]:
            found = re.match(r'([ \d-]+): ([\d ]+)', line)
            if not found:
                continue
            values = [int(value) for value in found.group(1).split()]
            functions = set().union(*(names[int(i)] for i in found.group(2).split()))
            for index, value in enumerate(values):
                self.totals[index] += value
                for function in functions:
                    self.by_function.setdefault(function, [0] * len(values))[index] += value

    def get(self, function, type_):
        index = self.types.index(type_)
        return self.by_function.get(function, [0] * len(self.types))[index]

    def total(self, type_):
        return self.totals[self.types.index(type_)]


def check_held(heap, output, skip=()):
    """Every function that has said what it holds is within its interval. Returns the sum of bytes."""
    total = total_variance = 0
    for line in output.splitlines():
        words = line.split()
        if len(words) != 5 or words[0] in skip:
            continue
        name, (size, objects, variance, object_variance) = words[0], map(float, words[1:])
        total, total_variance = total + size, total_variance + variance
        for type_, want, spread in (('inuse_space/bytes', size, variance),
                                    ('inuse_objects/count', objects, object_variance)):
            got, allowed = heap.get(name, type_), SIGMAS * spread ** 0.5 + want / 1000
            print(f'    {name} {type_}: {got:,}, in truth {want:,.0f} ± {allowed:,.0f}')
            check(abs(got - want) <= allowed,
                  f'{name} {type_}: {got}, in truth {want:.0f} ± {allowed:.0f}')
    check(total > 0, f'the program said nothing: {output}')
    got, allowed = heap.total('inuse_space/bytes'), SIGMAS * total_variance ** 0.5 + total / 20
    print(f'    all: {got:,}, in truth {total:,.0f} ± {allowed:,.0f}')
    check(abs(got - total) <= allowed, f'all: {got}, in truth {total:.0f} ± {allowed:.0f}')
    return total


def test_command_and_child():
    recording = record('-e', 'heap', seconds=None, hz=None, outputs=('out.pb.gz', 'out.folded'),
                       command=[target('heap_holder'), str(INTERVAL), 'fork'])
    heap = Heap(recording)
    check_equal(heap.types, TYPES, 'types of values')
    check_held(heap, recording.stdout.decode())
    # What is freed again counts as allocated only.
    check_equal(heap.get('churn', 'inuse_space/bytes'), 0, 'bytes in use of what was freed')
    churned = heap.get('churn', 'alloc_space/bytes')
    true = 4000000 * (16 + 2047.5) + (100 << 20)
    check(abs(churned / true - 1) < 0.15, f'{churned} allocated and freed, in truth {true:.0f}')
    summary = recording.summary
    check(summary['complete'] >= 0.999 * summary['samples'], f'truncated: {summary["truncated"]}')
    check_equal(summary['heap']['samples_lost'], 0, 'lost samples')
    check_equal(summary['heap']['samples_refused'], 0, 'refused samples')
    check_equal(summary['heap']['processes_with_own_malloc'], 0, 'allocators not seen')
    check_equal(summary['heap']['processes'], 2, 'processes')
    check('in use in' in recording.stderr, recording.stderr)
    check('containers' in ' '.join(' '.join(frames) for frames, _ in recording.stacks),
          'no stack through containers')


def test_attached_again_and_again():
    """A process that was started with the library is recorded twice; what it had before is not shown."""
    process = start([target('heap_holder'), str(INTERVAL), 'go', 'wait'], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, env=dict(os.environ, LD_PRELOAD=LIBRARY))
    try:
        recorder = Recorder('-e', 'heap', '-p', process.pid, outputs=('out.pb.gz',))
        recorder.wait_sampling()
        process.stdin.write(b'g')
        process.stdin.flush()
        lines = []
        while not lines or lines[-1] != 'done':
            lines.append(process.stdout.readline().decode().strip())
        recorder.signal(signal.SIGINT)
        first = Heap(recorder.finish())
        check_held(first, '\n'.join(lines))
        second = record('-e', 'heap', '-p', process.pid, seconds=1, hz=None, outputs=('out.pb.gz',))
        check_equal(second.summary['heap']['inuse_bytes'], 0, 'bytes in use that are new')
        check_equal(second.summary['heap']['processes'], 1, 'processes')
        check('before the recording began is not in it' in second.stderr, second.stderr)
    finally:
        end(process)


PYTHON = '''
import sys
def numbers():
    return [i * 1000003 for i in range(300000)]
def tables():
    return [{'a': i, 'b': str(i)} for i in range(60000)]
def thrown_away():
    for i in range(300000):
        x = (i, [i], {i: i})
kept = numbers(), tables()
thrown_away()
print(sum(sys.getsizeof(x) for x in kept[0]) + sys.getsizeof(kept[0]) +
      sum(sys.getsizeof(x) + 16 + sys.getsizeof(x['b']) + sys.getsizeof(x['a']) for x in kept[1]))
sys.stdout.flush()
import os
os._exit(0)
'''


def test_small_objects_of_python():
    """They lie in CPython's own allocator; getsizeof tells their sizes, without the collector's head."""
    recording = record('-e', 'heap', '--heap-interval', '64K', seconds=None, hz=None,
                       outputs=('out.pb.gz',), command=['/usr/bin/python3', '-c', PYTHON])
    true = int(recording.stdout)
    heap = Heap(recording)
    got = heap.total('inuse_space/bytes')
    # The interpreter itself has some megabytes besides.
    print(f'    in use {got:,}, of which objects {true:,}')
    check(0.9 * true < got < 1.1 * true + 8e6, f'{got} in use, of which objects are {true}')
    check(heap.total('inuse_objects/count') > 400000, 'fewer objects in use than there are')


def test_everything_at_once():
    """Threads, forks, dlopen, signals and longjmp out of their handlers, and nothing is lost."""
    recording = record('-e', 'heap', seconds=None, hz=None, outputs=('out.pb.gz',),
                       command=[target('heap_torture'), '3', '300000', '15'])
    check_equal(int(recording.stdout), 900000, 'operations')
    summary = recording.summary
    print(f'    {summary["samples"]} samples of {summary["heap"]["processes"]} processes')
    check_equal(summary['heap']['samples_refused'], 0, 'refused samples')
    check(summary['heap']['processes'] >= 11, 'children were not seen')
    check_equal(summary['heap']['samples_lost'], 0, 'lost samples')
    check(summary['complete'] >= 0.99 * summary['samples'], f'truncated: {summary["truncated"]}')


def test_exec_leaves_nothing():
    """The shell's memory is gone with the shell, be the new program with the library or without."""
    code = ('x=$(seq 100000); exec "$0" "$@"',)
    recording = record('-e', 'heap', '--heap-interval', '64K', seconds=None, hz=None,
                       outputs=('out.pb.gz',), command=['/bin/bash', '-c', *code, 'sleep', '0.5'])
    summary = recording.summary['heap']
    check(summary['alloc_bytes'] > 500000, f'the shell was not seen: {summary}')
    check(summary['inuse_bytes'] < 400000, f'the shell still has something: {summary}')
    recording = record('-e', 'heap', '--heap-interval', '64K', seconds=None, hz=None,
                       outputs=('out.pb.gz',),
                       command=['/bin/bash', '-c', *code, '/usr/bin/env', '-u', 'LD_PRELOAD',
                                'sleep', '0.5'])
    check(recording.summary['heap']['inuse_bytes'] < 400000, recording.stderr)


def test_programs_that_have_none():
    """Those that cannot load the library run as ever, and it is said."""
    recording = record('-e', 'heap', seconds=None, hz=None, good=False, outputs=('out.pb.gz',),
                       command=['/sbin/ldconfig', '-p'])  # static
    check('no process has loaded libprofd-heap.so' in recording.stderr, recording.stderr)
    status, _, errors = profd('record', '-e', 'heap', '-d', '1', '-a', '-o',
                              os.path.join(folder(), 'x.svg'))
    check_equal(status, 1, 'status')
    check('needs -p or a command' in errors, errors)
    status, _, errors = profd('record', '--heap-interval', '64K', '--', 'true')
    check_equal(status, 2, 'status')
    check('goes with -e heap' in errors, errors)


def test_other_runtimes():
    """Sanitizers' runtimes and musl have allocators of their own: programs run as ever."""
    where = folder()
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../targets/heap_torture.c')
    for name, words in (('asan', ['gcc', '-fsanitize=address']), ('tsan', ['gcc', '-fsanitize=thread']),
                        ('musl', ['musl-gcc'])):
        need(words[0])
        program = os.path.join(where, name)
        subprocess.run([*words, '-O1', '-fno-builtin', '-pthread', '-o', program, source, '-ldl'],
                       check=True)
        # Their own locks stay locked in children, and their own doubts are not asked for.
        recording = record('-e', 'heap', '--heap-interval', '16K', seconds=None, hz=None,
                           outputs=('out.pb.gz',), command=[program, '2', '30000', '0'],
                           env=dict(os.environ, ASAN_OPTIONS='detect_leaks=0',
                                    TSAN_OPTIONS='report_signal_unsafe=0:report_bugs=0'))
        check_equal(recording.stdout.split(), [b'60000'], f'operations of {name}')
        check_equal(recording.summary['heap']['processes'], int(name == 'musl'), f'regions of {name}')


def test_both_at_once():
    """CPU time and the heap in one profile."""
    recording = record('-e', 'cpu,heap', seconds=None, outputs=('out.pb.gz',),
                       command=[target('heap_holder'), str(INTERVAL)])
    heap = Heap(recording)
    check_equal(heap.types, ['samples/count', 'cpu/nanoseconds'] + TYPES[:4], 'types of values')
    check_held(heap, recording.stdout.decode())
    check(heap.total('cpu/nanoseconds') > 1e8, 'no CPU time')


if __name__ == '__main__':
    run(globals(), by_table_only='heap needs BPF, says profd')

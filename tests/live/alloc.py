# SPDX-License-Identifier: Apache-2.0
"""record -e alloc: who allocates most, of programs that count their own allocations; probes that go away."""
import glob
import json
import os
import signal
import subprocess
import sys
import time

from harness import (Program, Recorder, Target, check, check_equal, end, need, one_line, profd, record, run,
                     start)

PATHS = ('small_ones', 'cleared_ones', 'big_ones', 'grown_ones', 'aligned_ones', 'objects')
LIBRARIES = '/usr/lib/*-linux-gnu/'


def library(name):
    found = sorted(glob.glob(LIBRARIES + name))
    check(found, f'{name} is not installed')
    return found[0]


def functions(path, kind):
    status, output, errors = profd('report', '--json', '--type', kind, path)
    check_equal(status, 0, errors)
    report = json.loads(output)
    return report, {function['name']: function['total'] for function in report['functions']}


def check_shares(recording, truth):
    """
    Of each function that allocates the true share lies in the interval: a 95 % one, which at twice its width
    holds of thousands of runs.
    """
    path = recording.path('out.pb.gz')
    for column, kind in ((0, 'alloc_objects'), (1, 'alloc_space')):
        report, found = functions(path, kind)
        whole = sum(truth[name][column] for name in PATHS)
        for name in PATHS:
            true = truth[name][column] / whole
            # One that was not seen at all may be rare.
            share = found.get(name, {'share': 0, 'low': 0, 'high': 4 / max(report['samples'], 1)})
            low = share['share'] - 2 * (share['share'] - share['low'])
            high = share['share'] + 2 * (share['high'] - share['share'])
            check(low <= true <= high, f'{kind} of {name}: {true:.4f} is not in {share}, '
                                       f'{recording.stderr}')


def record_target(name, *arguments, seconds=4, **options):
    with Target(name, *arguments, **options) as target:
        recording = record('-e', 'alloc', '-p', target.pid, seconds=seconds, hz=None,
                           outputs=('out.pb.gz', 'out.folded'))
        return recording, target.stop()


def check_quality(recording):
    summary = recording.summary
    check(summary['samples'] >= 50, summary)
    check_equal(summary['complete'], summary['samples'], f'complete stacks, {recording.stderr}')
    check('probes cost ' in recording.stderr, recording.stderr)


def test_shares_are_right():
    """The C library's functions, and the C++ library's, which call them: nothing is counted twice."""
    recording, truth = record_target('allocations')
    check_quality(recording)
    check_shares(recording, truth)
    # From main by way of the function that allocates to the C library.
    for frames, _ in recording.stacks:
        check('main' in frames and any(name in frames for name in PATHS), frames)


def test_total_is_about_right():
    """A program that allocates seldom is looked at all the time."""
    recording, truth = record_target('allocations', 100000, seconds=5)
    check_shares(recording, truth)
    report, _ = functions(recording.path('out.pb.gz'), 'alloc_space')
    rate = sum(truth[name][1] for name in PATHS) / truth['seconds']
    found = report['value'] / recording.summary['duration_s']
    check(rate / 3 < found < rate * 3, f'{found} bytes a second, not {rate}')


def test_other_allocators():
    for name in ('libjemalloc.so.2', 'libtcmalloc_minimal.so.4', 'libmimalloc.so.2'):
        preload = library(name)
        recording, truth = record_target('allocations', seconds=3,
                                         env={**os.environ, 'LD_PRELOAD': preload})
        check_quality(recording)
        check_shares(recording, truth)
        check(not any('libc.so' in frame for frame in recording.functions()), recording.functions())


def test_static_program():
    recording, truth = record_target('allocations_static', seconds=3)
    check_quality(recording)
    check_shares(recording, truth)


def code_of(pid, *but):
    """All that is executable in a process, as it is in memory; but: names of mappings."""
    code = {}
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, open(f'/proc/{pid}/mem', 'rb') as memory:
        for line in maps:
            where, rights = line.split()[:2]
            if 'x' not in rights or line.rstrip().endswith(('[vsyscall]', '[vdso]', *but)):
                continue
            start, end = (int(part, 16) for part in where.split('-'))
            memory.seek(start)
            code[start] = memory.read(end - start)
    return code


def wait_probed(pid, before, *but):
    for _ in range(3000):
        if code_of(pid, *but) != before:
            return True
        time.sleep(0.002)
    return False


def test_probes_go_when_profd_is_killed():
    """Whatever ends it: the code is as it was, nothing is mapped that was not, and the program goes on."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        with Target('allocations', 100000) as target:
            before = code_of(target.pid)
            recorder = Recorder('-e', 'alloc', '-p', target.pid, '-d', 30, outputs=('out.pb.gz',))
            check(wait_probed(target.pid, before), 'no probe was ever seen')
            recorder.signal(number)
            recorder.finish()
            for _ in range(100):
                if code_of(target.pid) == before:
                    break
                time.sleep(0.05)
            check(code_of(target.pid) == before, f'after signal {number} its code is not as it was')
            check(target.stop()['small_ones'][0] > 0, 'it did not go on')


QUIET_THEN_BUSY = """
import select, sys, time
print('ready', flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    bytearray(2000)
until = time.time() + 30
while time.time() < until:
    for _ in range(1000):
        bytearray(2000)
"""


def test_probes_do_not_stay_when_calls_get_many():
    """Where there are few calls they may; not in the gaps between windows of a program that is busy."""
    process = start([sys.executable, '-c', QUIET_THEN_BUSY], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE)
    try:
        check_equal(process.stdout.readline(), b'ready\n', 'its first words')
        before = code_of(process.pid)
        recorder = Recorder('-e', 'alloc', '-p', process.pid)
        check(wait_probed(process.pid, before), 'never probed')
        time.sleep(1.5)
        process.stdin.write(b'\n')
        process.stdin.flush()
        time.sleep(0.15)
        looks = []
        for _ in range(40):
            looks.append(code_of(process.pid) != before)
            time.sleep(0.01)
        print(f'    {sum(looks)} of {len(looks)} looks found probes')
        check(sum(looks) < len(looks) / 2, f'probed in {sum(looks)} of {len(looks)} looks')
        recorder.signal(signal.SIGINT)
        check_equal(recorder.finish().status, 0, 'status')
    finally:
        end(process)


def test_commands_and_their_children():
    """Programs that fork, exec and end at any moment, recorded from their beginning."""
    script = ('for i in 1 2 3 4 5 6; do python3 -c "'
              'for i in range(3000): bytes(2000 + i)"; done; exit 7')
    recording = record('-e', 'alloc', seconds=None, hz=None, good=False, outputs=('out.pb.gz',),
                       command=['sh', '-c', script])
    check_equal(recording.status, 7, recording.stderr)


def test_refusals():
    for arguments, words in ((('-a',), 'probes the processes that it is told'),
                             (('--comm', 'nothing*'), 'probes the processes that it is told')):
        recording = record('-e', 'alloc', *arguments, seconds=1, hz=None, good=False)
        check_equal(recording.status, 1, recording.stderr)
        check(words in one_line(recording.stderr), recording.stderr)
    with Target('musl_stripped_threads') as target:
        recording = record('-e', 'alloc', '-p', target.pid, seconds=1, hz=None, good=False)
        check_equal(recording.status, 1, recording.stderr)
        check('no malloc is found in it' in one_line(recording.stderr), recording.stderr)
    for share in ('0', '60', 'half', '-1'):
        status, _, errors = profd('record', '-e', 'alloc', '--alloc-overhead', share, '-p', os.getpid())
        check_equal(status, 2, errors)


def test_two_at_once():
    """The other one's probes are no trouble."""
    with Target('allocations') as target:
        recorders = [Recorder('-e', 'alloc', '-p', target.pid, '-d', 3, outputs=('out.pb.gz',))
                     for _ in range(2)]
        recordings = [recorder.finish() for recorder in recorders]
        truth = target.stop()
    for recording in recordings:
        check_equal(recording.status, 0, recording.stderr)
        check_shares(recording, truth)


def test_with_cpu_time():
    """Both events in one profile."""
    with Target('allocations') as target:
        recording = record('-e', 'cpu,alloc', '-p', target.pid, seconds=2, hz=997,
                           outputs=('out.pb.gz',))
        target.stop()
    for kind in ('cpu', 'alloc_space'):
        report, found = functions(recording.path('out.pb.gz'), kind)
        check(report['value'] > 0 and found['main']['share'] > 0.9, f'{kind}: {found}')


if __name__ == '__main__':
    run(globals(), by_table_only='calls that allocate are taken by BPF programs')

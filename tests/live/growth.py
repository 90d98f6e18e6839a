#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""-e growth, against programs that print what stays of what they touch, by path."""
import glob
import json
import os
import subprocess
import time

from harness import (TARGETS, Program, Recorder, Skipped, Target, check, check_equal, has, profd,
                     run)

POINTS = 3.0


class Run:
    """A grower that was recorded while it grew: its truth, what was recorded, and shares of that."""

    def __init__(self, how, *options, megabytes=64, ms=200, environment=None,
                 outputs=('out.folded',)):
        with Target('grower', how, megabytes, ms, stdin=subprocess.PIPE,
                    env=dict(os.environ, **(environment or {}))) as target:
            recorder = Recorder('-e', 'growth', '-p', target.pid, *options, outputs=outputs)
            recorder.wait_timers()
            target.process.stdin.write(b'.')
            self.truth = json.loads(target.read_line())
            recorder.signal(2)
            self.recording = recorder.finish()
        check_equal(self.recording.status, 0, self.recording.stderr)
        self.growth = self.recording.summary['growth']
        self.how = how

    def true_share(self, path):
        stays = self.truth['stays']
        return 100 * stays[path] / sum(stays.values())

    def print(self):
        growth = self.growth
        print(f'    {self.how}: {growth["growth_bytes"] / 1e6:.1f} MB stay of '
              f'{growth["touched_bytes"] / 1e6:.1f} touched, {self.truth["resident"] / 1e6:.1f} by its '
              f'own account; 1 of {growth["one_of_pages"]}, {growth["fault_samples"]} of '
              f'{growth["faults"]} faults; {growth["trend"]}')

    def check(self, total_percent=5.0, much='keep_much'):
        """Shares within three points, and all together what the program has grown by."""
        self.print()
        share = 100 * self.recording.share(has(much))
        want = self.true_share('keep_much')
        print(f'    keep_much {share:.1f} %, truly {want:.1f} %')
        check(abs(share - want) <= POINTS, f'{self.how}: keep_much {share:.1f} %, truly {want:.1f} %')
        resident = self.truth['resident']
        off = 100 * abs(self.growth['growth_bytes'] - resident) / resident
        check(off <= total_percent, f'{self.how}: {self.growth["growth_bytes"]} bytes of {resident}')


def test_small_blocks():
    Run('small').check()


def test_big_blocks():
    Run('big').check()


def test_partly_touched():
    Run('partly').check()


def test_calloc():
    Run('calloc').check()


def test_mmap():
    Run('mmap').check()


def test_populated():
    Run('populate').check()


def test_huge_pages():
    run_ = Run('huge', megabytes=120)
    run_.check()
    check(run_.growth['faults'] < 1000, f'no huge pages: {run_.growth["faults"]} faults')


def test_huge_beside_small():
    """So many small pages that not all are in the sample; huge ones still are."""
    run_ = Run('mixed', megabytes=240)
    run_.check()
    check(run_.growth['one_of_pages'] > 1, 'all pages were sampled')


def test_huge_malloc():
    """glibc asks for huge pages itself: each belongs to the path that touched it first, by chance."""
    run_ = Run('small', environment={'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1'})
    run_.print()
    resident = run_.truth['resident']
    check(abs(run_.growth['growth_bytes'] - resident) <= resident / 20, f'{run_.growth}')
    check(run_.growth['faults'] < 4000, f'no huge pages: {run_.growth["faults"]} faults')


def test_realloc():
    Run('realloc').check()


def test_containers():
    Run('containers').check()


def test_file():
    Run('file').check()


def test_shared():
    Run('shared').check()


def test_stacks():
    Run('stacks').check(much='stack_of_much')


def shares_by_kind(recording):
    """Of growth, by the label that says what kind of memory it is: {kind: percent}."""
    status, text, errors = profd('report', recording.path('out.pb.gz'), '--type', 'growth', '--by',
                                 'memory')
    check_equal(status, 0, errors)
    rows = (line.split() for line in text.splitlines())
    return {row[-1]: float(row[0]) for row in rows if len(row) > 3 and row[1] == '%'}


def test_labels():
    """Kinds of memory are told apart, and cpu and growth share a profile."""
    with Target('grower', 'shared', 32, stdin=subprocess.PIPE) as target:
        recorder = Recorder('-e', 'cpu,growth', '-F', 997, '-p', target.pid, outputs=('out.pb.gz',))
        recorder.wait_timers()
        target.process.stdin.write(b'.')
        target.read_line()
        recorder.signal(2)
        recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    kinds = shares_by_kind(recording)
    check(kinds.get('shared', 0) > 90, f'{kinds}')
    status, text, errors = profd('report', recording.path('out.pb.gz'), '--type', 'cpu')
    check(status == 0 and 'samples of cpu' in text, text + errors)


def test_given_back():
    """What is unmapped or given back has been touched, and has not stayed."""
    run_ = Run('back')
    run_.print()
    stays = run_.truth['stays']['keep_little']
    check(run_.recording.share(has('keep_much')) <= POINTS / 100, 'what was given back stayed')
    check(abs(run_.growth['growth_bytes'] - stays) <= 0.1 * stays, f'{run_.growth}')
    touched = sum(run_.truth['touched'].values())
    check(abs(run_.growth['touched_bytes'] - touched) <= 0.05 * touched, f'{run_.growth}')
    check(run_.growth['churn'] > 0.7, f'{run_.growth}')
    check('names who uses most memory' in run_.recording.stderr, run_.recording.stderr)


def test_steady():
    """Small blocks that come and go: no growth, and hardly any page."""
    run_ = Run('steady', ms=1700)
    run_.print()
    check_equal(run_.growth['trend'], 'no growth', run_.recording.stderr)
    check(run_.growth['growth_bytes'] < 1 << 20, f'{run_.growth}')


def test_churn():
    """Large blocks that come and go: much is touched, nothing grows, and it is told so."""
    run_ = Run('churn', ms=1700)
    run_.print()
    check_equal(run_.growth['trend'], 'no growth', run_.recording.stderr)
    check(run_.growth['churn'] > 0.9, f'{run_.growth}')
    check('no growth' in run_.recording.stderr and
          'names who uses most memory' in run_.recording.stderr, run_.recording.stderr)


def test_leak_is_told():
    run_ = Run('small', ms=1700)
    check_equal(run_.growth['trend'], 'grows', run_.recording.stderr)
    check('it grows by ' in run_.recording.stderr and ' is reached in ' in run_.recording.stderr,
          run_.recording.stderr)


PYTHON_LISTS = """
import json, sys
keep = []
def blobs():
    keep.append([bytes(3000) for _ in range(300)])
def lists(first):
    keep.append([[i] * 40 for i in range(first, first + 3000)])
def size(thing):
    return (sys.getsizeof(thing) + 15) // 16 * 16
print('ready', flush=True)
sys.stdin.read(1)
for i in range(30):
    blobs()
    lists(1000 + 3000 * i)
# By malloc, with its own eight bytes; lists and their numbers by Python's own allocator.
blob = 30 * 300 * ((sys.getsizeof(bytes(3000)) + 8 + 15) // 16 * 16)
of_list = 30 * 3000 * (size([]) + 320 + 32)
print(json.dumps({'blobs': blob, 'lists': of_list}), flush=True)
sys.stdin.read()
"""


def test_python_lists():
    """Objects that malloc has in the heap, and lists, for which Python's own allocator maps arenas."""
    with Program(['/usr/bin/python3', '-c', PYTHON_LISTS], stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, bufsize=0) as target:
        target.read_until('ready')
        recorder = Recorder('-e', 'growth', '-p', target.pid, outputs=('out.pb.gz',))
        recorder.wait_timers()
        target.process.stdin.write(b'.')
        truth = json.loads(target.read_line())
        recorder.signal(2)
        recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    share = shares_by_kind(recording).get('heap', 0)
    want = 100 * truth['blobs'] / sum(truth.values())
    print(f'    bytes {share:.1f} %, truly {want:.1f} %')
    check(abs(share - want) <= POINTS, f'bytes {share:.1f} %, truly {want:.1f} %')


def test_command():
    """A command that ends: what it had then has stayed. Its children count, too."""
    program = f'{TARGETS}/grower small 24 100 <<< . | head -n 2 >/dev/null'
    recorder = Recorder('-e', 'growth', command=['bash', '-c', program + '; exit 3'])
    recording = recorder.finish()
    check_equal(recording.status, 3, recording.stderr)
    stayed = sum(weight for frames, weight in recording.stacks if frames[0] == 'grower')
    print(f'    {stayed / 1e6:.1f} MB of a process that has ended')
    check(24 << 20 <= stayed <= 28 << 20, f'{stayed} bytes: {recording.stderr}')
    share = 100 * sum(weight for frames, weight in recording.stacks
                      if 'keep_much' in frames) / stayed
    check(65 < share < 78, f'keep_much {share:.1f} %')


def test_exec_and_fork():
    """exec gives back all that there was; a child that writes what it has inherited has copies."""
    program = """
import os, sys
kept = bytearray(40 << 20)
for i in range(0, len(kept), 4096):
    kept[i] = 1
if os.fork() == 0:
    for i in range(0, len(kept), 4096):
        kept[i] = 2
    print('ready', flush=True)
    sys.stdin.read()
    os._exit(0)
os.execv('/bin/sh', ['sh', '-c', 'sleep 60'])
"""
    with Program(['/usr/bin/python3', '-c', 'import sys; sys.stdin.read(1); exec(sys.stdin.read(%d))'
                  % len(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as target:
        recorder = Recorder('-e', 'growth', '-s', '-p', target.pid)
        recorder.wait_timers()
        target.process.stdin.write(('.' + program).encode())
        target.read_until('ready')
        time.sleep(1.5)
        recorder.signal(2)
        recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    growth = recording.summary['growth']
    print(f'    {growth["touched_bytes"] / 1e6:.1f} MB touched, {growth["growth_bytes"] / 1e6:.1f} stay')
    check(80 << 20 <= growth['touched_bytes'] <= 100 << 20, f'{growth}')
    check(38 << 20 <= growth['growth_bytes'] <= 54 << 20, f'{growth}')


def test_short_lives():
    """Who has ended before anything of it was read has given all back, too."""
    program = """
import os
while True:
    if os.fork() == 0:
        kept = b'x' * (1 << 20)
        os._exit(0)
    os.wait()
"""
    with Program(['/usr/bin/python3', '-c', program]) as target:
        recorder = Recorder('-e', 'growth', '-s', '-p', target.pid)
        recorder.wait_timers()
        time.sleep(2.5)
        recorder.signal(2)
        recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    growth = recording.summary['growth']
    print(f'    {growth["touched_bytes"] / 1e6:.1f} MB touched, {growth["growth_bytes"] / 1e6:.1f} stay')
    check(growth['touched_bytes'] > 50 << 20, f'{growth}')
    off = growth['touched_bytes'] / (4096 * growth['faults']) - 1
    check(abs(off) < 0.5, f'touched is off by {100 * off:.0f} %: {growth}')
    check(growth['growth_bytes'] <= growth['touched_bytes'] / 10, f'{growth}')


def test_filter():
    """By name, on all CPUs."""
    recorder = Recorder('-e', 'growth', '--comm', 'grow*')
    recorder.wait_timers()
    with Target('grower', 'big', 48, 200, stdin=subprocess.PIPE) as target:
        target.process.stdin.write(b'.')
        truth = json.loads(target.read_line())
        recorder.signal(2)
        recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    stays = truth['stays']
    stayed = sum(weight for frames, weight in recording.stacks if 'main' in frames)
    share = 100 * sum(weight for frames, weight in recording.stacks
                      if 'keep_much' in frames) / stayed
    want = 100 * stays['keep_much'] / sum(stays.values())
    print(f'    {stayed / 1e6:.1f} MB of {sum(stays.values()) / 1e6:.1f}; {share:.1f} %, truly {want:.1f} %')
    check(abs(share - want) <= 2 * POINTS, f'{share:.1f} %, truly {want:.1f} %')
    check('resident_before_bytes' not in recording.summary['growth'], 'nobody knows that')


def test_refusals():
    for arguments, words in ((('--last', '5s'), '--last'), (('-F', '99'), '-F goes with'),
                             (('--alloc-overhead', '1'), '--alloc-overhead goes with')):
        status, _, errors = profd('record', '-e', 'growth', '-p', '1', *arguments)
        check_equal(status, 2, errors)
        check(words in errors, errors)


def test_jemalloc():
    libraries = glob.glob('/usr/lib/*/libjemalloc.so.2')
    if not libraries:
        raise Skipped('jemalloc is not installed')
    for how in ('small', 'big'):
        Run(how, environment={'LD_PRELOAD': libraries[0]}).check()


if __name__ == '__main__':
    run(globals(), by_table_only='growth is taken by BPF programs')

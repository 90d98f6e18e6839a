#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""-e heap of a process that runs without the library: what it holds, who is refused, and probes that go away."""
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from alloc import code_of, wait_probed
from harness import (PROFD, TARGETS, Recorder, Target, check, check_equal, end, one_line, pprof, profd, record, run,
                     start)
from heap import SIGMAS, Heap, check_held

INTERVAL = 2048
# The page from which probed returns come back, which the kernel leaves in the process.
PAGE = '[uprobes]'


def library(name):
    found = sorted(glob.glob('/usr/lib/*-linux-gnu/' + name))
    check(found, f'{name} is not installed')
    return found[0]


class Slow:
    """The target: tells what it holds once it was told to begin."""

    def __init__(self, *then, name='heap_slow', **options):
        self.process = start([os.path.join(TARGETS, name), str(INTERVAL), 'go', 'wait', *then],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.pid = self.process.pid
        self.read_until('ready')
        self.code = code_of(self.pid, PAGE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def go(self):
        self.process.stdin.write(b'g')
        self.process.stdin.flush()

    def read_until(self, word):
        lines = []
        while not lines or lines[-1] != word:
            line = self.process.stdout.readline().decode()
            check(line, f'it ended before it said {word}')
            lines.append(line.strip())
        return '\n'.join(lines)

    def tell(self):
        self.go()
        return self.read_until('done')

    def check_clean(self):
        for _ in range(200):
            if code_of(self.pid, PAGE) == self.code:
                return
            time.sleep(0.02)
        check(False, 'its code is not as it was')


def follow(*targets, overhead='20', **options):
    """A recorder whose sampling has begun."""
    arguments = [word for target in targets for word in ('-p', target.pid)]
    recorder = Recorder('-e', 'heap', *arguments, '--heap-interval', INTERVAL, '--alloc-overhead', overhead,
                        outputs=('out.pb.gz', 'out.folded'), **options)
    recorder.wait_timers()
    time.sleep(0.2)
    return recorder


def finish(recorder):
    recorder.signal(signal.SIGINT)
    recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    return recording


def followed(recording, number=0):
    return recording.summary['heap']['followed_by_probes'][number]


def test_what_is_held():
    """Every way to get memory and to give it back; also for who reads the file."""
    with Slow() as target:
        recorder = follow(target)
        lines = target.tell()
        recording = finish(recorder)
        target.check_clean()
    heap = Heap(recording)
    check_held(heap, lines)
    check_equal(heap.get('freed_again', 'inuse_space/bytes'), 0, 'in use of what was freed')
    true = 1200 * (2000 + 5000 + 3000 + 1)
    got = heap.get('freed_again', 'alloc_space/bytes')
    check(abs(got / true - 1) < 0.2, f'{got} bytes allocated and freed, in truth {true}')
    summary = recording.summary
    check_equal(summary['complete'], summary['samples'], f'complete stacks, {recording.stderr}')
    check_equal(summary['heap']['only_allocated_since_attaching'], True, 'what is in it')
    check_equal(summary['heap']['objects_not_followed'], 0, 'objects not followed')
    check_equal((followed(recording)['pid'], followed(recording)['until']),
                (target.pid, 'end of the recording'), 'how it was followed')
    check('before the recording began is not in it' in recording.stderr, recording.stderr)
    check('probes cost' in recording.stderr, recording.stderr)
    check('half_freed' in pprof(recording, '-inuse_space', '-top'), 'pprof')
    # From main to who calls the allocator, as with the library.
    for frames, _ in recording.stacks:
        check('main' in frames and 'malloc' not in frames, frames)


def test_other_allocators():
    for name in ('libjemalloc.so.2', 'libtcmalloc_minimal.so.4', 'libmimalloc.so.2'):
        environment = {**os.environ, 'LD_PRELOAD': library(name)}
        with Slow(name='heap_slow_c', env=environment) as target:
            recorder = follow(target)
            lines = target.tell()
            heap = Heap(finish(recorder))
            target.check_clean()
        print(f'    {name}:')
        check_held(heap, lines)
        check_equal(heap.get('freed_again', 'inuse_space/bytes'), 0, f'in use of what was freed, {name}')


def test_allocator_on_an_overlay():
    """As in containers."""
    place = tempfile.mkdtemp()
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', place], check=True)
    try:
        for name in ('low', 'up', 'work', 'root'):
            os.mkdir(f'{place}/{name}')
        shutil.copy(library('libjemalloc.so.2'), f'{place}/low/liballocator.so')
        subprocess.run(['mount', '-t', 'overlay', '-o', f'lowerdir={place}/low,upperdir={place}/up,'
                        f'workdir={place}/work', 'overlay', f'{place}/root'], check=True)
        environment = {**os.environ, 'LD_PRELOAD': f'{place}/root/liballocator.so'}
        with Slow(name='heap_slow_c', env=environment) as target:
            recorder = follow(target)
            lines = target.tell()
            check_held(Heap(finish(recorder)), lines)
            target.check_clean()
        # Of whoever is asked for calls only, the same file is probed.
        with Target('allocations', env=environment) as target:
            recording = record('-e', 'alloc', '-p', target.pid, seconds=1, hz=None)
            check(recording.summary['samples'] > 0, recording.stderr)
    finally:
        subprocess.run(['umount', '-R', '-l', place], check=True)
        os.rmdir(place)


def test_first_thread_has_ended():
    """The kernel would probe nothing, and not say so."""
    process = start(['/usr/bin/python3', '-c', 'import ctypes, threading, time\n'
                     'threading.Thread(target=time.sleep, args=(60,)).start()\n'
                     'print("ready", flush=True)\n'
                     'ctypes.CDLL(None).syscall(60, 0)'], stdout=subprocess.PIPE)
    try:
        check_equal(process.stdout.readline(), b'ready\n', 'its first words')
        for _ in range(200):
            with open(f'/proc/{process.pid}/stat', encoding='ascii', errors='replace') as stat:
                if stat.read().rpartition(')')[2].split()[0] == 'Z':
                    break
            time.sleep(0.02)
        for event in ('heap', 'alloc'):
            recording = record('-e', event, '-p', process.pid, seconds=1, hz=None, good=False)
            check_equal(recording.status, 1, recording.stderr)
            check('its first thread has ended' in one_line(recording.stderr), recording.stderr)
    finally:
        end(process)


def test_exceptions_of_other_allocators():
    """Where their operator new throws by itself, no return is probed."""
    with Slow(env={**os.environ, 'LD_PRELOAD': library('libtcmalloc_minimal.so.4')}) as target:
        recording = record('-e', 'heap', '-p', target.pid, seconds=1, hz=None, good=False)
        check_equal(recording.status, 1, recording.stderr)
        check("'operator new' of its own" in one_line(recording.stderr), recording.stderr)
        target.check_clean()




def test_too_many_calls():
    """Words that say what to do, and nothing left behind."""
    process = start([os.path.join(TARGETS, 'allocations')], stdout=subprocess.PIPE)
    try:
        check_equal(process.stdout.readline(), b'ready\n', 'its first words')
        before = code_of(process.pid, PAGE)
        recording = record('-e', 'heap', '-p', process.pid, seconds=1, hz=None, good=False)
        check_equal(recording.status, 1, recording.stderr)
        line = one_line(recording.stderr)
        print('    ' + line)
        found = re.search(r'calls malloc and free (\d+) times a second, .* cost ([\d.]+) % of its CPU time, '
                          r'with 0.5 % allowed', line)
        check(found and int(found.group(1)) > 10000 and float(found.group(2)) > 0.5, line)
        for words in ('--alloc-overhead', '-e growth', '-e alloc', 'record -e heap -- COMMAND',
                      'libprofd-heap.so'):
            check(words in line, line)
        check(code_of(process.pid, PAGE) == before, 'its code is not as it was')
        # Beside one that can be followed it is named, and the other one is recorded.
        with Slow() as target:
            recorder = Recorder('-e', 'heap', '-p', process.pid, '-p', target.pid, '--heap-interval', INTERVAL,
                                '--alloc-overhead', '2', outputs=('out.pb.gz',))
            recorder.wait_timers()
            target.process.stdin.close()
            recording = finish(recorder)
        check(f'pid {process.pid} is not followed: it calls malloc' in recording.stderr, recording.stderr)
        check_equal([one['until'] == 'refused' for one in recording.summary['heap']['followed_by_probes']],
                    [True, False], recording.stderr)
        check(code_of(process.pid, PAGE) == before, 'its code is not as it was')
    finally:
        end(process)


def test_rate_that_rises():
    """The probes go, and what was in use by then is told, though all of it has been freed since."""
    with Slow('busy') as target:
        recorder = follow(target, overhead='5')
        lines = target.tell()
        target.go()
        target.check_clean()
        target.read_until('freed')
        recording = finish(recorder)
    print('    ' + recording.stderr.replace('\n', '\n    '))
    one = followed(recording)
    check_equal(one['until'], 'cost', recording.stderr)
    check(one['calls_per_second'] > 10000 and 0 < one['seconds'] < recording.summary['duration_s'], one)
    check('only: then it called malloc and free' in recording.stderr and 'as of then' in recording.stderr,
          recording.stderr)
    check_held(Heap(recording), lines)


def test_exec():
    """What it had is gone, and the program that it becomes is not taken for it."""
    with Slow('exec') as target:
        recorder = follow(target)
        target.tell()
        target.go()
        target.read_until('again')
        time.sleep(0.3)
        recording = finish(recorder)
    check_equal(followed(recording)['until'], 'exec', recording.stderr)
    check_equal(recording.summary['heap']['inuse_bytes'], 0, 'bytes in use after exec')
    check('became another program' in recording.stderr, recording.stderr)


def test_fork():
    """What a child frees is its own copy."""
    with Slow('fork') as target:
        recorder = follow(target)
        lines = target.tell()
        target.go()
        target.read_until('freed')
        heap = Heap(finish(recorder))
        target.check_clean()
    check_held(heap, lines)


def test_death():
    """It is killed while it is recorded: that ends the recording, and what it held is told."""
    with Slow('die') as target:
        recorder = follow(target)
        lines = target.tell()
        target.go()
        recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    check_equal(followed(recording)['until'], 'process ended', recording.stderr)
    check_held(Heap(recording), lines)


def test_system_calls_that_are_filtered():
    """Either the kernel lets probed returns pass, or profd does not probe them."""
    with Slow('filtered') as target:
        recorder = Recorder('-e', 'heap', '-p', target.pid, '--heap-interval', INTERVAL, '--alloc-overhead', '20',
                            outputs=('out.pb.gz',))
        if wait_probed(target.pid, target.code, PAGE):
            recorder.wait_timers()
            time.sleep(0.2)
            lines = target.tell()
            check_held(Heap(finish(recorder)), lines)
        else:
            recording = recorder.finish()
            check_equal(recording.status, 1, recording.stderr)
            check('seccomp' in recording.stderr, recording.stderr)
            target.tell()


def test_profd_is_killed():
    """Nothing is left in the target, which goes on."""
    with Slow() as target:
        recorder = Recorder('-e', 'heap', '-p', target.pid, outputs=('out.pb.gz',))
        check(wait_probed(target.pid, target.code, PAGE), 'no probe was ever seen')
        recorder.wait_timers()
        recorder.signal(signal.SIGKILL)
        recorder.finish()
        target.check_clean()
        check('half_freed' in target.tell(), 'it did not go on')


def test_two_at_once():
    with Slow() as target:
        recorders = [follow(target), follow(target)]
        lines = target.tell()
        for recorder in recorders:
            check_held(Heap(finish(recorder)), lines)
        target.check_clean()


PYTHON = """
import sys
print('ready', flush=True)
sys.stdin.readline()
def large_ones():
    return [bytearray(100000) for i in range(200)]
kept = large_ones()
print('done', flush=True)
sys.stdin.readline()
"""


def test_python():
    """Its large objects are seen; of the small ones it is said that they are not."""
    process = start(['/usr/bin/python3', '-c', PYTHON], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        check_equal(process.stdout.readline(), b'ready\n', 'its first words')
        recorder = Recorder('-e', 'heap', '-p', process.pid, '--heap-interval', '64K', outputs=('out.pb.gz',))
        recorder.wait_timers()
        time.sleep(0.2)
        process.stdin.write(b'\n')
        process.stdin.flush()
        check_equal(process.stdout.readline(), b'done\n', 'its last words')
        recording = finish(recorder)
    finally:
        end(process)
    got = recording.summary['heap']['inuse_bytes']
    print(f'    {got:,} of 20,000,000')
    deviation = (200 * 100000 ** 2 * 0.28) ** 0.5
    check(abs(got - 20000000) < SIGMAS * deviation + 500000, got)
    check('up to 512 bytes' in recording.stderr, recording.stderr)


def test_no_allocator():
    with Target('musl_stripped_threads') as target:
        recording = record('-e', 'heap', '-p', target.pid, seconds=1, hz=None, good=False)
        check_equal(recording.status, 1, recording.stderr)
        check('no malloc and free are found in it' in one_line(recording.stderr), recording.stderr)


def test_top():
    with Slow() as target:
        top = subprocess.Popen([PROFD, 'top', '-e', 'heap', '-p', str(target.pid), '--heap-interval', str(INTERVAL),
                                '--alloc-overhead', '20', '-d', '5', '--once'], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        wait_probed(target.pid, target.code, PAGE)
        time.sleep(1.5)
        target.tell()
        output, errors = top.communicate(timeout=30)
        check_equal(top.returncode, 0, errors)
        check(b'new_objects' in output or b'grown_blocks' in output, (output, errors))


if __name__ == '__main__':
    run(globals(), by_table_only='calls that allocate are taken by BPF programs')

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Somebody kills or stops profd's processes, or profd itself: nothing is lost, nothing is left."""
import contextlib
import ctypes
import os
import re
import signal
import time

from harness import (COPIES, HANG_S, Failed, Recorder, Target, by_table_only, check, check_equal, folder,
                     rate, run)
from hostile import MuteFs
from neighbours import (check_all_gone, check_untroubled, copy_of, given_up, program, workers_of)

BPF_PROG_GET_FD_BY_ID, BPF_MAP_GET_FD_BY_ID, BPF_LINK_GET_FD_BY_ID = 13, 14, 30
SYS_BPF = 321


def children_of(pid):
    """[(pid, state)], the state as in proc(5)."""
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        children = [int(word) for word in file.read().split()]
    found = []
    for child in children:
        with contextlib.suppress(OSError):
            with open(f'/proc/{child}/stat', encoding='ascii') as file:
                found.append((child, file.read().rpartition(')')[2].split()[0]))
    return found


def check_taken_away(pid, workers):
    """Workers that were killed are not left as zombies, also when nothing more is to be done."""
    for _ in range(HANG_S * 10):
        left = [child for child, _ in children_of(pid) if child in workers.values()]
        if not left:
            return
        time.sleep(0.1)
    raise Failed(f'still children of profd: {left}')


def new_program(path, number):
    """Every time a file that profd has not seen."""
    return Target(copy_of('recurse', os.path.join(path, f'new_{number}')), 10)


def test_workers_that_are_killed():
    """Over and over, at work and idle, while new programs come in all the time."""
    path = folder()
    with contextlib.ExitStack() as stack:
        stack.enter_context(Target('tailcalls'))
        recorder = Recorder('-a', '-F', rate(997))
        recorder.wait_timers()
        time.sleep(0.3)
        killed = 0
        for number in range(10):
            stack.enter_context(new_program(path, number))
            for pid in workers_of(recorder.pid).values():
                os.kill(pid, signal.SIGKILL)
                killed += 1
            time.sleep(0.04 + 0.03 * (number % 4))
        check(killed >= 5, f'only {killed} were there to be killed')
        time.sleep(0.3)
        stack.enter_context(new_program(path, 10))
        time.sleep(0.5)
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    # Large programs of others, which take longer to read than the pauses were, might suffer.
    check_equal({name for name in given_up(recording) if 'new_' in name}, set(), 'given up')
    check_untroubled(recording, 'tailcalls', '_start', 'main')
    for number in range(11):
        check_untroubled(recording, f'new_{number}', at_least=10)
    check_all_gone('profd')


def test_workers_that_are_killed_while_nobody_asks():
    """They are taken away all the same, and others name what there is in the end."""
    with Target('tailcalls') as target:
        recorder = Recorder('-p', target.pid, '-F', rate(997))
        recorder.wait_timers()
        time.sleep(0.3)
        workers = workers_of(recorder.pid)
        check(set(workers) >= {'reader', 'opener'}, f'workers: {workers}')
        for pid in workers.values():
            os.kill(pid, signal.SIGKILL)
        check_taken_away(recorder.pid, workers)
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    check_equal(given_up(recording), {}, 'given up')
    check_untroubled(recording, 'tailcalls', '_start', 'main', at_least=50)
    check_all_gone('profd')


def test_workers_that_are_stopped():
    """Before long others do their work, and no file is blamed for it."""
    path = folder()
    with Target('tailcalls'):
        recorder = Recorder('-a', '-F', rate(997))
        recorder.wait_timers()
        stopped = workers_of(recorder.pid)
        check(set(stopped) >= {'reader', 'opener'}, f'workers: {stopped}')
        for pid in stopped.values():
            os.kill(pid, signal.SIGSTOP)
        with new_program(path, 0):
            for _ in range(HANG_S * 10):
                if not set(stopped.values()) & set(workers_of(recorder.pid).values()):
                    break
                time.sleep(0.1)
            check(not set(stopped.values()) & set(workers_of(recorder.pid).values()),
                  'still waiting for those that were stopped')
            time.sleep(0.3)
            recorder.signal(signal.SIGINT)
            recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    check_equal({name for name in given_up(recording) if 'new_' in name}, set(), 'given up')
    check_untroubled(recording, 'tailcalls', '_start', 'main')
    check_untroubled(recording, 'new_0')
    check_all_gone('profd')


def bpf_objects(pid):
    """{(command to open it, id)} of the programs, maps and links that a process has open."""
    commands = {'prog_id': BPF_PROG_GET_FD_BY_ID, 'map_id': BPF_MAP_GET_FD_BY_ID,
                'link_id': BPF_LINK_GET_FD_BY_ID}
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f'/proc/{pid}/fdinfo'):
            with contextlib.suppress(OSError):
                with open(f'/proc/{pid}/fdinfo/{name}', encoding='ascii') as file:
                    for kind, number in re.findall(r'^(prog_id|map_id|link_id):\s*(\d+)$',
                                                   file.read(), re.MULTILINE):
                        found.add((commands[kind], int(number)))
    return found


def is_there(command, number):
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = (ctypes.c_uint32 * 4)(number)
    fd = libc.syscall(SYS_BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if fd >= 0:
        os.close(fd)
    return fd >= 0


def check_gone_from_kernel(objects, what):
    for _ in range(HANG_S * 10):
        left = [one for one in objects if is_there(*one)]
        if not left:
            return
        time.sleep(0.1)
    raise Failed(f'{what}: {left} are left in the kernel')


@by_table_only('it looks for what BPF has left in the kernel')
def test_profd_is_killed():
    """At any moment: no process, no program or map in the kernel, no piece of a file is left."""
    moments = {'starting': 0.02, 'preparing': 0.15, 'recording': None, 'writing': None}
    whole = {'out.folded', 'out.svg', 'out.pb.gz', 'summary.json'}
    with Target('recurse', 200) as target:
        for moment, wait in moments.items():
            recorder = Recorder('-p', target.pid, '-F', rate(997), outputs=sorted(whole)[:3])
            objects, workers = set(), set()
            if wait is None:
                recorder.wait_timers()
                time.sleep(0.3)
                objects, workers = bpf_objects(recorder.pid), children_of(recorder.pid)
                check({command for command, _ in objects} >=
                      {BPF_PROG_GET_FD_BY_ID, BPF_MAP_GET_FD_BY_ID}, f'its fds: {objects}')
                check(all(is_there(*one) for one in objects), 'cannot open them by their ids')
                # The one that reads lines begins when names are asked for.
                check(2 <= len(workers) <= 3, f'workers: {workers}')
            if moment == 'writing':
                recorder.signal(signal.SIGINT)
                wait = 0.01
            time.sleep(wait or 0)
            objects |= bpf_objects(recorder.pid)
            recorder.signal(signal.SIGKILL)
            recording = recorder.finish()
            check(recording.status == -signal.SIGKILL or moment == 'writing',
                  f'{moment}: status {recording.status}')
            check_all_gone(moment)
            check_gone_from_kernel(objects, moment)
            files = set(os.listdir(recording.folder))
            check(files <= (whole if moment == 'writing' else set()), f'{moment}: {files}')
            check(target.process.poll() is None, f'{moment}: the target did not survive')
        target.stop()


def test_profd_is_killed_while_a_worker_hangs():
    """Who waits for a file system that does not answer holds nothing of profd's."""
    with MuteFs({'split': program('split')}) as fs:
        # What it needs to run is in memory from now on; its symbols are not.
        with fs.target('split', 1):
            pass
        recorder = Recorder('-a', '-F', rate(997))
        recorder.wait_timers()
        fs.say('mute read')
        with fs.target('split'):
            fs.say('await')
            objects = bpf_objects(recorder.pid)
            check(objects or COPIES, 'nothing of profd is in the kernel')
            recorder.signal(signal.SIGKILL)
            recording = recorder.finish()
            check_equal(recording.status, -signal.SIGKILL, 'status')
            check_gone_from_kernel(objects, 'while a worker hangs')
            check_equal(os.listdir(recording.folder), [], 'files')
            fs.say('speak')
            check_all_gone('once the file system answers')


if __name__ == '__main__':
    run(globals())

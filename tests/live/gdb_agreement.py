#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stacks equal gdb's, frame by frame.

A target is recorded; then gdb stops it, several times, and walks each thread's stack with its own
unwinder. The stack that gdb sees must be among those that profd saw: as long, and every frame's
name one of the names that the ELF symbol tables have for gdb's pc. gdb's inlined frames and its
reconstructed tail calls are not on the stack, and left out.
"""
import json
import os
import subprocess
import sys
import time

from harness import (HANG_S, Program, Target, check, end, folder, need, record, run, start,
                     wait_listening)
from elf import Elf

SNAPSHOTS = 4

# Runs inside gdb.
SCRIPT = '''
import gdb, json, time
pid, snapshots = int(gdb.parameter("args").split()[0]), int(gdb.parameter("args").split()[1])
for number in range(snapshots):
    gdb.execute("attach %d" % pid, to_string=True)
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        stack, frame, exact = [], gdb.newest_frame(), True
        while frame is not None and frame.is_valid():
            kind = frame.type()
            if kind not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
                # A return address is looked up inside its call; a signal frame's was no call.
                pcs = [frame.pc() - (not exact)]
                if kind == gdb.SIGTRAMP_FRAME:
                    pcs = [frame.pc(), frame.pc() - 1]
                stack.append((pcs, frame.name() or ""))
                exact = kind == gdb.SIGTRAMP_FRAME
            try:
                frame = frame.older()
            except gdb.error:
                break
        print("STACK " + json.dumps(stack))
    gdb.execute("detach", to_string=True)
    time.sleep(0.02 + 0.017 * number)
'''


class Names:
    """All names that a frame at some runtime address of a process may have."""

    def __init__(self, pid):
        self.elves = {}
        self.maps = []
        with open(f'/proc/{pid}/maps', encoding='utf-8') as file:
            for line in file:
                fields = line.split(maxsplit=5)
                if 'x' in fields[1] and len(fields) == 6:
                    low, high = (int(text, 16) for text in fields[0].split('-'))
                    self.maps.append((low, high, int(fields[2], 16), fields[5].strip()))

    def at(self, pc, gdb_name):
        for low, high, offset, path in self.maps:
            if low <= pc < high:
                break
        else:
            return {gdb_name}
        if not path.startswith('/'):
            return {gdb_name, path}
        if path not in self.elves:
            self.elves[path] = Elf(path)
        elf = self.elves[path]
        in_file = pc - low + offset
        address = next(start + in_file - at for kind, _, at, start, _, size, _, _ in elf.segments
                       if kind == 1 and at <= in_file < at + size)
        module = os.path.basename(path)
        names = set(elf.names_at(address))
        begin = elf.function_start(address)
        if not names and begin is not None:
            names.add(f'{module}+{begin:#x}')
        if not names:
            names.add(f'[{module}]')
        return names | demangled(names)


def demangled(names):
    mangled = [name for name in names if name.startswith('_Z')]
    if not mangled:
        return set()
    output = subprocess.run([need('c++filt'), '-p'] + mangled, capture_output=True, check=True)
    return set(output.stdout.decode().splitlines())


def gdb_stacks(pid, snapshots):
    """[[names possible at each level, root first], ...]"""
    script = os.path.join(folder(), 'stacks.py')
    with open(script, 'w', encoding='utf-8') as file:
        file.write(SCRIPT)
    process = start([need('gdb'), '-nx', '-q', '-batch', '-iex', 'set debuginfod enabled off',
                     '-iex', 'set backtrace past-main on', '-iex', 'set backtrace past-entry on',
                     '-iex', f'set args {pid} {snapshots}', '-x', script],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=HANG_S)
    finally:
        end(process)
    stacks = [json.loads(line[6:]) for line in output.decode().splitlines()
              if line.startswith('STACK ')]
    check(len(stacks) >= snapshots, f'gdb says: {errors.decode()[-500:]}')
    names = Names(pid)
    return [[set().union(*(names.at(pc, name) for pc in pcs)) for pcs, name in reversed(stack)]
            for stack in stacks]


def user_frames(frames):
    return [frame for frame in frames[1:] if not frame.endswith(('_[k]', '_[i]'))]


def matched(stack, wanted):
    """How many levels agree, from the root on."""
    level = 0
    while level < min(len(stack), len(wanted)) and stack[level] in wanted[level]:
        level += 1
    return level


def compare(target, least=1.0, seconds=3, busy=lambda names: True):
    """At least that share of gdb's stacks is among profd's, frame by frame."""
    recording = record('-p', target.pid, seconds=seconds, hz=1999)
    seen = {tuple(user_frames(frames)) for frames, _ in recording.stacks}
    stacks = [stack for stack in gdb_stacks(target.pid, SNAPSHOTS) if busy(stack)]
    equal = 0
    for stack in stacks:
        best = max(seen, key=lambda frames: matched(frames, stack), default=())
        exact = any(len(frames) == len(stack) == matched(frames, stack) for frames in seen)
        equal += exact
        if not exact:
            level = matched(best, stack)
            print(f'    gdb has {sorted(min(names) for names in stack[level:level + 1])} where '
                  f'profd has {best[level:level + 1]}, {level} of {len(stack)} frames agree')
    depths = sorted(len(stack) for stack in stacks)
    print(f'    {equal} of {len(stacks)} stacks equal, {depths[0]} to {depths[-1]} frames; '
          f'{len(seen)} different ones seen')
    check(stacks and equal >= least * len(stacks), f'{equal} of {len(stacks)} equal gdb\'s')


def test_recursion():
    with Target('recurse', 30) as target:
        compare(target)


def test_static():
    with Target('recurse_static', 30) as target:
        compare(target)


def test_static_pie():
    with Target('recurse_static_pie', 12) as target:
        compare(target)


def test_tail_calls():
    with Target('tailcalls') as target:
        compare(target)


# In the following, gdb may stop where no sample fell: stacks of many shapes.
def test_signals():
    with Target('signals') as target:
        compare(target, least=0.5)


def test_cpp_exceptions():
    with Target('exceptions') as target:
        compare(target, least=0.5)


def test_threads():
    """Whatever the threads do, one of them asleep included."""
    with Target('threads', 3) as target:
        compare(target, least=0.6)


def test_python():
    work = ('def inner(x):\n while True: pass\n'
            'def outer(x):\n return list(map(inner, [x]))\n'
            'def top(x):\n return sorted([x], key=outer)\n'
            'max([1], key=top)')
    with Program([sys.executable, '-c', work]) as target:
        time.sleep(0.3)
        compare(target)


def test_memcached():
    server = start([need('memcached'), '-u', 'nobody', '-l', '127.0.0.1', '-p', '11312'],
                   stderr=subprocess.DEVNULL)
    try:
        wait_listening(11312)
        with Target('load_memcached', 11312, 60, 4, 20):
            # Threads that only ever wait (the clock, the maintenance) have no samples.
            compare(server, least=0.5,
                    busy=lambda stack: any('event_base_loop' in names for names in stack) and
                    any('thread_libevent_process' in names or 'start_thread' in names
                        for names in stack))
    finally:
        end(server)


if __name__ == '__main__':
    run(globals())

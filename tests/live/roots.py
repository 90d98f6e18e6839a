#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts how many samples of a folded file end in the true root of their program or thread.

Shares no code with profd and does not believe its own account of completeness: the outermost
frame of each stack must be a function in which stacks really begin. Names that profd makes of a
module and an offset (stripped programs) are checked against the module's own file: its ELF entry
point, or the place where its libc starts threads.

usage: roots.py [--threads] [--dir FOLDER]... [--min PERCENT] FILE...
  --threads     the second frame is a thread (profd record -t)
  --dir FOLDER  where modules lie, before the system's folders
  --min PERCENT exit 1 when fewer samples reach a root
"""
import argparse
import os
import re
import sys
from collections import Counter
from functools import lru_cache

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from elf import Elf  # noqa: E402  (after the path is known)

# Where a stack begins, by name.
PROGRAM = {'_start', '_dl_start_user', '_dlstart'}  # the last is musl's loader's
THREAD = {'clone', '__clone', 'clone3', '__clone3', 'thread_start'}  # the last is glibc's on aarch64
# What functions return to that makecontext or Boost.Context has given a stack.
COROUTINE = {'__start_context', 'make_fcontext'}
GO = {'runtime.goexit', 'runtime.goexit.abi0', 'runtime.mstart', 'runtime.mstart.abi0',
      'runtime.mstart0', 'runtime.rt0_go', 'runtime.rt0_go.abi0', '_rt0_amd64',
      '_rt0_amd64_linux', 'runtime.mcall', 'runtime.morestack', 'runtime.morestack.abi0',
      'runtime.clone', 'runtime.clone.abi0'}
KERNEL_THREAD = {'ret_from_fork_asm', 'ret_from_fork'}
KERNEL_BOOT = {'common_startup_64', 'secondary_startup_64', 'secondary_startup_64_no_verify',
               'start_secondary', 'x86_64_start_kernel', 'rest_init', 'start_kernel',
               'cpu_startup_entry'}
KERNEL_ENTRY = {'entry_SYSCALL_64_after_hwframe', 'asm_exc_page_fault', 'ret_from_fork_asm',
                'asm_sysvec_apic_timer_interrupt'}
# While a program is being replaced or taken down there is no user stack any more (or not yet).
NO_USER_STACK = re.compile(
    r'^(do_execveat_common|bprm_execve|load_elf_binary|begin_new_exec|do_exit|do_group_exit|'
    r'make_task_dead|schedule_tail|ret_from_fork|__x64_sys_exit_group|__x64_sys_exit|'
    r'__x64_sys_execve|__x64_sys_execveat|mmput|exit_mmap)(\.\w+)*$')

SYSTEM = ('/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/lib64', '/usr/lib/x86_64-linux-musl', '/usr/bin', '/usr/sbin', '/usr/local/bin',
          '/usr/lib/llvm-14/bin', '/usr/lib/llvm-14/lib')
OFFSET = re.compile(r'^(.+)\+0x([0-9a-f]+)$')


def parse(path):
    """Yields (frames root first, count) of each line."""
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            stack, _, count = line.rstrip('\n').rpartition(' ')
            if not stack or not count.isdigit():
                raise ValueError(f'{path}:{number}: not "stack count": {line!r}')
            yield stack.split(';'), int(count)


class Roots:
    def __init__(self, folders=(), more=()):
        """more: names of functions in which stacks of a certain program begin, too."""
        self.folders = tuple(folders) + SYSTEM
        self.more = frozenset(more)

    @lru_cache(maxsize=None)
    def module(self, name):
        """(entry, thread starts, coroutine starts) of each file with that name."""
        found = []
        for folder in self.folders:
            path = os.path.join(folder, name)
            if '/' in name or not os.path.isfile(path):
                continue
            try:
                elf = Elf(path)
            except (OSError, ValueError):
                continue
            found.append((elf.entry, elf.thread_starts(), elf.coroutine_starts()))
        return found

    def classify(self, frames):
        """What kind of root the stack (without process and thread) has, or why it has none."""
        if not frames:
            return False, 'no frames'
        first = frames[0]
        if first.endswith('_[k]'):
            name = first[:-4]
            kernel = [frame[:-4] for frame in frames if frame.endswith('_[k]')]
            if name in KERNEL_BOOT:
                return True, 'kernel: idle task'
            if any(NO_USER_STACK.match(frame) for frame in kernel):
                if name in KERNEL_THREAD:
                    return True, 'kernel: thread or new task'
                return True, 'kernel: while exec or exit leaves no user stack'
            if name in KERNEL_THREAD:
                return True, 'kernel: thread or new task'
            return False, f'kernel frames only, from {name}'
        if first in PROGRAM:
            return True, 'program start'
        if first in THREAD:
            return True, 'thread start'
        if first in GO:
            return True, 'Go'
        if first in COROUTINE:
            return True, 'coroutine start'
        if first in self.more:
            return True, 'as the program says'
        match = OFFSET.match(first)
        if match:
            offset = int(match[2], 16)
            for entry, threads, coroutines in self.module(match[1]):
                if offset == entry:
                    return True, 'program start (stripped, by entry point)'
                if offset in threads:
                    return True, 'thread start (stripped, by what it does)'
                if offset in coroutines:
                    return True, 'coroutine start (stripped, by what it does)'
        return False, f'begins in {first}'

    def count(self, stacks, threads=False):
        """(samples, samples with a root, Counter of kinds, Counter of failures)."""
        total = reached = 0
        kinds, failures = Counter(), Counter()
        for frames, samples in stacks:
            good, kind = self.classify(frames[2 if threads else 1:])
            total += samples
            if good:
                reached += samples
                kinds[kind] += samples
            else:
                failures[kind] += samples
        return total, reached, kinds, failures


def main():
    parser = argparse.ArgumentParser(description='share of samples that reach a true root')
    parser.add_argument('--threads', action='store_true')
    parser.add_argument('--dir', action='append', default=[])
    parser.add_argument('--min', type=float, default=0)
    parser.add_argument('files', nargs='+')
    options = parser.parse_args()
    roots = Roots(options.dir)
    enough = True
    for path in options.files:
        total, reached, kinds, failures = roots.count(parse(path), options.threads)
        share = 100 * reached / total if total else 0
        print(f'{path}: {reached} of {total} samples reach a root: {share:.3f} %')
        for counter, mark in ((kinds, ' '), (failures, '!')):
            for kind, samples in counter.most_common(12):
                print(f'  {mark} {samples:8d}  {kind}')
        enough = enough and total > 0 and share >= options.min
    return 0 if enough else 1


if __name__ == '__main__':
    sys.exit(main())

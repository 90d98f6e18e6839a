#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""roots.py itself: needs no privileges, runs with the unit tests."""
import os
import sys
import tempfile
import unittest

from elf import Elf
from roots import Roots, parse

TARGETS = os.environ.get('TARGETS', '.')


class Classify(unittest.TestCase):
    def setUp(self):
        self.roots = Roots((TARGETS,))

    def good(self, *frames):
        return self.roots.classify(list(frames))[0]

    def test_named_roots(self):
        self.assertTrue(self.good('_start', 'main'))
        self.assertTrue(self.good('__clone3', 'start_thread', 'work'))
        self.assertTrue(self.good('ret_from_fork_asm_[k]', 'kthread_[k]'))
        self.assertTrue(self.good('runtime.goexit.abi0', 'main.main'))
        self.assertTrue(self.good('__start_context', 'work'))
        self.assertFalse(self.good('fiber', 'work'))
        self.assertTrue(Roots((), ('fiber',)).classify(['fiber', 'work'])[0])

    def test_a_root_higher_up_does_not_count(self):
        self.assertFalse(self.good('main', '_start'))
        self.assertFalse(self.good('[truncated]', '_start', 'main'))
        self.assertFalse(self.good('start_thread', 'work'))
        self.assertFalse(self.good('__libc_start_main', 'main'))
        self.assertFalse(self.good('[unknown]'))
        self.assertFalse(self.good())

    def test_kernel_only(self):
        entry = 'entry_SYSCALL_64_after_hwframe_[k]'
        self.assertFalse(self.good(entry, 'do_syscall_64_[k]', 'ksys_read_[k]'))
        self.assertTrue(self.good(entry, 'do_syscall_64_[k]', '__x64_sys_execve_[k]'))
        self.assertTrue(self.good(entry, 'do_syscall_64_[k]', 'do_exit_[k]'))
        # A program's own function of that name is no kernel function.
        self.assertFalse(self.good(entry, 'do_exit'))

    def test_entry_point_of_a_stripped_program(self):
        elf = Elf(os.path.join(TARGETS, 'recurse'))
        self.assertTrue(self.good(f'recurse+{elf.entry:#x}', 'main'))
        self.assertFalse(self.good(f'recurse+{elf.entry + 1:#x}', 'main'))
        self.assertFalse(self.good(f'nosuchfile+{elf.entry:#x}', 'main'))
        self.assertFalse(self.good(f'../recurse+{elf.entry:#x}', 'main'))

    def test_count(self):
        with tempfile.NamedTemporaryFile('w', suffix='.folded') as file:
            file.write('a;_start;main 3\na b;worker 1 (7);clone3;f 2\na;[unknown] 5\n')
            file.flush()
            stacks = list(parse(file.name))
            self.assertEqual(self.roots.count(stacks)[:2], (10, 3))
            self.assertEqual(self.roots.count(stacks, threads=True)[:2], (10, 2))

    def test_lines_that_are_not_folded(self):
        for line in ('a;b\n', 'a;b x\n', '\n', 'a;b 1.5\n', '7\n'):
            with tempfile.NamedTemporaryFile('w') as file:
                file.write(line)
                file.flush()
                with self.assertRaises(ValueError):
                    list(parse(file.name))


class LibC(unittest.TestCase):
    """Places found by what they do are the ones that have the names."""

    def setUp(self):
        with open('/proc/self/maps', encoding='utf-8') as file:
            paths = {line.split()[-1] for line in file if line.rstrip().endswith('/libc.so.6')}
        if not paths:
            self.skipTest('python3 runs without a glibc')
        self.elf = Elf(paths.pop())

    def test_coroutine_start(self):
        starts = self.elf.coroutine_starts()
        self.assertEqual(len(starts), 1)
        named = {value for value, _, name in self.elf.symbols if name == '__start_context'}
        self.assertTrue(named <= starts, f'{named} {starts}')  # named where a debug file is there

    def test_thread_starts(self):
        elf = self.elf
        starts = elf.thread_starts()
        self.assertIn(len(starts), (1, 2))
        clone = [value for value, _, name in elf.symbols if name == 'clone']
        self.assertTrue(set(clone) <= starts, f'{clone} {starts}')
        if any(name == '__clone3' for _, _, name in elf.symbols):  # a debug file is there
            clone3 = {value for value, _, name in elf.symbols if name == '__clone3'}
            self.assertTrue(clone3 <= starts)


class Musl(unittest.TestCase):
    def test_thread_start(self):
        path = '/usr/lib/x86_64-linux-musl/libc.so'
        if not os.path.exists(path):
            self.skipTest('musl is not installed')
        self.assertEqual(len(Elf(path).thread_starts()), 1)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=1)

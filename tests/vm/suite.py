#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs guest.py on another kernel: suite.py KERNEL [arm64] [--full].

The short form is for every run of the tests; the full one for the table of kernels, see tools/kernel-table,
which reads the file that is left in PROFD_VM_CACHE. Exits with 77 where no machine can be started or the
kernel cannot be had; a machine that dies is a failure.

Environment: PROFD, TARGETS; for arm64 PROFD_CROSS_BUILD instead, a folder that was built for it (else 77).
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import kernels
import machine

# What differs by kernel: loading, walking, the iterator, probes; and that figures are right.
SHORT = ('test_doctor_says_that_recording_works', 'test_split_and_closing_line', 'test_deep_recursion',
         'test_exceptions', 'test_command_with_python', 'test_dump', 'test_alloc', 'test_ordinary_user',
         'test_capabilities', 'test_zz_lockdown')
# Not what takes programs that are not built for it, or its own copy of a tool.
ARM64 = ('test_doctor_says_that_recording_works', 'test_split_and_closing_line', 'test_split_by_copies',
         'test_deep_recursion', 'test_threads', 'test_signals', 'test_exceptions', 'test_signed_addresses',
         'test_command_with_python', 'test_whole_machine', 'test_dump', 'test_top', 'test_growth',
         'test_cycles', 'test_counters_take_turns', 'test_throttled_counter',
         'test_unit_tests_of_the_kernel')
# A guest on a busy host may take many times as long as on an idle one.
SECONDS = {False: 700, True: 1500}

# Unit tests that take minutes there, run out of the patience that they test, expect a clock that can be relied
# on, or ask for sock_diag's modules. Two have not passed there: unwind/replay and session/sample_stack.
NOT_EMULATED = ('proc/process_table', 'proc/descriptor', 'session/sample_stack', 'top/usage', 'unwind/replay',
                'worker/ask_opener', 'worker/ask_reader', 'worker/hostile_files', 'worker/worker')


def copy_unit_tests(build, into):
    """Those of the suite `kernel`, which user emulation cannot run; and a list of them for guest.py."""
    with open(os.path.join(build, 'meson-info/intro-tests.json'), encoding='utf-8') as file:
        tests = [test for test in json.load(file)
                 if 'profd:kernel' in test['suite'] and test['name'] not in NOT_EMULATED]
    os.makedirs(into)
    listed = []
    for test in tests:
        program = next(word for word in test['cmd'] if os.path.basename(word).startswith('test-'))
        environment = {}
        for path in program, *test['env'].values():
            target = os.path.join(into, os.path.basename(path))
            if os.path.isdir(path):
                shutil.copytree(path, target, dirs_exist_ok=True)
            elif os.path.exists(path):
                shutil.copy(path, target)
        for name, path in test['env'].items():
            environment[name] = '/profd/unit/' + os.path.basename(path)
        listed.append({'name': test['name'], 'program': '/profd/unit/' + os.path.basename(program),
                       'environment': environment})
    with open(os.path.join(into, 'tests.json'), 'w', encoding='utf-8') as file:
        json.dump(listed, file)


def root_for_arm64(build):
    """A tree that an arm64 machine begins with, with profd, its targets and these tests in /profd."""
    place = os.path.join(machine.cache_folder(), 'arm64')
    os.makedirs(place, exist_ok=True)
    if subprocess.run([os.path.join(machine.ROOT, 'tools/cross-aarch64'), place, '--guest'],
                      check=False).returncode:
        raise kernels.Unavailable('what an arm64 machine begins with cannot be had')
    root = os.path.join(place, 'root')
    ours = os.path.join(root, 'profd')
    shutil.rmtree(ours, ignore_errors=True)
    os.makedirs(os.path.join(ours, 'targets'))
    shutil.copy(os.path.join(build, 'src/cmd/profd'), ours)
    for path in glob.glob(os.path.join(build, 'tests/targets/aarch64/*')):
        if os.path.isfile(path):
            shutil.copy(path, os.path.join(ours, 'targets'))
    copy_unit_tests(build, os.path.join(ours, 'unit'))
    for name in 'live', 'vm':
        shutil.copytree(os.path.join(machine.ROOT, 'tests', name), os.path.join(ours, 'tests', name))
    return root


def main():
    kernel, full, arch = sys.argv[1], '--full' in sys.argv[2:], 'arm64' if 'arm64' in sys.argv[2:] else 'amd64'
    if why := machine.missing(arch):
        print(f'skipped: {why}')
        return 77
    words = ['env', 'PYTHONDONTWRITEBYTECODE=1', 'PYTHONUNBUFFERED=1', 'RESULTS=/mnt/results.json']
    root, name = '/', f'results-{kernel}.json'
    try:
        if arch == 'arm64':
            if not os.environ.get('PROFD_CROSS_BUILD'):
                print('skipped: PROFD_CROSS_BUILD names no build for arm64')
                return 77
            root, name = root_for_arm64(os.environ['PROFD_CROSS_BUILD']), f'results-{kernel}-arm64.json'
            words += ['PROFD=/profd/profd', 'TARGETS=/profd/targets', 'LD_LIBRARY_PATH=/profd/targets',
                      '/usr/bin/python3', '/profd/tests/vm/guest.py', *ARM64]
        else:
            words += [f'{what}={os.path.abspath(os.environ[what])}' for what in ('PROFD', 'TARGETS')]
            words += ['/usr/bin/python3', os.path.join(kernels.HERE, 'guest.py'), *(() if full else SHORT)]
        with tempfile.TemporaryDirectory(prefix='profd-vm-out-') as out:
            status, _ = machine.run(kernel, ' '.join(words), out, arch, SECONDS[full],
                                    show=lambda line: print(line, flush=True), root=root)
            if (full or arch == 'arm64') and status == 0:
                shutil.copy(os.path.join(out, 'results.json'), os.path.join(machine.cache_folder(), name))
    except kernels.Unavailable as reason:
        print(f'skipped: {reason}')
        return 77
    except machine.Died as reason:
        print(f'died: {reason}')
        return 1
    return status


if __name__ == '__main__':
    sys.exit(main())

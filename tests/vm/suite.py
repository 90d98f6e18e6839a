#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs guest.py on another kernel: suite.py KERNEL [--full].

The short form is for every run of the tests; the full one for the table of kernels, see tools/kernel-table,
which reads the file that is left in PROFD_VM_CACHE. Exits with 77 where no machine can be started or the
kernel cannot be had; a machine that dies is a failure.

Environment: PROFD, TARGETS.
"""
import os
import shutil
import sys
import tempfile

import kernels
import machine

# What differs by kernel: loading, walking, the iterator, probes; and that figures are right.
SHORT = ('test_doctor_says_that_recording_works', 'test_split_and_closing_line', 'test_deep_recursion',
         'test_exceptions', 'test_command_with_python', 'test_dump', 'test_alloc', 'test_zz_lockdown')
# A guest on a busy host may take many times as long as on an idle one.
SECONDS = {False: 420, True: 1500}


def main():
    kernel, full = sys.argv[1], '--full' in sys.argv[2:]
    if why := machine.missing():
        print(f'skipped: {why}')
        return 77
    guest = os.path.join(kernels.HERE, 'guest.py')
    words = ['env', 'PYTHONDONTWRITEBYTECODE=1', 'PYTHONUNBUFFERED=1', 'RESULTS=/mnt/results.json']
    words += [f'{name}={os.path.abspath(os.environ[name])}' for name in ('PROFD', 'TARGETS')]
    words += ['/usr/bin/python3', guest, *(() if full else SHORT)]
    with tempfile.TemporaryDirectory(prefix='profd-vm-out-') as out:
        try:
            status, _ = machine.run(kernel, ' '.join(words), out, seconds=SECONDS[full],
                                    show=lambda line: print(line, flush=True))
        except kernels.Unavailable as reason:
            print(f'skipped: {reason}')
            return 77
        except machine.Died as reason:
            print(f'died: {reason}')
            return 1
        if full and status == 0:
            shutil.copy(os.path.join(out, 'results.json'),
                        os.path.join(machine.cache_folder(), f'results-{kernel}.json'))
    return status


if __name__ == '__main__':
    sys.exit(main())

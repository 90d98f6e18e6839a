#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Code that comes and goes under the recording: exec, dlopen, dlclose; and the odd kinds of code."""
import os

from harness import (TARGETS, Target, check, check_complete, check_count, check_equal, has, rate,
                     record, run)
import json


def path(name):
    return os.path.join(TARGETS, name)


def test_exec():
    """One pid that executes two programs in turn: each frame belongs to the program of its time."""
    recording = record(seconds=None, command=[path('exec_even'), 19, 100, path('exec_odd')])
    truth = json.loads(recording.stdout.decode().splitlines()[-1])
    check_complete(recording)
    check_count(recording.samples, truth['cpu_ns'] / 1e9 * rate(997), 3, 'samples')
    even = recording.share(has('main', 'even_stage', 'even_leaf'))
    odd = recording.share(has('main', 'odd_stage', 'odd_outer', 'odd_leaf'))
    print(f'    even {100 * even:.1f} %, odd {100 * odd:.1f} %')
    check(0.4 < even < 0.6 and 0.4 < odd < 0.6, f'{even} {odd}')
    mixed = recording.share(lambda frames: any(name.startswith('odd_') for name in frames)
                            and any(name.startswith('even_') for name in frames))
    check_equal(mixed, 0.0, 'share of stacks of two programs')
    wrong = recording.share(lambda frames: any(
        name.startswith('odd_') and frames[0] != 'exec_odd' or
        name.startswith('even_') and frames[0] != 'exec_even' for name in frames[1:]))
    check_equal(wrong, 0.0, 'share under the wrong name of the process')


def test_exec_attached():
    with Target('children', 2000, 5, 1, 'exec') as target:
        recording = record('-p', target.pid, '-s', seconds=3)
    check_complete(recording)
    check(recording.share(has('main', 'burn', 'child_leaf')) > 0.5, 'the executed ones are missing')


def test_dlopen_dlclose():
    """Two plugins in turn at the same addresses: never one's function under the other's."""
    with Target('dlopen_loop', path('plugin_red.so'), path('plugin_blue.so')) as target:
        recording = record('-p', target.pid, seconds=4)
        truth = target.stop()
    check(truth['same_place'] > 0.5 * truth['visits'], f'the addresses differ: {truth}')
    # The first reuse of an address is noticed a turn later: until then stacks through it are cut.
    check_complete(recording, 99)
    red = recording.share(has('visit', 'plugin_run', 'red_middle', 'red_leaf'))
    blue = recording.share(has('visit', 'plugin_run', 'blue_middle', 'blue_leaf'))
    print(f'    red {100 * red:.1f} %, blue {100 * blue:.1f} %, {truth["visits"]} visits')
    check(0.4 < red < 0.6 and 0.4 < blue < 0.6, f'{red} {blue}')
    mixed = recording.share(lambda frames: any(name.startswith('red_') for name in frames)
                            and any(name.startswith('blue_') for name in frames))
    check_equal(mixed, 0.0, 'share of stacks in both')


def test_vdso():
    with Target('vdso_loop') as target:
        recording = record('-p', target.pid, '--no-inline')
    check_complete(recording)
    # The vdso's function has two names of equal right, one of them that of its caller in libc.
    inside = max(recording.share(has('spin', 'clock_gettime', name))
                 for name in ('clock_gettime', '__vdso_clock_gettime'))
    print(f'    {100 * inside:.1f} % in the vdso')
    check(inside > 0.2, f'{inside}')
    beneath = recording.share(lambda frames: 'spin' in frames)
    check(beneath > 0.99, f'only {beneath} beneath spin')


def test_plt():
    with Target('plt_loop') as target:
        recording = record('-p', target.pid)
    check_complete(recording)
    check(recording.share(has('main', 'spin')) > 0.99, 'not all beneath spin')
    # How many samples a function of three instructions gets is the processor's choice.
    tiny = sum(recording.share(has('spin', name)) for name in ('tiny_add', 'tiny_mix'))
    stubs = recording.share(lambda frames: frames[-1].startswith(('plt_loop+0x', 'tiny_add@plt',
                                                                  'tiny_mix@plt')))
    print(f'    {100 * tiny:.1f} % in the library, {100 * stubs:.1f} % in the stubs')
    check(tiny > 0.01 and stubs > 0.01, f'{tiny} {stubs}')


def test_no_cfi():
    """No .eh_frame: by .debug_frame where it is, else by what the code does to its stack."""
    for name in ('nocfi_debug', 'nocfi_fp', 'nocfi'):
        with Target(name) as target:
            recording = record('-p', target.pid, seconds=1)
        check_complete(recording)
        whole = recording.share(has('_start', 'program', 'outer', 'inner', 'leaf'))
        print(f'    {name}: {100 * whole:.1f} % whole')
        check(whole > 0.9, f'{name}: only {whole} whole')


if __name__ == '__main__':
    run(globals())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Programs of known shape: nearly all samples end in a true root, and the stacks are the true ones."""
import re
import sys

import json
import os

from harness import (TARGETS, Recorder, Target, by_table_only, check, check_complete, check_count,
                     end, has, rate, record, run, start)


def depth_is(name, depth, leaf):
    """Predicate: `name` exactly `depth` times in a row, beneath it main, above it the leaf."""
    def predicate(frames):
        user = [frame for frame in frames if not frame.endswith(('_[k]', '_[i]'))]
        if 'main' not in user:
            return False
        above = user[user.index('main') + 1:]
        return above[:depth] == [name] * depth and above[depth:] in ([leaf], [])
    return predicate


def recursion(depth, program='recurse', name='recurse', *more):
    with Target(program, depth, 0, *more) as target:
        recording = record('-p', target.pid)
    check_complete(recording)
    share = recording.share(depth_is(name, depth, 'leaf'))
    print(f'    {100 * share:.2f} % are exactly {depth} deep')
    # The rest is on its way down or up; shallow stacks take next to no time for it.
    check(share >= (0.95 if depth <= 30 else 0.5), f'{share:.3f} are {depth} deep')
    too_deep = recording.share(lambda frames: frames[1:].count(name) > depth)
    check(too_deep == 0, f'{too_deep} have more than {depth} frames of {name}')


def test_recursion_10():
    recursion(10)


def test_recursion_30():
    recursion(30)


def test_recursion_1000():
    recursion(1000)


@by_table_only('deeper than the 64 KiB that perf copies')
def test_recursion_of_200_kib_frames():
    recursion(30, 'recurse', 'recurse_wide', 'wide')


def new_and_deep(*arguments):
    """Three programs with a deep stack, each of which ends before all of it has been learned."""
    program = ' '.join([os.path.join(TARGETS, 'recurse'), '30', '0', *arguments])
    return ['sh', '-c', f'for i in 1 2 3; do timeout 0.3 {program} > /dev/null; done; true']


def check_new_and_deep(recording, name):
    check_complete(recording, 99.9, at_least=50)
    cut = sum(recording.summary['truncated'].values())
    check(cut <= 1, f'{recording.summary["truncated"]} of {recording.samples}')
    deep = recording.share(lambda frames: frames.count(name) == 30 and
                           ('main' in frames or 'run_thread' in frames))
    print(f'    {100 * deep:.1f} % are 30 deep')
    check(deep > 0.5, f'{deep}')


def deep_in_new_processes(name, *arguments):
    check_new_and_deep(record('-F', rate(997), hz=None, seconds=None,
                              command=new_and_deep(*arguments)), name)


@by_table_only('deeper than the 64 KiB that perf copies')
def test_200_kib_frames_in_new_processes():
    deep_in_new_processes('recurse_wide', 'wide')


@by_table_only('deeper than the 64 KiB that perf copies')
def test_4_kib_frames_in_new_processes():
    deep_in_new_processes('recurse_page', 'page')


@by_table_only('deeper than the 64 KiB that perf copies')
def test_200_kib_frames_in_threads_of_new_processes():
    deep_in_new_processes('recurse_wide', 'wide', 'thread')


@by_table_only('deeper than the 64 KiB that perf copies')
def test_200_kib_frames_all_over_the_machine():
    """One process runs already, others begin."""
    with Target('recurse', 30, 0, 'wide'):
        recorder = Recorder('-a', '--comm', 'recurse', '-F', rate(997), '-d', 3)
        recorder.wait_timers()
        programs = start(new_and_deep('wide'))
        programs.wait()
        recording = recorder.finish()
        end(programs)
    check_new_and_deep(recording, 'recurse_wide')


def test_not_position_independent():
    recursion(10, 'recurse_nopie')


def test_static():
    recursion(30, 'recurse_static')


def test_static_pie():
    recursion(30, 'recurse_static_pie')


@by_table_only('what a handler on a stack of its own has interrupted lies outside of the copy')
def test_signal_handlers():
    with Target('signals') as target:
        recording = record('-p', target.pid, seconds=4)
    check_complete(recording)
    handlers = recording.share(lambda frames: 'on_plain' in frames or 'on_alternate' in frames)
    print(f'    {100 * handlers:.1f} % lie in or beneath a handler')
    check(handlers > 0.5, f'only {handlers:.3f} in handlers')
    for handler in ('on_plain', 'on_alternate'):
        under = recording.share(lambda frames: handler in frames
                                and 'main' in frames[:frames.index(handler)]
                                and 'sort_once' in frames[:frames.index(handler)])
        whole = recording.share(lambda frames: handler in frames)
        print(f'    {handler}: {100 * whole:.1f} %, over the sorting {100 * under:.1f} %')
        # A handler may also interrupt main between two sorts, very rarely.
        check(whole > 0.1 and under > 0.98 * whole, f'{handler} lies on nothing')
    check(recording.share(has('handler_sort')) == 0 or
          recording.share(lambda f: 'handler_compare' in f) > 0, 'no handler_compare')


def test_tail_calls():
    with Target('tailcalls') as target:
        recording = record('-p', target.pid)
    check_complete(recording)
    last = recording.share(has('main', 'spin', 'tail_last'))
    print(f'    {100 * last:.1f} % in tail_last, called by spin as far as the stack knows')
    check(last > 0.7, f'{last}')
    wrong = recording.share(lambda frames: 'tail_last' in frames and
                            ('tail_first' in frames or 'tail_second' in frames))
    check(wrong == 0, f'{wrong} show a function that has jumped away')


def test_longjmp():
    with Target('longjmps') as target:
        recording = record('-p', target.pid)
    check_complete(recording)
    check(recording.share(has('main', 'attempt', 'descend')) > 0.9, 'descend is not under attempt')
    deep = recording.share(lambda frames: frames.count('descend') > 20)
    check(deep == 0, f'{deep} are deeper than the program goes')


def test_cpp_exceptions():
    with Target('exceptions') as target:
        recording = record('-p', target.pid, seconds=3)
    check_complete(recording)
    check(recording.share(lambda frames: 'main' in frames) > 0.999, 'not all under main')
    names = recording.functions()
    check(any(name.startswith('Diver::dive') for name in names), f'not demangled: {names}')
    check(any('_Unwind_RaiseException' in name for name in names), 'no unwinder seen')


def test_500_threads():
    with Target('threads', 500) as target:
        recording = record('-p', target.pid, seconds=3)
    check_complete(recording)
    inside = recording.share(has('worker', 'worker_step', 'worker_leaf'))
    print(f'    {100 * inside:.1f} % in worker_leaf')
    check(inside > 0.8, f'{inside}')


def test_1000_children():
    """Each is gone after 5 ms of CPU: all are seen, and as often as their CPU time asks for."""
    for hz, parallel, mode in ((997, 1, []), (997, 4, []), (99, 2, []), (997, 2, ['exec'])):
        count = 1000 if not mode else 300
        hz = rate(hz)
        recording = record(seconds=None, hz=hz,
                           command=[os.path.join(TARGETS, 'children'), count, 5, parallel] + mode)
        truth = json.loads(recording.stdout.decode().splitlines()[-1])
        check(truth['children'] == count, f'{truth}')
        print(f'    {count} children, {parallel} at once {" ".join(mode)} at {hz} Hz')
        check_complete(recording, at_least=1)
        check_count(recording.samples, truth['cpu_s'] * hz, 3, 'samples')


if __name__ == '__main__':
    run(globals())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What profd says about itself is true: counts agree, and the cost shows what it costs."""
import os
import re
import shutil
import signal
import subprocess
import time

from harness import (COPIES, TARGETS, Recorder, Skipped, Target, by_table_only, check, check_equal,
                     cpu_ns, folder, need, rate, record, run)


def test_counts_agree():
    with Target('recurse', 30) as target:
        recording = record('-p', target.pid)
    summary, counters = recording.summary, recording.summary['counters']
    check_equal(summary['schema_version'], 1, 'schema_version')
    check_equal(next(iter(summary)), 'schema_version', 'first field')
    check_equal(summary['samples'], summary['complete'] + sum(summary['truncated'].values()),
                'samples, complete and truncated together')
    check_equal(counters['sent'], summary['samples'], 'samples sent')
    walks = counters['copies' if COPIES else 'walks']
    check(walks >= counters['sent'], f'{counters}')
    check(counters['ticks'] >= walks + counters['filtered'], f'{counters}')
    check((COPIES or counters['frames']) >= 30 * 0.9 * counters['walks'], f'{counters}')
    check(summary['frames_named'] <= summary['frames'], f'{summary}')
    check(summary['lost'] <= 0.02 * summary['samples'] + 3, f'{summary["lost"]} lost')


def test_quality_line_says_what_the_summary_says():
    with Target('recurse', 30) as target:
        recording = record('-p', target.pid)
    summary = recording.summary
    # Before it goes why stacks are copied, where nobody asked for that.
    line = next(line for line in recording.stderr.splitlines() if ' samples in ' in line)
    match = re.match(r'profd: ([\d ]+) samples in ([\d.]+) s .*?(\d+) lost; stacks ([\d.]+)% '
                     r'complete', line)
    check(match, line)
    check_equal(int(match[1].replace(' ', '')), summary['samples'], 'samples')
    check_equal(int(match[3]), summary['lost'], 'lost')
    complete = 100 * summary['complete'] / summary['samples']
    check(abs(float(match[4]) - complete) < 0.11, f'{match[4]} % and {complete} %')
    check(re.search(r'cost [\d.]+% of one CPU, [\d.]+ [KMG]iB', line), line)


@by_table_only('it is the cost of BPF programs, which copies have none of')
def test_cost_rises_with_depth():
    """A walk of 1000 frames costs many times one of 10, and the figure must show it."""
    cost = {}
    for depth in (10, 1000):
        with Target('recurse', depth) as target:
            recording = record('-p', target.pid)
        figures = recording.summary['cost']
        check(figures['rss_bytes'] > 1 << 20 and figures['percent_of_cpu'] > 0, f'{figures}')
        cost[depth] = figures['bpf_ns'] / recording.samples
        print(f'    {depth} frames: {cost[depth]:.0f} ns a sample, '
              f'{figures["percent_of_cpu"]:.2f} % of a CPU')
    check(cost[1000] > 8 * cost[10], f'{cost}')


def test_memory_is_its_own():
    """Not what the process had that started it: that was copied, and then given back."""
    ballast = bytearray(b'x') * (400 << 20)
    with Target('split') as target:
        recording = record('-p', target.pid, seconds=0.3)
    check_equal(len(ballast), 400 << 20, 'the ballast')
    own = recording.summary['cost']['rss_bytes']
    check(5 << 20 < own < 200 << 20, f'{own >> 20} MiB')


def test_truncated_is_counted_by_reason():
    with Target('recurse', 100) as target:
        recording = record('-p', target.pid, '--max-depth', 20)
    summary = recording.summary
    deep = summary['truncated'].get('deeper than the limit', 0)
    check(deep > 0.9 * summary['samples'], f'{summary["truncated"]}')
    check('deeper than the limit' in recording.stderr, recording.stderr)


def test_unnamed_is_counted():
    """A stripped copy of the target: its functions have no names, and profd says so."""
    path = os.path.join(folder(), 'stripped')
    shutil.copy(os.path.join(TARGETS, 'recurse'), path)
    subprocess.run([need('strip'), path], check=True)
    with Target(path, 30) as target:
        recording = record('-p', target.pid)
    summary = recording.summary
    check(summary['frames_named'] < 0.5 * summary['frames'], f'{summary}')
    own = {frame for frames, _ in recording.stacks for frame in frames if 'stripped+0x' in frame}
    # recurse, leaf, main, _start: one name each, not one for each address.
    check(3 <= len(own) <= 5, f'{own}')


def test_cpu_that_comes_again():
    """Its timer ends with it, as when a machine is suspended: what runs there later counts, too."""
    switch = '/sys/devices/system/cpu/cpu1/online'
    if not os.access(switch, os.W_OK):
        raise Skipped('no CPU that can be switched off')
    with Target('recurse', 30) as one, Target('recurse', 30) as other:
        recorder = Recorder('-F', rate(997), '-p', f'{one.pid},{other.pid}')
        recorder.wait_timers()
        before = cpu_ns(one.pid) + cpu_ns(other.pid)
        try:
            for state in ('0', '1'):
                with open(switch, 'w', encoding='ascii') as file:
                    file.write(state)
                time.sleep(0.3)
        finally:
            with open(switch, 'w', encoding='ascii') as file:
                file.write('1')
        time.sleep(9)
        used = cpu_ns(one.pid) + cpu_ns(other.pid) - before
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
    seen = recording.samples / rate(997) * 1e9
    print(f'    {seen / 1e9:.1f} s of {used / 1e9:.1f} s of CPU time were seen')
    check('CPU 1 came online' in recording.stderr, recording.stderr)
    # Half a second of one CPU would be seen without it.
    check(0.75 * used < seen < 1.1 * used, f'{seen} ns of {used} ns')


if __name__ == '__main__':
    run(globals())

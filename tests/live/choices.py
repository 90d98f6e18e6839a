#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every option acts."""
from harness import (Recorder, Skipped, Target, check, check_complete, check_count, check_equal,
                     cpu_ns, has, rate, record, run)


def test_duration():
    with Target('split') as target:
        one = record('-p', target.pid, seconds=1)
        three = record('-p', target.pid, seconds='3000ms')
    check(one.summary['duration_s'] >= 0.99, f'{one.summary["duration_s"]}')
    check(three.summary['duration_s'] >= 2.99, f'{three.summary["duration_s"]}')
    ratio = three.samples / one.samples
    check(2.5 < ratio < 3.5, f'3 s gave {ratio} times as much as 1 s')


def check_against_cpu(samples, used_ns, hz):
    """As many as the target's CPU time asks for, which was taken a little before and after."""
    due = used_ns / 1e9 * hz
    print(f'    {samples} samples; {due:.0f} by all CPU time from before to after')
    check(samples <= due + 3 * due ** 0.5 + 2, f'{samples} samples of {due}')
    check(samples >= 0.6 * due, f'{samples} samples of {due}')


def test_rate():
    with Target('recurse', 10) as target:
        for option, hz in (('-F', 49), ('-F', 199), ('-r', 499), ('--freq', 997), ('--rate', 99)):
            hz = rate(hz)
            before = cpu_ns(target.pid)
            recording = record(option, hz, '-p', target.pid, hz=None)
            used = cpu_ns(target.pid) - before
            summary = recording.summary
            # It is kept as a period in whole nanoseconds.
            check(abs(summary['frequency_hz'] - hz) < 0.01, f'{summary["frequency_hz"]}')
            check_count(summary['samples'], summary['expected_samples'], 3, f'samples at {hz} Hz')
            check_against_cpu(summary['samples'], used, hz)


def test_default_rate():
    with Target('recurse', 10) as target:
        recording = record('-p', target.pid, hz=None)
    check(abs(recording.summary['frequency_hz'] - 99) < 0.01, f'{recording.summary}')


def test_rate_max():
    with Target('recurse', 10) as target:
        recording = record('-F', 'max', '-p', target.pid, hz=None, seconds=1)
    with open('/proc/sys/kernel/perf_event_max_sample_rate', encoding='ascii') as file:
        limit = int(file.read())
    check(recording.summary['frequency_hz'] <= limit, f'{recording.summary["frequency_hz"]}')
    check(recording.samples > 100, f'{recording.samples}')


def test_period():
    """-c 5000000: a sample for every 5 ms of CPU time."""
    with Target('recurse', 10) as target:
        before = cpu_ns(target.pid)
        recording = record('-c', 5000000, '-p', target.pid, hz=None, seconds=3)
        used = cpu_ns(target.pid) - before
    check_against_cpu(recording.samples, used, 200)


def test_delay():
    with Target('phases', 2500) as target:
        both = record('-p', target.pid, seconds=4)
    check(both.share(lambda frames: 'phase_first' in frames) > 0.2, 'the first phase was not seen')
    with Target('phases', 1500) as target:
        late = record('-p', target.pid, '-D', 3, seconds=1)
    check_equal(late.share(lambda frames: 'phase_first' in frames), 0.0, 'share before the delay')
    check(late.share(has('main', 'phase_second')) > 0.9, 'nothing after the delay')
    check(late.summary['duration_s'] < 3, 'the delay counts as duration')


def test_kernel_frames():
    def in_kernel(frames):
        return any(frame.endswith('_[k]') for frame in frames)
    with Target('syscalls') as target:
        with_kernel = record('-p', target.pid)
        named = record('-p', target.pid, '--kernel', seconds=1)
        without = record('-p', target.pid, '--no-kernel')
    check(with_kernel.share(in_kernel) > 0.7, f'{with_kernel.share(in_kernel)}')
    check(named.share(in_kernel) > 0.7, f'{named.share(in_kernel)}')
    check_equal(without.share(in_kernel), 0.0, 'share with kernel frames')
    # The time is still the program's.
    check(without.samples > 0.7 * with_kernel.samples, f'{without.samples}')
    check_complete(without)
    read = with_kernel.share(lambda frames: 'spin' in frames and any(
        frame.startswith(('ksys_read', 'vfs_read', '__x64_sys_read')) for frame in frames))
    check(read > 0.6, f'read is in {read}')


def test_threads_apart():
    with Target('threads', 3) as target:
        apart = record('-p', target.pid, '-t', seconds=3)
        merged = record('-p', target.pid)
    names = {frames[1] for frames, _ in apart.stacks}
    check(sum(name.startswith('worker') for name in names) == 3, f'{names}')
    check(all(any(c.isdigit() for c in name) for name in names), f'no thread ids: {names}')
    check(len({name.split('(')[-1] for name in names}) == len(names), f'{names}')
    check_complete(apart, threads=True)
    check_complete(merged)
    check(not any(frame.startswith('worker ') for frame in merged.functions()), 'not merged')


def test_idle():
    """-a leaves idle CPUs out; -i shows them."""
    hidden = record('-a', seconds=1)
    shown = record('-a', '-i', seconds=1)
    if hidden.summary['counters']['idle'] == 0:
        raise Skipped('no CPU of this machine was ever idle')
    check_equal(hidden.share(lambda frames: frames[0].startswith('swapper')), 0.0, 'idle share')
    if shown.summary['counters']['idle'] == 0:
        raise Skipped('no CPU of this machine was idle the second time')
    check(shown.share(lambda frames: frames[0].startswith('swapper')) > 0, 'no idle share with -i')


def test_max_depth():
    with Target('recurse', 30) as target:
        for depth in (1, 10, 29):
            recording = record('-p', target.pid, '--max-depth', depth, '--no-kernel', '--no-inline',
                               seconds=1)
            deepest = max(len([frame for frame in frames[1:] if not frame.startswith('[')])
                          for frames, _ in recording.stacks)
            check_equal(deepest, depth, 'frames of the deepest stack')
            share = recording.share(lambda frames: frames[1].startswith('[truncated'))
            check(share > 0.9, f'only {share} are marked')
            summary = recording.summary
            check(sum(summary['truncated'].values()) > 0.9 * summary['samples'],
                  f'{summary["truncated"]}')
            check(recording.share(lambda frames: frames[-1] in ('leaf', 'recurse')) > 0.9,
                  'the leaf end was cut')
        whole = record('-p', target.pid, '--max-depth', 64, seconds=1)
    check_complete(whole)


def test_quiet_and_verbose():
    with Target('split') as target:
        plain = record('-p', target.pid, seconds=1)
        quiet = record('-q', '-p', target.pid, seconds=1)
        verbose = record('-v', '-p', target.pid, seconds=1)
    first = plain.stderr.splitlines()[0]
    check('% complete' in first and 'lost' in first, plain.stderr)
    check_equal(quiet.stderr, '', 'stderr with -q')
    check(len(verbose.stderr.splitlines()) > len(plain.stderr.splitlines()),
          f'nothing more with -v: {verbose.stderr!r}')
    check('\r' not in plain.stderr and '\x1b' not in plain.stderr, 'a live line into a pipe')


def test_habits():
    """What people type for perf and py-spy is taken without effect."""
    with Target('split') as target:
        recording = record('-n', '-g', '--nonblocking', '--native', '-p', target.pid, '-e', 'cpu',
                           seconds=1)
    check_complete(recording)


def test_two_recordings_at_once():
    """Two at once of one target: both see all of it."""
    with Target('recurse', 10) as target:
        pair = [Recorder('-d', 2, '-F', rate(499), '-p', target.pid) for _ in range(2)]
        results = [recorder.finish() for recorder in pair]
    for recording in results:
        check_equal(recording.status, 0, 'status')
        check_complete(recording)


if __name__ == '__main__':
    run(globals())

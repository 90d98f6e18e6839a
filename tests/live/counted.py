#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Events that counters count, against programs that do known numbers of them: the kernel's own events, for
machines of all kinds have those. tests/vm has hardware's.
"""
import json
import os
import subprocess
import tempfile
import time

from harness import (COPIES, Recorder, Target, by_table_only, check, check_equal, has, one_line, profd, record,
                     run)

LIMIT = '/proc/sys/kernel/perf_event_max_sample_rate'


def counted_run(event, pages, us, *options, outputs=('out.folded',)):
    """A recording of `counts` while it does what it counts itself, and that."""
    with Target('counts', pages, us, stdin=subprocess.PIPE) as target:
        recorder = Recorder('-e', event, '-p', target.pid, *options, outputs=outputs)
        recorder.wait_timers()
        time.sleep(0.2)
        target.process.stdin.write(b'.')
        truth = json.loads(target.read_line())
        recorder.signal(2)
        recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    return recording, truth


def weight(recording, *names):
    return sum(count for frames, count in recording.stacks if has(*names)(frames))


def check_exact(recording, truth, pages):
    """Nothing lost, and each page in the function that touched it."""
    found = weight(recording, 'touch_much'), weight(recording, 'touch_little')
    lost = recording.summary['lost']
    print(f'    {found} of {(3 * pages, pages)}; {truth["faults"]} faults by its own account; {lost} lost')
    check_equal(lost, 0, recording.stderr)
    # Calling sleep_once for the first time may touch a page or two of the program and its library.
    check(0 <= found[0] - 3 * pages <= 4, f'{found[0]} pages, not {3 * pages}')
    check_equal(found[1], pages, 'pages')
    check(sum(found) <= truth['faults'] <= sum(found) + 16, f'{truth} and {found}')


@by_table_only('a copy for each fault finds no room in the ring')
def test_each_page_fault():
    recording, truth = counted_run('page-faults', 1000, 0, '-c', 1)
    check_exact(recording, truth, 1000)
    figures = recording.summary['counted']['page-faults']
    check(figures['counted'] >= 4000 and figures['counted'] == figures['in_samples'], f'{figures}')
    check_equal(figures['counted_share_of_time'], 1, 'share of the time')


def test_each_page_fault_by_copies():
    # Slowly: a copy takes much room in the ring.
    recording, truth = counted_run('minor-faults', 100, 1000, '-c', 1, '--unwind', 'copy')
    check_equal(recording.summary['unwind'], 'copy', 'the way')
    check_exact(recording, truth, 100)


def check_switches(*options):
    recording, truth = counted_run('cs', 50, 2000, '-c', 1, *options)
    found = weight(recording, 'sleep_once')
    print(f'    {found} switches of 200 sleeps; {truth["switches"]} by its own account')
    check(200 <= found <= truth['switches'], f'{found} of {truth}')


def test_context_switches():
    check_switches()


def test_context_switches_by_copies():
    check_switches('--unwind', 'copy')


def test_frequency_beside_cpu():
    """One stack, several values; the kernel adapts the period, and what samples weigh adds up."""
    recording, truth = counted_run('cpu,page-faults', 20000, 0, '-F', 997, outputs=('out.folded', 'out.pb.gz'))
    summary = recording.summary
    status, output, errors = profd('report', '--json', recording.path('out.pb.gz'))
    check_equal(status, 0, errors)
    text = json.dumps(json.loads(output))
    check('page_faults' in text.replace('-', '_') and 'nanoseconds' in text, text[:300])
    figures = summary['counted']['page-faults']
    print(f'    {summary["samples"]} samples; {figures}')
    check(figures['counted'] >= truth['faults'], f'{figures} {truth}')
    # All but the period under way on each CPU, whatever the kernel has made of the periods.
    most = 1.05 if COPIES else 1  # a record tells the period that was asked for
    check(0.8 * figures['counted'] <= figures['in_samples'] <= most * figures['counted'], f'{figures}')
    check(summary['samples'] > 20, f'{summary["samples"]} samples')


def test_ordinary_user():
    prefix = ['setpriv', '--reuid=65534', '--clear-groups']
    path = tempfile.mkdtemp(prefix='profd-counted-', dir='/tmp')
    os.chown(path, 65534, 65534)
    with open('/proc/sys/kernel/perf_event_paranoid', encoding='ascii') as file:
        before = file.read()
    try:
        with open('/proc/sys/kernel/perf_event_paranoid', 'w', encoding='ascii') as file:
            file.write('2')
        with Target('counts', 100, 1000, stdin=subprocess.PIPE, prefix=prefix) as target:
            recorder = Recorder('-e', 'page-faults', '-c', 1, '-p', target.pid, prefix=prefix, path=path)
            recorder.wait_sampling()
            time.sleep(0.5)
            target.process.stdin.write(b'.')
            truth = json.loads(target.read_line())
            recorder.signal(2)
            recording = recorder.finish()
        check_equal(recording.status, 0, recording.stderr)
        check_exact(recording, truth, 100)
        refused = Recorder('-e', 'context-switches', '-d', 1, prefix=prefix, path=path,
                           command=('sleep', '5')).finish()
        check_equal(refused.status, 1, refused.stderr)
        check('happens in the kernel' in one_line(refused.stderr), refused.stderr)
    finally:
        with open('/proc/sys/kernel/perf_event_paranoid', 'w', encoding='ascii') as file:
            file.write(before)
        subprocess.run(['rm', '-rf', path], check=True)


def test_missing_hardware():
    checks = json.loads(profd('doctor', '--json')[1])['checks']
    if [check_ for check_ in checks if check_['name'] == 'cycles'][0]['status'] == 'ok':
        recording = record('-e', 'cycles', '-a', seconds=1, hz=None)
        check(recording.summary['counted']['cycles']['counted'] > 0, recording.stderr)
        return
    recording = record('-e', 'cycles', '-a', seconds=1, hz=None, good=False)
    check_equal(recording.status, 1, recording.stderr)
    check('needs hardware counters' in one_line(recording.stderr), recording.stderr)
    check(not os.path.exists(recording.path('out.folded')), 'a profile was written')


def lowered(*options, hz=9999, exact=True):
    """
    A recording during which the kernel's limit is lowered, as it does by itself: on an emulated machine
    meanwhile, too (not exact).
    """
    with open(LIMIT, encoding='ascii') as file:
        before = file.read()
    with Target('split') as target:
        recorder = Recorder('-p', target.pid, '-F', hz, *options)
        try:
            recorder.wait_timers()
            time.sleep(0.5)
            with open(LIMIT, 'w', encoding='ascii') as file:
                file.write('100')
            time.sleep(1)
        finally:
            with open(LIMIT, 'w', encoding='ascii') as file:
                file.write(before)
        recorder.signal(2)
        recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    summary = recording.summary
    print(f'    throttled {summary["throttled"]} times, {summary["lost_detail"]}')
    lowest = summary['lowest_max_sample_rate']
    check(lowest == 100 or not exact and lowest < hz, f'the limit: {lowest}')
    check(summary['throttled'] > 20, f'throttled {summary["throttled"]} times')
    check(summary['lost'] > 100, f'{summary["lost"]} lost')
    for part in f'was lowered from {before.strip()} to {lowest} meanwhile', 'throttled by the kernel':
        check(part in recording.stderr, recording.stderr)


def test_lowered_limit():
    lowered()


def test_lowered_limit_by_copies():
    lowered('--unwind', 'copy')


if __name__ == '__main__':
    run(globals())

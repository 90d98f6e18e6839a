#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stacks that are copied and walked afterwards: the same as those walked in the kernel, for everybody.

What needs no privileges is tried as a user who has none (65534), with the settings that most machines
have; they are put back as they were.
"""
import contextlib
import json
import os
import subprocess
import time

from harness import (DEEPER, TARGETS, WITHOUT_BPF, Program, Recorder, Target, check, check_complete,
                     check_count, check_equal, cpu_ns, folder, has, need, one_line, profd, rate,
                     record, run)

NOBODY = 65534
AS_NOBODY = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups',
             '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all']


@contextlib.contextmanager
def sysctl(name, value):
    path = f'/proc/sys/kernel/{name}'
    with open(path, encoding='ascii') as file:
        before = file.read()
    try:
        with open(path, 'w', encoding='ascii') as file:
            file.write(str(value))
        yield
    finally:
        with open(path, 'w', encoding='ascii') as file:
            file.write(before)


# ---- both ways ----

def user_stacks(recording, least):
    """Stacks without kernel frames that have that share at least."""
    total, found = 0, {}
    for frames, weight in recording.stacks:
        user = tuple(frame for frame in frames[1:] if not frame.endswith('_[k]'))
        total += weight
        found[user] = found.get(user, 0) + weight
    return {stack for stack, weight in found.items() if weight >= least * total}


def agree(pid, *arguments, least=0.03, **options):
    """What one way has seen often, the other has seen too, frame by frame."""
    table = record('-p', pid, '--unwind', 'table', '--no-inline', *arguments, seconds='700ms',
                   **options)
    copy = record('-p', pid, '--unwind', 'copy', '--no-inline', *arguments, seconds='700ms',
                  **options)
    check_equal((table.summary['unwind'], copy.summary['unwind']), ('table', 'copy'), 'ways')
    for one, other, name in ((table, copy, 'copy'), (copy, table, 'table')):
        often = user_stacks(one, least)
        missing = often - user_stacks(other, 0)
        check(often and not missing, f'{name} has not seen {missing}')
    print(f'    {len(user_stacks(copy, 0.03))} stacks of {copy.samples} samples')
    return table, copy


def test_agreement():
    for name, *arguments in (('recurse', 30), ('split',), ('threads', 3), ('tailcalls',),
                             ('plt_loop',)):
        with Target(name, *arguments) as target:
            table, copy = agree(target.pid)
            check_complete(table, at_least=30)
            check_complete(copy, at_least=30)
            check_equal(table.summary['walked_by_libunwind'], 0, 'of the kernel\'s by libunwind')


def test_agreement_on_python():
    with Program([need('python3'), '-c', 'while True: sum(i * i for i in range(1000))']) as target:
        time.sleep(0.5)
        agree(target.pid, least=0.1)


def test_agreement_on_generated_code():
    with Target('jit_map') as target:
        agree(target.pid)


def test_what_is_said():
    with Target('recurse', 10) as target:
        table = record('-p', target.pid, '--unwind', 'table', seconds='300ms')
        copy = record('-p', target.pid, '--unwind', 'copy', seconds='300ms')
    check_equal((table.summary['unwind'], table.summary['copy_bytes']), ('table', 0), 'table')
    check_equal((copy.summary['unwind'], copy.summary['why_not_table']), ('copy', None), 'copy')
    check('unwound from copies of up to' in copy.stderr, copy.stderr)
    check('copies' not in table.stderr, table.stderr)


def test_as_often_as_time_passes():
    with Target('recurse', 10) as target:
        before = cpu_ns(target.pid)
        recording = record('-p', target.pid, '--unwind', 'copy', hz=499)
        due = (cpu_ns(target.pid) - before) / 1e9 * 499
    summary = recording.summary
    check_count(summary['samples'], summary['expected_samples'], 3, 'samples')
    check(0.6 * due < summary['expected_samples'] < due + 3 * due ** 0.5 + 2,
          f'{summary["expected_samples"]} of {due}')


def test_deeper_than_a_copy():
    """40 KiB of stack are whole; 120 KiB are more than perf copies, which is said and counted."""
    with Target('recurse', 10, 0, 'page') as target:
        check_complete(record('-p', target.pid, '--unwind', 'copy', seconds=1))
    with Target('recurse', 30, 0, 'page') as target:
        recording = record('-p', target.pid, '--unwind', 'copy', seconds=1)
    summary = recording.summary
    check(summary['truncated'].get(DEEPER, 0) > 0.95 * summary['samples'], f'{summary["truncated"]}')
    marked = recording.share(lambda frames: frames[1] == f'[truncated: {DEEPER}]' and
                             frames.count('recurse_page') >= 10)
    check(marked > 0.95, f'{marked} are marked')
    check(f'{DEEPER} {summary["truncated"][DEEPER]}' in recording.stderr, recording.stderr)


def test_filters():
    """They are applied by profd itself."""
    with Target('recurse', 10), Target('split', prefix=AS_NOBODY):
        for arguments, wanted in ((('--comm', 'recu*'), 'recurse'), (('--uid', NOBODY), 'split')):
            recording = record('--unwind', 'copy', *arguments, seconds='500ms')
            check_equal({frames[0] for frames, _ in recording.stacks}, {wanted}, f'{arguments}')
            check_complete(recording, at_least=30)


def test_frame_pointers():
    """Go has them everywhere; what is compiled without is cut off, and not said to be whole."""
    with Target('recurse', 10) as target:
        broken = record('-p', target.pid, '--unwind', 'fp', seconds='500ms')
    check_equal(broken.summary['unwind'], 'fp', 'way')
    check(broken.summary['truncated'].get('frame pointer not usable', 0) > 0.9 * broken.samples,
          f'{broken.summary["truncated"]}')
    with Target('recurse_pointers', 10) as target:
        followed = record('-p', target.pid, '--unwind', 'fp', '--no-inline', seconds='500ms')
    # A leaf may do without, and then its caller is missing.
    share = followed.share(lambda frames: has('main', *['recurse'] * 9)(frames) and 'leaf' in frames)
    check(share > 0.95, f'{share} have all frames of the program')


# ---- without BPF ----

def test_without_bpf():
    with Target('recurse', 10) as target:
        recording = record('-p', target.pid, seconds='500ms', prefix=WITHOUT_BPF)
        check_complete(recording, at_least=30)
        summary = recording.summary
        check_equal(summary['unwind'], 'copy', 'way')
        check('BPF' in summary['why_not_table'], f'{summary["why_not_table"]}')
        check(recording.stderr.startswith('profd: stacks are copied and unwound afterwards'),
              recording.stderr)
        for arguments, word in ((('--unwind', 'table'), '--unwind table'), (('-e', 'growth'), 'growth')):
            status, _, errors = profd('record', '-p', target.pid, '-d', 1, *arguments,
                                      prefix=WITHOUT_BPF, cwd=folder())
            check_equal(status, 1, f'status with {arguments}')
            check(word in one_line(errors) and 'BPF' in errors, errors)
    # Not for want of memory, even where there is little and it may not be raised.
    status, _, errors = profd('record', '-a', '-d', 1, '--unwind', 'table', cwd=folder(),
                              prefix=('prlimit', '--memlock=65536:65536', 'setpriv',
                                      '--bounding-set', '-sys_resource', *WITHOUT_BPF))
    check_equal(status, 1, 'status with little memory to lock')
    check('forbids bpf(2)' in one_line(errors) and 'MEMLOCK' not in errors, errors)
    # A command that is not there: that, and not also how it would have been recorded.
    status, _, errors = profd('record', '--', '/nonexistent/program', prefix=WITHOUT_BPF, cwd=folder())
    check('/nonexistent/program' in one_line(errors), errors)
    status, output, _ = profd('doctor', '--json', prefix=WITHOUT_BPF)
    check_equal(status, 0, 'status of doctor')
    check_equal(json.loads(output)['unwind'], 'copy', 'way, says doctor')


# ---- ordinary users ----

def place():
    path = folder()
    os.chown(path, NOBODY, NOBODY)
    return path


def record_as_nobody(*arguments, prefix=(), **options):
    return record(*arguments, prefix=[*prefix, *AS_NOBODY], path=place(), cwd='/', **options)


def refused_as_nobody(*arguments, says, prefix=()):
    status, _, errors = profd('record', *arguments, '-d', 1, prefix=[*prefix, *AS_NOBODY],
                              cwd=place())
    check_equal(status, 1, f'status of {arguments}')
    check(says in one_line(errors), f'{errors!r} does not say {says!r}')


def in_kernel(frames):
    return any(frame.endswith('_[k]') for frame in frames)


def test_own_process():
    with sysctl('perf_event_paranoid', 2), Target('threads', 3, prefix=AS_NOBODY) as target:
        recording = record_as_nobody('-p', target.pid, seconds=1)
        check_complete(recording)
        check_equal(recording.summary['kernel_time_sampled'], False, 'kernel time')
        check_equal(recording.share(in_kernel), 0.0, 'share with kernel frames')
        check('without time in the kernel' in recording.stderr, recording.stderr)
        apart = record_as_nobody('-p', target.pid, '-t', seconds='500ms')
        names = {frames[1].split(' (')[0] for frames, _ in apart.stacks}
        check_equal(names, {'worker 0', 'worker 1', 'worker 2'}, 'threads')
        tid = int(next(frames[1] for frames, _ in apart.stacks).split('(')[-1].strip('tid )'))
        alone = record_as_nobody('--tid', tid, '-t', seconds='500ms')
        check_equal(len({frames[1] for frames, _ in alone.stacks}), 1, 'threads with --tid')


def test_own_kernel_time():
    """kernel.perf_event_paranoid=1 allows it."""
    with sysctl('perf_event_paranoid', 1), Target('syscalls', prefix=AS_NOBODY) as target:
        recording = record_as_nobody('-p', target.pid, seconds=1)
    check_complete(recording)
    check(recording.share(in_kernel) > 0.5, f'{recording.share(in_kernel)}')
    check_equal(recording.summary['kernel_time_sampled'], True, 'kernel time')


def test_own_command():
    """With its children and their threads; its status is profd's."""
    with sysctl('perf_event_paranoid', 2):
        recording = record_as_nobody(
            seconds=None, good=False,
            command=['sh', '-c', f'for i in 1 2; do timeout 0.5 {TARGETS}/recurse 10; '
                                 f'timeout 0.5 {TARGETS}/threads 2; done > /dev/null; exit 7'])
    check_equal(recording.status, 7, 'status')
    check_complete(recording)
    for name in ('recurse', 'threads'):
        share = recording.share(lambda frames, name=name: frames[0] == name)
        check(share > 0.2, f'{share} are of {name}')


def test_children_only_if_asked():
    script = f'sleep 1; {TARGETS}/recurse 10 > /dev/null'
    for more, wanted in (((), set()), (('-s',), {'recurse'})):
        with Target('/bin/sh', '-c', script, wait=False, prefix=AS_NOBODY) as target:
            recording = record_as_nobody('-p', target.pid, *more, seconds=2)
        found = {frames[0] for frames, _ in recording.stacks} - {'sh'}
        check_equal(found, wanted, f'programs with {more}')


def test_what_is_not_his():
    with sysctl('perf_event_paranoid', 2), Target('recurse', 10) as target:
        refused_as_nobody('-p', target.pid, says='it is not yours')
        refused_as_nobody('-a', says='kernel.perf_event_paranoid')
        refused_as_nobody('--comm', 'recurse', says='CAP_PERFMON')
        refused_as_nobody('-p', target.pid, '--unwind', 'table', says='CAP_BPF')


def test_a_deleted_program():
    """Its file cannot be reached without privileges: sampled all the same, and said."""
    path = place()
    program = os.path.join(path, 'recurse')
    subprocess.run(['cp', os.path.join(TARGETS, 'recurse'), program], check=True)
    with Target(program, 10, prefix=AS_NOBODY) as target:
        os.unlink(program)
        recording = record_as_nobody('-p', target.pid, seconds='500ms')
    check(recording.samples > 10, f'{recording.samples}')
    check_equal(recording.summary['complete'] + sum(recording.summary['truncated'].values()) +
                recording.summary['guessed'], recording.samples, 'outcomes')


def test_what_may_not_be_read():
    """The whole machine may be sampled, but not all mappings read: said, and what it takes."""
    with sysctl('perf_event_paranoid', -1), Target('recurse', 10), \
            Target('split', prefix=AS_NOBODY):
        recording = record_as_nobody('-a', seconds=1)
    summary = recording.summary
    reasons = {}
    for frames, weight in recording.stacks:
        cut = [frame for frame in frames if frame.startswith('[truncated')]
        reasons.setdefault(frames[0], {}).setdefault(cut[0] if cut else 'complete', 0)
        reasons[frames[0]][cut[0] if cut else 'complete'] += weight
    unread = '[truncated: mappings may not be read]'
    check(set(reasons['recurse']) == {unread}, f'{reasons["recurse"]}')
    check(unread not in reasons['split'], f'{reasons["split"]}')
    check(reasons['split']['complete'] > 10, f'{reasons["split"]}')
    check_equal(summary['truncated']['mappings may not be read'],
                sum(why.get(unread, 0) for why in reasons.values()), 'samples')
    check(summary['unreadable_processes'] >= 1, f'{summary["unreadable_processes"]}')
    check('may not be read, which takes CAP_SYS_PTRACE' in recording.stderr, recording.stderr)
    check('CAP_BPF' in recording.stderr and 'CAP_PERFMON' in recording.stderr, recording.stderr)


LITTLE = ['prlimit', '--memlock=0:0']


def test_little_locked_memory():
    """Rings as small as must be: copies begin small, and grow when walks need more."""
    with sysctl('perf_event_mlock_kb', 320), Target('recurse', 2, 0, 'page',
                                                    prefix=AS_NOBODY) as target:
        recording = record_as_nobody('-p', target.pid, seconds=2, hz=99, prefix=LITTLE)
    summary = recording.summary
    check(8192 <= summary['copy_bytes'] < 65528, f'{summary["copy_bytes"]}')
    print(f'    {summary["copy_bytes"]} bytes, {summary["truncated"]} of {recording.samples}')
    check(summary['complete'] > 0.7 * summary['samples'], f'{summary["truncated"]}')
    check(set(summary['truncated']) <= {DEEPER}, f'{summary["truncated"]}')


def test_one_deep_among_shallow():
    """Only the deep one's copies grow: the others go on taking little room."""
    shallow = f'timeout 2.5 {TARGETS}/recurse 10 > /dev/null & '
    with sysctl('perf_event_mlock_kb', 512):
        recording = record_as_nobody(
            seconds=None, hz=499, prefix=LITTLE, good=False,
            command=['sh', '-c', f'{shallow * 5} timeout 2.5 {TARGETS}/recurse 4 0 page; wait'])
    summary = recording.summary
    check_equal(summary['copies_grown_threads'], 1, 'threads with larger copies')
    deep = recording.share(has(*['recurse_page'] * 4))
    cut = recording.share(lambda frames: f'[truncated: {DEEPER}]' in frames)
    print(f'    {summary["copy_bytes"]} bytes for one, {deep} deep and whole, {cut} cut; '
          f'{summary["lost"]} lost of {summary["expected_samples"]}')
    check(deep > 0.08 and cut < 0.05, f'{deep} whole, {cut} cut')


def test_no_locked_memory():
    with sysctl('perf_event_mlock_kb', 0), Target('recurse', 10, prefix=AS_NOBODY) as target:
        refused_as_nobody('-p', target.pid, says='ulimit -l', prefix=LITTLE)


def test_two_at_once():
    with Target('recurse', 10, prefix=AS_NOBODY) as target:
        pair = [Recorder('-d', 1, '-F', rate(499), '-p', target.pid, prefix=AS_NOBODY, path=place(),
                         cwd='/') for _ in range(2)]
        for recording in [recorder.finish() for recorder in pair]:
            check_equal(recording.status, 0, f'status: {recording.stderr}')
            check_complete(recording, at_least=30)


def test_hidden_kernel_addresses():
    with sysctl('kptr_restrict', 2), sysctl('perf_event_paranoid', 1), \
            Target('syscalls', prefix=AS_NOBODY) as target:
        recording = record_as_nobody('-p', target.pid, seconds='500ms')
    check('kptr_restrict' in recording.summary['kernel_names'], recording.summary['kernel_names'])
    check_complete(recording, at_least=50)


def test_throttling():
    """A limit that is lowered meanwhile stops events for moments; that is seen."""
    with Target('recurse', 10) as target:
        recorder = Recorder('-p', target.pid, '-F', rate(997), '--unwind', 'copy', '-d', 2)
        recorder.wait_sampling()
        with sysctl('perf_event_max_sample_rate', 100):
            time.sleep(0.7)
        recording = recorder.finish()
    check(recording.summary['throttled'] > 0, f'{recording.summary}')
    check('throttled by the kernel' in recording.stderr, recording.stderr)


def test_doctor():
    status, output, errors = profd('doctor', prefix=AS_NOBODY, cwd='/')
    check_equal(status, 0, f'doctor: {output} {errors}')
    last = output.splitlines()[-1]
    check('of your own processes' in last and '--unwind copy' in last, last)
    check('degraded  stack-copies' in output, output)


if __name__ == '__main__':
    run(globals())

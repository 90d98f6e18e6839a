#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who is recorded: what a filter leaves out is never walked, what a target means is all seen."""
import os
import re
import shutil
import time

from harness import (TARGETS, Recorder, Skipped, Target, check, check_complete, check_equal, folder,
                     has, one_line, pprof, profd, rate, record, run)

NOBODY = 65534


def cgroup2():
    with open('/proc/self/mounts', encoding='utf-8') as file:
        for line in file:
            fields = line.split()
            if fields[2] == 'cgroup2':
                return fields[1]
    raise Skipped('no cgroup2 is mounted')


def check_nothing_walked(recording):
    """The kernel half looked at the busy CPU, and did not walk a single stack."""
    counters = recording.summary['counters']
    check(counters['filtered'] > 100, f'nothing was filtered: {counters}')
    check_equal(counters['walks'], 0, 'walks')
    check_equal(counters['sent'], 0, 'samples sent')
    check_equal(recording.summary['samples'], 0, 'samples')


def test_comm_that_nobody_has():
    with Target('split'):
        recording = record('-a', '--comm', 'nosuch*', good=False)
    check_nothing_walked(recording)


def test_comm():
    with Target('split'), Target('tailcalls'):
        recording = record('-a', '--comm', 'tail*')
    names = {frames[0] for frames, _ in recording.stacks}
    check_equal(names, {'tailcalls'}, 'processes')
    check(recording.samples > 500, f'{recording.samples}')
    check_complete(recording)


def test_comm_globs():
    with Target('split'):
        for glob, seen in (('spl?t', True), ('[rst]plit', True), ('*', True), ('s*t', True),
                           ('split?', False), ('SPLIT', False), ('plit', False)):
            recording = record('-a', '--comm', glob, seconds=1, good=False)
            names = {frames[0] for frames, _ in recording.stacks} if recording.samples else set()
            check_equal('split' in names, seen, f'--comm {glob}: split is seen')


def test_uid_that_nobody_has():
    with Target('split'):
        recording = record('-a', '--uid', 61234, good=False)
    check_nothing_walked(recording)


def test_uid():
    own = folder()
    os.chmod(own, 0o755)
    program = shutil.copy(os.path.join(TARGETS, 'tailcalls'), own)
    with Target('split'), Target(program, user=NOBODY):
        for name in (NOBODY, 'nobody'):
            recording = record('-a', '--uid', name, seconds=1)
            names = {frames[0] for frames, _ in recording.stacks}
            check('tailcalls' in names and 'split' not in names, f'--uid {name}: {names}')


def test_cgroup():
    """An empty group: nothing walked. Then one with a process, and a child group below it."""
    group = os.path.join(cgroup2(), f'profd-live-{os.getpid()}')
    below = os.path.join(group, 'below')
    os.makedirs(below)
    try:
        with Target('split'), Target('tailcalls') as inside, Target('phases', 0) as deeper:
            recording = record('-a', '--cgroup', group, good=False)
            check_nothing_walked(recording)
            for target, path in ((inside, group), (deeper, below)):
                with open(os.path.join(path, 'cgroup.procs'), 'w', encoding='ascii') as file:
                    file.write(str(target.pid))
            recording = record('-a', '--cgroup', group)
            names = {frames[0] for frames, _ in recording.stacks}
            check_equal(names, {'tailcalls', 'phases'}, 'processes of the group')
            recording = record('-a', '--cgroup', os.path.basename(group), seconds=1)
            check(recording.samples > 100, 'a path below the mount is not understood')
    finally:
        for path in (below, group):
            for _ in range(100):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    time.sleep(0.05)


def test_units_and_containers():
    """By what systemd and the runtimes of containers call their groups."""
    name = f'profd-live-{os.getpid()}'
    number = f'{os.getpid():x}'.rjust(16, 'a') + 48 * '0'
    groups = [os.path.join(cgroup2(), f'{name}.slice'),
              os.path.join(cgroup2(), f'{name}.slice', f'{name}.service'),
              os.path.join(cgroup2(), f'{name}.slice', f'docker-{number}.scope')]
    for group in groups:
        os.mkdir(group)
    try:
        with Target('split'), Target('tailcalls') as unit, Target('phases', 0) as contained:
            for target, path in ((unit, groups[1]), (contained, groups[2])):
                with open(os.path.join(path, 'cgroup.procs'), 'w', encoding='ascii') as file:
                    file.write(str(target.pid))
            for arguments, names in ((('--unit', name), {'tailcalls'}),
                                     (('--unit', f'{name}.slice'), {'tailcalls', 'phases'}),
                                     (('--container', number[:16]), {'phases'})):
                recording = record(*arguments, seconds=1)
                check_equal({frames[0] for frames, _ in recording.stacks}, names, f'{arguments}')
            for arguments, word in ((('--unit', 'no-such-unit'), 'is the unit active?'),
                                    (('--container', number[:5]), 'no control group'),
                                    (('--container', 64 * 'f'), 'no control group')):
                status, _, errors = profd('record', *arguments, '-d', '1')
                check_equal(status, 1, f'status with {arguments}')
                check(word in one_line(errors), errors)
            status, _, errors = profd('record', '--unit', 'a', '--container', 'b')
            check_equal(status, 2, 'status with two groups')
            one_line(errors)
    finally:
        for path in reversed(groups):
            for _ in range(100):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    time.sleep(0.05)


def test_pid_leaves_out_the_others():
    with Target('split'), Target('tailcalls') as target:
        recording = record('-p', target.pid)
    check_equal({frames[0] for frames, _ in recording.stacks}, {'tailcalls'}, 'processes')
    check(recording.summary['counters']['filtered'] > 100, 'the other one was never filtered')


def test_several_pids():
    with Target('split') as one, Target('tailcalls') as two, Target('longjmps'):
        recording = record('-p', f'{one.pid},{two.pid}')
        again = record('-p', one.pid, '-p', two.pid, seconds=1)
    for result in (recording, again):
        check_equal({frames[0] for frames, _ in result.stacks}, {'split', 'tailcalls'},
                    'processes')


def test_everything():
    with Target('split'), Target('tailcalls'):
        recorder = Recorder('-a', '-F', rate(997), '-d', 2, outputs=('out.folded', 'out.pb.gz'))
        recorder.wait_sampling()
        with open(f'/proc/{recorder.pid}/task/{recorder.pid}/children', encoding='ascii') as file:
            own = {str(recorder.pid), *file.read().split()}
        recording = recorder.finish()
    names = {frames[0] for frames, _ in recording.stacks}
    check({'split', 'tailcalls'} <= names, f'{names}')
    pids = set(re.findall(r'pid:\[?(\d+)', pprof(recording, '-raw')))
    # Others, for source lines and for files that may never answer, begin with the first question.
    check(3 <= len(own) <= 5, f'not profd and its workers: {own}')
    check(len(pids) >= 2 and not own & pids, f'some of profd ({own}) is in {pids}')


def test_threads_started_later():
    with Target('threads', 12, 0, 250) as target:
        recording = record('-p', target.pid, '-t', seconds=4)
    check_complete(recording, threads=True, at_least=300)
    seen = {frames[1] for frames, _ in recording.stacks}
    workers = {name for name in seen if name.startswith('worker')}
    print(f'    {len(workers)} workers')
    # At 250 ms each, 12 to 15 are due; the first may have come before and the last be too young.
    check(len(workers) >= 9, f'{seen}')


def test_children_only_with_s():
    """A target that forks: -p alone is that process; -s is also what it forks from then on."""
    with Target('children', 100000, 5) as target:
        alone = record('-p', target.pid)
        with_children = record('-p', target.pid, '-s')
    check_equal(alone.share(lambda frames: 'child' in frames), 0.0, 'share of children without -s')
    check(with_children.share(has('child', 'child_leaf')) > 0.8, 'children are missing with -s')
    check_complete(with_children)


def test_tid():
    with Target('threads', 4) as target:
        tids = sorted(int(tid) for tid in os.listdir(f'/proc/{target.pid}/task'))
        chosen = tids[2]
        with open(f'/proc/{target.pid}/task/{chosen}/comm', encoding='ascii') as file:
            name = file.read().strip()
        recording = record('--tid', chosen, '-t', seconds=3)
    frames = {stack[1] for stack, _ in recording.stacks}
    check(len(frames) == 1 and str(chosen) in frames.pop(), f'not only {name} ({chosen}): {frames}')
    check(recording.samples > 50, f'{recording.samples} samples')


def test_kernel_thread():
    """A kernel thread by its pid: accepted, whatever it does or does not do meanwhile."""
    recording = record('-p', 2, seconds=1)
    check_equal(recording.status, 0, 'status')


if __name__ == '__main__':
    run(globals())

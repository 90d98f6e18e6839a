#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input gets one clear line and the right status; nothing is left behind."""
import os

from harness import Target, check, check_equal, end, folder, one_line, profd, run, start


def refused(status, *arguments, says=None):
    """profd refuses with that status and one line; the line."""
    got, output, errors = profd('record', *arguments, cwd=folder())
    check_equal(got, status, f'status of profd record {" ".join(map(str, arguments))} ({errors!r})')
    check_equal(output, '', f'stdout of {arguments}')
    line = one_line(errors)
    if says:
        check(says in line, f'{arguments}: {line!r} does not say {says!r}')
    return line


def free_pid():
    process = start(['/bin/true'])
    process.wait()
    end(process)
    return process.pid


def test_no_such_pid():
    pid = free_pid()
    refused(1, '-p', pid, '-d', 1, says=str(pid))
    refused(1, '--tid', pid, '-d', 1, says=str(pid))


def test_zombie():
    with Target('states', 'zombie') as target:
        pid = int(target.read_line())
        refused(1, '-p', pid, '-d', 1, says=str(pid))


def test_waiting_targets_are_recorded_without_samples():
    """Asleep, stopped or uninterruptible: nothing to sample is no failure, and no hang."""
    for state in ('uninterruptible', 'stopped', 'sleeping'):
        with Target('states', state) as target:
            pid = int(target.read_line())
            path = os.path.join(folder(), 'x.folded')
            status, _, errors = profd('record', '-p', pid, '-d', 1, '-o', path)
            check_equal(status, 0, f'status for a {state} target ({errors!r})')
            check(os.path.exists(path), f'no file for a {state} target')
            with open(f'/proc/{pid}/stat', encoding='ascii') as file:
                after = file.read().rsplit(')', 1)[1].split()[0]
            want = {'uninterruptible': 'D', 'stopped': 'T', 'sleeping': 'S'}[state]
            check_equal(after, want, f'state of the {state} target afterwards')


def test_missing_folder():
    with Target('split') as target:
        for option in ('-o', '--summary'):
            refused(1, '-p', target.pid, '-d', 1, option, '/nonexistent/folder/x.svg',
                    says='/nonexistent/folder')


def test_folder_that_is_a_file_or_output_that_is_a_folder():
    with Target('split') as target:
        refused(1, '-p', target.pid, '-d', 1, '-o', '/etc/passwd/x.svg')
        path = os.path.join(folder(), 'x.svg')
        os.mkdir(path)
        refused(1, '-p', target.pid, '-d', 1, '-o', path)


def test_command_that_is_not_there():
    status, _, errors = profd('record', '-d', 1, '--', '/nonexistent/program', cwd=folder())
    check(status in (1, 126, 127), f'status {status}')
    check('/nonexistent/program' in one_line(errors), errors)


def test_cgroup_and_user_that_are_not_there():
    refused(1, '-a', '-d', 1, '--cgroup', '/nonexistent/group', says='/nonexistent/group')
    refused(1, '-a', '-d', 1, '--uid', 'nosuchuser', says='nosuchuser')


def test_rate_above_the_limit():
    with open('/proc/sys/kernel/perf_event_max_sample_rate', encoding='ascii') as file:
        limit = int(file.read())
    path = '/proc/sys/kernel/perf_event_max_sample_rate'
    try:
        with open(path, 'w', encoding='ascii') as file:
            file.write('500')
        refused(1, '-a', '-d', 1, '-F', 1000, says='perf_event_max_sample_rate')
    finally:
        with open(path, 'w', encoding='ascii') as file:
            file.write(str(limit))


def test_wrong_usage():
    for arguments in ((), ('--nosuchoption',), ('-Z',), ('-p',), ('-p', 'abc'), ('-p', '0'),
                      ('-p', '-1'), ('-p', '1,'), ('-p', '99999999999999999999'),
                      ('-a', '-p', '1'), ('--tid', '1', '-s'), ('-p', '1', '--', 'true'), ('--',),
                      ('-a', '-F', '0'), ('-a', '-F', '10001'), ('-a', '-F', 'fast'),
                      ('-a', '-F', '1e3'), ('-a', '-c', '0'), ('-a', '-d', 'soon'),
                      ('-a', '-d', '-3'), ('-a', '-d', '99999999999999999999'),
                      ('-a', '-f', 'nosuchformat'), ('-a', '-o', 'x.nosuchformat'),
                      ('-a', '--max-depth', '0'), ('-a', '--max-depth', '1025'),
                      ('-a', '--unwind', 'guess'), ('-a', '-d'), ('-p', '1', '-i')):
        refused(2, *arguments)


def test_wrong_usage_points_to_help():
    for arguments in (('--nosuchoption',), ('-a', '-F', '0')):
        check('--help' in refused(2, *arguments), 'no pointer to --help')


def test_events_of_later_versions():
    """Named in the manual's plan or by perf, and not there: said, never an empty profile."""
    for event in ('offcpu', 'heap', 'cycles:nosuch'):
        refused(1, '-a', '-d', 1, '-e', event)


def test_without_privileges():
    """As an ordinary user: one line that says so."""
    own = folder()
    os.chmod(own, 0o777)
    status, _, errors = profd('record', '-a', '-d', 1, '-o', os.path.join(own, 'x.svg'), user=65534,
                              group=65534, extra_groups=[], cwd='/')
    check_equal(status, 1, 'status')
    one_line(errors)
    check_equal(os.listdir(own), [], 'files')


if __name__ == '__main__':
    run(globals())

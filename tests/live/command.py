#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`profd record -- COMMAND`: from its first instruction, with its children, its status, its user."""
import os
import signal
import time

from harness import (COPIES, TARGETS, Recorder, Target, check, check_complete, check_equal, folder,
                     has, rate, record, run)


def path(name):
    return os.path.join(TARGETS, name)


def test_exit_status():
    for status in (0, 1, 7, 255):
        recording = record(seconds=None, good=False, command=['/bin/sh', '-c', f'exit {status}'])
        check_equal(recording.status, status, 'status')


def test_signal_status():
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        recording = record(seconds=None, good=False,
                           command=['/bin/sh', '-c', f'ulimit -c 0; kill -{int(number)} $$'])
        check_equal(recording.status, 128 + number, 'status')


def test_streams_are_the_commands():
    recording = record('-q', seconds=None,
                       command=['/bin/sh', '-c', 'echo out; echo err >&2; [ ! -t 0 ]'])
    check_equal(recording.stdout, b'out\n', 'stdout')
    check_equal(recording.stderr, 'err\n', 'stderr')


def test_from_the_first_instruction():
    """The loader's work of many short programs is there, beneath its own start."""
    recording = record('-F', rate(4999), hz=None, seconds=None,
                       command=['/bin/sh', '-c',
                                'i=0; while [ $i -lt 150 ]; do /bin/true; i=$((i+1)); done'])
    # A page of stack that is about to be made cannot be copied, which new programs have many of.
    check_complete(recording, 98 if COPIES else 99.9, at_least=50)
    loader = recording.share(lambda frames: frames[0] == 'true')
    check(loader > 0.1, f'only {loader} in the short programs')


def test_nothing_of_profd_itself():
    recording = record(seconds=None, command=[path('recurse'), 10, 1])
    names = {frames[0] for frames, _ in recording.stacks}
    check_equal(names, {'recurse'}, 'processes')


def test_arguments_are_the_commands():
    """Options behind -- are not profd's."""
    recording = record('-q', seconds=None, command=['/bin/echo', '-p', '--help', '-o', '--'])
    check_equal(recording.stdout, b'-p --help -o --\n', 'stdout')


def test_duration_ends_the_recording_not_the_command():
    recorder = Recorder('-d', 1, '-F', rate(997), command=[path('recurse'), 10, 3])
    recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    check(recording.summary['duration_s'] < 2.5, f'{recording.summary["duration_s"]}')
    check(b'"depth"' in recording.stdout, 'the command was not left to end by itself')


def test_ctrl_c_reaches_the_command():
    """As a terminal does it: the whole group gets it. The command's own end counts."""
    recorder = Recorder('-F', rate(997), command=[path('recurse'), 10, 60])
    recorder.wait_sampling()
    time.sleep(1)
    os.killpg(recorder.pid, signal.SIGINT)
    recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    check_complete(recording, at_least=100)


def test_runs_as_the_invoking_user():
    """Under sudo the command is the user's, not root's; the files are the user's too."""
    own = folder()
    os.chmod(own, 0o777)
    environment = dict(os.environ, SUDO_UID='65534', SUDO_GID='65534', SUDO_USER='nobody')
    recording = Recorder('-q', command=['/bin/sh', '-c', 'id -u; id -g; id -G'], path=own,
                         env=environment, cwd='/').finish()
    check_equal(recording.stdout.split(), [b'65534', b'65534', b'65534'], 'ids')
    check_equal(os.stat(recording.path('out.folded')).st_uid, 65534, 'owner of the file')


def test_children_are_the_commands():
    recording = record(seconds=None, command=[path('children'), 200, 5, 2])
    check(recording.share(has('child', 'child_leaf')) > 0.8, 'the children are missing')


def test_target_notices_nothing():
    """Never traced, never stopped, no file of ours open in it, and as many threads as before."""
    with Target('recurse', 10) as target:
        descriptors = sorted(os.listdir(f'/proc/{target.pid}/fd'))
        recorder = Recorder('-d', 2, '-p', target.pid)
        states = set()
        while recorder.process.poll() is None:
            with open(f'/proc/{target.pid}/status', encoding='ascii') as file:
                fields = dict(line.split(':\t', 1) for line in file if ':\t' in line)
            states.add((fields['State'][0], int(fields['TracerPid']), int(fields['Threads'])))
            time.sleep(0.0005)
        recording = recorder.finish()
        check_equal(recording.status, 0, 'status')
        check_equal(sorted(os.listdir(f'/proc/{target.pid}/fd')), descriptors, 'descriptors')
        with open(f'/proc/{target.pid}/maps', encoding='utf-8') as file:
            check('uprobes' not in file.read(), 'something of ours is mapped in the target')
    check_equal({state for state, _, _ in states} - set('RSD'), set(), 'other states')
    check_equal({tracer for _, tracer, _ in states}, {0}, 'tracers')
    check_equal({threads for _, _, threads in states}, {1}, 'numbers of threads')


if __name__ == '__main__':
    run(globals())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files, file systems and neighbours that mean harm: the recording goes on, and says what it lacks.

File systems that never answer are made by mute_fs, in mount namespaces of their own, so that the
kernel takes them away with their server whatever happens to this test.
"""
import contextlib
import json
import os
import signal
import subprocess
import time

from harness import (Recorder, Target, check, check_complete, check_count, check_equal, end, folder,
                     rate, record, run, start)
from neighbours import check_all_gone, check_untroubled, given_up, of_process, program

SILENT = 'its file system did not answer'


# ---- file systems that do not answer ----

class MuteFs:
    """A file system with these files ({name: path}); see mute_fs.c."""

    def __init__(self, files):
        self.folder = folder()
        self.server = start(['unshare', '--mount', program('mute_fs'), self.folder] +
                            [f'{name}={path}' for name, path in files.items()],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        check_equal(self.server.stdout.readline(), b'ready\n', 'the first word of mute_fs')

    def path(self, name):
        return os.path.join(self.folder, name)

    def say(self, line):
        self.server.stdin.write(line.encode() + b'\n')
        check_equal(self.server.stdout.readline(), b'done\n', 'the answer of mute_fs')

    def target(self, name, *arguments, **options):
        return Mounted(self, os.path.join(self.folder, name), *arguments, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.server)
        check_all_gone('profd')  # what waits for the file system ends with it


class Mounted(Target):
    """A target that sees a file system of a MuteFs."""

    def __init__(self, fs, *arguments, **options):
        self.fs = fs
        super().__init__(*arguments, prefix=['nsenter', '-t', str(fs.server.pid), '-m', '--'],
                         **options)

    def __exit__(self, *_):
        self.fs.say('speak')  # whoever waits for a page cannot be killed
        super().__exit__()


def test_silent_file_systems():
    """Programs on file systems that leave one kind of question without answer, beside one that is not."""
    kinds = {'read': 'reader', 'open': 'opener', 'flush': 'closer', 'all': 'new\nline\x1b[31m'}
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(Target('tailcalls'))
        running = {}
        for kind, name in kinds.items():
            fs = stack.enter_context(MuteFs({name: program('split')}))
            target = stack.enter_context(fs.target(name))
            fs.say(f'mute {kind}')
            recorder = Recorder('-p', f'{target.pid},{other.pid}', '-d', 1, '-F', rate(997))
            running[kind] = fs, target, recorder
        recordings = {kind: recorder.finish() for kind, (_, _, recorder) in running.items()}
        for fs, target, _ in running.values():
            fs.say('speak')
            target.stop()  # it ran on all the time, and tells what it did
    for kind, recording in recordings.items():
        check_equal(recording.status, 0, f'status with {kind}')
        check_equal(recording.summary['lost_detail']['process_events'], 0, 'process events lost')
        check_untroubled(recording, 'tailcalls', 'main', at_least=50)
        # A newline is \\012 in /proc/PID/maps.
        name = kinds[kind].replace('\n', '\\012')
        check_equal(given_up(recording), {name: SILENT}, f'given up with {kind}')
        line = next(line for line in recording.stderr.splitlines() if 'samples in' in line)
        # To people no control codes.
        check('\x1b' not in recording.stderr and 'gave up on 1 file (' in line and
              f'{name}: {SILENT}'.replace('\x1b', '?') in line, repr(line))


def test_nobody_waits_for_a_file_to_be_let_go():
    """The last close (RELEASE) has no answer that matters; nor are names looked up again."""
    with MuteFs({'split': program('split')}) as fs, fs.target('split') as target:
        fs.say('mute release lookup')
        recording = record('-p', target.pid, seconds=1)
    check_equal(given_up(recording), {}, 'given up')
    check_complete(recording)


def test_program_that_starts_meanwhile():
    """While profd waits for one program's file system, nothing of another program is missing."""
    hz = rate(997)
    with MuteFs({'split': program('split')}) as fs:
        # What it needs to run is in memory from now on; its symbols are not.
        with fs.target('split', 1):
            pass
        recorder = Recorder('-a', '-F', hz)
        recorder.wait_sampling()
        fs.say('mute read')
        with fs.target('split'):
            with Target('fixed_work', 20, 80000) as other:
                truth = json.loads(other.read_line())
            recorder.signal(signal.SIGINT)
            recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    check_equal(given_up(recording), {'split': SILENT}, 'given up')
    check_untroubled(recording, 'fixed_work', 'main', 'recurse')
    check_count(of_process(recording, 'fixed_work')[1], truth['cpu_ns'] / 1e9 * hz, 4,
                'samples of fixed_work')


def test_everything_hangs_and_nobody_wants_to_wait():
    """Ctrl-C while profd waits; it ends by itself, and its profile is whole."""
    with MuteFs({'split': program('split')}) as fs, fs.target('split') as target:
        fs.say('mute all')
        recorder = Recorder('-p', target.pid)
        time.sleep(0.5)
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
        check_equal(recording.status, 0, 'status')
        check_equal(given_up(recording), {'split': SILENT}, 'given up')


if __name__ == '__main__':
    run(globals())

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

from harness import (COPIES, Recorder, Target, by_table_only, check, check_complete, check_count,
                     check_equal, end, folder, has, need, rate, record, run, start)
from neighbours import check_all_gone, check_untroubled, given_up, of_process, program

SILENT = 'its file system did not answer'
ENDED = 'the recording ended before it was read'


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

    def abort(self):
        """Makes whatever waits for it fail: before that, nobody who does can be killed."""
        with open(f'/proc/{self.server.pid}/mountinfo', encoding='utf-8') as file:
            number = next(line.split()[2].split(':')[1] for line in file
                          if line.split()[4] == self.folder)
        control = ['unshare', '--mount', 'sh', '-c', 'mount -t fusectl fusectl /sys/fs/fuse/connections '
                   '&& echo 1 >"/sys/fs/fuse/connections/$1/abort"', 'sh', number]
        subprocess.run(control, check=True)

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
    seen, due = of_process(recording, 'fixed_work')[1], truth['cpu_ns'] / 1e9 * hz
    if COPIES:
        # A ring holds few copies of stacks: some are lost, and counted.
        lost = recording.summary['lost']
        print(f'    {seen} of {due:.1f} samples of fixed_work, {lost} lost of all')
        check(seen > 0.2 * due and seen + lost > due - 4 * due ** 0.5, f'{seen} and {lost} of {due}')
    else:
        check_count(seen, due, 4, 'samples of fixed_work')


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


def check_whole(recording):
    """All outputs are there, and are what they should be."""
    check_equal(sorted(os.listdir(recording.folder)), ['out.folded', 'summary.json'], 'outputs')
    check_equal(sum(count for _, count in recording.stacks) > 0, recording.samples > 0,
                'something in the output')
    check('samples in' in recording.stderr, f'no closing line: {recording.stderr!r}')


def test_second_ctrl_c_ends_the_waiting():
    """What was not read stays without names; everything is written."""
    with MuteFs({'split': program('split')}) as fs, fs.target('split') as target:
        fs.say('mute all')
        recorder = Recorder('-p', target.pid)
        fs.say('await')
        recorder.signal(signal.SIGINT)
        time.sleep(0.2)
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
        check_equal(recording.status, 0, 'status')
        check_whole(recording)
        check_equal(given_up(recording).get('split'), ENDED, 'why')


def test_time_is_over_while_a_file_is_waited_for():
    """The end comes when it was asked for, not when somebody answers."""
    with MuteFs({'split': program('split')}) as fs:
        with fs.target('split', 1):
            pass
        recorder = Recorder('-a', '-d', 2, '-F', rate(997))
        recorder.wait_sampling()
        fs.say('mute read')
        with fs.target('split'):
            recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    check_equal(given_up(recording), {'split': SILENT}, 'given up')
    check_whole(recording)
    # By then profd still waited.
    check(recording.summary['duration_s'] < 2.5, f'it went on: {recording.summary["duration_s"]} s')


def test_held_memory():
    """Whoever keeps his address space locked is not read by it, and no file is to blame for that."""
    with MuteFs({'split': program('split')}) as fs:
        with Mounted(fs, program('held_memory'), fs.path('split'), stdin=subprocess.PIPE) as target:
            fs.say('mute read')
            target.process.stdin.write(b'go\n')
            fs.say('await')
            time.sleep(0.3)
            with Target('tailcalls') as other:
                recording = record('-p', f'{target.pid},{other.pid}', seconds=1)
            alone = record('-p', target.pid, seconds=1, good=False)
    # Its command line could not be read either.
    check('its process keeps its memory locked' in alone.stderr or alone.status == 1, alone.stderr)
    check_untroubled(recording, 'tailcalls', 'main')
    files = given_up(recording)
    # Since Linux 6.17 that does not need the lock.
    if not files.pop('maps', None):
        check_untroubled(recording, 'held_memory', 'main', 'work')
    check_equal(files, {}, 'given up')


@by_table_only('growth is taken by BPF programs')
def test_growth_of_held_memory():
    """What he has touched is told as it was seen last, and of his neighbour all is right."""
    with MuteFs({'split': program('split')}) as fs:
        with Mounted(fs, program('held_memory'), fs.path('split'), stdin=subprocess.PIPE) as held, \
                Target('grower', 'small', 32, 200, stdin=subprocess.PIPE) as grower:
            fs.say('mute read')
            recorder = Recorder('-e', 'growth', '-p', f'{held.pid},{grower.pid}')
            recorder.wait_timers()
            held.process.stdin.write(b'go\n')
            fs.say('await')
            time.sleep(1.5)  # it has been looked at in between
            grower.process.stdin.write(b'.')
            truth = json.loads(grower.read_line())
            recorder.signal(signal.SIGINT)
            recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    files = given_up(recording)
    files.pop('maps', None)  # where that needs the lock, too
    check_equal(files, {'pagemap': 'its process keeps its memory locked'}, 'given up')
    growth = recording.summary['growth']
    check_equal(growth['processes_not_looked_at'], 1, 'processes that were not looked at')
    want = truth['resident'] + (4 << 20)
    check(abs(growth['growth_bytes'] - want) < want / 20, f'{growth["growth_bytes"]} of {want} bytes')
    check(recording.share(has('main', 'touch')) > 0.05, 'what was touched before')


MAP_FILES = """
import mmap, sys
files = [open(path, 'rb') for path in sys.argv[1:]]
kept = [mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
        for file in files]
print('ready', flush=True)
while True:
    pass
"""


def test_slow_file_system():
    """Each answer is there just before profd would give up; Ctrl-C gets through all the same."""
    names = [f'file{i}' for i in range(10)]
    with MuteFs({name: program('split') for name in names}) as fs:
        paths = [fs.path(name) for name in names]
        with Mounted(fs, need('python3'), '-c', MAP_FILES, *paths) as target:
            fs.say('slow 2500')
            recorder = Recorder('-p', target.pid)
            fs.say('await')
            recorder.signal(signal.SIGINT)
            recording = recorder.finish()
            check_equal(recording.status, 0, 'status')
            check_whole(recording)
            check_equal(sorted(given_up(recording)), names, 'given up')


def command_on(fs, *arguments, command):
    """A recording of a command that profd and it see on this file system."""
    return Recorder(*arguments, command=command,
                    prefix=['nsenter', '-t', str(fs.server.pid), '-m', '--'])


def check_not_started(recording, path, status):
    check_equal(recording.status, status, 'status')
    check_whole(recording)
    line = recording.stderr.splitlines()[-1]
    check_equal(line, f"profd: cannot start '{path}': its file system does not answer", 'the reason')


def test_command_on_a_silent_file_system():
    """The command hangs before it is one; profd does not."""
    script = os.path.join(folder(), 'script')
    with MuteFs({'split': program('split')}) as fs:
        with open(script, 'w', encoding='ascii') as file:
            file.write(f'#!{fs.path("split")}\n')
        os.chmod(script, 0o755)
        fs.say('mute all')
        for command in (fs.path('split'), script):
            recording = command_on(fs, '-d', 1, command=[command]).finish()
            check_equal(given_up(recording), {'split': SILENT}, 'given up')
            check_not_started(recording, command, 1)
        recorder = command_on(fs, command=[script])
        recorder.wait_timers()
        recorder.signal(signal.SIGTERM)
        check_not_started(recorder.finish(), script, 128 + signal.SIGTERM)


def test_page_that_does_not_come():
    """Its arguments, a page of its stack and what a thread waits for are in a file that is silent."""
    backing = os.path.join(folder(), 'pages')
    with open(backing, 'wb') as file:
        file.truncate(64 * 4096)
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(Target('tailcalls'))
        fs = stack.enter_context(MuteFs({'pages': backing}))
        prefix = ['nsenter', '-t', str(fs.server.pid), '-m', '--']
        target = stack.enter_context(Target('page_wait', fs.path('pages'), prefix=prefix,
                                            stdin=subprocess.PIPE))
        fs.say('mute read')
        stack.callback(fs.abort)
        target.process.stdin.write(b'\n')
        target.process.stdin.flush()
        target.read_until('waiting')
        fs.say('await')
        for pids in (str(target.pid), f'{target.pid},{other.pid}'):
            recording = record('-p', pids, seconds=1)
            of_pages, total = of_process(recording, 'page_wait')
            good = sum(count for frames, count in of_pages
                       if frames[1].startswith('[truncated') and has('outer', 'inner')(frames))
            check(total > 50 and good > 0.99 * total, f'{good} of {total}: {of_pages[:3]}')
        check_untroubled(recording, 'tailcalls', '_start', 'main')


if __name__ == '__main__':
    run(globals())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How a recording ends: everything is written, or nothing is, and nothing stays behind."""
import json
import os
import signal
import subprocess
import time
import xml.etree.ElementTree

from harness import (COPIES, Recorder, Skipped, Target, check, check_complete, check_equal, folder,
                     need, one_line, profd, rate, record, run)

HZ = str(rate(997))


def ended_by(number, times=1):
    with Target('split') as target:
        recorder = Recorder('-F', HZ, '-p', target.pid,
                            outputs=('out.folded', 'out.svg', 'out.txt'))
        recorder.wait_sampling()
        time.sleep(1)
        for _ in range(times):
            recorder.signal(number)
        recording = recorder.finish()
        check(target.process.poll() is None, 'the target did not survive')
        return recording


def test_ctrl_c_writes_everything():
    recording = ended_by(signal.SIGINT)
    check_equal(recording.status, 0, 'status')
    xml.etree.ElementTree.parse(recording.path('out.svg'))
    check_complete(recording)
    check('samples in' in recording.stderr, f'no quality line: {recording.stderr!r}')


def test_sigterm_writes_everything():
    recording = ended_by(signal.SIGTERM)
    check_equal(recording.status, 0, 'status')
    check_complete(recording)


def test_second_ctrl_c_leaves_no_half_file():
    recording = ended_by(signal.SIGINT, times=2)
    whole = {'out.folded', 'out.svg', 'out.txt', 'summary.json'}
    check(set(os.listdir(recording.folder)) <= whole, f'{os.listdir(recording.folder)}')
    if os.path.exists(recording.path('out.svg')):
        xml.etree.ElementTree.parse(recording.path('out.svg'))


def bpf_programs():
    done = subprocess.run([need('bpftool'), '-j', 'prog', 'show'], capture_output=True, check=True)
    return {program['id'] for program in json.loads(done.stdout)}


def test_kill_leaves_nothing():
    """kill -9: no half file, and no program of ours in the kernel."""
    before = bpf_programs()
    with Target('split') as target:
        recorder = Recorder('-F', HZ, '-p', target.pid, outputs=('out.folded', 'out.svg'))
        recorder.wait_sampling()
        check(COPIES or bpf_programs() - before, 'no program of ours: the test sees nothing')
        recorder.signal(signal.SIGKILL)
        recording = recorder.finish()
        check_equal(recording.status, -signal.SIGKILL, 'status')
        check_equal(os.listdir(recording.folder), [], 'files')
        for _ in range(200):
            if not bpf_programs() - before:
                break
            time.sleep(0.05)
        check_equal(bpf_programs() - before, set(), 'programs left in the kernel')
        check(target.process.poll() is None, 'the target did not survive')


def small_disk():
    path = folder()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], check=False,
                          capture_output=True)
    if done.returncode != 0:
        raise Skipped(f'cannot mount a tmpfs: {done.stderr.decode().strip()}')
    return path


def test_full_disk():
    """Exit 1, one line, no file, no piece of one; and an older file of that name stays."""
    disk = small_disk()
    try:
        old = os.path.join(disk, 'old.svg')
        with open(old, 'w', encoding='ascii') as file:
            file.write('old')
        with open(os.path.join(disk, 'filler'), 'wb', buffering=0) as file:
            try:
                while file.write(b'x' * 4096):
                    pass
            except OSError:
                pass
        with Target('split') as target:
            for name in ('out.svg', 'old.svg', 'out.folded', 'out.pb.gz', 'out.txt'):
                status, _, errors = profd('record', '-q', '-p', target.pid, '-d', 1, '-o',
                                          os.path.join(disk, name))
                check_equal(status, 1, f'status for {name}')
                line = one_line(errors)
                check('o space' in line and name in line, line)
                check_equal(sorted(os.listdir(disk)), ['filler', 'old.svg'], 'files')
        with open(old, encoding='ascii') as file:
            check_equal(file.read(), 'old', 'the older file')
    finally:
        subprocess.run(['umount', disk], check=False)


def test_full_disk_for_the_summary():
    with Target('split') as target:
        status, _, errors = profd('record', '-q', '-p', target.pid, '-d', 1, '-o',
                                  os.path.join(folder(), 'x.folded'), '--summary', '/dev/full')
    check_equal(status, 1, 'status')
    one_line(errors)


def test_stdout_full():
    with Target('split') as target, open('/dev/full', 'wb') as full:
        recorder = Recorder('-q', '-d', 1, '-f', 'folded', '-p', target.pid, outputs=('-',),
                            stdout=full)
        recording = recorder.finish()
    check_equal(recording.status, 1, 'status')
    one_line(recording.stderr)


def test_broken_pipe_is_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    with Target('split') as target, os.fdopen(writer, 'wb') as pipe:
        recording = Recorder('-q', '-d', 1, '-f', 'folded', '-p', target.pid, outputs=('-',),
                             stdout=pipe).finish()
    check_equal(recording.stderr, '', 'stderr')


def test_target_ends():
    """Without -d a recording ends with its target, and has all of it."""
    with Target('split', 2) as target:
        recording = record('-p', target.pid, seconds=None)
    check_complete(recording)


def test_target_ends_at_once():
    """Gone before or during the attachment: one line, or the little there was."""
    for _ in range(5):
        with Target('children', 1, 0) as target:
            recording = Recorder('-q', '-p', target.pid).finish()
        check(recording.status in (0, 1), f'status {recording.status}: {recording.stderr}')
        if recording.status == 1:
            one_line(recording.stderr)
        else:
            check(os.path.exists(recording.path('out.folded')), 'no file')


def test_one_of_two_targets_ends():
    with Target('split', 1) as one, Target('tailcalls') as two:
        recording = record('-p', f'{one.pid},{two.pid}', seconds=3)
    late = recording.share(lambda frames: frames[0] == 'tailcalls')
    check(late > 0.5, f'the other one is {late} of all')


def test_an_existing_file_is_replaced():
    path = folder()
    with open(os.path.join(path, 'out.folded'), 'w', encoding='ascii') as file:
        file.write('old 1\n' * 100000)
    with Target('split') as target:
        recording = record('-p', target.pid, seconds=1, path=path)
    check(not any(frames[0] == 'old' for frames, _ in recording.stacks), 'remains of the old file')


if __name__ == '__main__':
    run(globals())

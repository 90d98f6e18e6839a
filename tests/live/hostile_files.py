#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files that are not what they say, run by one process beside another that means no harm.

The one may have its stacks wrong, or nameless: it is its own file. Of the other nothing is missing.
"""
import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import forge
from elf import Elf
from forge import Forge
from harness import (Recorder, Target, check, check_equal, folder, need, rate, record, run)
from neighbours import check_untroubled, copy_of, given_up, of_process, program

LIBC = os.path.realpath('/lib/x86_64-linux-gnu/libc.so.6')
READER_DIED = {'crashed the reader', 'made the reader answer nonsense'}


def check_reader_well(recording):
    """Whatever was given up, it did not take the reader with it. {file name: reason}"""
    files = given_up(recording)
    check(not READER_DIED & set(files.values()), f'given up: {files}')
    return files


# ---- files that become shorter while they are read ----

class Truncator:
    """Makes the files as short as told, and whole again, over and over."""

    def __init__(self, files):
        """files: [(path, content, [sizes to cut it to])]"""
        self.files, self.ended = files, threading.Event()
        self.cuts = 0
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        dice = random.Random(7)
        while not self.ended.is_set():
            path, content, sizes = dice.choice(self.files)
            for size in sizes:
                os.truncate(path, size)
                self.cuts += 1
                self.ended.wait(dice.random() * 0.004)
            with open(path, 'r+b') as file:
                file.write(content)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def test_files_that_are_cut_while_they_are_read():
    with open(LIBC, 'rb') as file:
        content = file.read()
    whole, path = len(content), folder()
    cuts = {'nothing': [0], 'half': [whole // 2], 'page': [4096],
            'up_and_down': [whole // 2, whole, 4096, whole, 0, whole + 4096, 3 * whole // 4]}
    files = []
    for name, sizes in cuts.items():
        for number in range(2):
            files.append((os.path.join(path, f'{name}_{number}'), content, sizes))
            with open(files[-1][0], 'wb') as file:
                file.write(content)
    names = [file for file, _, _ in files]
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(Target('tailcalls'))
        # One has its files from before, the other maps them over and over.
        still = stack.enter_context(Target('mapper', 0, *names))
        again = stack.enter_context(Target(copy_of('mapper', os.path.join(path, 'again')), 7, *names))
        truncator = stack.enter_context(Truncator(files))
        for target in (['-p', f'{still.pid},{again.pid},{other.pid}'], ['-a']):
            before = truncator.cuts
            recording = record(*target, seconds=1)
            check(truncator.cuts - before > 20, 'nothing was cut meanwhile')
            check_reader_well(recording)
            check_untroubled(recording, 'tailcalls', '_start', 'main', at_least=50)


def test_code_that_is_cut_off_while_it_runs():
    """The process dies of it (SIGBUS). What it did until then is whole, and so is the other one's."""
    path = folder()
    library = copy_of('libtiny.so', os.path.join(path, 'libtiny.so'))
    for size in (0, 4096):
        copy_of('libtiny.so', library)
        with Target('tailcalls') as other, \
                Target('plt_loop', env=dict(os.environ, LD_LIBRARY_PATH=path)) as target:
            recorder = Recorder('-p', f'{target.pid},{other.pid}', '-F', rate(997))
            recorder.wait_timers()
            time.sleep(0.5)
            check(target.process.poll() is None, 'ended too early')
            os.truncate(library, size)
            check_equal(target.process.wait(10), -signal.SIGBUS, 'the end of plt_loop')
            time.sleep(0.3)
            recorder.signal(signal.SIGINT)
            recording = recorder.finish()
        check_equal(recording.status, 0, 'status')
        check_reader_well(recording)
        check_untroubled(recording, 'tailcalls', '_start', 'main', at_least=50)
        # What its code was just before the cut, nobody can know any more.
        check_untroubled(recording, 'plt_loop', '_start', 'main', at_least=50, lost=0.3)


# ---- files that say that they are others ----

BIND = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 9; shift 2; done; shift; exec "$@"'
CHROOT = 'R=$1; shift; mount --rbind / "$R" || exit 9; ' \
    'while [ "$1" != -- ]; do mount --bind "$1" "$R$2" || exit 9; shift 2; done; ' \
    'shift; exec chroot "$R" "$@"'


def elsewhere(binds, root=None):
    """Words to run a program with other files in some places ({place: file}), in a root of its own
    or only in mounts of its own."""
    words = [word for place, file in binds.items() for word in (file, place)]
    return ['unshare', '--mount', 'sh', '-c', CHROOT if root else BIND, 'sh'] + \
        ([root] if root else []) + words + ['--']


def record_both(honest, misled, first_misled, everything):
    """honest, misled: functions that start a target. The one that is seen first runs first."""
    order = [misled, honest] if first_misled else [honest, misled]
    with contextlib.ExitStack() as stack:
        if not everything:
            targets = [stack.enter_context(start()) for start in order]
            return record('-p', ','.join(str(target.pid) for target in targets), seconds=0.5)
        recorder = Recorder('-a', '-F', rate(997))
        recorder.wait_timers()
        for start in order:
            stack.enter_context(start())
            time.sleep(0.3)
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
        check_equal(recording.status, 0, 'status')
        return recording


def check_only_itself_misled(honest, misled, *functions, surely=True):
    """surely: the one that is to be misled must be, or the test shows nothing."""
    for first_misled, everything in ((True, False), (True, True), (False, True)):
        recording = record_both(honest, misled, first_misled, everything)
        check_untroubled(recording, 'honest', at_least=50)
        stacks, total = of_process(recording, 'honest')
        named = sum(count for frames, count in stacks
                    if all(function in frames for function in functions))
        check(named > 0.5 * total, f'{named} of {total} with {functions}: {stacks[:2]}')
        wrong = [frames for frames, _ in stacks if any('forged' in frame for frame in frames)]
        check(not wrong, f'a name from the other file: {wrong[:1]}')
        stacks, total = of_process(recording, 'misled')
        forged = sum(count for frames, count in stacks
                     if any('forged' in frame for frame in frames))
        check(total > 50, f'only {total} samples of the other one: {recording.stderr}')
        check(not surely or forged > 0.5 * total, f'{forged} of {total} misled: {stacks[:2]}')


def forged_names(path):
    """A false name for every function that the file has."""
    starts = sorted(set(Elf(path).function_starts))
    return [(start, end - start, b'forged_%x' % start)
            for start, end in zip(starts, starts[1:] + [starts[-1] + 16])]


def test_library_with_the_build_id_of_another():
    """libc's twin by its build ID, with other rows and other names."""
    path = folder()
    honest, misled = copy_of('sorts', os.path.join(path, 'honest')), \
        copy_of('sorts', os.path.join(path, 'misled'))
    twin = Forge(LIBC)
    twin.overwrite('.eh_frame', forge.shift_frames(twin.bytes_of('.eh_frame')))
    twin.name_functions(forged_names(LIBC))
    twin.save(os.path.join(path, 'libc.so.6'))
    os.chmod(os.path.join(path, 'libc.so.6'), 0o755)
    check_equal(Elf(os.path.join(path, 'libc.so.6')).build_id, Elf(LIBC).build_id, 'build ID')
    check(Elf(LIBC).build_id, 'libc has no build ID')
    os.mkdir(os.path.join(path, 'root'))
    for root in (None, os.path.join(path, 'root')):
        prefix = elsewhere({LIBC: os.path.join(path, 'libc.so.6')}, root)
        check_only_itself_misled(lambda: Target(honest), lambda p=prefix: Target(misled, prefix=p),
                                 'sort', 'qsort_r', 'compare')


def debug_file(path, source, name):
    """A debug file of the source with false names only, in path; its words are its build ID's."""
    forged = Forge(source)
    forged.name_functions(forged_names(source))
    return forged.save(os.path.join(path, name))


def test_debug_file_by_build_id():
    """/usr/lib/debug of another root calls only what is run there, not what it shares with ours."""
    path = folder()
    honest, misled = copy_of('sorts', os.path.join(path, 'honest')), \
        copy_of('sorts', os.path.join(path, 'misled'))
    identity = Elf(LIBC).build_id
    os.makedirs(os.path.join(path, 'debug', '.build-id', identity[:2]))
    debug_file(os.path.join(path, 'debug', '.build-id', identity[:2]), LIBC, identity[2:] + '.debug')
    os.makedirs('/usr/lib/debug', exist_ok=True)
    copy = shutil.copy(LIBC, os.path.join(path, 'libc.so.6'))
    for binds, surely in (({LIBC: copy}, True), ({}, False)):
        prefix = elsewhere({'/usr/lib/debug': os.path.join(path, 'debug'), **binds})
        check_only_itself_misled(lambda: Target(honest), lambda p=prefix: Target(misled, prefix=p),
                                 'sort', 'qsort_r', 'compare', surely=surely)


def test_debug_file_by_debug_link():
    """The same by name and checksum, which are easily forged."""
    objcopy, path = need('objcopy'), folder()
    inside = os.path.join(path, 'inside')
    os.mkdir(inside)
    honest, debug = copy_of('sorts', os.path.join(path, 'honest')), os.path.join(path, 'honest.debug')
    subprocess.run([objcopy, '--only-keep-debug', honest, debug], check=True)
    subprocess.run([objcopy, '--strip-all', '--remove-section', '.note.gnu.build-id',
                    f'--add-gnu-debuglink={debug}', honest], check=True)
    check_equal(Elf(honest).build_id, '', 'build ID')
    with open(debug, 'rb') as file:
        checksum = forge.zlib.crc32(file.read())
    forged = debug_file(path, program('sorts'), 'forged.debug')
    with open(forged, 'rb') as file:
        content = forge.give_checksum(file.read(), checksum)
    with open(forged, 'wb') as file:
        file.write(content)
    # The same file under another name, and a copy of it that is there for its own process only.
    same, copy = os.path.join(path, 'misled'), os.path.join(inside, 'misled')
    os.link(honest, same)
    shutil.copy(honest, os.path.join(path, 'copy'))
    for placeholder in (copy, os.path.join(inside, 'honest.debug')):
        with open(placeholder, 'wb'):
            pass
    for misled, binds, surely in ((copy, {copy: os.path.join(path, 'copy')}, True),
                                  (same, {}, False)):
        beside = os.path.join(os.path.dirname(misled), 'honest.debug')
        prefix = elsewhere({beside: forged, **binds})
        check_only_itself_misled(lambda: Target(honest),
                                 lambda p=prefix, m=misled: Target(m, prefix=p),
                                 'sort', 'compare', surely=surely)


if __name__ == '__main__':
    run(globals())

# SPDX-License-Identifier: Apache-2.0
"""What only root can do to a history: a disk that is full, or may not be written; readers of a group."""
import os
import shutil
import subprocess
import sys

import harness
from harness import check, check_equal

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../store'))
from writer import T0, WRITER, Writer, integrity  # noqa: E402

NOBODY = 65534


class Disk:
    """A tmpfs of some size."""

    def __init__(self, size):
        self.path = harness.folder()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'profd-test', self.path],
                       check=True)

    def remount(self, options):
        subprocess.run(['mount', '-o', f'remount,{options}', self.path], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(['umount', '-l', self.path], check=True)


def stacks(number, count):
    return [f'prog 7 a.service 1 main|work{number}|leaf{number * count + i}' for i in range(count)]


def test_disk_full():
    """Windows that do not fit are refused with words, those before stay; with room it goes on."""
    with Disk('600k') as disk:
        folder = disk.path + '/history'
        with Writer(folder) as writer:
            check_equal(writer.opened, (0, ''), 'open')
            written = refused = 0
            for i in range(200):
                result, words = writer.window(T0 + i * 10, stacks(i, 40))
                if result == 0:
                    written += 1
                    continue
                check_equal((result, words),
                            (-28, f'history {folder}/history.db: no space left on the disk'), 'full')
                refused += 1
                if refused == 5:
                    break
            check(written >= 3 and refused == 5, f'{written} windows were written, {refused} refused')
            got = writer.read()
            check_equal((got[1], got[2]), (40 * written, written), 'samples and windows')
            disk.remount('size=8m')
            check_equal(writer.window(T0 + 5000, stacks(1000, 40)), (0, ''), 'with room')
            check_equal(writer.read()[2], written + 1, 'windows')
        check_equal(integrity(folder), 'ok', 'integrity')


def test_full_from_the_start():
    with Disk('16k') as disk:
        with open(disk.path + '/ballast', 'wb') as file:
            file.write(b'x' * 8192)
        with Writer(disk.path + '/history') as writer:
            check_equal(writer.opened[0], -28, 'open: ' + writer.opened[1])
            check(writer.opened[1], 'no words')
            disk.remount('size=4m')
            check_equal(writer.say(f'open {disk.path}/history 0 0'), (0, ''), 'with room')
            check_equal(writer.window(T0, stacks(1, 3)), (0, ''), 'window')


def test_read_only_disk():
    with Disk('8m') as disk:
        folder = disk.path + '/history'
        with Writer(folder) as writer:
            writer.window(T0, stacks(1, 3))
        disk.remount('ro')
        with Writer(folder) as writer:
            check_equal(writer.opened[0], -30, 'open: ' + writer.opened[1])
            check('read-only' in writer.opened[1], writer.opened[1])
            check_equal(writer.read()[1], 3, 'samples, read all the same')
        disk.remount('rw')
        with Writer(folder) as writer:
            check_equal(writer.opened, (0, ''), 'open')


def as_nobody(group):
    def become():
        os.setgroups([group] if group is not None else [])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return become


def test_members_of_the_group_read():
    """While it is written, after the writer was killed, and when nobody writes; others do not."""
    with Disk('8m') as disk:
        os.chmod(disk.path, 0o755)
        folder = disk.path + '/history'
        # Where that user may go.
        program = shutil.copy(WRITER, disk.path)
        writer = Writer(folder)
        os.chown(folder, 0, 4242)
        for name in os.listdir(folder):
            os.chown(f'{folder}/{name}', 0, 4242)
        check_equal(writer.window(T0, stacks(1, 3)), (0, ''), 'window')

        def read(group):
            with Writer(before=as_nobody(group), program=program) as reader:
                reader.folder = folder
                return reader.say(f'read {folder} 0 4e9')

        check_equal(read(4242), (0, '30000000 3 1 10.000 0'), 'while it is written')
        result, words = read(None)
        check_equal(result, -13, words)
        writer.kill()
        check(os.path.exists(folder + '/history.db-wal'), 'the log of the killed one is gone')
        check_equal(read(4242), (0, '30000000 3 1 10.000 0'), 'after a kill')
        with Writer(folder) as writer:
            check_equal(writer.opened, (0, ''), 'open')
        check(not os.path.exists(folder + '/history.db-wal'), 'the log is still there')
        check_equal(read(4242), (0, '30000000 3 1 10.000 0'), 'when nobody writes')


if __name__ == '__main__':
    harness.run(globals())

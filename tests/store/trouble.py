# SPDX-License-Identifier: Apache-2.0
"""What may happen to a history: death at any moment, damage, a second writer, a newer version."""
import glob
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys

from writer import T0, Writer, check, check_equal, integrity, run

ONE = ['prog 7 a.service 3 main|work']
KILLS = int(os.environ.get('STORE_KILLS', '12'))


def damaged(folder):
    return sorted(name for name in glob.glob(folder + '/history.db.damaged-*')
                  if not name.endswith('-wal'))


def test_killed_at_any_moment(folder):
    """kill -9 while it writes or tidies: what was told to be written is there, and whole."""
    dice = random.Random(int(os.environ.get('STORE_SEED', '7')))
    begin = T0
    for kill in range(KILLS):
        writer = Writer(folder)
        check_equal(writer.opened[0], 0, 'open')
        tidier = Writer()
        tidier.tell(f'tidy {folder} {begin} 0 0')
        writer.tell(f'many {begin} 100000 20')
        told = -1
        for _ in range(dice.randrange(1, 40)):
            told = int(writer.hear())
        for _ in range(dice.randrange(0, 3000)):
            pass
        if kill % 2:
            tidier.kill()
        else:
            tidier.process.stdin.close()
        writer.process.send_signal(signal.SIGKILL)
        # What it had written before it died, and could not tell us any more.
        for line in writer.process.stdout.read().splitlines():
            told = int(line)
        writer.kill()
        if not kill % 2:
            tidier.process.stdout.read()
            tidier.process.stdout.close()
            tidier.process.wait()
        check_equal(integrity(folder), 'ok', 'integrity')
        with Writer(folder) as reader:
            check_equal(reader.opened[0], 0, 'open after the kill: ' + reader.opened[1])
            cpu, samples, windows, covered, _ = reader.read(begin, begin + (told + 1) * 10)
            check_equal(samples, sum(20 + n for n in range(told + 1)), 'samples')
            check_equal(round(cpu * 100), samples, 'CPU time')
            check_equal(covered, (told + 1) * 10.0, 'seconds')
        check_equal(damaged(folder), [], 'damaged files')
        # The next one in another hour, so that the first is folded by then.
        begin += 3600 * 3


def test_death_before_the_first_table(folder):
    os.mkdir(folder)
    open(folder + '/history.db', 'w').close()
    with Writer(folder) as writer:
        check_equal(writer.opened, (0, ''), 'open')
        check_equal(writer.window(T0, ONE), (0, ''), 'window')
        check_equal(writer.read()[1], 3, 'samples')


def test_who_may_read(folder):
    with Writer(folder) as writer:
        writer.window(T0, ONE)
        check_equal(stat.S_IMODE(os.stat(folder).st_mode), 0o750, 'folder')
        for name in ('history.db', 'history.db-wal', 'history.db-shm'):
            check_equal(stat.S_IMODE(os.stat(f'{folder}/{name}').st_mode), 0o640, name)
        check_equal(stat.S_IMODE(os.stat(folder + '/lock').st_mode), 0o600, 'lock')


def test_two_writers(folder):
    with Writer(folder) as first:
        with Writer(folder) as second:
            check_equal(second.opened,
                        (1, f'history {folder}: another profd (process {first.process.pid}) is'
                         ' at it: only one may write'), 'the second one')
        check_equal(first.window(T0, ONE), (0, ''), 'window')
    with Writer(folder) as third:
        check_equal(third.opened, (0, ''), 'after it has ended')


def test_no_database_at_all(folder):
    os.mkdir(folder)
    with open(folder + '/history.db', 'wb') as file:
        file.write(b'These are not the bytes of a database.\n' * 200)
    with Writer(folder) as writer:
        check_equal(writer.opened[0], 3, 'open')
        found = damaged(folder)
        check_equal(len(found), 1, 'files that were set aside')
        check_equal(writer.opened[1],
                    f'history {folder}/history.db: the file is damaged; it is now '
                    f'{os.path.basename(found[0])}, and a new one was begun', 'words')
        check_equal(writer.window(T0, ONE), (0, ''), 'window')
        check_equal(writer.read()[1], 3, 'samples')


def test_another_database(folder):
    os.mkdir(folder)
    with sqlite3.connect(folder + '/history.db') as db:
        db.execute('CREATE TABLE mine (a)')
    with Writer(folder) as writer:
        check_equal(writer.opened[0], 3, 'open')
        check('it is no history of profd' in writer.opened[1], writer.opened[1])
        check_equal(len(damaged(folder)), 1, 'files that were set aside')


def test_damaged_while_open(folder):
    """Pages are overwritten: the next window is in a new file, and only a line says so."""
    with Writer(folder) as writer:
        for i in range(200):
            writer.window(T0 + i * 10, [f'prog 7 a.service 3 main|work{k}|{i}' for k in range(9)])
        writer.ok('close')
        size = os.path.getsize(folder + '/history.db')
        with open(folder + '/history.db', 'r+b') as file:
            for page in range(1, size // 4096):
                file.seek(page * 4096)
                file.write(b'\xa5' * 4096)
        result, words = writer.say(f'open {folder} 0 0')
        if result == 0:
            result, words = writer.window(T0 + 2000, ONE)
        check_equal(result, 3, words)
        check('the file is damaged; it is now history.db.damaged-' in words, words)
        check_equal(writer.window(T0 + 2010, ONE), (0, ''), 'window')
        check(writer.read()[1] in (3, 6), 'samples of the new one')


def test_reader_finds_damage(folder):
    """Who tidies meets a list that is none, marks the file, and who writes sets it aside."""
    with Writer(folder) as writer:
        for i in range(30):
            writer.window(T0 + i * 10, ONE)
        writer.window(T0 + 7200, ONE)
        with sqlite3.connect(folder + '/history.db') as db:
            db.execute("UPDATE slice SET paths = '[0,-5,7,-9999]' WHERE id % 1048576 = 0")
        result, words = writer.say(f'read {folder} {T0} {T0 + 100}')
        check_equal((result, words), (5, f'history {folder}/history.db: the file is damaged'),
                    'reading')
        result, words = writer.say(f'tidy {folder} {T0 + 100000} 0 0')
        check_equal(result, 5, 'tidying: ' + words)
        result, words = writer.window(T0 + 7210, ONE)
        check_equal(result, 3, 'writing: ' + words)
        check_equal(writer.window(T0 + 7220, ONE), (0, ''), 'window')
        check_equal(writer.read()[1], 6, 'samples of the new one')
        check_equal(os.path.exists(folder + '/history.db.is-damaged'), False, 'mark')


def test_any_bytes(folder):
    """Damage anywhere: it is found or does not matter; nothing crashes, and nobody hangs."""
    dice = random.Random(int(os.environ.get('STORE_SEED', '7')))
    with Writer(folder) as writer:
        for hour in range(2):
            writer.tell(f'many {T0 + hour * 3600} 12 30')
            while not writer.hear().startswith('0 '):
                pass
        writer.ok(f'tidy {folder} {T0 + 7200} 0 0')
        writer.ok('close')
    with open(folder + '/history.db', 'rb') as file:
        good = file.read()
    found = 0
    with Writer() as reader:
        for _ in range(int(os.environ.get('STORE_DAMAGES', '60'))):
            bad = bytearray(good)
            for _ in range(dice.choice((1, 3, 30))):
                at = dice.randrange(len(bad))
                bad[at] = dice.choice((0, 255, 44, 45, 57, 93, dice.randrange(256)))
            for name in os.listdir(folder):
                os.unlink(f'{folder}/{name}')
            with open(folder + '/history.db', 'wb') as file:
                file.write(bad)
            result, words = reader.say(f'read {folder} 0 4e9')
            check(result in (0, 2, 4, 5), f'reading: {result} {words}')
            found += result != 0
            result, words = reader.say(f'tidy {folder} {T0 + 40 * 3600} 0 0')
            check(result in (0, 2, 4, 5), f'tidying: {result} {words}')
            result, words = reader.say(f'open {folder} 0 0')
            check(result in (0, 2, 3), f'opening: {result} {words}')
            if result != 2:
                result, words = reader.window(T0 + 50 * 3600, ONE)
                check(result in (0, 3), f'writing: {result} {words}')
            reader.ok('close')
    check(found, 'no damage was ever found')


def test_only_three_are_kept(folder):
    for _ in range(5):
        os.makedirs(folder, exist_ok=True)
        with open(folder + '/history.db', 'wb') as file:
            file.write(b'x' * 5000)
        with Writer(folder) as writer:
            check_equal(writer.opened[0], 3, 'open')
    check_equal(len(damaged(folder)), 3, 'files that were set aside')


def test_removed_while_open(folder):
    with Writer(folder) as writer:
        writer.window(T0, ONE)
        for name in os.listdir(folder):
            if name.startswith('history.db'):
                os.unlink(f'{folder}/{name}')
        result, words = writer.window(T0 + 10, ONE)
        check_equal((result, words), (3, f'history {folder}/history.db: the file was removed; a new'
                                      ' one was begun'), 'window')
        check_equal(writer.read()[1], 3, 'samples in the new file')
        check_equal(writer.window(T0 + 20, ONE), (0, ''), 'the next one')


def test_newer_version(folder):
    with Writer(folder) as writer:
        writer.window(T0, ONE)
    with sqlite3.connect(folder + '/history.db') as db:
        db.execute('PRAGMA user_version = 99')
    with Writer(folder) as writer:
        words = (f'history {folder}/history.db: a newer profd made it (version 99, this one knows'
                 ' 1): use that one, or move the file away')
        check_equal(writer.opened, (2, words), 'writing')
        check_equal(writer.say(f'read {folder} 0 4e9'), (2, words), 'reading')
        check_equal(writer.say(f'tidy {folder} {T0} 0 0')[0], 2, 'tidying')
    check_equal(damaged(folder), [], 'files that were set aside')


def test_nothing_there(folder):
    with Writer() as writer:
        result, words = writer.say(f'read {folder} 0 4e9')
        check_equal((result, words), (4, f'history {folder}/history.db: there is none: is'
                                      " 'profd daemon' running?"), 'reading')


def test_read_while_it_is_written(folder):
    """A reader sees whole windows only, however far the writer is."""
    with Writer(folder) as writer:
        writer.tell(f'many {T0} 300 10')
        with Writer() as reader:
            reader.folder = folder
            seen = 0
            while seen < 300:
                told = int(writer.hear())
                _, samples, windows, _, _ = reader.read(T0, T0 + (told + 1) * 10)
                check_equal(windows, told + 1, 'windows')
                check_equal(samples, sum(10 + n for n in range(told + 1)), 'samples')
                for _ in range(24):
                    if told < 299:
                        told = int(writer.hear())
                seen = told + 1
        check_equal(writer.hear(), '0 ', 'the end')


def test_hostile_schema(folder):
    """Views in the place of tables are not asked."""
    os.mkdir(folder)
    with sqlite3.connect(folder + '/history.db') as db:
        db.executescript(f'PRAGMA application_id = {0x70726664}; PRAGMA user_version = 1;'
                         'CREATE VIEW segment AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL'
                         ' SELECT i + 1 FROM n) SELECT i AS id, 0 AS thin_ns, 0 AS begin_ns,'
                         ' 9e18 AS until_ns FROM n;')
    with Writer() as writer:
        check_equal(writer.say(f'read {folder} 0 4e9')[0], 5, 'reading')


if __name__ == '__main__':
    run(globals())

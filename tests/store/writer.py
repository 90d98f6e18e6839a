# SPDX-License-Identifier: Apache-2.0
"""Histories for tests: the program `store-writer` (writer.c), a folder each, and `sqlite3`."""
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import traceback

WRITER = os.environ['STORE_WRITER']
# 2027-01-15 08:00:00 UTC, a whole hour and a whole block of six.
T0 = 1800000000 - 1800000000 % 21600


class Failed(Exception):
    """A test's expectation that did not hold."""


def check(condition, message):
    if not condition:
        raise Failed(message)


def check_equal(got, want, what):
    check(got == want, f'{what}: {got!r}, not {want!r}')


class Writer:
    """A process that writes; `say` returns (result, words)."""

    def __init__(self, folder=None, max_bytes=0, age_s=0, before=None, program=WRITER):
        self.folder = folder
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=before)
        self.opened = self.say(f'open {folder} {max_bytes} {age_s}') if folder else None

    def tell(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline()
        check(line, 'the writer is gone')
        return line.rstrip('\n')

    def say(self, line):
        self.tell(line)
        number, _, words = self.hear().partition(' ')
        return int(number), words

    def ok(self, line):
        result, words = self.say(line)
        check_equal((result, words), (0, words), line[:60])
        return words

    def window(self, begin, samples, seconds=10):
        self.ok(f'window {begin} {seconds}')
        for sample in samples:
            self.ok('sample ' + sample)
        return self.say('add')

    def read(self, begin=0, end=4e9):
        """CPU seconds, samples, windows, covered seconds, gaps."""
        words = self.ok(f'read {self.folder} {begin} {end}').split()
        return int(words[0]) / 1e9, int(words[1]), int(words[2]), float(words[3]), int(words[4])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        check_equal(self.process.wait(), 0, 'status of the writer')

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None and kind:
            self.kill()
        elif self.process.returncode is None:
            self.end()


def integrity(folder):
    """What SQLite says of the file: "ok"."""
    with sqlite3.connect(os.path.join(folder, 'history.db')) as db:
        return db.execute('PRAGMA integrity_check').fetchone()[0]


def sql(folder, script):
    """What the program sqlite3 prints, without writing."""
    done = subprocess.run(['sqlite3', '-readonly', os.path.join(folder, 'history.db')],
                          input=script, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    check_equal(done.returncode, 0, 'sqlite3: ' + done.stdout)
    return done.stdout


def run(tests):
    """Calls the module's test_*(folder), each in a folder of its own. Exits."""
    wanted = sys.argv[1:]
    failed = 0
    for name, test in sorted(tests.items()):
        if not name.startswith('test_') or (wanted and name not in wanted):
            continue
        folder = tempfile.mkdtemp(prefix='profd-store-')
        try:
            test(os.path.join(folder, 'history'))
            print('ok', name, flush=True)
        except Exception:
            failed += 1
            traceback.print_exc()
            print('FAILED', name, flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(failed > 0)

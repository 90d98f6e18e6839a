#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`profd convert` as people run it: files, pipes, mistakes, and what must not be left behind.
usage: convert.py PROFD"""
import gzip
import os
import stat
import subprocess
import sys
import tempfile
import time

PROFD = os.path.abspath(sys.argv[1])
HANG_S = 60
STACKS = b'main;parse;tiny_[i] 4\nmain;read;vfs_read_[k] 12\nmain;run_[j] 1\n'
SHUFFLED = b'main;run_[j] 1\r\nmain;read;vfs_read_[k] 5\r\nmain;parse;tiny_[i] 4\r\n' \
    b'main;read;vfs_read_[k] 7'
failures = 0


def fail(text):
    global failures
    print(f'failed: {text}')
    failures += 1


def run(*arguments, stdin=b'', expect=0):
    """(stdout, stderr)"""
    done = subprocess.run([PROFD, 'convert', *arguments], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=HANG_S)
    if done.returncode != expect:
        fail(f'{arguments}: {done.returncode}, not {expect}: {done.stderr}')
    return done.stdout, done.stderr.decode()


def mistake(*arguments, said, stdin=b'', expect=1):
    """One line that says this, nothing on stdout, no file."""
    before = sorted(os.listdir())
    out, err = run(*arguments, stdin=stdin, expect=expect)
    if out or err.count('\n') != 1 or said not in err:
        fail(f'{arguments}: {out!r}, {err!r} without {said!r}')
    if sorted(os.listdir()) != before:
        fail(f'{arguments}: left {sorted(os.listdir())}')


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def check_outputs():
    out, err = run('in.folded', '-o', 'a.svg', '-o', 'a.pb.gz', '-o', 'a.folded', '-o', 'a.txt')
    if out or err:
        fail(f'silence: {out!r} {err!r}')
    if read('a.folded') != STACKS:
        fail(f'round trip: {read("a.folded")}')
    if b'vfs_read' not in gzip.decompress(read('a.pb.gz')):
        fail('pprof without a name')
    for path, begin in ('a.svg', b'<?xml'), ('a.txt', b'in.folded'):
        if not read(path).lstrip().startswith(begin):
            fail(f'{path}: {read(path)[:80]}')
    picture = read('a.svg')
    for path in 'a.svg', 'a.pb.gz', 'a.folded', 'a.txt':
        os.unlink(path)
    # Without -o, with "-", with another order of the lines, through pipes.
    with open('in.folded', 'wb') as file:
        file.write(SHUFFLED)
    for arguments in ['in.folded'], ['in.folded', '-o', '-'], ['-f', 'svg', '--', 'in.folded']:
        if run(*arguments)[0] != picture:
            fail(f'{arguments}: another picture')
    if run('-', '-f', 'folded', stdin=SHUFFLED)[0] != STACKS:
        fail('stdin')
    if b'standard input' not in run('-', '-o', '-', stdin=STACKS)[0]:
        fail('a picture of stdin without a title')
    os.mkfifo('pipe')
    with subprocess.Popen(['sh', '-c', 'cat in.folded >pipe']):
        if run('pipe', '-f', 'folded')[0] != STACKS:
            fail('a pipe')
    os.unlink('pipe')
    if run('-', '-f', 'folded', stdin=gzip.compress(SHUFFLED))[0] != STACKS:
        fail('packed')
    run('in.folded', '-o', '/dev/null', '-f', 'text')
    if not stat.S_ISCHR(os.stat('/dev/null').st_mode):
        fail('/dev/null is gone')
    run('--', '-', '-f', expect=2)


def check_mistakes():
    mistake(said='name the profile to read', expect=2)
    mistake('in.folded', 'in.folded', said='one profile is read at a time', expect=2)
    mistake('in.folded', '-o', 'out.zip', said='its name says no format', expect=2)
    mistake('in.folded', '-f', 'nosuch', said='no such format', expect=2)
    mistake('nosuch', '-o', 'out.svg', said='cannot read nosuch: No such file or directory')
    mistake('.', '-o', 'out.svg', said='cannot read .: Is a directory')
    mistake('in.folded', '-o', 'nosuch/out.svg', said='its folder does not exist')
    mistake('-', '-o', 'out.svg', said='cannot read -: it is empty')
    mistake('-', '-o', 'out.svg', stdin=b'a;b 1\na;c\n', said='cannot read -:2: no count')
    mistake('-', '-o', 'out.svg', stdin=b'a 1\n' + bytes(9000), said='not in a format')
    mistake('-', '-o', 'out.svg', stdin=b'x' * (17 << 20), said='cannot read -:1: longer than')
    out, err = run('-', '-f', 'folded', stdin=b'a 1.5\n' + b'x;' * 5000 + b'y 1\n')
    if out.count(b'x;') != 4096 or b'a 2\n' not in out or 'rounded' not in err or 'deep' not in err:
        fail(f'warnings: {err}')


def on_terminal(content, wait_s):
    """What a terminal shows while stdin comes with a pause before its end."""
    ours, theirs = os.openpty()
    with subprocess.Popen([PROFD, 'convert', '-', '-f', 'folded'], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, stderr=theirs,
                          env={**os.environ, 'TERM': 'xterm'}) as child:
        child.stdin.write(content)
        child.stdin.flush()
        time.sleep(wait_s)
        child.stdin.write(content)
        child.stdin.close()
        child.wait(timeout=HANG_S)
    os.close(theirs)
    shown = b''
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # nobody has it open any more
        pass
    os.close(ours)
    return shown


def check_progress():
    shown = on_terminal(STACKS * 1000, 1.2)
    if not shown.startswith(b'\r\x1b[Kstandard input: ') or b' MB read, ' not in shown or \
            not shown.endswith(b'\r\x1b[K') or b'\n' in shown:
        fail(f'a terminal: {shown}')
    shown = on_terminal(STACKS, 0)
    if shown and not shown.endswith(b'\r\x1b[K'):  # this machine may be slow
        fail(f'a terminal: {shown}')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open('in.folded', 'wb') as file:
            file.write(STACKS)
        check_outputs()
        check_mistakes()
        check_progress()
        os.chdir('/')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`profd diff` on made-up profiles of known shape: what it finds, what it must not find, its formats,
and mistakes. What is random follows from fixed seeds.
usage: diff.py PROFD"""
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import made

PROFD = os.path.abspath(sys.argv[1])
HANG_S = 60
failures = 0


def fail(text):
    global failures
    print(f'failed: {text}')
    failures += 1


def run(*arguments, expect=0, stdin=b''):
    done = subprocess.run([PROFD, 'diff', *arguments], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=HANG_S)
    if done.returncode != expect:
        fail(f'{arguments}: {done.returncode}, not {expect}: {done.stderr}')
    return done.stdout.decode(), done.stderr.decode()


def compare(base, new, *options):
    out, err = run('--json', '--base', *base, '--new', *new, *options)
    if err:
        fail(f'silence: {err}')
    return json.loads(out)


def function(found, name):
    return next(one for one in found['functions'] if one['name'] == name)


def marks(found):
    return [one['name'] for one in found['functions']
            if 'none' not in (one['self']['mark'], one['total']['mark']) or
            one['self']['mark'] != one['total']['mark']]


def check_noise():
    """In small what tests/bench/diff does with recordings."""
    wrong, missed = [], 0
    for seed in range(40):
        base, new = made.runs('b', seed, 0.03, 5), made.runs('n', 1000 + seed, 0.03, 5)
        wrong += marks(compare(base, new))[:1]
        new = made.runs('n', 2000 + seed, 0.06, 5)
        missed += function(compare(base, new), 'json_decode')['self']['mark'] != 'dearer'
    if len(wrong) > 2 or missed > 2:
        fail(f'of 40 {wrong} were marked for nothing, and {missed} not found')


def check_interval():
    """The truth is inside of 95 % of the intervals: at least 90 of 100, in both ways to know noise."""
    for count in 5, 1:
        inside = 0
        for seed in range(100):
            base = made.runs('b', 3000 + seed, 0.03, count)
            new = made.runs('n', 4000 + seed, 0.06, count)
            value = function(compare(base, new), 'json_decode')['self']
            inside += value['low'] <= 0.03 <= value['high']
        if inside < 90:
            fail(f'{count} files a side: {inside} of 100 intervals hold the truth')


def check_text():
    base, new = made.runs('b', 1, 0.03, 5), made.runs('n', 2, 0.06, 5)
    out, _ = run('--base', *base, '--new', *new)
    if not re.search(r'^json_decode became dearer: \d\.\d % → \d\.\d % of samples \(\+\d\.\d points ± '
                     r'\d\.\d\)\.$', out, re.MULTILINE):
        fail(f'no sentence: {out[:900]}')
    if max(len(line) for line in out.split('\n')) > 80:
        fail('text is wider than 80 columns')
    if not re.search(r'^▲ .*json_decode', out, re.MULTILINE):
        fail('json_decode has no mark')
    out, _ = run(base[0], new[0])
    if 'only the noise of sampling is known' not in ' '.join(out.split()):
        fail('one file a side does not say so')
    out, _ = run(base[0], base[1])
    if 'No function changed beyond noise' not in out:
        fail(f'nothing changed: {out[:400]}')


def check_formats():
    base, new = made.runs('b', 1, 0.03, 3), made.runs('n', 2, 0.06, 2)
    out, err = run('--base', *base, '--new', *new, '-o', 'd.txt', '-o', 'd.json', '-o', 'd.folded',
                   '-o', 'd.pb.gz', '-o', 'd.svg')
    if out or err:
        fail(f'silence: {out} {err}')
    with open('d.json', encoding='utf-8') as file:
        found = json.load(file)
    if found['noise'] != 'runs' or len(found['base']) != 3 or len(found['new']) != 2:
        fail(f'json: {found["noise"]}')
    for side in 'base', 'new':
        total = sum(one['self'][side] for one in found['functions'])
        if abs(total - 1) > 1e-9:
            fail(f'shares of {side} add up to {total}')
    # Both columns are a million, but for rounding.
    with open('d.svg', encoding='utf-8') as file:
        picture = file.read()
    if not re.search(r'<title>json_decode [\d.]+% \(was [\d.]+%: \+[\d.]+ points', picture):
        fail('the picture does not say what changed')
    with open('d.folded', encoding='utf-8') as file:
        rows = [line.rsplit(' ', 2) for line in file]
    for column in 1, 2:
        total = sum(int(row[column]) for row in rows)
        if abs(total - 1000000) > len(rows):
            fail(f'folded column {column} adds up to {total}')
    before, after = next(map(int, row[1:]) for row in rows if row[0].endswith('json_decode'))
    if not 1.3 < after / before < 3:
        fail(f'folded: {before} to {after}')
    with gzip.open('d.pb.gz') as file:
        data = file.read()
    if b'pprof::base' not in data or b'json_decode' not in data:
        fail('pprof without its base or its functions')


def check_alignment():
    """Names of other modules do not matter where one side has none; frames of stacks do."""
    made.write('a.folded', 'main;a;x 500\nmain;b;x 500\n')
    made.write('b.folded', 'main;a;x 900\nmain;b;x 100\n')
    found = json.loads(run('--json', 'a.folded', 'b.folded')[0])
    if function(found, 'x')['total']['mark'] != 'none':
        fail('x has the same share')
    stacks = {tuple(one['frames']): one['total']['mark'] for one in found['stacks']}
    if stacks != {('x', 'a', 'main'): 'dearer', ('x', 'b', 'main'): 'cheaper'}:
        fail(f'stacks: {stacks}')
    # Counts are shares: ten times as many samples of the same are the same.
    made.write('b.folded', 'main;a;x 5000\nmain;b;x 5000\n')
    if marks(json.loads(run('--json', 'a.folded', 'b.folded')[0])):
        fail('more samples are no change')
    out, _ = run('--json', '--focus', '^a$', 'a.folded', 'b.folded')
    if abs(function(json.loads(out), 'a')['total']['base'] - 1) > 1e-9:
        fail('--focus')


def check_hostile():
    """Names that anybody may have made: no escape code, no markup, no column more."""
    names = ['\x1b]0;owned\a', '</script><b>"', 'worker 3', '\u202eexe', 'a%n%s']
    for path, count in ('a.folded', 1000), ('b.folded', 3000):
        made.write(path, ''.join(f'main;{name};leaf {count}\n' for name in names) +
                   f'main;rest {9000 - 2 * count}\n', 'utf-8')
    outputs = ['d.txt', 'd.svg', 'd.json', 'd.folded', 'd.pb.gz']
    run('a.folded', 'b.folded', *(word for path in outputs for word in ('-o', path)))
    for path in outputs[:4]:
        with open(path, encoding='utf-8') as file:
            text = file.read()
        if '\x1b' in text or '\a' in text or (path != 'd.folded' and '\u202e' in text and
                                             path != 'd.json'):
            fail(f'{path} holds an escape code')
    xml.etree.ElementTree.parse('d.svg')
    with open('d.json', encoding='utf-8') as file:
        found = json.load(file)
    if function(found, names[1])['total']['mark'] != 'dearer':
        fail('a name was changed')


def mistake(*arguments, said, expect=2, stdin=b''):
    out, err = run(*arguments, expect=expect, stdin=stdin)
    if out or err.count('\n') != 1 or said not in err:
        fail(f'{arguments}: {out!r}, {err!r} without {said!r}')


def check_mistakes():
    made.write('a.folded', 'main;a 10\n')
    made.write('b.folded', 'main;b 10\n')
    made.write('zero.folded', 'main;b 0\n')
    made.write('junk', 'neither this nor that\n')
    mistake(said='name two profiles')
    mistake('a.folded', said='name two profiles')
    mistake('a.folded', 'b.folded', 'junk', said='--base A B --new C D')
    mistake('--base', 'a.folded', said='--new')
    mistake('--base', 'a.folded', '--new', 'b.folded', '-o', 'x.txt', 'junk', said='which side')
    mistake('--base', 'a.folded', 'a.folded', '--new', 'b.folded', said='named twice')
    mistake('a.folded', 'a.folded', said='both sides')
    mistake('--base', '-', '--new', 'b.folded', '-', said='both sides')
    mistake('./a.folded', 'a.folded', said='both sides')
    mistake('a.folded', 'b.folded', '-o', './b.folded', said='one of the profiles')
    mistake('a.folded', 'b.folded', '--focus', '^b$', said='of a.folded nothing is left',
            expect=1)
    mistake('--per', 'hour', 'a.folded', 'b.folded', said='cpu-seconds')
    mistake('-o', 'x.nosuch', 'a.folded', 'b.folded', said='says no format')
    mistake('-f', 'nosuch', 'a.folded', 'b.folded', said='no such format')
    mistake('a.folded', 'nosuch', said='nosuch', expect=1)
    mistake('a.folded', 'junk', said='junk', expect=1)
    mistake('a.folded', 'zero.folded', said='zero.folded', expect=1)
    mistake('--per', 'seconds', 'a.folded', 'b.folded', said='how long', expect=1)
    mistake('--per', 'cpu-seconds', 'a.folded', 'b.folded', said='no CPU time', expect=1)
    mistake('--type', 'cpu', 'a.folded', 'b.folded', said='there are: samples', expect=1)
    run('a.folded', 'b.folded', '-o', 'd.pb.gz')
    mistake('a.folded', 'd.pb.gz', said='d.pb.gz holds values below 0', expect=1)
    out, err = run('-', 'b.folded', stdin=b'main;a 10\n')
    if err or 'BASE: -' not in out:
        fail(f'stdin: {out[:80]} {err}')
    # "--base=A B" and "--base A --base B" are the same.
    one, _ = run('--json', '--base=a.folded', '--new', 'b.folded')
    two, _ = run('--new', 'b.folded', '--base', 'a.folded', '--json')
    if one != two:
        fail('the order of sides matters')


def main():
    with tempfile.TemporaryDirectory(prefix='profd-diff-') as folder:
        os.chdir(folder)
        for check in (check_noise, check_interval, check_text, check_formats, check_alignment,
                      check_hostile, check_mistakes):
            check()
        os.chdir('/')
    print('failed' if failures else 'ok')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`profd check` on made-up profiles of known shape: verdicts, exit statuses, what build servers read,
and mistakes. What is random follows from fixed seeds.
usage: check.py PROFD"""
import json
import os
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
    done = subprocess.run([PROFD, 'check', *arguments], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=HANG_S)
    if done.returncode != expect:
        fail(f'{arguments}: {done.returncode}, not {expect}: {done.stdout} {done.stderr}')
    return done.stdout.decode(), done.stderr.decode()


def check_max():
    many = made.runs('m', 1, 0.06, 1, samples=50000)[0]
    few = made.runs('f', 2, 0.06, 1, samples=300)[0]
    run(many, '--max', 'json_decode=8%')
    run(many, '--max', 'json_decode=4%', expect=1)
    out, _ = run(few, '--max', 'json_decode=5%', expect=3)
    if 'undecided' not in out or 'samples would decide' not in out:
        fail(f'too few samples: {out}')
    run(few, '--max', 'json_decode=30%', '--max', 'self:^upkeep_=60')
    # A broken limit outweighs one that cannot be judged.
    run(few, '--max', 'json_decode=5%', '--max', 'main=50%', expect=1)
    out, _ = run(many, '--max', 'nosuch=1%')
    if 'no function matches' not in out:
        fail(f'nothing matches: {out}')
    # Several files are runs of one program.
    run(*made.runs('r', 3, 0.06, 5, samples=10000), '--max', 'json_decode=4%', expect=1)


def check_needed():
    """As many samples as are said to be needed do decide."""
    made.write('a.folded', 'main;hot 60\nmain;rest 940\n')
    found = json.loads(run('a.folded', '--max', 'hot=5%', '--json', expect=3)[0])
    needed = found['verdicts'][0]['samples_needed']
    for times, expect in (0.9, 3), (1.1, 1):
        count = round(needed * times)
        hot = round(0.06 * count)
        made.write('b.folded', f'main;hot {hot}\nmain;rest {count - hot}\n')
        run('b.folded', '--max', 'hot=5%', expect=expect)


def check_growth_needed():
    """The same of growth, of one function among several."""
    needed = 600
    for times, expect in (1, 3), (0.9, 3), (1.1, 1):
        count = round(needed * times)
        for path, hot in ('base.folded', count // 10), ('new.folded', count // 5):
            made.write(path, f'main;hot {hot}\nmain;rest {count - hot}\n')
        out, _ = run('new.folded', '--baseline', 'base.folded', '--max-growth', 'self:8%', '--json',
                     expect=expect)
        if times == 1:
            needed = json.loads(out)['verdicts'][0]['samples_needed']


def check_growth():
    base = made.runs('b', 4, 0.03, 5, samples=20000)
    run(*made.runs('n', 5, 0.03, 5, samples=20000), '--baseline', *base, '--max-growth', '5%')
    new = made.runs('n', 6, 0.08, 5, samples=20000)
    out, _ = run(*new, '--baseline', *base, '--max-growth', 'self:2%', expect=1)
    lines = [line for line in out.split('\n') if line.startswith('broken')]
    if len(lines) != 1 or 'json_decode' not in lines[0]:
        fail(f'growth: {out}')
    run(*new, '--baseline', *base, '--max-growth', 'self:^parse_=3%')


def check_false_alarms():
    """A limit just at the truth: of 40 builds that have not grown beyond it at most 4 are stopped."""
    stopped = 0
    for seed in range(40):
        base = made.runs('b', 7000 + seed, 0.03, 5)
        new = made.runs('n', 8000 + seed, 0.05, 5)
        done = subprocess.run([PROFD, 'check', *new, '--baseline', *base, '--max-growth',
                               'self:2%'], stdout=subprocess.DEVNULL, check=False, timeout=HANG_S)
        stopped += done.returncode == 1
    if stopped > 4:
        fail(f'{stopped} of 40 were stopped for nothing')


def check_formats():
    made.write('a.folded', 'main;op<&"]]>%25 600\nmain;rest 400\n')
    rules = ['--max', 'op<=50%', '--max', 'rest=90', '--max', 'rest=40%']
    out, _ = run('a.folded', *rules, '--junit', 'a.xml', '--github', expect=1)
    suites = xml.etree.ElementTree.parse('a.xml').getroot()
    cases = list(suites.iter('testcase'))
    if [len(list(case)) for case in cases] != [1, 0, 1] or \
            [suites.get(key) for key in ('tests', 'failures', 'errors')] != ['3', '1', '1'] or \
            cases[0].get('name') != 'op<=50%' or cases[0][0].tag != 'failure' or \
            cases[2][0].tag != 'error':
        fail('junit')
    notes = [line for line in out.split('\n') if line.startswith('::')]
    if len(notes) != 2 or not notes[0].startswith('::error title=profd check::op<=50%25: 60.0 %25') \
            or not notes[1].startswith('::warning '):
        fail(f'github: {notes}')
    found = json.loads(run('a.folded', *rules, '--json', expect=1)[0])
    if found['verdict'] != 'broken' or \
            [one['verdict'] for one in found['verdicts']] != ['broken', 'within', 'undecided']:
        fail(f'json: {found}')
    # Names of functions, too, which anybody may have made.
    made.write('b.folded', 'main;evil\x1b[2J%0A::error::x 900\nmain;rest 100\n')
    made.write('c.folded', 'main;rest 1000\n')
    out, _ = run('b.folded', '--baseline', 'c.folded', '--max-growth', '2%', '--github', expect=1)
    if '\x1b' in out or '\n::error::x' in out or '%250A' not in out:
        fail(f'hostile: {out!r}')


def mistake(*arguments, said, expect=2, stdin=b''):
    out, err = run(*arguments, expect=expect, stdin=stdin)
    if out or err.count('\n') != 1 or said not in err:
        fail(f'{arguments}: {out!r}, {err!r} without {said!r}')


def check_mistakes():
    made.write('a.folded', 'main;a 10\n')
    made.write('b.folded', 'main;b 10\n')
    made.write('zero.folded', 'main;b 0\n')
    made.write('junk', 'neither this nor that\n')
    mistake(said='name the profile')
    mistake('a.folded', said='--max')
    for rule in 'a', 'a=', '=5%', 'a=5x', 'a=0x5', 'a=1e1', 'a=-1%', 'a=101%', 'a=nan':
        mistake('a.folded', '--max', rule, said='REGEX=5%')
    mistake('a.folded', '--max', 'a=0%', said='0.1%')
    mistake('a.folded', '--max', '(=5%', said='parenthesis')
    mistake('a.folded', '--max-growth', '2%', said='--baseline')
    mistake('a.folded', '--max', 'a=1%', '--baseline', 'b.folded', said='--max-growth')
    mistake('a.folded', '--max-growth', 'x', '--baseline', 'b.folded', said='2%')
    mistake('a.folded', '--max-growth', '2%', '--baseline', 'a.folded', said='itself')
    mistake('a.folded', '--max', 'a=1%', '--json', '--github', said='stdout')
    mistake('a.folded', '--max', 'a=1%', '--junit', './a.folded', said='one of the profiles')
    # What is broken is, also where it cannot be written.
    made.write('many.folded', 'main;a 1000\n')
    run('many.folded', '--max', 'a=9%', '--junit', 'nosuch/x', expect=1)
    run('many.folded', '--max', 'a=100%', '--junit', 'nosuch/x', expect=3)
    # What cannot be read cannot be judged.
    mistake('nosuch', '--max', 'a=1%', said='nosuch', expect=3)
    mistake('junk', '--max', 'a=1%', said='junk', expect=3)
    mistake('zero.folded', '--max', 'a=1%', said='zero', expect=3)
    mistake('a.folded', '--type', 'cpu', '--max', 'a=1%', said='samples', expect=3)
    mistake('a.folded', '--max-growth', '2%', '--baseline', 'junk', said='junk', expect=3)
    run('-', '--max', 'a=100%', stdin=b'main;a 10\n')


def main():
    with tempfile.TemporaryDirectory(prefix='profd-check-') as folder:
        os.chdir(folder)
        for check in (check_max, check_needed, check_growth_needed, check_growth, check_false_alarms,
                      check_formats, check_mistakes):
            check()
        os.chdir('/')
    print('failed' if failures else 'ok')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`profd report` of profiles whose truth is known: every view, its figures, and mistakes.
usage: report.py PROFD"""
import json
import os
import pty
import re
import subprocess
import sys
import tempfile

import harness
from harness import HANG_S, PROFD, as_json, fail, report, same

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'convert'))
from pprof_bytes import Profile, number  # noqa: E402

# 1000 samples: parse is 40 % itself; work is 30 % and calls itself; tiny is inlined into work.
STACKS = b"""server;main;serve;parse 400
server;main;serve;work;work;malloc 50
server;main;serve;work;tiny_[i] 250
server;main;idle 200
server;main;serve;emit;write_[k] 100
"""


def body(text):
    """What stands below the head."""
    return text.partition('interval\n')[2]


def check_functions():
    rows = {f['name']: f for f in as_json('in.folded')['functions']}
    truth = {'parse': (400, 400), 'work': (0, 300), 'tiny': (250, 250), 'malloc': (50, 50),
             'main': (0, 1000), 'serve': (0, 800), 'emit': (0, 100), 'write': (100, 100),
             'idle': (200, 200), 'server': (0, 1000)}
    same({name: (f['self']['weight'], f['total']['weight']) for name, f in rows.items()}, truth,
         'functions')
    share = rows['parse']['self']
    # Wilson's interval of 400 out of 1000.
    if not (share['share'] == 0.4 and abs(share['low'] - 0.37005) < 1e-4 and
            abs(share['high'] - 0.43066) < 1e-4):
        fail(f'share of parse: {share}')
    if not rows['tiny']['inlined'] or rows['write']['kind'] != 'kernel':
        fail(f'kinds: {rows["tiny"]}, {rows["write"]}')
    text = body(report('in.folded', '-n', '3'))
    same([line.split('%')[0].strip() for line in text.splitlines()[2:]], ['40.0', '25.0', '20.0', '15.0'],
         'the first three, and the rest')
    if '(2 more functions)' not in text or ' 85.0 %' not in text:
        fail(f'running total, rest: {text}')
    names = [f['name'] for f in as_json('in.folded', '--sort', 'name')['functions']]
    same(names, sorted(names), 'by name')
    totals = [f['total']['weight'] for f in as_json('in.folded', '--sort', 'total')['functions']]
    same(totals, sorted(totals, reverse=True), 'by total')
    if 'parse' in report('in.folded', '--percent-limit', '41'):
        fail('--percent-limit keeps what is below it')


def check_tree():
    text = body(report('in.folded', '--tree'))
    rows = [line[24:].rstrip() for line in text.splitlines()[2:] if line[24:].strip()]
    flat = '\n'.join(rows)
    for want in '├ parse', '├ work', 'emit › write', '└ idle', '↺':
        if want not in flat:
            fail(f'tree without {want}:\n{text}')
    if flat.index('parse') > flat.index('work') or flat.index('work') > flat.index('emit'):
        fail(f'not heaviest first:\n{text}')
    folded = body(report('in.folded', '--tree', '--percent-limit', '20'))
    if not re.search(r'^ +10\.0 % ± ?[\d.]+ +. └ 1 more$', folded, re.MULTILINE):
        fail(f'small ones are not folded with their share:\n{folded}')
    nodes = as_json('in.folded', '--tree')['nodes']
    below = {}
    for node in nodes[1:]:
        below[node['parent']] = below.get(node['parent'], 0) + node['total']['weight']
    for node in nodes:
        if node['self']['weight'] + below.get(node['id'], 0) != node['total']['weight']:
            fail(f'children do not add up: {node}')


def check_neighbours():
    found = as_json('in.folded', '--peek', 'work')['functions']
    same([f['name'] for f in found], ['work'], 'a name is meant exactly')
    work = found[0]
    same({c['name']: c['total']['weight'] for c in work['callers']}, {'serve': 300, 'work': 50},
         'callers')
    same({c['name']: c['total']['weight'] for c in work['callees']},
         {'tiny': 250, 'work': 50, 'malloc': 50}, 'callees')
    if 'callees' in as_json('in.folded', '--callers', 'work')['functions'][0]:
        fail('--callers shows callees')
    text = body(report('in.folded', '--callees', 'serve'))
    if not re.search(r'^ 40\.0 % ± 3\.1 +50\.0 %  → parse$', text, re.MULTILINE):
        fail(f'parse is half of serve:\n{text}')
    same(len(as_json('in.folded', '--peek', '^(parse|work)$')['functions']), 2, 'expression')


def check_what_if():
    def left(*changes):
        arguments = [word for change in changes for word in ('--what-if', change)]
        found = as_json('in.folded', *arguments)
        return round(found['together']['left']['share'], 9), \
            [c['now']['weight'] for c in found['changes']]
    # Recursion counts once; with callees.
    same(left('work=2x'), (0.85, [300]), 'twice as fast')
    same(left('work=0'), (0.7, [300]), 'gone')
    same(left('work=remove'), (0.7, [300]), 'removed')
    same(left('work=25%'), (0.775, [300]), 'a quarter')
    # malloc is in work: those samples go once. parse is not.
    same(left('work=2x', 'malloc=0', 'parse=0'), (0.425, [300, 50, 400]), 'together')
    same(left('work=2x', 'work=2x'), (0.85, [300, 300]), 'the same twice')
    found = as_json('in.folded', '--what-if', 'work=2x')['together']
    low, high = found['left']['low'], found['left']['high']
    # Half of Wilson's interval of 300 out of 1000: 0.27240 to 0.32913.
    if abs(low - (1 - 0.32913 / 2)) > 1e-4 or abs(high - (1 - 0.27240 / 2)) > 1e-4:
        fail(f'interval of what is left: {found}')
    if abs(found['speedup']['times'] - 1 / 0.85) > 1e-9:
        fail(f'speedup: {found}')
    if '1.18x (1.16x to 1.20x)' not in report('in.folded', '--what-if', 'work=2x'):
        fail('the text has another speedup')
    report('in.folded', '--what-if', 'work=0.5x', expect=2, said='makes the function slower')
    report('in.folded', '--what-if', 'work', expect=2, said='is not FUNC=2x')
    report('in.folded', '--what-if', 'nosuch=2x', expect=1, said="no function is called 'nosuch'")


def check_filters():
    found = as_json('in.folded', '--focus', 'work')
    same((found['samples'], found['whole'], found['total']['share']), (300, 1000, 0.3),
         'shares are of the whole')
    found = as_json('in.folded', '--focus', 'work', '--relative-percentages')
    same((found['whole'], found['total']['share']), (300, 1), 'shares of what is left')
    if '30.0 % of all' not in report('in.folded', '--focus', 'work'):
        fail('does not say that it shows a part')
    report('in.folded', '--focus', 'nosuch', said='--focus matches nothing')
    report('in.folded', '--hide', 'nosuch', said='--hide matches nothing')
    report('in.folded', '--focus', '(', expect=2, said='--focus (:')


def check_groups():
    found = {g['name']: (g['self']['weight'], g['total']['weight'])
             for g in as_json('in.folded', '--by', 'module')['groups']}
    same(found.get('[kernel]'), (100, 100), 'the kernel')
    report('in.folded', '--by', 'nosuch', expect=1, said="no sample has the label 'nosuch'")


def check_cores():
    """2 s of the whole machine, of which work had 3 s of CPU time."""
    made = Profile('samples/count', 'cpu/nanoseconds')
    made.mapping(1, '/usr/bin/prog', 0x1000, 0x9000, flags=(7,))
    for id_, name in (1, 'work'), (2, 'main'):
        made.function(id_, name)
        made.location(id_, (id_, 0), mapping=1, address=0x1000 + id_)
    made.sample([1, 2], [300, 3_000_000_000], comm='prog')
    made.sample([2], [100, 1_000_000_000], comm='prog')
    made.add(number(10, 2_000_000_000) + made.type(11, 'cpu', 'nanoseconds') + number(12, 10_000_000))
    for text in 'the whole machine', 'subtitle', 'quality', 'profd 0.1.0':
        made.add(number(13, made.text(text)))
    found = {f['name']: f['total']['cores'] for f in as_json_of(made)['functions']}
    same(found, {'work': 1.5, 'main': 2.0}, 'cores')
    for view in [], ['--tree'], ['--peek', 'work']:
        if not re.search(r'^ 75\.0 % ± ?[\d.]+    1\.50 ', report('-', *view, stdin=made.bytes()),
                         re.MULTILINE):
            fail(f'{view}: no cores')


def as_json_of(made):
    return json.loads(report('-', '--json', stdin=made.bytes()))


def check_terminal():
    """In colour and as wide as the terminal, unless people do not want it."""
    def on_terminal(**changes):
        environment = dict(os.environ, TERM='xterm', **changes)
        environment.pop('NO_COLOR', None) if 'NO_COLOR' not in changes else None
        leader, follower = pty.openpty()
        os.set_blocking(leader, False)
        import fcntl
        import struct
        import termios
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 60, 0, 0))
        subprocess.run([PROFD, 'report', 'in.folded', '--tree'], stdout=follower, check=True,
                       env=environment, timeout=HANG_S)
        os.close(follower)
        out = b''
        while True:
            try:
                more = os.read(leader, 65536)
            except OSError:
                break
            if not more:
                break
            out += more
        os.close(leader)
        return out.decode()
    coloured = on_terminal()
    if '\033[31;1m' not in coloured:
        fail(f'no colours on a terminal: {coloured!r}')
    plain = re.sub(r'\033\[[\d;]*m', '', coloured).replace('\r', '')
    if max(map(len, plain.splitlines())) > 60:
        fail(f'wider than the terminal: {plain}')
    for change in {'NO_COLOR': '1'}, {'TERM': 'dumb'}:
        environment = dict(change)
        if 'TERM' in environment:
            os.environ['TERM'] = 'dumb'
        out = subprocess.run([PROFD, 'report', 'in.folded', '--color', 'auto'], check=True,
                             capture_output=True, env=dict(os.environ, **environment)).stdout
        if b'\033' in out:
            fail(f'{change}: colours')
    if '\033' in report('in.folded') or '\033[' not in report('in.folded', '--color', 'always'):
        fail('--color')


def check_hostile():
    stacks = b'ma\x1b[31min;\xff\xfe;"\\x 3\n' + ';'.join(f'f{i % 7}' for i in range(3000)).encode() + b' 5\n'
    for view in [], ['--tree'], ['--peek', 'f1'], ['--by', 'module'], ['--what-if', 'f1=2x']:
        text = report('-', *view, stdin=stacks)
        if '\x1b' in text:
            fail(f'{view}: an escape code')
        if any(len(line) > 80 for line in text.splitlines()):
            fail(f'{view}: wider than 80 columns:\n{text}')
    report('-', '--json', stdin=stacks)
    report('-', '--tree', '--json', stdin=stacks)


def check_mistakes():
    report(expect=2, said='name the profile to read')
    report('in.folded', 'in.folded', expect=2, said='one profile is read at a time')
    report('in.folded', '--tree', '--peek', 'x', expect=2, said='there is --tree already')
    report('in.folded', '--peek', 'nosuch', expect=1, said="no function is called 'nosuch'")
    report('in.folded', '--peek', '[', expect=1, said='nor is it a regular expression')
    report('in.folded', '--sort', 'weight', expect=2, said='none of self, total, name')
    report('in.folded', '-n', '0', expect=2, said='no number of rows')
    report('in.folded', '-w', '10', expect=2, said='no number of columns')
    report('in.folded', '--type', 'nosuch', expect=1, said='has no values of the type')
    report('nosuch', expect=1, said='No such file')
    report('-', stdin=b'', expect=1, said='it is empty')
    report('-', stdin=b'\x1f\x8b\x08\0' + bytes(100), expect=1, said='cannot read -')
    report('-', stdin=b'a;b\n', expect=1, said='no count')
    if 'no sample is left' not in report('-', '--focus', 'x', stdin=b'a 1\n', said='matches nothing'):
        fail('nothing left')
    # A reader that has seen enough.
    with subprocess.Popen([PROFD, 'report', '-', '-w', '0'], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()
        child.stdin.write(b''.join(b'f%d 1\n' % i for i in range(20000)))
        child.stdin.close()
        err = child.stderr.read()
        if child.wait(HANG_S) != 0 or err:
            fail(f'broken pipe: {child.returncode}, {err}')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open('in.folded', 'wb') as file:
            file.write(STACKS)
        check_functions()
        check_tree()
        check_neighbours()
        check_what_if()
        check_filters()
        check_groups()
        check_cores()
        check_terminal()
        check_hostile()
        check_mistakes()
        os.chdir('/')
    return 1 if harness.failures else 0


if __name__ == '__main__':
    sys.exit(main())

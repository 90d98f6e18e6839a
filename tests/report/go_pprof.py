#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `profd report` says of Go's own profiles is what `go tool pprof` says: functions, parts chosen
by regular expressions, callers and callees.
usage: go_pprof.py PROFD"""
import os
import re
import subprocess
import sys
import tempfile

import harness
from harness import as_json, fail, same

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'convert'))
from raw import HANG_S, environment, find_go, run_go  # noqa: E402

SOURCE = os.path.join(HERE, '..', 'convert', 'profiles.go')
# Profile, type: values are counts, which the tool prints as they are.
KINDS = [('cpu', 'samples'), ('mutex', 'contentions'), ('allocs', 'alloc_objects'),
         ('goroutine', 'goroutine')]
# As both take them.
CHOICES = [
    [], ['-focus=mix'], ['-ignore=mix'], ['-hide=mix|runtime'], ['-show=main'],
    ['-focus=main', '-ignore=asyncPreempt|contend'], ['-focus=profiles.go', '-hide=func1'],
    ['-show=main', '-hide=main.main'], ['-show_from=spin|contend|allocate'],
    ['-show_from=profiles.go', '-show=main'], ['-focus=^main.mix$'], ['-hide=spin'],
    ['-tagfocus=user=^.$'], ['-tagignore=request-id:seven'], ['-focus=/profiles$'],
    ['-focus=gopark|mix', '-show_from=main'], ['-hide=main.main$', '-show_from=main.main'],
    ['-show=runtime|mix', '-show_from=main|runtime'],
]


def top(kind, value, choice):
    """Function → (flat, cum)"""
    try:
        text = run_go('tool', 'pprof', '-symbolize=none', '-top', '-nodefraction=0',
                      '-edgefraction=0', f'-sample_index={value}', *choice, kind + '.pb.gz')
    except AssertionError as error: # nothing is left
        if 'empty' not in str(error) and 'no matches' not in str(error):
            raise
        return {}
    rows = re.findall(r'^ *(\d+) +[\d.]+% +[\d.]+% +(\d+) +[\d.]+% +(.+?)(?: \(.*inline\))?$', text,
                      re.MULTILINE)
    return {name: (int(flat), int(cum)) for flat, cum, name in rows}


def ours(kind, value, choice):
    words = [word.replace('-show_from', '--show-from') if word.startswith('-show_from')
             else '-' + word for word in choice]
    done = subprocess.run([harness.PROFD, 'report', kind + '.pb.gz', '--type', value, '--json', *words],
                          capture_output=True, timeout=HANG_S, check=False)
    if done.returncode:
        fail(f'{kind} {choice}: {done.stderr}')
        return {}
    return {f['name']: (f['self']['weight'], f['total']['weight'])
            for f in __import__('json').loads(done.stdout)['functions']}


def check_choices():
    told = 0
    for kind, value in KINDS:
        # All of them once; of the others the first ones.
        for choice in CHOICES if kind == 'cpu' else CHOICES[:6]:
            want = top(kind, value, choice)
            told += bool(want)
            same(ours(kind, value, choice), want, f'{kind} {choice}')
    if told < 20:
        fail(f'only {told} choices leave anything: this test tests nothing')


def peek(kind, value, function):
    """(callers, callees), each name → value"""
    text = run_go('tool', 'pprof', '-symbolize=none', f'-peek=^{re.escape(function)}$',
                  f'-sample_index={value}', '-nodefraction=0', '-edgefraction=0', kind + '.pb.gz')
    blocks = re.split(r'^-+\+-+$', text, flags=re.MULTILINE)
    for block in blocks:
        before, node, after = [], None, []
        for line in block.splitlines():
            edge = re.match(r'^ +(\d+) +[\d.]+% \| +(.+?)(?: \(inline\))?$', line)
            if edge:
                (after if node else before).append((edge[2].strip(), int(edge[1])))
            elif re.search(r'\| ' + re.escape(function) + r'(?: \(inline\))?$', line):
                node = line
        if node:
            return dict(before), dict(after)
    raise AssertionError(f'{function} is not in {text}')


def check_neighbours():
    for kind, value, function in ('cpu', 'samples', 'main.spin'), ('cpu', 'samples', 'main.mix'), \
            ('cpu', 'samples', 'main.main'), ('allocs', 'alloc_objects', 'main.main'):
        found = as_json(kind + '.pb.gz', '--type', value, '--peek', function)['functions'][0]
        same(tuple({f['name']: f['total']['weight'] for f in found[side]}
                   for side in ('callers', 'callees')), peek(kind, value, function),
             f'{kind}: neighbours of {function}')


def check_lines():
    """Flat and cum of each line of -list."""
    text = run_go('tool', 'pprof', '-list=main.spin|main.mix', '-sample_index=samples', 'cpu.pb.gz')
    want = {}
    for block in text.split('ROUTINE ====')[1:]:
        name = re.match(r'=+ (\S+) in', block)[1]
        for flat, cum, line in re.findall(r'^ +(\d+|\.) +(\d+|\.) +(\d+):', block, re.MULTILINE):
            if (flat, cum) != ('.', '.'):
                want[name, int(line)] = (int(flat.replace('.', '0')), int(cum.replace('.', '0')))
    found = as_json('cpu.pb.gz', '--type', 'samples', '--lines', 'main.spin|main.mix')['functions']
    got = {(f['name'], line['line']): (line['self']['weight'], line['total']['weight'])
           for f in found for line in f['lines']}
    same(got, want, 'lines')
    if len(want) < 3:
        fail(f'too few lines: {text}')


def check_instructions():
    """Flat and cum of each address of -disasm."""
    text = run_go('tool', 'pprof', '-disasm=main.spin', '-sample_index=samples', 'profiles',
                  'cpu.pb.gz')
    want = {int(address, 16): (int(flat.replace('.', '0')), int(cum.replace('.', '0')))
            for flat, cum, address in re.findall(r'^ +(\d+|\.) +(\d+|\.) +([0-9a-f]+): ', text,
                                                 re.MULTILINE) if (flat, cum) != ('.', '.')}
    found = as_json('cpu.pb.gz', '--type', 'samples', '--annotate', 'main.spin')['functions']
    got = {row['address']: (row['self']['weight'], row['total']['weight'])
           for f in found for row in f['instructions'] if 'total' in row}
    same(got, want, 'instructions')
    if len(want) < 2:
        fail(f'too few instructions: {text}')


def main():
    if not find_go():
        print('go is not installed')
        return 77
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run_go('build', '-o', 'profiles', SOURCE)
        subprocess.run(['./profiles', '.'], check=True, timeout=HANG_S, env=environment())
        check_choices()
        check_neighbours()
        check_lines()
        check_instructions()
        os.chdir('/')
    return 1 if harness.failures else 0


if __name__ == '__main__':
    sys.exit(main())

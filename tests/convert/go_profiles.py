#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Go's own profiles, of every kind: `go tool pprof` sees no difference once profd has read and
written them, and what profd shows are the tool's numbers.
usage: go_profiles.py PROFD"""
import os
import re
import subprocess
import sys
import tempfile

from raw import HANG_S, environment, find_go, raw, run_go

PROFD = os.path.abspath(sys.argv[1])
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'profiles.go')
# What is shown without --type, and whether Go says how many samples that comes from.
KINDS = {
    'cpu': ('cpu', True), 'heap': ('inuse_space', False), 'allocs': ('alloc_space', False),
    'goroutine': ('goroutine', False), 'mutex': ('delay', False), 'block': ('delay', False),
    'threadcreate': ('threadcreate', False),
}
failures = 0


def fail(text):
    global failures
    print(f'failed: {text}')
    failures += 1


def convert(*arguments):
    done = subprocess.run([PROFD, 'convert', *arguments], capture_output=True, timeout=HANG_S,
                          check=False)
    if done.returncode or done.stderr:
        fail(f'{arguments}: {done.returncode}, {done.stderr.decode()}')
    return done.stdout.decode()


def without_default(head):
    """profd writes which type is the default where a file leaves it open, too."""
    return [line.replace('[dflt]', '') for line in head]


def check_same(kind):
    convert(kind + '.pb.gz', '-o', 'again.pb.gz')
    head, values = raw(kind + '.pb.gz')
    again_head, again_values = raw('again.pb.gz')
    if without_default(head) != without_default(again_head) or \
            ('[dflt]' in ''.join(head) and head != again_head):
        fail(f'{kind}: {head} became {again_head}')
    if values != again_values:
        for key in list(values.keys() ^ again_values.keys())[:2]:
            print('   was:' if key in values else 'became:', key)
        fail(f'{kind}: other samples')
    convert('again.pb.gz', '-o', 'third.pb.gz')
    with open('again.pb.gz', 'rb') as one, open('third.pb.gz', 'rb') as two:
        if one.read() != two.read():
            fail(f'{kind}: not the same once more')


def check_shown(kind):
    shown, is_counted = KINDS[kind]
    text = convert(kind + '.pb.gz', '-f', 'text')
    picture = convert(kind + '.pb.gz', '-f', 'svg').partition(']]></script>')[2]
    has_types = sum(line.count('/') for line in raw(kind + '.pb.gz')[0][-1:]) > 1
    for what in text, picture.partition('<metadata')[0]:
        if ('±' in what) != is_counted:
            fail(f'{kind}: intervals of {"samples" if is_counted else "nothing"}: {what[:600]}')
        if has_types and f'{kind}.pb.gz: {shown}' not in what:
            fail(f'{kind}: does not say that it shows {shown}: {what[:300]}')
    if not is_counted and not re.search(rf'^{shown}: ', text, re.MULTILINE):
        fail(f'{kind}: {text[:400]}')


def check_numbers():
    """Flat shares of the tool are those of the table, of each type."""
    for kind, name in ('cpu', 'samples'), ('heap', 'alloc_objects'), ('heap', 'inuse_space'), \
            ('mutex', 'contentions'), ('mutex', 'delay'):
        top = run_go('tool', 'pprof', '-symbolize=none', '-top', '-nodefraction=0',
                     f'-sample_index={name}', kind + '.pb.gz')
        flat = {row[2]: float(row[1]) for row in re.findall(
            r'^ *(\S+) +([\d.]+)% +[\d.]+% +\S+ +[\d.]+% +(\S+)$', top, re.MULTILINE)}
        text = convert(kind + '.pb.gz', '-f', 'text', '--type', name)
        table = text.partition('FUNCTION\n')[2].partition('\n\n')[0]
        rows = re.findall(r'^ *([\d.]+) %.*?% .*?%.{8}(\S+)', table, re.MULTILINE)
        if not rows:
            fail(f'{kind}, {name}: no table: {text[:600]}')
        for share, function in rows:
            if function in flat and abs(flat[function] - float(share)) > 0.06:
                fail(f'{kind}, {name}: {function} has {share} %, with Go\'s tool {flat[function]} %')


def main():
    if not find_go():
        print('go is not installed')
        return 77
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run_go('build', '-o', 'profiles', SOURCE)
        subprocess.run(['./profiles', '.'], check=True, timeout=HANG_S, env=environment())
        for kind in KINDS:
            check_same(kind)
            check_shown(kind)
        check_numbers()
        os.chdir('/')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

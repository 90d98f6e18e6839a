#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`go tool pprof` shows of `profd diff -o x.pb.gz` what it shows of both profiles with -diff_base
and -normalize, but for its scaling NEW to BASE where profd scales BASE to NEW.
usage: go_pprof.py PROFD"""
import os
import re
import subprocess
import sys
import tempfile

import made

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'convert'))
from raw import HANG_S, find_go, run_go  # noqa: E402

PROFD = os.path.abspath(sys.argv[1])


def top(*arguments):
    """Function → (flat, cum, percents of both)"""
    text = run_go('tool', 'pprof', '-symbolize=none', '-top', '-nodefraction=0', '-edgefraction=0',
                  *arguments)
    rows = re.findall(r'^ *(-?\d+) +([\d.]+)% +[\d.]+% +(-?\d+) +([\d.]+)% +(\S+)', text,
                      re.MULTILINE)
    return {name: (int(flat), int(cum), float(percent), float(cum_percent))
            for flat, percent, cum, cum_percent, name in rows}


def main():
    if not find_go():
        print('go is not installed')
        return 77
    wrong = 0
    with tempfile.TemporaryDirectory(prefix='profd-go-') as folder:
        os.chdir(folder)
        base = made.runs('b', 1, 0.03, 1, samples=100000)[0]
        new = made.runs('n', 2, 0.06, 1, samples=50000)[0]
        for words in (['convert', base, '-o', 'b.pb.gz'], ['convert', new, '-o', 'n.pb.gz'],
                      ['diff', base, new, '-o', 'd.pb.gz']):
            subprocess.run([PROFD, *words], check=True, timeout=HANG_S)
        want, got = top('-normalize', '-diff_base', 'b.pb.gz', 'n.pb.gz'), top('d.pb.gz')
        os.chdir('/')
    for name in want.keys() | got.keys():
        ours, theirs = got.get(name, (0,) * 4), want.get(name, (0,) * 4)

        # Each stack's value is rounded, towards 0 by one and to the nearest by the other.
        if abs(ours[0] - theirs[0] / 2) > 3 or abs(ours[1] - theirs[1] / 2) > 90 or \
                abs(ours[2] - theirs[2]) > 0.02 or abs(ours[3] - theirs[3]) > 0.2:
            print(f'failed: {name}: {ours}, not {theirs}')
            wrong += 1
    if len(want) < 80 or want['json_decode'][0] < 1000:
        print(f'failed: there is nothing to compare: {want}')
        wrong += 1
    print('failed' if wrong else 'ok')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A 10/20/30/40 % split: the true shares lie in the printed 95 % intervals.

Five short runs here; tests/bench/split uses the same functions for forty at two rates.
"""
import re

from harness import Target, check, rate, record, run

NAMES = ('share_10', 'share_20', 'share_30', 'share_40')


def printed(text, name):
    """(share, half width) in percent of a function's time, from the text output."""
    whole = text.partition('with what it called')[2]
    match = re.search(r'([0-9.]+) ?% ?± ?([0-9.]+).*\b' + name + r'\b', whole)
    check(match, f'{name} has no share with an interval in:\n{text[:2000]}')
    return float(match[1]), float(match[2])


def measure(hz, seconds):
    """One run: {name: (true, printed, half width)}."""
    with Target('split') as target:
        recording = record('-p', target.pid, seconds=seconds, hz=hz,
                           outputs=('out.folded', 'out.txt'))
        truth = target.stop()
    with open(recording.path('out.txt'), encoding='utf-8') as file:
        text = file.read()
    return {name: (100 * truth[name],) + printed(text, name) for name in NAMES}


def inside(true, share, half):
    # What is printed is rounded to a tenth: half of that belongs to the interval.
    return abs(share - true) <= half + 0.05


def count(runs, hz, seconds):
    """How many of the runs have each share's truth in its interval."""
    hits = dict.fromkeys(NAMES, 0)
    for _ in range(runs):
        result = measure(hz, seconds)
        print('    ' + ', '.join(
            f'{true:.1f} as {share:.1f} ± {half:.1f}{"" if inside(true, share, half) else " !"}'
            for true, share, half in result.values()), flush=True)
        for name, values in result.items():
            hits[name] += inside(*values)
    return hits


def test_split():
    hits = count(5, rate(997), 2)
    # 20 intervals of 95 %: 19 expected; 14 or fewer come once in thousands of good builds.
    check(sum(hits.values()) >= 15, f'{hits}')


if __name__ == '__main__':
    run(globals())

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`profd diff` and `profd check` on real recordings: what the program is known to do differently is
found, with runs and without, and an interval holds the truth. tests/bench/diff counts how often."""
import functools
import json
import os

import harness
from harness import TARGETS, check, check_equal, folder, rate, run

RUNS, SECONDS = 3, 2
OLD, NEW = 30, 150  # permille of json_decode


def profd(*arguments, expect=0):
    status, output, errors = harness.profd(*arguments)
    check_equal(status, expect, f'{arguments}: {errors}')
    return output


@functools.cache
def sides():
    """Recordings of the old and the new program, in turn, so that what else the machine does is the
    same for both."""
    recordings, path = {'old': [], 'new': []}, folder()
    for i in range(RUNS):
        for name, permille in (('old', OLD), ('new', NEW)):
            file = os.path.join(path, f'{name}{i}.pb.gz')
            profd('record', '-q', '-F', str(rate(999)), '-o', file, '--',
                  os.path.join(TARGETS, 'shares'), str(permille), str(1 + i), str(SECONDS))
            recordings[name].append(file)
    return recordings['old'], recordings['new']


def compare(old, new, *options):
    found = json.loads(profd('diff', '--json', '--base', *old, '--new', *new, *options))
    return found, next(one for one in found['functions'] if one['name'] == 'json_decode')


def check_found(old, new, *options):
    found, decode = compare(old, new, *options)
    check_equal(decode['self']['mark'], 'dearer', f'json_decode {decode}')
    return found, decode


def test_runs_tell_what_became_dearer():
    found, decode = check_found(*sides())
    check_equal(found['noise'], 'runs', 'noise')
    check(decode['module'] == 'shares', f'module {decode["module"]}')
    # The load moves the truth by some percent of itself.
    check(0.02 < decode['self']['base'] < 0.04 and 0.12 < decode['self']['new'] < 0.18,
          f'shares {decode["self"]}')
    stacks = [one for one in found['stacks'] if one['frames'][0] == 'json_decode']
    check(stacks and stacks[0]['frames'][1:3] == ['serve_request', 'main'],
          f'stacks {found["stacks"]}')


def test_per_seconds_is_cpu_time():
    """By time, too, what is not json_decode did not become cheaper because that became dearer."""
    # How much CPU a run gets is for the rest of the machine to say, so there may be no mark.
    found, decode = compare(*sides(), '--per', 'seconds')
    check(decode['self']['new'] > 2 * decode['self']['base'], f'CPUs {decode["self"]}')
    check(0.2 < sum(one['value'] for one in found['new']) / RUNS <= 1.05,
          'one thread is at most one CPU')
    check(decode['self']['new'] < 0.2, f'CPUs {decode["self"]}')


def test_one_file_a_side_finds_it_too():
    found, _ = check_found(*(side[:1] for side in sides()))
    check_equal(found['noise'], 'sampling', 'noise')


def test_the_picture_and_pprof_say_it():
    old, new = sides()
    path = folder()
    svg, pprof = os.path.join(path, 'd.svg'), os.path.join(path, 'd.pb.gz')
    profd('diff', '--base', *old, '--new', *new, '-o', svg, '-o', pprof)
    with open(svg, encoding='utf-8') as file:
        check('dearer)</title>' in file.read(), 'nothing in the picture is dearer')
    # NEW's part alone is above 0, which is all that other formats can hold.
    folded = profd('convert', pprof, '-f', 'folded', '-o', '-')
    check(any(line.split(' ')[0].endswith(';serve_request;json_decode')
              for line in folded.split('\n')), 'json_decode is not in the pprof file')


def test_check_fails_the_build():
    old, new = sides()
    out = profd('check', *new, '--max', 'json_decode=5%', expect=1)
    check(out.startswith('broken'), out)
    profd('check', *old, '--max', 'json_decode=9%')
    out = profd('check', *new, '--baseline', *old, '--max-growth', 'self:json_decode=2%', expect=1)
    check('broken     json_decode: ' in out, out)
    profd('check', *new, '--baseline', *old, '--max-growth', 'self:json_decode=30%')


if __name__ == '__main__':
    run(globals())

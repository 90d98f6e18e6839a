#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""speedscope's files: of others, of profd, through all formats and back, and such as should not be.
usage: speedscope.py PROFD"""
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile

from pprof_bytes import Profile, number

PROFD = os.path.abspath(sys.argv[1])
HANG_S = 60
WHEN = 1700000000123456789  # more digits than a double has
SCHEMA = 'https://www.speedscope.app/file-format-schema.json'
failures = 0


def fail(text):
    global failures
    print(f'failed: {text}')
    failures += 1


def run(content, *arguments, expect=0):
    """(stdout, stderr); content: bytes, or what becomes JSON."""
    with open('in', 'wb') as file:
        file.write(content if isinstance(content, bytes) else json.dumps(content).encode())
    done = subprocess.run([PROFD, 'convert', 'in', *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=HANG_S)
    if done.returncode != expect:
        fail(f'{arguments}: {done.returncode}, not {expect}: {done.stderr}')
    return done.stdout, done.stderr.decode()


def folded(content, *want, said=None, arguments=()):
    got, err = run(content, '-f', 'folded', *arguments)
    if sorted(got.decode().splitlines()) != sorted(want) or (said not in err if said else err):
        fail(f'{content!r:.300}: {got.decode()!r}, {err!r}, not {want!r}')


def refused(content, said):
    out, err = run(content, '-f', 'folded', expect=1)
    if out or err.count('\n') != 1 or said not in err or 'cannot read in' not in err:
        fail(f'{out!r}, {err!r} without {said!r}')


def sampled(samples, weights, unit='none', name='one', **more):
    return {'type': 'sampled', 'name': name, 'unit': unit, 'startValue': 0,
            'endValue': sum(weights), 'samples': samples, 'weights': weights, **more}


def evented(*events, unit='none', end=100, name='one'):
    """events: "O0@5"."""
    parsed = [re.fullmatch(r'([OC])(-?[\d.]+)@(-?[\d.e]+)', event) for event in events]
    return {'type': 'evented', 'name': name, 'unit': unit, 'startValue': 0, 'endValue': end,
            'events': [{'type': e[1], 'frame': json.loads(e[2]), 'at': json.loads(e[3])}
                       for e in parsed]}


def whole(*profiles, frames='abc', **more):
    return {'$schema': SCHEMA, 'profiles': list(profiles), 'shared': {
        'frames': [{'name': f} if isinstance(f, str) else f for f in frames]}, **more}


def check_sampled():
    folded(whole(sampled([[0, 1], [0, 1, 2], [0], [0, 1]], [1, 2, 3, 4])), 'a;b 5', 'a;b;c 2', 'a 3')
    # The unit, the weights and the frames may come in any order.
    one = sampled([[0, 1], [0]], [0.5, 0.25], unit='seconds')
    for order in random.Random(3).sample(sorted(one), len(one)), sorted(one), sorted(one)[::-1]:
        file = whole({key: one[key] for key in order})
        for reordered in file, dict(reversed(file.items())):
            folded(reordered, 'a;b 500000000', 'a 250000000')
    for unit, scale in (('nanoseconds', 1), ('microseconds', 1000), ('milliseconds', 1000000)):
        folded(whole(sampled([[0], [1]], [3, 5], unit=unit)), f'a {3 * scale}', f'b {5 * scale}')
    folded(whole(sampled([[0], [1]], [3, 5], unit='bytes')), 'a 3', 'b 5')
    folded(whole(sampled([[], [1]], [3, 5])), '[unknown] 3', 'b 5')
    folded(whole(sampled([[0], [1]], [0, 5])), 'b 5')
    folded(whole(sampled([[0], [1]], [1.5, 2.25])), 'a 2', 'b 2', said='2 counts have fractions')
    # Each sample with the time between two, as py-spy writes them: counted, with an interval.
    content = whole(sampled([[0], [1], [0]], [0.01] * 3, unit='seconds'))
    folded(content, 'a 2', 'b 1')
    if '±' not in run(content, '-f', 'text')[0].decode():
        fail('py-spy without intervals')
    content = whole(sampled([[0], [1], [0]], [0.01, 0.02, 0.01], unit='seconds'))
    if '±' in run(content, '-f', 'text')[0].decode():
        fail('intervals of times')
    # Indented, with a mark of byte order, packed, with things that nobody knows.
    content = whole(sampled([[0]], [1], extra=[[{}], None, True, 1e5, 'x']), more={'a': [[]]})
    folded(json.dumps(content, indent=4).encode(), 'a 1')
    folded(b'\xef\xbb\xbf\n ' + json.dumps(content).encode(), 'a 1')
    folded(gzip.compress(json.dumps(content).encode()), 'a 1')


def check_frames():
    frames = [{'name': 'main', 'file': 'app.py', 'line': 3}, {'name': 'read', 'file': '/lib/libc.so.6'},
              {'name': 'sys', 'file': '[kernel.kallsyms]'}, {'name': 'gen', 'file': '[jit]'},
              {'name': '[unknown]'}, {'name': ''}, {'name': 'a;b\nc\0d', 'col': 3, 'line': 1e300},
              {'name': 'w\u00f6rker \ud83d\ude00', 'file': None, 'line': 'x'}]
    folded(whole(sampled([list(range(8))], [1]), frames=frames),
           'main_[j];read;sys_[k];gen_[j];[unknown];[unknown];a:b c;w\u00f6rker \U0001f600 1')
    raw = gzip.decompress(run(whole(sampled([[0]], [1]), frames=frames), '-f', 'pprof')[0])
    if b'app.py' not in raw:
        fail('no source file')
    deep = whole(sampled([list(range(6000))], [1]), frames=[f'f{i}' for i in range(6000)])
    out, err = run(deep, '-f', 'folded')
    if out.decode() != ';'.join(f'f{i}' for i in range(4096)) + ';[truncated: too deep] 1\n' or \
            'too deep' not in err:
        fail(f'deep: {out[-60:]} {err}')


def check_threads():
    one, two = sampled([[0]], [1], name='one'), sampled([[0, 1]], [2], name='thread 2')
    folded(whole(one), 'a 1')
    folded(whole(one, two), 'one;a 1', 'thread_2;a;b 2')
    other = sampled([[1]], [64], unit='bytes', name='memory')
    folded(whole(one, other), 'one;a 1')
    folded(whole(one, other, activeProfileIndex=1), 'memory;b 64')
    folded(whole(one, other), 'memory;b 64', arguments=('--type', 'space'))
    title = run(whole(one, name='what it is'), '-f', 'text')[0].decode().partition('\n')[0]
    if title != 'what it is':
        fail(f'title: {title}')


def check_evented():
    folded(whole(evented('O0@0', 'O1@2', 'C1@5', 'O2@5', 'C2@6', 'C0@9', 'O0@20', 'C0@21')),
           'a 6', 'a;b 3', 'a;c 1')
    # Times begin anywhere; what is open in the end lasts until then.
    folded(whole(evented('O0@1000', 'O1@1002.5', 'C1@1005', unit='milliseconds', end=1006)),
           'a 3500000', 'a;b 2500000')
    events = [f'O{i % 3}@{i}' for i in range(5000)] + [f'C{i % 3}@{9999 - i}' for i in range(4999, -1, -1)]
    out, err = run(whole(evented(*events)), '-f', 'folded')
    total = sum(int(line.rpartition(b' ')[2]) for line in out.splitlines())
    if total != 9999 or 'too deep' not in err or b'[truncated: too deep] ' not in out:
        fail(f'deep events: {total} {err}')


def check_refusals():
    good = whole(sampled([[0, 1], [0]], [1, 2]))
    text = json.dumps(good).encode()
    refused(text[:-1], 'it is cut off')
    refused(text[:90], 'it is cut off')
    refused(text + b'x', f'no JSON from byte {len(text) + 1} on: trailing garbage')
    refused(text.replace(b'"weights": [1', b'"weights": [01'), 'no JSON from byte')
    refused(text.replace(b'one', b'\xff\xfe'), 'no JSON from byte')
    refused(text.replace(b'[1, 2]', b'[1e999, 2]'), 'a number too large')
    refused(text.replace(b'[1, 2]', b'[' + b'1' * 99 + b', 2]'), 'a number of too many digits')
    refused(b'{"a": ' + b'[' * 100000, 'values nested too deep')
    refused(b'{"a": 1}', 'JSON, but no profile of speedscope: it has no frames')
    refused(b'{"traceEvents": []}', 'it has no frames')
    refused({'shared': {'frames': []}}, 'it has no profiles')
    refused(whole(), 'it has no profiles')
    refused(whole(sampled([], [])), 'it holds no stacks')
    refused(whole(sampled([[0], [3]], [1, 2])), 'profile 1, sample 2: it names frame 3, of 3')
    refused(whole(sampled([[-1]], [1])), 'it names frame -1, of 3')
    refused(whole(sampled([[0.5]], [1])), 'it names frame 0.5, of 3')
    refused(whole(sampled([[1e300]], [1])), 'it names frame 1e+300, of 3')
    refused(whole(sampled([['a']], [1])), 'what it names is no frame')
    # What is passed over would give other numbers to what follows.
    refused(whole(sampled([[[0]]], [1])), 'sample 1: what it names is no frame')
    refused(whole(sampled([5, [0]], [1])), 'profile 1, sample 1: it is no array')
    refused(json.dumps(whole(sampled([[0]], [1]))).replace('[1]', '[[], 1]').encode(),
            'one of its weights is no number')
    refused(whole(sampled([[0]], [1]), frames=[None, {'name': 'a'}]), 'frame 0 is no object')
    refused(whole(sampled([[0]], [1]), frames=[{'name': 'a'}, ['b']]), 'frame 1 is no object')
    refused(whole(sampled([[0]], [1]), 7), 'profile 2: it is no object')
    refused(whole({**evented('O0@5'), 'events': [None]}), 'profile 1, event 1: it is no object')
    refused(whole(sampled([[0]], [1, 2])), 'profile 1: it has 1 samples and 2 weights')
    refused(whole(sampled([[0]], [-1])), 'sample 1: its weight is below 0')
    refused(whole(sampled([[0]], [1e19])), 'its weight is larger than 2^63')
    refused(whole(sampled([[0]], [1e10], unit='seconds')), 'its weight is larger than 2^63')
    refused(whole(sampled([[0]], [1], unit='hours')), 'its unit is none that the format knows')
    refused(whole({'name': 'x', 'unit': 'none'}), 'it has neither samples nor events')
    refused(whole(sampled([[0]], [1]), frames=[{'file': 'x'}]), 'frame 0 has no name')
    refused(whole(sampled([[0]], [1]), evented('O0@5', 'C1@6')),
            'profile 2, event 2: it ends frame 1, which is not the last one open')
    refused(whole(evented('C0@5')), 'event 1: it ends frame 0')
    refused(whole(evented('O0@5', 'C0@4')), 'event 2: it comes before the one before it')
    refused(whole(evented('O7@5')), 'event 1: it names frame 7, of 3')
    broken = whole(evented('O0@5'))
    del broken['profiles'][0]['events'][0]['at']
    refused(broken, 'event 1: it has no type, frame or time')


def rich():
    profile = Profile('samples/count', 'cpu/nanoseconds')
    profile.mapping(1, '/usr/bin/prog', 0x400000, 0x500000)
    profile.mapping(2, '/lib/libc.so.6', 0x7f0000000000, 0x7f0000100000)
    profile.mapping(3, '[kernel.kallsyms]')
    names = ['main', 'inner', 'deeper', 'malloc', 'do_syscall_64', '[unknown]']
    for id_, name in enumerate(names, 1):
        profile.function(id_, name, file='/src/main.c' if id_ < 4 else '')
    profile.location(1, (3, 12), (2, 10), (1, 5), mapping=1, address=0x401234)
    profile.location(2, (1, 6), mapping=1, address=0x401300)
    profile.location(3, (4, 0), mapping=2, address=0x7f0000000123)
    profile.location(4, (5, 0), mapping=3, address=0xffffffff81000042)
    profile.location(5, (6, 0))
    pick = random.Random(5)
    for i in range(200):
        stack = [pick.choice([1, 2, 3, 4, 5]) for _ in range(pick.randrange(8))]
        count = pick.randrange(1, 50)
        profile.sample(stack, [count, count * 10000000], comm='prog', pid=4242,
                       thread_name=f'worker {i % 3}', tid=4242 + i % 3)
    profile.add(number(9, WHEN) + number(10, 5000000000) +
                profile.type(11, 'cpu', 'nanoseconds') + number(12, 10000000))
    return profile.bytes()


def check_round_trips():
    """Folded text and speedscope hold the same stacks with the same sums, whatever lies between."""
    content = rich()
    want = sorted(run(content, '-f', 'folded')[0].splitlines())
    text = run(content, '-f', 'text')[0]
    for way in (['speedscope'], ['speedscope', 'pprof'], ['pprof', 'speedscope'],
                ['speedscope', 'speedscope', 'pprof', 'speedscope', 'speedscope']):
        at = content
        for form in way:
            at = run(at, '-f', form)[0]
        if sorted(run(at, '-f', 'folded')[0].splitlines()) != want:
            fail(f'{way}: other stacks')
        for type_ in 'cpu', 'samples':
            if run(at, '-f', 'folded', '--type', type_) != run(content, '-f', 'folded', '--type', type_):
                fail(f'{way}: other {type_}')
    once = run(content, '-f', 'speedscope')[0]
    if number(9, WHEN) not in gzip.decompress(run(once, '-f', 'pprof')[0]):
        fail('the time is another one')
    if run(once, '-f', 'text')[0].partition(b'\n\n')[2] != text.partition(b'\n\n')[2]:
        fail('text of speedscope')
    if run(run(once, '-f', 'speedscope')[0], '-f', 'speedscope')[0] != run(once, '-f', 'speedscope')[0]:
        fail('speedscope: no rest after the second time')
    # Folded stacks have a weight, and kinds of code.
    stacks = b'main;parse;tiny_[i] 4\nmain;read;vfs_read_[k] 12\nmain;run_[j] 1\nmain;[unknown] 3\n'
    for way in ['speedscope'], ['pprof', 'speedscope'], ['speedscope', 'pprof']:
        at = stacks
        for form in way:
            at = run(at, '-f', form)[0]
        if sorted(run(at, '-f', 'folded')[0].splitlines()) != sorted(stacks.splitlines()):
            fail(f'folded, {way}: {run(at, "-f", "folded")[0]}')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        check_sampled()
        check_frames()
        check_threads()
        check_evented()
        check_refusals()
        check_round_trips()
        os.chdir('/')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

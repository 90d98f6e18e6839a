#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`profd convert` of pprof as others write it, or as nobody should.
usage: pprof.py PROFD"""
import gzip
import os
import re
import subprocess
import sys
import tempfile

from pprof_bytes import Profile, data, number, packed, single, varint
from raw import find_go, raw

PROFD = os.path.abspath(sys.argv[1])
HANG_S = 60
failures = 0


def fail(text):
    global failures
    print(f'failed: {text}')
    failures += 1


def run(content, *arguments, expect=0):
    """(stdout, stderr) of reading this"""
    with open('in', 'wb') as file:
        file.write(content)
    done = subprocess.run([PROFD, 'convert', 'in', *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=HANG_S)
    if done.returncode != expect:
        fail(f'{arguments}: {done.returncode}, not {expect}: {done.stderr}')
    return done.stdout, done.stderr.decode()


def folded(content, want, *arguments):
    got, err = run(content, '-f', 'folded', *arguments)
    if got.decode() != want or err:
        fail(f'{arguments}: {got.decode()!r}, {err!r}, not {want!r}')


def refused(content, said):
    out, err = run(content, '-f', 'folded', expect=1)
    if out or err.count('\n') != 1 or said not in err or 'cannot read in' not in err:
        fail(f'{out!r}, {err!r} without {said!r}')


def usual(run_=packed, **more):
    """Ids that are no 1..n, everything there may be, two types."""
    profile = Profile('samples/count', 'cpu/nanoseconds', run=run_)
    profile.mapping(77, '/usr/bin/prog', 0x400000, 0x500000, 0x1000, 'b1d', flags=(7, 8))
    profile.mapping(1 << 63, '/lib/libc.so.6', 0x7f0000000000, 0x7f0000100000, 0x28000, 'c0de')
    profile.mapping(5, '[kernel.kallsyms]')
    profile.function(900, 'main', file='/src/main.c', line=3)
    profile.function(1 << 40, 'inner', '_Z5innerv', '/src/main.c', 9)
    profile.function(3, 'do_syscall_64')
    profile.location(1 << 50, (1 << 40, 10), (900, 5), mapping=77, address=0x401234)
    profile.location(8, mapping=1 << 63, address=0x7f0000000123)
    profile.location(7, (3, 0), mapping=5, address=0xffffffff81000042)
    profile.sample([1 << 50], [3, 30000000], **more)
    profile.sample([8, 1 << 50], [2, 20000000], thread_id=(4242, 'id'), name='wörker')
    profile.sample([7, 8, 1 << 50], [1, 10000000], size=7, zero=(0, 'bytes'))
    profile.add(number(9, 1700000000000000000) + number(10, 5000000000) +
                profile.type(11, 'cpu', 'nanoseconds') + number(12, 10000000))
    profile.add(number(13, profile.text('said about it')))
    return profile


USUAL = 'main;inner_[i] 3\nmain;inner_[i];libc.so.6+0x28123 2\n' \
    'main;inner_[i];libc.so.6+0x28123;do_syscall_64_[k] 1\n'


def check_ways_to_write():
    for run_ in packed, single:
        plain = usual(run_).bytes()
        folded(plain, USUAL)
        folded(gzip.compress(plain), USUAL)
        # Members may end anywhere, and zeros follow on tapes.
        folded(gzip.compress(plain[:50]) + gzip.compress(b'') + gzip.compress(plain[50:]) + bytes(512),
               USUAL)
        folded(usual(run_).backwards(), USUAL)
    # What profd does not know yet is passed over, of all kinds.
    unknown = number(99, 5) + data(98, b'\xff' * 200) + varint(97 << 3 | 1) + bytes(8) + \
        varint(96 << 3 | 5) + bytes(4)
    folded(usual().bytes() + unknown, USUAL)
    # Numbers that are longer than they need to be.
    profile = Profile('samples/count')
    profile.function(1, 'f')
    profile.location(1, (1, 0))
    profile.add(data(2, b'\x08\x81\x80\x80\x00' + b'\x10\x85\x00'))
    folded(profile.bytes(), 'f 5\n')


def check_frames():
    profile = Profile('wall/nanoseconds')
    for id_, (name, file) in enumerate([('py', '/app/a.py'), ('rb', 'x.rb'), ('node', 'a.js'),
                                        ('main.main', '/go/main.go'), ('', ''), ('[unknown]', '')], 1):
        profile.function(id_, name, file=file)
        profile.location(id_, (id_, 1))
    profile.mapping(1, '[jit]')
    profile.mapping(2, '/tmp/perf-12.map')
    profile.mapping(3, '/usr/bin/java (deleted)')
    profile.function(20, 'gen')
    profile.function(21, '', '_Zsystem')
    profile.location(20, (20, 0), mapping=1, address=1)
    profile.location(21, (20, 0), mapping=2, address=1)
    profile.location(22, (21, 0), mapping=3, address=1)
    profile.location(23, (0, 7), mapping=3, address=0x99)   # a line of no function
    profile.location(24, address=0xffffffff81000000)        # nothing at all is known of it
    profile.sample([4, 3, 2, 1], [1])
    profile.sample([6, 5], [2])
    profile.sample([21, 20, 22], [3])
    profile.sample([24, 23], [4])
    profile.sample([], [5])
    folded(profile.bytes(),
           '[unknown];[unknown] 2\n_Zsystem;gen_[j];gen_[j] 3\n'
           'java (deleted)+0x99;[unknown]_[k] 4\npy_[j];rb_[j];node_[j];main.main 1\n[unknown] 5\n')


def check_depth():
    profile = Profile('samples/count')
    for id_ in range(1, 6001):
        profile.function(id_, f'f{id_}')
        profile.location(id_, (id_, 0))
    profile.sample(range(1, 6001), [2])  # f1 is the leaf
    profile.sample(range(1, 4097), [1])
    out, err = run(profile.bytes(), '-f', 'folded')
    lines = sorted(out.decode().splitlines(), key=len)
    stacks = [line.rpartition(' ')[0].split(';') for line in lines]
    if 'stacks too deep' not in err or len(stacks) != 2 or \
            stacks[0] != [f'f{i}' for i in range(4096, 0, -1)] or \
            stacks[1] != [f'f{i}' for i in range(6000, 1904, -1)] + ['[truncated: too deep]']:
        fail(f'deep stacks: {err} {[(s[0], s[-1], len(s)) for s in stacks]}')


def check_types():
    profile = Profile('alloc_objects/count', 'alloc_space/bytes', 'inuse_space/bytes')
    profile.function(1, 'f')
    profile.function(2, 'g')
    profile.location(1, (1, 0))
    profile.location(2, (2, 0))
    profile.sample([1], [10, 2048, 0])
    profile.sample([2, 1], [30, 6144, 512])
    profile.add(profile.type(11, 'space', 'bytes') + number(12, 524288))
    last = profile.bytes()
    folded(last, 'f;g 512\n')
    folded(last, 'f 10\nf;g 30\n', '--type', 'alloc_objects')
    folded(last, 'f 2048\nf;g 6144\n', '--type=alloc_space/bytes')
    profile.add(number(14, profile.text('alloc_space')))
    folded(profile.bytes(), 'f 2048\nf;g 6144\n')
    _, err = run(last, '--type', 'space', '-f', 'text', expect=1)
    if err.count('\n') != 1 or 'there are: alloc_objects, alloc_space, inuse_space' not in err:
        fail(f'--type: {err}')
    text = run(last, '-f', 'text', '--type', 'alloc_space')[0].decode()
    for part in 'in: alloc_space\n', '\nalloc_space: 8.0 KiB\n', ' 75.0 %  ', ' 6.0 KiB ':
        if part not in text:
            fail(f'no {part!r}: {text}')
    picture = run(last, '-f', 'svg', '--type', 'alloc_objects')[0].decode()
    for part in 'in: alloc_objects', 'fg:n="0.00"', 'g (30 alloc_objects, 75.00%); self 75.00%', \
            '"effective":0', 'Flame graph of 40 alloc_objects':
        if part not in picture:
            fail(f'no {part!r} in the picture')
    if '±' in text or '±' in picture.partition(']]></script>')[2]:
        fail('intervals of what was not counted')


def check_counts():
    """(n of the intervals, total weight) of the picture."""
    def numbers(*types, values, period=None):
        profile = Profile(*types)
        profile.function(1, 'f')
        profile.location(1, (1, 0))
        profile.function(2, 'g')
        profile.location(2, (2, 0))
        for location, row in enumerate(values, 1):
            profile.sample([location], row)
        if period:
            profile.add(profile.type(11, *period[0].split('/')) + number(12, period[1]))
        picture = run(profile.bytes(), '-f', 'svg')[0].decode()
        found = re.search(r'total_samples="(\d+)" fg:n="([\d.]+)"', picture)
        return float(found[2]), int(found[1])

    for got, want in [
            (numbers('samples/count', values=[[6], [4]]), (10, 10)),
            (numbers('samples/count', 'cpu/nanoseconds', values=[[6, 60], [4, 40]],
                     period=('cpu/nanoseconds', 10)), (10, 10)),
            (numbers('cpu/nanoseconds', values=[[60], [40]], period=('cpu/nanoseconds', 10)),
             (10, 10)),
            # Measured, not counted: there is no telling from how many samples.
            (numbers('cpu/nanoseconds', values=[[61], [40]], period=('cpu/nanoseconds', 10)),
             (0, 101)),
            (numbers('cpu/nanoseconds', values=[[60], [40]], period=('wall/nanoseconds', 10)),
             (0, 100)),
            (numbers('cpu/nanoseconds', values=[[60], [40]]), (0, 100)),
            (numbers('goroutine/count', values=[[6], [4]], period=('goroutine/count', 1)), (0, 10)),
            (numbers('objects/count', 'space/bytes', values=[[6, 60], [4, 40]]), (0, 100)),
            # Samples of something else: none of them was of this.
            (numbers('samples/count', 'space/bytes', values=[[6, 0], [0, 40]]), (0, 40)),
            (numbers('cycles_sample/count', 'cycles_event/count', values=[[1, 50], [1, 50]]),
             (2, 100)),
            # Values below 0, as of differences, weigh nothing.
            (numbers('samples/count', values=[[6], [-4]]), (6, 6))]:
        if got != want:
            fail(f'n and weight: {got}, not {want}')
    difference = Profile('samples/count')
    difference.function(1, 'f')
    difference.location(1, (1, 0))
    difference.sample([1], [-4])
    difference.sample([1, 1], [6])
    for form, said in ('folded', 'in: 1 value is below 0: only pprof can hold that'), ('pprof', ''):
        err = run(difference.bytes(), '-f', form)[1]
        if said not in err or bool(said) != bool(err):
            fail(f'{form}: {err!r}, not {said!r}')


def check_same_again():
    """The tool sees no difference, and a second time there is none."""
    profile = usual(request='id-7')
    profile.parts[0] = profile.type(1, 'cpu-samples', 'count')  # a name that some readers dislike
    profile.location(50, (900, 6), address=0x42)  # no mapping
    profile.sample([50], [1, 10000000], **{'http.path': '/ä'})
    with open('first.pb', 'wb') as file:
        file.write(profile.bytes())
    run(profile.bytes(), '-o', 'second.pb.gz')
    with open('second.pb.gz', 'rb') as file:
        second = file.read()
    run(second, '-o', 'third.pb.gz')
    with open('third.pb.gz', 'rb') as file:
        if second != file.read():
            fail('another file the second time')
    text = gzip.decompress(second)
    for part in 'cpu-samples', 'said about it', '_Z5innerv', 'b1d', 'http.path':
        if part.encode() not in text:
            fail(f'{part} is lost')
    if not find_go():
        return
    one, two = raw('first.pb'), raw('second.pb.gz')
    one = ([line.replace('[dflt]', '') for line in one[0]], one[1])
    two = ([line.replace('[dflt]', '') for line in two[0]], two[1])
    if one != two:
        fail(f'first: {one}\nsecond: {two}')


def check_refusals():
    good = usual().bytes()
    for at in range(1, len(good), 7):
        out, err = subprocess.Popen(
            [PROFD, 'convert', '-', '-f', 'folded'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE).communicate(gzip.compress(good[:at]), timeout=HANG_S)
        if err.count(b'\n') > 1 or (out and err):
            fail(f'cut off at {at}: {err}')
    packed_good = gzip.compress(good)
    refused(packed_good[:-9], 'the end of the compressed data is missing')
    refused(packed_good[:-8] + b'1234' + packed_good[-4:], 'the compressed data is damaged')
    refused(packed_good + b'junk', 'the compressed data is damaged')
    refused(packed_good[:20], 'is missing')
    refused(b'\x1f\x8b\x08\x00', 'is missing')
    refused(gzip.compress(packed_good), 'compressed twice')
    refused(gzip.compress(b'a\0b' * 99), 'compressed, but no profile that can be read')
    refused(gzip.compress(b'a 1\n' * 9999)[:-9], 'the end of the compressed data is missing')
    refused(gzip.compress(b'a 1\n' * 9999 + b'a\n'), 'cannot read in:10000: no count')
    refused(gzip.compress(b''), 'nothing is in it')
    refused(gzip.compress(b'{"a": 1}'), 'JSON, but no profile of speedscope')
    refused(bytes(range(256)) * 40, 'not in a format that can be read: folded stacks, '
            'perf script, speedscope or pprof')
    refused(good + good, 'several profiles')

    def made(*types, function=1, location=1, line=1, mapping=0, more=b'', values=(1,), sample=1,
             texts=None):
        profile = Profile(*(types or ('samples/count',)))
        profile.mapping(1, '/bin/a')
        profile.function(function, 'f')
        profile.location(location, (line, 0), mapping=mapping)
        profile.sample([sample], values)
        profile.add(more)
        if texts is not None:
            return b''.join(profile.parts) + texts
        return profile.bytes()

    # What a file begins with must be right for it to be taken for one at all.
    later = number(12, 1) * 20
    folded(made(), 'f 1\n')
    # Stacks that could be messages, too.
    folded(b'2 _[i] _ 3\n', '2 _[i] _ 3\n')
    empty = Profile('samples/count')
    refused(made(more=data(3, number(1, 1))), 'mapping 2: its number, 1, is another one\'s')
    refused(made(more=data(5, number(1, 1))), 'function 2: its number, 1, is another one\'s')
    refused(made(more=data(4, number(1, 1))), 'location 2: its number, 1, is another one\'s')
    refused(made(more=data(3, b'')), 'mapping 2: it has no number')
    refused(made(function=0), 'function 1: it has no number')
    refused(made(location=0), 'location 1: it has no number')
    refused(made(line=2), 'location 1: it names function 2, which there is not')
    refused(made(mapping=9), 'location 1: it names mapping 9, which there is not')
    refused(made(sample=2), 'sample 1: it names location 2, which there is not')
    refused(made(sample=0), 'sample 1: it names location 0, which there is not')
    refused(made(sample=1 << 63), 'it names location 9223372036854775808, which there is not')
    refused(made(values=(1, 2)), 'sample 1: it has 2 values, and there are 1 types')
    refused(made(values=()), 'sample 1: it has 0 values, and there are 1 types')
    refused(made(values=range(100)), 'sample 1: it has 100 values')
    refused(made('a/b', 'a/b', values=(1, 2)), 'two sample types are the same')
    refused(made(*[f't{i}/u' for i in range(9)], values=range(9)), 'more than 8 sample types')
    refused(made(texts=b''), 'it names string')
    refused(made(more=later, texts=data(6, b'not empty')), 'the first of its strings is not empty')
    refused(made(more=data(5, number(1, 2) + number(2, 1 << 40))),
            'function 2: it names string 1099511627776, of ')
    refused(made(more=later + number(2, 1)), 'field 2 is stored in a way (0)')
    refused(made(more=later + data(9, b'x')), 'field 9 is stored in a way (2)')
    refused(made(more=data(2, varint(1 << 3 | 5) + bytes(4))), 'sample 2: field 1 is stored in a way (5)')
    refused(made(more=data(2, data(1, b'\x80'))), 'sample 2: it is cut off or damaged')
    refused(made(more=data(2, data(1, b'\xff' * 10 + b'\1'))), 'sample 2: it is cut off or damaged')
    refused(made(more=data(4, number(1, 2) + number(4, 1))), 'location 2: field 4 is stored')
    refused(made(more=varint(3 << 3 | 3)), 'it is cut off or damaged')  # a group
    refused(made(more=varint(1 << 3 | 2) + varint(1 << 62)), 'it is cut off or damaged')
    refused(made(more=data(4, number(1, 2) + 2000 * data(4, number(1, 1)))),
            'location 2: more than 1024 functions in one place')
    refused(made(more=data(2, 2000 * data(3, number(1, 1) + number(3, 1)))),
            'sample 2: more than 1024 labels')
    refused(empty.bytes(), 'it holds no stacks')
    refused(Profile().bytes() + data(2, number(2, 1)), 'it has no sample types')


def check_memory():
    """A GiB of zeros in a MiB; and what asks for more than it is."""
    bomb = gzip.compress(Profile('samples/count').bytes() + varint(6 << 3 | 2) + varint(3 << 30), 1)
    zeros = gzip.compress(bytes(64 << 20), 9)
    with open('in', 'wb') as file:
        file.write(bomb)
        for _ in range(48):
            file.write(zeros)
    # A sanitizer needs terabytes of addresses.
    limit = '' if os.environ.get('SANITIZED') else 'ulimit -v 3500000;'
    with subprocess.Popen(['sh', '-c', limit + ' exec "$0" convert in -f folded', PROFD],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        out, err = child.communicate(timeout=HANG_S)
    if out or err.count(b'\n') != 1 or b'larger than it may be' not in err or child.returncode != 1:
        fail(f'a bomb: {child.returncode} {out!r} {err!r}')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        check_ways_to_write()
        check_frames()
        check_depth()
        check_types()
        check_counts()
        check_same_again()
        check_refusals()
        check_memory()
        os.chdir('/')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

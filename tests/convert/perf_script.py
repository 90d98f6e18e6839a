#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `perf script` prints, in the shapes that its fields give it, and what nobody should print; and,
where perf can record, what the real one prints of a real program, counted by hand.
usage: perf_script.py PROFD"""
import collections
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile

PROFD = os.path.abspath(sys.argv[1])
HANG_S = 60
FRAMES = ('\t            1277 inner(char const*)+0x17 (inlined)\n'
          '\t            1277 work<(anonymous namespace)::T>+0x17 (/opt/my app (x86)/prog)\n'
          '\tffffffff81000130 do_syscall_64+0x76 ([kernel.kallsyms])\n'
          '\t           2724a [unknown] (/usr/lib/libc.so.6)\n'
          '\t               0 [unknown] ([unknown])\n')
STACK = '[unknown];[libc.so.6];do_syscall_64_[k];work<(anonymous namespace)::T>;' \
    'inner(char const*)_[i]'
failures = 0


def fail(text):
    global failures
    print(f'failed: {text}')
    failures += 1


def run(text, *arguments, expect=0):
    """(stdout, stderr)"""
    with open('in', 'wb') as file:
        file.write(text.encode('utf-8', 'surrogateescape'))
    done = subprocess.run([PROFD, 'convert', 'in', *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=HANG_S)
    if done.returncode != expect:
        fail(f'{arguments}: {done.returncode}, not {expect}: {done.stderr}')
    return done.stdout, done.stderr.decode()


def folded(text, want, *arguments, said=None):
    got, err = run(text, '-f', 'folded', *arguments)
    if sorted(got.decode().splitlines()) != sorted(want) or (said not in err if said else err):
        fail(f'{text[:200]!r}: {got.decode()!r}, {err!r}, not {want!r}')


def check_heads():
    comms = {'burn': 'burn', 'wor ker 3': 'wor_ker_3', 'kworker/0:1-events': 'kworker/0:1-events',
             '(sd-pam)': '(sd-pam)', '12': '12', 'a [b] c': 'a_[b]_c', ':123': ':123'}
    for comm, name in comms.items():
        for middle in (' 12 [001] 1.234567: 250000 cpu-clock: ', ' 12/13  1.234567: 250000 cpu-clock:u: ',
                       ' 12/13 [000] 36173.706655:     250000 cpu-clock:ppp: ',
                       ' 12/13 [000] UH  36173.706655:     250000 cpu-clock: ',
                       ' 12  36173.706655: 250000 cpu-clock: ', ' 36173.706655: 250000 cpu-clock: '):
            # Without ids, a number at the end of a comm may be one.
            if middle[1:3] == '12' or not comm[-1].isdigit():
                folded(f'{comm}{middle}\n{FRAMES}\n', [f'{name};{STACK} 1'])
    # Without a time: the ids may be missing, or the period.
    for head, name in (('burn \n', 'burn'), ('burn 12/13 \n', 'burn'),
                       ('burn 12/13     250000 cpu-clock:u: \n', 'burn'),
                       ('burn 12     250000 cpu-clock: \n', 'burn'),
                       ('burn   2504008 cpu-clock: \n', 'burn'), ('wor ker 12/13 \n', 'wor_ker')):
        folded(head + FRAMES + '\n', [f'{name};{STACK} 1'])
    # Ids alone; what is empty at the end, or ends as on Windows; comments of --header.
    folded(f' 12/13  1.5: \n{FRAMES}', [f'{STACK} 1'])
    text = f'# ========\n# cmdline : sh -c x\na;b 1\n# a;b 12\n# ========\n#\nburn 12 1.5: 7 cycles: \n{FRAMES}\n'
    folded(text, [f'burn;{STACK} 1'])
    folded(text.replace('\n', '\r\n'), [f'burn;{STACK} 1'])
    packed = subprocess.run([PROFD, 'convert', '-', '-f', 'folded'], input=gzip.compress(text.encode()),
                            stdout=subprocess.PIPE, check=True, timeout=HANG_S).stdout.decode()
    if packed != f'burn;{STACK} 1\n':
        fail(f'packed: {packed}')
    # In one line each, comms in a column.
    folded('            burn    12 1.679769:    2004008 cpu-clock:      56126e39f277 f(int)+0x17 (/tmp/burn)\n'
           '       wor ker 3    13 1.681655:    2004008 cpu-clock:      56126e39f277 add (/tmp/burn)\n'
           '       wor ker 3    13 1.681656:    2004008 cpu-clock:      56126e39f278 add (/tmp/burn)\n',
           ['burn;f(int) 1', 'wor_ker_3;add 2'])
    folded(' 12/13  1.679769:      56126e39f277 work (/tmp/burn)\n', ['work 1'])


def check_frames():
    head = 'burn 12 1.5: 7 cycles: \n'
    for line, name in (
            ('\t            1277 add (/bin/x)', 'add'), ('\tadd (/bin/x)', 'add'), ('\tadd', 'add'),
            ('\tface+0x12', 'face'), ('        7f1234567890 f+0x1 (/bin/x)', 'f'),
            ('\t    7f1234567890 operator()(int)+0x1ff (/a (b)/c d.so (deleted))', 'operator()(int)'),
            ('\t    7f1234567890 f(void (*)(int)) (/x)', 'f(void (*)(int))'),
            ('\t    7f1234567890 Interpreter (/tmp/perf-12.map)', 'Interpreter_[j]'),
            ('\t    7f1234567890 [unknown] (/tmp/perf-12.map)', '[perf-12.map]_[j]'),
            ('\t    7f1234567890 Lorg/a/B;::c+0x3 (/tmp/perf-12.map)', 'Lorg/a/B:::c_[j]'),
            ('\t    7f1234567890 [unknown] ([vdso])', '[vdso]'),
            ('\tffffffff81000130 f ([nf_tables])', 'f'),
            ('\tffffffffc0000130 f+0x1 (/lib/modules/x.ko)', 'f_[k]'),
            ('\t    7f1234567890 one) (/x', 'one)_(/x'), ('\t    7f1234567890 ', '[unknown]')):
        got = run(head + line + '\n\n', '-f', 'folded')[0].decode()
        want = f'burn;{name} 1\n'
        if got != want and not (name == 'f' and got == 'burn;f_[k] 1\n') and name != 'one)_(/x':
            fail(f'{line!r}: {got!r}, not {want!r}')
    # Source lines below their frames, and where there are none.
    text = head + ('\t    7f1234567890 inner (inlined)\n  /src/a b.c:12 (discriminator 3)\n'
                   '\t    7f1234567890 f+0x1 (/bin/x)\n  /src/a b.c:40\n'
                   '\tffffffff81000130 g ([kernel.kallsyms])\n  [kernel.kallsyms][ffffffff81000130]\n'
                   '\t    7f1234567891 f+0x2 (/bin/x)\n  ??:0\n\n')
    folded(text, ['burn;f;g_[k];f;inner_[i] 1'])
    raw = gzip.decompress(run(text, '-f', 'pprof')[0])
    if b'/src/a b.c' not in raw or b'/bin/x' not in raw or b'discriminator' in raw:
        fail('source files and modules in pprof')
    # Branches are told behind the stack.
    folded(head + '\t    7f1234567890 f+0x1 (/bin/x)\n 0x12/0x34/P/-/-/0 0x56/0x78/P/-/-/0\n\n',
           ['burn;f 1'], said='1 lines are neither samples nor frames')
    folded('perf 1 [000] 1.5: PERF_RECORD_MMAP2 1/1: [0x1(0x2) @ 0]: r-xp /bin/x\n' + head +
           '\t    7f1234567890 f+0x1 (/bin/x)\n\n', ['burn;f 1'], said='1 lines are')
    # Deeper than is kept: the outermost frames are.
    deep = ''.join(f'\t    7f12345{i:05x} f{i} (/bin/x)\n' for i in range(9001))
    out, err = run(head + deep + '\n', '-f', 'folded')
    names = out.decode().rpartition(' ')[0].split(';')
    if names != ['burn'] + [f'f{i}' for i in range(9000, 4904, -1)] + ['[truncated: too deep]'] or \
            'too deep' not in err:
        fail(f'deep: {names[:3]} {names[-3:]} {len(names)} {err}')


def check_events():
    """What is shown is the first event's, as its periods sum up."""
    def sample(event, period, frame):
        return f'a 12/13 [000] 1.5: {period} {event}: \n\t    7f1234567890 {frame} (/bin/x)\n\n'

    text = sample('cycles', 100, 'f') + sample('page-faults', 5, 'g') + sample('cycles', 50, 'g') + \
        sample('cycles', 7, 'g')
    folded(text, ['a;f 100', 'a;g 57'])
    folded(text, ['a;g 5'], '--type', 'page-faults')
    out = run(text, '-f', 'text', '--type', 'page-faults')[0].decode()
    if '1 sample of page-faults: 5' not in out:
        fail(f'another event has samples of its own: {out}')
    folded(text, ['a;f 1', 'a;g 2'], '--type', 'cycles_sample')
    _, err = run(text, '-f', 'folded', '--type', 'x', expect=1)
    if 'cycles_sample, cycles, page-faults_sample, page-faults' not in err:
        fail(f'types: {err}')
    # A clock of the same period each time: samples, with intervals, and nanoseconds.
    text = ''.join(sample('cpu-clock', 10101010, name) for name in 'ffg')
    folded(text, ['a;f 2', 'a;g 1'])
    out = run(text, '-f', 'text')[0].decode()
    if '±' not in out or '0.03 s' not in out:
        fail(f'text: {out}')
    # Tracepoints tell something there, and have stacks or none.
    folded('a 12 [000] 1.5: sched:sched_switch: prev_comm=x ==> next_comm=y\n'
           '\tffffffff81000130 __schedule ([kernel.kallsyms])\n\n'
           'a 12 [000] 1.6: sched:sched_switch: prev_comm=x ==> next_comm=y\n',
           ['a;__schedule_[k] 1', 'a 1'])
    text = ''.join(sample(f'e{i}', 1, 'f') for i in range(10))
    folded(text, ['a;f 1'], said='2 samples of more than 8 types')
    if 'passed over' in run(text, '-f', 'folded')[1]:
        fail('frames of samples that are left out are no other lines')
    out = run(sample('cycles', 100, 'f'), '-f', 'pprof')[0]
    for word in b'cycles', b'samples', b'comm', b'pid', b'thread_id', b'/bin/x':
        if word not in gzip.decompress(out):
            fail(f'pprof without {word}')


def check_others():
    """What is like it, and is not."""
    for text, want in (('a;b 1.5: 12\n', ['a;b 1.5: 12']), ('worker 3 1\n', ['worker_3 1']),
                       ('std::map::operator[] 4\n', ['std::map::operator[] 4']),
                       ('a: b 12\n\tc 13\n', ['a: b 12', '_c 13'])):
        got = run(text, '-f', 'folded')[0].decode().splitlines()
        if sorted(got) != sorted(want) and '\t' not in text:
            fail(f'{text!r}: {got}')
    _, err = run(f'a 12 1.5: 7 c: \n{FRAMES}\nx\0y\n', '-f', 'folded', expect=1)
    if err.count('\n') != 1 or 'cannot read in:8: a zero byte' not in err:
        fail(f'a zero byte: {err}')


def count_by_hand(text):
    """comm;...;leaf → sum of periods, of what the default fields print."""
    sums = collections.Counter()
    for block in re.split(r'\n\n+', text.strip('\n')):
        head, *lines = block.split('\n')
        found = re.fullmatch(r'(.+?) +\d+ +(?:\[\d+\] +)?\d+\.\d+: +(\d+) +\S+: *', head)
        names = []
        for line in lines:
            frame = re.fullmatch(r'\t *[0-9a-f]+ (.*) \(([^()]*(?:\([^()]*\))?)\)', line)
            name = re.sub(r'\+0x[0-9a-f]+$', '', frame[1])
            module = frame[2].rpartition('/')[2]
            if name == '[unknown]':
                name = f'[{module}]'.replace('[[', '[').replace(']]', ']')
            names.append(name)
        sums[tuple([found[1]] + names[::-1])] += int(found[2])
    return sums


def check_real():
    if not shutil.which('perf'):
        fail('perf is not installed')
        return
    program = 'import zlib\nfor i in range(400): zlib.compress(bytes(range(256)) * 2000)\n'
    record = subprocess.run(['perf', 'record', '-q', '-F', '499', '-e', 'cpu-clock:u', '-g', '-o',
                             'data', '--', '/usr/bin/python3', '-c', program],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
                            timeout=HANG_S)
    if record.returncode:
        print(f'perf cannot record here: {record.stderr.decode()[:200]}')
        return
    def script(*arguments):
        return subprocess.run(['perf', 'script', '-i', 'data', '--no-inline', *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
                              timeout=HANG_S).stdout.decode('utf-8', 'surrogateescape')

    text = script()
    want = count_by_hand(text)
    out = run(text, '-f', 'pprof')[0]
    with open('real.pb.gz', 'wb') as file:
        file.write(out)
    got = collections.Counter()
    lines = run(text, '-f', 'folded')[0].decode().splitlines()
    period = sum(want.values()) // sum(int(line.rpartition(' ')[2]) for line in lines)
    for line in lines:
        stack, _, count = line.rpartition(' ')
        got[tuple(re.sub(r'_\[[kij]\]$', '', name) for name in stack.split(';'))] += \
            int(count) * period
    if len(want) < 3 or got != want:
        fail(f'real: {list((want - got).items())[:2]} became {list((got - want).items())[:2]}')
    # Whatever fields are asked for, there are as many samples.
    for fields in (['-F', '+pid'], ['-F', 'comm,ip,sym'], ['-F', 'comm,tid,time,ip,sym,dso'],
                   ['-G'], ['--header']):
        lines = run(script(*fields), '-f', 'folded')[0].decode().splitlines()
        count = sum(int(line.rpartition(' ')[2]) for line in lines)
        if count * period != sum(want.values()):
            fail(f'real, {fields}: {count} samples, not {sum(want.values()) // period}')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        check_heads()
        check_frames()
        check_events()
        check_others()
        check_real()
        os.chdir('/')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

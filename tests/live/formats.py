#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every output is what its readers expect, with ordinary names and with hostile ones."""
import os
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree

from harness import (TARGETS, Recorder, Target, check, check_equal, folder, need, pprof, rate,
                     record, run)
from roots import parse

ALL = ('out.svg', 'out.pb.gz', 'out.folded', 'out.txt', 'out.collapsed', 'out.pprof', 'out.html',
       'out.speedscope.json', 'out.firefox.json', 'out.cpuprofile')


def read_text(recording, name):
    with open(recording.path(name), encoding='utf-8') as file:  # fails on what is not UTF-8
        return file.read()


def test_all_at_once():
    with Target('split') as target:
        recording = record('-p', target.pid, outputs=ALL)
    for name in ALL:
        check(os.path.getsize(recording.path(name)) > 100, f'{name} is empty')
    check_equal(read_text(recording, 'out.folded'), read_text(recording, 'out.collapsed'),
                'folded by its two names')
    with open(recording.path('out.pb.gz'), 'rb') as one, open(recording.path('out.pprof'),
                                                             'rb') as two:
        check_equal(one.read(), two.read(), 'pprof by its two names')
    leftovers = set(os.listdir(recording.folder)) - set(ALL) - {'summary.json'}
    check_equal(leftovers, set(), 'other files in the folder')

    svg = xml.etree.ElementTree.parse(recording.path('out.svg')).getroot()
    check_equal(svg.tag, '{http://www.w3.org/2000/svg}svg', 'root element')
    titles = ' '.join(node.text or '' for node in svg.iter('{http://www.w3.org/2000/svg}title'))
    for name in ('share_10', 'share_20', 'share_30', 'share_40', 'main', 'split'):
        check(name in titles, f'{name} has no title in the picture')
    text = read_text(recording, 'out.svg')
    # Names of XML namespaces look like addresses and are none.
    outside = re.findall(r'(?:href|src)\s*=\s*["\'](?!#)[^"\']*|@import|url\((?!#)[^)]*|fetch\(|'
                         r'XMLHttpRequest', text)
    check_equal(outside, [], 'references out of the picture')

    text = read_text(recording, 'out.txt')
    check(max(len(line) for line in text.splitlines()) <= 80, 'text is wider than 80 columns')
    for name in ('share_10', 'share_40'):
        check(name in text, f'{name} is not in the text')


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        words = file.read().rpartition(')')[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')


def test_cores_beside_shares():
    """Of whatever has a name, as of the whole machine: the kernel knows how much time it had."""
    path = shutil.copy(os.path.join(TARGETS, 'split'), os.path.join(folder(), 'split_cores'))
    with Target(path) as target:
        recorder = Recorder('--comm', 'split_cores', '-F', rate(499), outputs=('out.txt', 'out.svg'))
        recorder.wait_timers()
        before, began = cpu_seconds(target.pid), time.monotonic()
        time.sleep(3)
        used = (cpu_seconds(target.pid) - before) / (time.monotonic() - began)
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    text = read_text(recording, 'out.txt')
    cores = float(re.search(r'([0-9.]+) cores on average', text)[1])
    check(abs(cores - used) < 0.2 * used, f'{cores} cores, and {used:.2f} by the kernel\'s clock')
    table = dict((name, (float(share), float(own))) for share, own, name in re.findall(
        r'^ *([0-9.]+) % ±.{4} +([0-9.]+) +[0-9.]+ % .* (share_\d0) ', text, re.MULTILINE))
    check_equal(sorted(table), ['share_10', 'share_20', 'share_30', 'share_40'], text)
    for name, (share, own) in table.items():
        check(abs(own - cores * share / 100) < 0.011, f'{name}: {own} cores are {share} % of {cores}')
    check(f', {table["share_40"][1]:.2f} cores)' in read_text(recording, 'out.svg'), 'the picture')
    with Target('split') as target:
        recording = record('-p', target.pid, seconds=0.5, outputs=('out.txt', 'out.svg'))
    for name in ('out.txt', 'out.svg'):
        check(' cores' not in read_text(recording, name).partition('<script')[0], f'{name} of one process')


def test_pprof_tool():
    with Target('split') as target:
        recording = record('-p', target.pid, outputs=('out.pb.gz', 'out.folded'))
    top = pprof(recording, '-top', '-cum', '-nodecount=20')
    check('share_40' in top and 'Type: cpu' in top, top)
    order = [line.split()[-1] for line in top.splitlines() if re.search(r'\bshare_\d0$', line)]
    check_equal(order, ['share_40', 'share_30', 'share_20', 'share_10'], 'order of the functions')
    traces = pprof(recording, '-traces')
    for name in ('share_10', 'main', '_start'):
        check(re.search(r'\b' + name + r'\b', traces), f'{name} is not in -traces')
    raw = pprof(recording, '-raw')
    check('samples/count' in raw and 'cpu/nanoseconds' in raw, raw[:400])
    # Its total is the summary's, and the folded file's (by whichever value that one counts).
    rows = re.findall(r'^ +(\d+) +(\d+): [\d ]+$', raw, re.MULTILINE)
    samples, cpu = (sum(int(row[i]) for row in rows) for i in (0, 1))
    check_equal(samples, recording.summary['samples'], 'samples in pprof')
    check(sum(weight for _, weight in recording.stacks) in (samples, cpu), 'folded has another sum')
    base = recording.path('out.pb.gz')
    pprof(recording, '-top', '-diff_base', base)


def test_pprof_labels():
    with Target('threads', 3) as target:
        recording = record('-p', target.pid, outputs=('out.pb.gz',))
    raw = pprof(recording, '-raw')
    check(re.search(r'pid:\[?' + str(target.pid), raw), f'no pid label: {raw[:600]}')


def test_folded_is_what_flamegraph_pl_reads():
    with Target('threads', 3) as target:
        for more in ((), ('-t',)):
            recording = record('-p', target.pid, *more)
            for line in read_text(recording, 'out.folded').splitlines():
                check(re.fullmatch(r'[^;]+(;[^;]+)* \d+', line), f'not folded: {line!r}')
                check(not re.search(r' [\d.]+ \d+$', line), f'read as two columns: {line!r}')


def hostile():
    """The hostile target, its functions renamed to match its name."""
    path = os.path.join(folder(), 'hostile')
    subprocess.run([need('objcopy'),
                    '--redefine-sym', 'hostile_leaf=leaf;<script>alert("1")</script>]]>\x1b[31m',
                    '--redefine-sym', 'hostile_outer=outer\n&amp;\'" 12',
                    os.path.join(TARGETS, 'hostile'), path], check=True)
    return path


def test_hostile_names():
    program = hostile()
    for comm in ('a;b\n\x1b[3<&\">\x7f 7', '</title><x y=', '] ] ]]> 3', ' ', '-- -o x'):
        with Target(program, 0, comm) as target:
            recording = record('-p', target.pid, '-t', seconds=1,
                               outputs=('out.svg', 'out.pb.gz', 'out.folded', 'out.txt'))
        for name in ('out.svg', 'out.folded', 'out.txt', 'summary.json'):
            text = read_text(recording, name)
            bad = [c for c in text if ord(c) < 32 and c != '\n' and c != '\t' or c == '\x7f']
            check(not bad, f'{comm!r}: control characters {bad[:5]} in {name}')
        svg = xml.etree.ElementTree.parse(recording.path('out.svg')).getroot()
        scripts = list(svg.iter('{http://www.w3.org/2000/svg}script'))
        check(len(scripts) <= 2, f'{comm!r}: {len(scripts)} scripts')
        check('alert("1")</script>' not in read_text(recording, 'out.svg'), 'a name became markup')
        for frames, _ in parse(recording.path('out.folded')):
            check(len(frames) >= 3, f'{comm!r}: {frames}')
        check('hostile_leaf' not in ' '.join(recording.functions()), 'renaming had no effect')
        pprof(recording, '-top')
        check('\x1b' not in recording.stderr, f'{comm!r}: an escape reached the terminal')


def test_stdout():
    """-o - writes the format that -f names, and nothing else, to stdout."""
    with Target('split') as target:
        for name, begin in (('folded', b'split;'), ('raw', b'split;'), ('collapsed', b'split;'),
                            ('flamegraph', b'<'), ('svg', b'<'), ('pprof', b'\x1f\x8b')):
            recording = record('-p', target.pid, '-f', name, seconds=1, outputs=('-',))
            check(recording.stdout.startswith(begin), f'-f {name}: {recording.stdout[:60]!r}')
    with Target('split') as target:
        recording = record('-p', target.pid, '-f', 'text', seconds=1, outputs=('-',))
    check(b'share_40' in recording.stdout, f'-f text: {recording.stdout[:300]!r}')


def test_default_name():
    """Without -o an SVG named after process, pid and date; never over an existing file."""
    own = folder()
    with Target('split') as target:
        for _ in range(2):
            record('-p', target.pid, seconds=1, outputs=(), cwd=own)
    names = os.listdir(own)
    check_equal(len(names), 2, f'files {names}')
    for name in names:
        check(re.fullmatch(rf'profd-split-{target.pid}-[A-Za-z0-9._-]+\.svg', name), name)
        xml.etree.ElementTree.parse(os.path.join(own, name))


def test_leaves_agree_with_perf():
    """perf names the same functions (where it can), from the same program."""
    perf = need('perf')
    with Target('split') as target:
        recording = record('-p', target.pid, '--no-inline')
        data = recording.path('perf.data')
        subprocess.run([perf, 'record', '-q', '-e', 'cpu-clock', '-F', '997', '-o', data, '-p',
                        str(target.pid), '--', 'sleep', '2'], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        script = subprocess.run([perf, 'script', '-i', data, '-F', 'ip,sym', '--no-inline'],
                                check=True, capture_output=True).stdout.decode()
    leaves = [line.split()[-1] for line in script.splitlines() if line.strip()]
    check(leaves, 'perf has no samples')
    for name in ('share_10', 'share_20', 'share_30', 'share_40'):
        theirs = leaves.count(name) / len(leaves)
        ours = recording.share(lambda frames: frames[-1] == name)
        print(f'    {name}: {100 * ours:.1f} %, perf {100 * theirs:.1f} %')
        check(abs(theirs - ours) < 0.06, f'{name}: {ours} and {theirs}')


if __name__ == '__main__':
    run(globals())

# SPDX-License-Identifier: Apache-2.0
"""The profilers that are compared: how each is started, what it writes, how its file is judged.

One row of PEERS each. judge(path) gives (samples, samples that reach a root), by the same measure
for all: the outermost frame lies in a function where a program or a thread begins, as the ELF
files say (tests/live/elf.py), whatever the profiler calls it.
"""
import bisect
import gzip
import json
import os
import re
import subprocess
import sys
from functools import lru_cache

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'live'))
from elf import PT_LOAD, Elf  # noqa: E402
from harness import PROFD, TARGETS  # noqa: E402
from roots import GO, KERNEL_THREAD, PROGRAM, THREAD, Roots, parse  # noqa: E402

ROOTS = PROGRAM | THREAD | GO | KERNEL_THREAD


@lru_cache(maxsize=None)
def elf_of(path):
    try:
        return Elf(path)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=None)
def begins_at(path, address):
    """Whether the ELF address lies in a function where stacks begin."""
    elf = elf_of(path)
    if not elf:
        return False
    if elf.names_at(address) & ROOTS:
        return True
    start = elf.function_start(address)
    return start is not None and (start == elf.function_start(elf.entry) or
                                  start in elf.thread_starts())


def elf_address(path, in_file):
    elf = elf_of(path)
    for kind, _, offset, start, _, size, _, _ in elf.segments if elf else ():
        if kind == PT_LOAD and offset <= in_file < offset + size:
            return start + in_file - offset
    return None


def judge_folded(path):
    roots = Roots((TARGETS,))
    total, reached, _, _ = roots.count(parse(path))
    with open(os.path.join(os.path.dirname(path), 'summary.json'), encoding='utf-8') as file:
        samples = json.load(file)['samples']
    return samples, samples * reached / total if total else 0


MMAP = re.compile(r'PERF_RECORD_MMAP2 -?\d+/-?\d+: \[0x([0-9a-f]+)\(0x([0-9a-f]+)\) @ '
                  r'(?:0x)?([0-9a-f]+) .*\]: (\S+) (.+)$')
FRAME = re.compile(r'^\s+([0-9a-f]+) (.*) \((.*)\)$')


def judge_perf(path):
    """The last line of each stack of perf script; addresses by the mappings in the file."""
    script = subprocess.Popen(['perf', 'script', '-i', path, '--no-inline', '--max-stack', '1100',
                               '--show-mmap-events', '-F', 'comm,ip,sym,dso'],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    maps, samples, reached, last = {}, 0, 0, None

    def is_root(line):
        address, name, module = line
        if re.sub(r'\+0x[0-9a-f]+$', '', name) in ROOTS:
            return True
        if begins_at(module, int(address, 16) - 1):
            return True  # perf prints an offset in the file's own addresses for some stacks
        where = maps.get(module, [])
        place = bisect.bisect_right(where, (int(address, 16), 1 << 64, 0)) - 1
        if place < 0:
            return False
        start, size, offset = where[place]
        # perf's callers are return addresses.
        in_file = int(address, 16) - 1 - start + offset
        found = elf_address(module, in_file)
        return found is not None and int(address, 16) < start + size and begins_at(module, found)

    for raw in script.stdout:
        line = raw.decode('utf-8', 'replace').rstrip('\n')
        mapping = MMAP.search(line)
        frame = FRAME.match(line)
        if mapping:
            start, size, offset = (int(mapping[i], 16) for i in (1, 2, 3))
            if 'x' in mapping[4]:
                bisect.insort(maps.setdefault(mapping[5], []), (start, size, offset))
        elif frame:
            last = (frame[1], frame[2], frame[3])
        elif not line and last:
            samples += 1
            reached += is_root(last)
            last = None
    script.wait()
    return samples, reached


def judge_samply(path):
    """Firefox's processed profile: threads with samples, stackTable, frameTable, funcTable."""
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as file:
        profile = json.load(file)
    libraries = profile.get('libs', [])
    samples = reached = 0
    for thread in profile['threads']:
        tables = thread if 'stackTable' in thread else profile['shared']
        prefix, frames = tables['stackTable']['prefix'], tables['stackTable']['frame']
        functions, addresses = tables['frameTable']['func'], tables['frameTable']['address']
        resources, owners = tables['funcTable']['resource'], tables['resourceTable']['lib']
        roots = {}

        def root_of(stack):
            while prefix[stack] is not None:
                stack = prefix[stack]
            return frames[stack]

        def is_root(frame):
            resource = resources[functions[frame]]
            library = owners[resource] if resource is not None and resource >= 0 else None
            if library is None or addresses[frame] is None or addresses[frame] < 0:
                return False
            module = libraries[library]['path']
            elf = elf_of(module)
            if not elf:
                return False
            base = min((part[3] for part in elf.segments if part[0] == PT_LOAD), default=0)
            return begins_at(module, base + addresses[frame])

        weights = thread['samples'].get('weight') or [1] * len(thread['samples']['stack'])
        for stack, weight in zip(thread['samples']['stack'], weights):
            if stack is None:
                continue
            frame = root_of(stack)
            if frame not in roots:
                roots[frame] = is_root(frame)
            samples += weight
            reached += weight * roots[frame]
    return samples, reached


class Peer:
    def __init__(self, name, program, arguments, output, judge, finish=None, end='own format'):
        self.name, self.program, self.arguments = name, program, arguments
        self.output, self.judge, self.finish, self.end = output, judge, finish, end

    def argv(self, folder, hz, pid=None, command=None):
        words = [self.program] + [word.format(hz=hz, dir=folder) for word in self.arguments]
        return words + (['-p', str(pid)] if pid else ['--'] + command)

    def result(self, folder):
        return os.path.join(folder, self.output)


def peers(samply):
    """The rows; samply's is left out where there is none."""
    rows = [
        Peer('profd', PROFD,
             ['record', '-q', '-F', '{hz}', '-o', '{dir}/out.svg', '-o', '{dir}/out.folded',
              '--summary', '{dir}/summary.json'], 'out.folded', judge_folded, end='SVG'),
        Peer('perf fp', 'perf',
             ['record', '-q', '-e', 'cpu-clock', '-F', '{hz}', '--call-graph', 'fp', '-o',
              '{dir}/perf.data'], 'perf.data', judge_perf, ['perf', 'script', '-i', '{dir}/perf.data'],
             end='text of perf script'),
        Peer('perf dwarf', 'perf',
             ['record', '-q', '-e', 'cpu-clock', '-F', '{hz}', '--call-graph', 'dwarf', '-o',
              '{dir}/perf.data'], 'perf.data', judge_perf, ['perf', 'script', '-i', '{dir}/perf.data'],
             end='text of perf script'),
    ]
    if samply:
        rows.append(Peer('samply', samply,
                         ['record', '--save-only', '--rate', '{hz}', '-o', '{dir}/out.json.gz'],
                         'out.json.gz', judge_samply, end='JSON without names'))
    return rows

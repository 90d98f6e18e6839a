#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`profd report --annotate`: costs beside the instructions of a program whose code objdump tells, too.
usage: annotate.py PROFD"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import harness
from harness import as_json, fail, report, same

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'convert'))
from pprof_bytes import Profile  # noqa: E402

SOURCE = """
#include <stdint.h>
#include <stdlib.h>
static inline __attribute__((always_inline)) uint64_t tiny(uint64_t x)
{
	return x * 6364136223846793005ULL + (x >> 7); /* tiny */
}
__attribute__((noinline)) uint64_t work(uint64_t x, int n)
{
	while (n--)
		x = tiny(x) ^ n; /* loop */
	return x;
}
int main(int argc, char **argv)
{
	void *p = malloc(argc);
	uint64_t x = work((uintptr_t)p, argc); /* call */
	(void)argv;
	return (int)x;
}
"""
BIAS = 0x7f1234560000


def tool(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def build(name, *flags):
    with open('prog.c', 'w', encoding='ascii') as file:
        file.write(SOURCE)
    tool('gcc', '-O2', '-g', '-fpie', '-pie', '-Wl,--build-id', *flags, '-o', name, 'prog.c')


class Program:
    """What binutils tell of it."""
    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.build_id = re.search(r'Build ID: (\w+)', tool('readelf', '-n', path))[1]
        load = next(line.split() for line in tool('readelf', '-lW', path).splitlines()
                    if line.split()[:1] == ['LOAD'] and ' R E ' in line)
        self.offset, self.address, self.size = (int(load[i], 16) for i in (1, 2, 4))
        self.code = {}
        function = None
        for line in tool('objdump', '-dw', '--no-show-raw-insn', path).splitlines():
            head = re.match(r'^([0-9a-f]+) <(.+)>:$', line)
            row = re.match(r'^ +([0-9a-f]+):\t(.*)$', line)
            if head:
                function = self.code.setdefault(head[2], [])
            elif row:
                function.append((int(row[1], 16), row[2].strip()))

    def profile(self, samples, build_id=None, gone=0):
        """samples: ([addresses, leaf first], count); gone: samples of a program that is not there"""
        made = Profile('samples/count', 'cpu/nanoseconds')
        page = self.address & ~0xfff
        made.mapping(1, self.path, BIAS + page, BIAS + self.address + self.size,
                     self.offset & ~0xfff, self.build_id if build_id is None else build_id,
                     flags=(7, 8, 9))
        made.function(1, 'work', file='prog.c')
        made.function(2, 'main', file='prog.c')
        made.function(3, 'tiny', file='prog.c')
        numbers = {}
        for stack, _ in samples:
            for address in stack:
                if address in numbers:
                    continue
                numbers[address] = len(numbers) + 1
                inside = [name for name, code in self.code.items()
                          if code and code[0][0] <= address <= code[-1][0]][0]
                lines = [(3, 6), (1, 11)] if inside == 'work' else [(2, 17)]
                made.location(numbers[address], *lines, mapping=1, address=BIAS + address)
        for stack, count in samples:
            made.sample([numbers[address] for address in stack], [count, count * 10000000])
        if gone:
            made.mapping(2, '/nowhere/gone', 0x10000, 0x20000)
            made.location(len(numbers) + 1, (1, 11), mapping=2, address=0x10010)
            made.sample([len(numbers) + 1], [gone, gone * 10000000])
        return made.bytes()


def save(content):
    with open('in.pb', 'wb') as file:
        file.write(content)


def annotated(*arguments):
    return as_json('in.pb', '--type', 'samples', '--annotate', *arguments)


def check_costs(program):
    work, main_ = program.code['work'], program.code['main']
    call = next(i for i, row in enumerate(main_) if 'call' in row[1] and '<work>' in row[1])
    # Callers are told by an address within their call, one byte before its end.
    caller = main_[call + 1][0] - 1
    inner = [address for address, _ in work[2:5]]
    save(program.profile([([inner[0], caller], 5), ([inner[1], caller], 7), ([inner[2], caller], 11),
                          ([main_[0][0]], 2)]))
    found = annotated('work')['functions']
    same([(f['name'], f['start'], f['self']['weight'], f['total']['weight']) for f in found],
         [('work', work[0][0], 23, 23)], 'the function')
    rows = found[0]['instructions']
    addresses = [row['address'] for row in rows]
    same(addresses, [address for address, _ in work][:len(addresses)], 'addresses')
    same({row['address']: (row['self']['weight'], row['total']['weight'])
          for row in rows if 'self' in row}, dict(zip(inner, [(5, 5), (7, 7), (11, 11)])), 'costs')
    for row, (_, text) in zip(rows, work):
        # Names differ (jz, je), and so does the length of some; what is told is the same.
        same(row['text'].split()[0][:1], text.split()[0][:1], f'instruction at {row["address"]:x}')
    if not {row.get('line') for row in rows} >= {6, 10, 11}:
        fail(f'lines: {rows}')
    found = annotated('main')['functions'][0]
    same({row['address']: (row['self']['weight'], row['total']['weight'])
          for row in found['instructions'] if 'total' in row},
         {main_[0][0]: (2, 2), main_[call][0]: (0, 23)}, 'the call')
    calls = [row['text'] for row in found['instructions'] if row['text'].startswith('call')]
    if not any('<work>' in text for text in calls) or not any('malloc' in text for text in calls):
        fail(f'calls without names: {calls}')
    # What was inlined is shown where it became code.
    same(annotated('tiny')['functions'][0]['name'], 'work', 'inlined')
    text = report('in.pb', '--annotate', 'work')
    for want in rf'^ 20\.0 % .* {inner[0]:x}: ', r'^ {30}prog.c:6  return x \* 63', \
            rf'^ 28\.0 % .* {inner[1]:x}: ':
        if not re.search(want, text, re.MULTILINE):
            fail(f'no {want} in {text}')


def check_refusals(program):
    stack = [([program.code['work'][2][0]], 3)]
    save(program.profile(stack))
    build('other', '-O1', '-DOTHER', '-fno-omit-frame-pointer')
    report('in.pb', '--annotate', 'work', '--binary', 'other', expect=1, said='another build')
    shutil.copy('prog', 'copy')
    found = annotated('work', '--binary', 'copy')['functions'][0]
    same((found['self']['weight'], found['is_same_build']), (3, True), '--binary')
    os.rename('prog', 'gone')
    report('in.pb', '--annotate', 'work', expect=1, said='there is no such file; --binary')
    os.mkfifo('prog')
    report('in.pb', '--annotate', 'work', expect=1, said='it is no regular file')
    os.unlink('prog')
    with open('gone', 'rb') as file:
        content = file.read()
    for cut in content[:100], b'\x7fELF' + bytes(60), b'text', b'', content[:4096]:
        with open('prog', 'wb') as file:
            file.write(cut)
        report('in.pb', '--annotate', 'work', expect=1, said='cannot read the instructions')
    os.unlink('prog')
    os.rename('gone', 'prog')
    with open('copy', 'r+b') as file: # e_machine: AArch64
        file.seek(18)
        file.write(b'\xb7\0')
    report('in.pb', '--annotate', 'work', '--binary', 'copy', expect=1, said='no decoder for its code')
    shutil.copy('prog', 'copy')
    # No build ID: nothing to compare.
    save(program.profile(stack, build_id=''))
    found = annotated('work', '--binary', 'copy')['functions']
    same([function['is_same_build'] for function in found], [False], 'without a build ID')
    if 'No build ID tells' not in report('in.pb', '--annotate', 'work', '--binary', 'copy'):
        fail('nobody is told that there is no build ID')
    # What can be shown is, though something heavier cannot.
    save(program.profile(stack, gone=90))
    found = annotated('work')
    same((len(found['functions']), found['has_more']), (1, True), 'one of two programs')
    if '/nowhere/gone: there is no such file' not in report('in.pb', '--annotate', 'work'):
        fail('nobody is told why a function is not shown')
    report('-', '--annotate', 'a', stdin=b'a;b 1\n', expect=1, said='it is no file')
    report('in.pb', '--annotate', 'nosuch', expect=1, said="no function is called 'nosuch'")


def check_stripped(program):
    """Symbols are gone, and come from the debug file, or else the exception tables tell where it ends."""
    tool('objcopy', '--only-keep-debug', 'prog', 'prog.debug')
    tool('strip', 'prog')
    save(program.profile([([program.code['work'][2][0]], 3)]))
    found = annotated('work')['functions'][0]
    same((found['name'], found['start'], len(found['instructions']) > 4),
         (None, program.code['work'][0][0], True), 'stripped')
    tool('objcopy', '--add-gnu-debuglink=prog.debug', 'prog')
    same(annotated('work')['functions'][0]['name'], 'work', 'named by the debug file')


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        build('prog')
        program = Program('prog')
        check_costs(program)
        check_refusals(program)
        check_stripped(program)
        os.chdir('/')
    return 1 if harness.failures else 0


if __name__ == '__main__':
    sys.exit(main())

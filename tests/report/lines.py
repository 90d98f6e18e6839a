#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`profd report --lines`: costs beside the source, wherever that is, or is not, and whatever it holds.
usage: lines.py PROFD"""
import os
import re
import sys
import tempfile

import harness
from harness import as_json, fail, report, same

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'convert'))
from pprof_bytes import Profile, number  # noqa: E402

RECORDED_NS = 1_700_000_000_000_000_000
BEFORE_S, AFTER_S = RECORDED_NS / 1e9 - 100, RECORDED_NS / 1e9 + 100
SOURCE = 'one\n\n\n' + ''.join(f'\tline {n} of work;\n' for n in range(4, 41))


def profile(path):
    """work, from line 5 on: 10 samples in line 7 itself, 20 below line 9 of which it called itself, 5
    in line 30, 2 where the line is not known, 1 behind the end of the file; main calls it."""
    made = Profile('samples/count', 'cpu/nanoseconds')
    made.mapping(1, '/usr/bin/prog', 0x1000, 0x9000, flags=(7, 8, 9))
    made.function(1, 'work', file=path, line=5)
    made.function(2, 'main', file='/nosuch/main.c', line=1)
    made.function(3, 'leaf', file=path, line=38)
    for id_, line in enumerate((7, 9, 30, 0, 99), 1):
        made.location(id_, (1, line), mapping=1, address=0x1000 + id_)
    made.location(6, (2, 3), mapping=1, address=0x1100)
    # leaf, inlined into work's line 9.
    made.location(7, (3, 38), (1, 9), mapping=1, address=0x1200)
    for stack, count in ([1, 6], 10), ([7, 2, 6], 20), ([3, 6], 5), ([4, 6], 2), ([5, 6], 1):
        made.sample(stack, [count, count * 10000000])
    made.add(number(9, RECORDED_NS) + number(10, 10_000_000_000))
    return made.bytes()


def write(path, text, changed_s=BEFORE_S):
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    os.utime(path, (changed_s, changed_s))


def save(recorded):
    with open('in.pb', 'wb') as file:
        file.write(profile(recorded))


def check_figures():
    write('src/work.c', SOURCE)
    save(os.path.abspath('src/work.c'))
    work = as_json('in.pb', '--type', 'samples', '--lines', 'work')['functions'][0]
    # 38 samples; recursion counts once.
    same({line.get('line'): (line['self']['weight'], line['total']['weight'])
          for line in work['lines']},
         {None: (2, 2), 7: (10, 10), 9: (0, 20), 30: (5, 5), 99: (1, 1)}, 'lines of work')
    same((work['self']['weight'], work['total']['weight']), (18, 38), 'work')
    same({line.get('line'): line['text'] for line in work['lines']}[7], '        line 7 of work;', 'text')
    leaf = as_json('in.pb', '--type', 'samples', '--lines', 'leaf')['functions'][0]
    same([(line['line'], line['self']['weight']) for line in leaf['lines']], [(38, 20)], 'inlined')
    text = report('in.pb', '--lines', 'work')
    rows = re.findall(r'^(.*)  ( +\d+)  +(line \d+ of work;)$', text, re.MULTILINE)
    shown = [int(number_) for _, number_, _ in rows]
    same(shown, list(range(5, 13)) + list(range(27, 34)), 'what is shown around')
    for figures, number_, line in rows:
        same(line, f'line {int(number_)} of work;', 'beside the right line')
        same(bool(figures.strip()), int(number_) in (7, 9, 30), f'figures of line {number_}')
    for want in '⋮', '(behind the end of the file)', '(the line is not known)', ' 26.3 % ±':
        if want not in text:
            fail(f'no {want}: {text}')
    if 'changed after' in text:
        fail('older than the recording, and said to be newer')
    same(len(as_json('in.pb', '--type', 'samples', '--lines', 'work|main')['functions']), 2, 'two functions')


def found(*arguments):
    work = as_json('in.pb', '--type', 'samples', '--lines', 'work', *arguments)['functions'][0]
    return work['source'] and os.path.relpath(work['source'])


def check_places():
    save('/build/host/project/src/work.c')
    same(found(), None, 'not there')
    if 'The source was not found: --source-path' not in report('in.pb', '--lines', 'work'):
        fail('does not say that the source is missing')
    if '30' not in report('in.pb', '--lines', 'work'):
        fail('no lines without the source')
    same(found('--trim-path', '/build/host/project'), 'src/work.c', 'trimmed, below this folder')
    same(found('--trim-path', '/nosuch:/build/host/project/'), 'src/work.c', 'the second of two')
    same(found('--trim-path', '/build/host/proj'), None, 'half of a name')
    write('elsewhere/project/src/work.c', SOURCE)
    same(found('--source-path', '/nosuch:elsewhere/project'), 'elsewhere/project/src/work.c',
         'what follows the folder\'s name')
    same(found('--trim-path', '/build/host', '--source-path', 'elsewhere'),
         'elsewhere/project/src/work.c', 'below another folder')
    save('src/work.c')
    same(found(), 'src/work.c', 'relative')
    os.makedirs('deep/er', exist_ok=True)
    same(found('--source-path', 'deep/er'), 'src/work.c', 'in a folder above')


def check_oddities():
    save('src/work.c')
    write('src/work.c', SOURCE, AFTER_S)
    if 'changed after the recording' not in report('in.pb', '--lines', 'work'):
        fail('newer, and nothing said')
    same(as_json('in.pb', '--type', 'samples', '--lines', 'work')['functions'][0]['source_is_newer'], True, 'newer')
    write('src/work.c', 'a\n' * 6 + '\x1b[31mred\x00\u202ered\r\n' + 'b' * 100000)
    text = report('in.pb', '--lines', 'work')
    if '\x1b' in text or '\u202e' in text or r'\x1b[31mred' not in text or '\0' in text:
        fail(f'not clean: {text}')
    os.unlink('src/work.c')
    for make in os.mkfifo, os.mkdir:
        make('src/work.c')
        same(found(), None, f'{make.__name__} is no source')
        (os.rmdir if make == os.mkdir else os.unlink)('src/work.c')
    os.symlink('/dev/zero', 'src/work.c')
    same(found(), None, 'a device is no source')
    os.unlink('src/work.c')
    with open('src/work.c', 'wb') as file:
        file.truncate(1 << 40)
    if 'is too large' not in report('in.pb', '--lines', 'work'):
        fail('a terabyte of source')
    os.unlink('src/work.c')
    save('')
    if 'does not say where its source is' not in report('in.pb', '--lines', 'work'):
        fail('no file, and nothing said')
    report('in.pb', '--lines', 'nosuch', expect=1, said="no function is called 'nosuch'")


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        check_figures()
        check_places()
        check_oddities()
        os.chdir('/')
    return 1 if harness.failures else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Functions, inlined ones and lines at random addresses, as profd and two others read them.

One program is built in all the ways that compilers and linkers write DWARF. At each address profd has
to say what addr2line or llvm-addr2line says: they have holes of their own (supplementary files, split
units), so that one of them is enough. Explained, and counted apart, are only these differences:

  alias    the outermost function has several symbols at its address, or one for each of its parts
           ("main.cold"), and each tool takes another one
  no unit  the code has no DWARF (crt1.o): others take a file name from the symbol table

usage: agreement.py FRAMES [--addresses N] [--both] [--programs | FILE[:DEBUG_FILE]...]
--both: also says how often each tool agrees. --programs: large ones of every origin, and FILEs, instead of
the one that is built in many ways.
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

from programs import PROGRAMS

SOURCE = r'''
#include <algorithm>
#include <map>
#include <string>
#include <vector>

struct item { std::string name; int value; };

static inline int weigh(const std::vector<item> &items)
{
	int all = 0;

	for (const item &i : items)
		all += i.value * (int)i.name.size();
	return all;
}

int main(int count, char **names)
{
	std::vector<item> items;
	std::map<std::string, int> sums;

	for (int i = 0; i < count * 1000; i++) {
		items.push_back({ std::to_string(i) + names[0], i });
		sums[std::to_string(i % 97)] += i;
	}
	std::sort(items.begin(), items.end(),
		  [](const item &a, const item &b) { return a.name < b.name; });
	return weigh(items) + (int)sums.size();
}
'''

def pack(tool):
    """A package in place of the .dwo files."""
    return ['sh', '-c', f'{tool} -e program -o program.dwp && rm -- *.dwo']


# (label, how to compile and link, what to do then, what others are asked for instead of it)
WAYS = [
    ('gcc 5', ['g++', '-O2', '-g']),
    ('gcc 4', ['g++', '-O2', '-gdwarf-4']),
    ('gcc 3', ['g++', '-O2', '-gdwarf-3']),
    ('gcc 5 type units', ['g++', '-O2', '-g', '-fdebug-types-section']),
    ('gcc 5 compressed', ['g++', '-O2', '-g', '-gz']),
    ('gcc 5 zstd', ['g++', '-O2', '-g'],
     ['objcopy', '--compress-debug-sections=zstd', 'plain', 'program'], 'plain'),
    ('gcc 5 .zdebug', ['g++', '-O2', '-g', '-gz=zlib-gnu']),
    ('gcc 5 LTO', ['g++', '-O2', '-g', '-flto=1']),
    ('gcc 4 split', ['g++', '-O2', '-gdwarf-4', '-gsplit-dwarf']),
    ('gcc 5 sections', ['g++', '-O2', '-g', '-ffunction-sections', '-Wl,--gc-sections']),
    ('clang 5', ['clang++', '-O2', '-g']),
    ('clang 4', ['clang++', '-O2', '-gdwarf-4']),
    ('clang 5 lines only', ['clang++', '-O2', '-gline-tables-only']),
    ('clang 5 split', ['clang++', '-O2', '-g', '-gsplit-dwarf']),
    ('gcc 4 dwp', ['g++', '-O2', '-gdwarf-4', '-gsplit-dwarf'], pack('dwp')),
    ('gcc 5 dwp', ['g++', '-O2', '-g', '-gsplit-dwarf'], pack('llvm-dwp')),
    ('gcc 5 dwp of types', ['g++', '-O2', '-g', '-gsplit-dwarf', '-fdebug-types-section'],
     pack('llvm-dwp')),
    ('clang 5 dwp', ['clang++', '-O2', '-g', '-gsplit-dwarf'], pack('llvm-dwp')),
    ('clang 4 dwp', ['clang++', '-O2', '-gdwarf-4', '-gsplit-dwarf'], pack('dwp')),
]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors='replace', **options)


def code_sections(path):
    found = []
    for line in run(['readelf', '-SW', path]).stdout.splitlines():
        match = re.match(r'\s*\[\s*\d+\]\s+\.text\S*\s+PROGBITS\s+(\S+)\s+\S+\s+(\S+)', line)
        if match:
            found.append((int(match[1], 16), int(match[2], 16)))
    return found


def symbols_of(*paths):
    """Name → the addresses at which it is a symbol."""
    places = {}
    for path in paths:
        for options in ([], ['-D']):
            for line in run(['nm', *options, path]).stdout.splitlines():
                words = line.split()
                if len(words) == 3:
                    places.setdefault(words[2].split('@')[0], set()).add(int(words[0], 16))
    return places


def parse(text):
    """address → [(function, 'file:line'), ...]"""
    answers, frames, lines = {}, None, iter(text.splitlines())
    for line in lines:
        if re.fullmatch(r'0x[0-9a-f]+', line):
            frames = answers.setdefault(int(line, 16), [])
        else:
            place = re.sub(r' \(discriminator \d+\)$', '', next(lines))
            frames.append((line.split('@')[0], os.path.normpath(place.replace(':?', ':0'))))
    return answers


def difference(mine, theirs, places):
    """None: the same; else a word for it."""
    if mine == theirs:
        return None
    if len(mine) == 1 and mine[0][1] == '??:0' and '/' not in ''.join(p for _, p in theirs):
        return 'no unit'
    if not theirs or mine[:-1] != theirs[:-1] or mine[-1][1] != theirs[-1][1]:
        return 'other'
    names = mine[-1][0], theirs[-1][0]
    if places.get(names[0], set()) & places.get(names[1], set()):
        return 'alias'
    # "main.cold" is a part of main with a symbol of its own.
    part = re.compile(r'(\.(cold|isra|part|constprop|lto_priv)(\.\d+)*)+$')
    return 'alias' if part.sub('', names[0]) == part.sub('', names[1]) else 'other'


def compare(frames, label, path, debug, count, verbose, whole=None):
    """whole: the same program with everything in it, for what others cannot read."""
    sections = code_sections(path)
    dice = random.Random(label)
    weights = [size for _, size in sections]
    addresses = sorted({start + dice.randrange(size) for start, size in
                        dice.choices(sections, weights, k=count)})
    text = ''.join(f'{address:x}\n' for address in addresses)
    mine = run([frames, path] + ([debug] if debug else []), input=text)
    if mine.returncode:
        print(f'{label}: {mine.stderr}')
        return 1
    # What is kept for the next recording tells the same, of all that needs no further files.
    kept = run([frames, '--kept', path] + ([debug] if debug else []), input=text)
    if kept.stdout != mine.stdout and 'split' not in label:
        print(f'{label}: what was kept tells something else')
        return 1
    mine = parse(mine.stdout)
    others = {'addr2line': ['addr2line']}
    if shutil.which('llvm-addr2line'):
        others['llvm'] = ['llvm-addr2line']
    answers = {}
    for name, command in others.items():
        answers[name] = parse(run([*command, '-a', '-f', '-i', '-e', whole or debug or path],
                                  input=text).stdout)
    places = symbols_of(path, *([debug] if debug else []))
    counts, shown, inlined, same = {}, 0, 0, dict.fromkeys(others, 0)
    for address in addresses:
        found = {name: difference(mine[address], answer.get(address, []), places)
                 for name, answer in answers.items()}
        for name in others:
            same[name] += found[name] is None
        inlined += len(mine[address]) > 1
        best = min(found.values(), key=lambda word: [None, 'no unit', 'alias', 'other'].index(word))
        counts[best] = counts.get(best, 0) + 1
        if best == 'other' and shown < 3:
            shown += 1
            print(f'{label}: 0x{address:x}\n  profd      {mine[address]}')
            for name, answer in answers.items():
                print(f'  {name:10} {answer.get(address)}')
    total = len(addresses)
    print(f'{label}: {total} addresses, {inlined} inlined: {counts.get(None, 0)} the same, '
          f'{counts.get("alias", 0)} aliases, {counts.get("no unit", 0)} without a unit, '
          f'{counts.get("other", 0)} differ'
          + ''.join(f'; {name} alone {n}' for name, n in same.items() if verbose))
    if inlined == 0 and not debug:
        print(f'{label}: no inlined function was found: this shows nothing')
        return 1
    return counts.get('other', 0)


def compare_linkage(frames, label, path):
    """Entries of linkage tables are called as objdump calls them."""
    listing = run(['objdump', '-d', '-j', '.plt', '-j', '.plt.sec', '-j', '.plt.got', path]).stdout
    names = {int(at, 16): name for at, name in re.findall(r'^([0-9a-f]+) <(\S+@plt)>:$', listing,
                                                          re.MULTILINE)}
    # In the middle of an entry, too.
    text = ''.join(f'{at:x}\n{at + 6:x}\n' for at in names)
    mine = {at: found[0][0] for at, found in
            parse(run([frames, path], input=text).stdout.replace('@plt', '(plt)')).items()}
    wrong = [(hex(at), mine.get(place), name) for at, name in names.items()
             for place in (at, at + 6) if mine.get(place) != name.replace('@plt', '(plt)')]
    print(f'{label}: {len(names)} linkage entries, {len(wrong)} with another name {wrong[:3]}')
    return len(wrong) + (len(names) == 0)


def build(folder):
    """(label, path, whole) of the program in each way; whole: see compare."""
    with open(os.path.join(folder, 'program.cc'), 'w', encoding='utf-8') as file:
        file.write(SOURCE)
    programs = []
    for number, (label, command, *more) in enumerate(WAYS):
        then, whole = (*more, None, None)[:2]
        if not shutil.which(command[0]):
            print(f'{label}: {command[0]} is not there')
            continue
        # What split DWARF moves out lies beside the object, one for each way.
        place = os.path.join(folder, str(number))
        os.mkdir(place)
        subprocess.run([*command, '-c', '../program.cc', '-o', 'program.o'], cwd=place, check=True)
        subprocess.run([*command, 'program.o', '-o', 'program'], cwd=place, check=True,
                       stderr=subprocess.DEVNULL)
        if then:
            shutil.copy(os.path.join(place, 'program'), os.path.join(place, 'plain'))
            # llvm-dwp 14 never ends on some small files.
            subprocess.run(then, cwd=place, check=True, timeout=60)
        programs.append((label, os.path.join(place, 'program'),
                         whole and os.path.join(place, whole)))
    if shutil.which('dwz') and programs:
        place = os.path.join(folder, 'dwz')
        os.mkdir(place)
        for name in ('one', 'two'):
            shutil.copy(programs[0][1], os.path.join(place, name))
        subprocess.run(['dwz', '-m', 'common.debug', 'one', 'two'], cwd=place, check=True)
        programs.append(('dwz', os.path.join(place, 'one'), programs[0][1]))
    return programs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('frames')
    parser.add_argument('--addresses', type=int, default=1000)
    parser.add_argument('--both', action='store_true')
    parser.add_argument('--programs', action='store_true')
    parser.add_argument('files', nargs='*')
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(prefix='profd-dwarf-') as folder:
        if options.files:
            for file in options.files:
                path, _, debug = file.partition(':')
                bad += compare(options.frames, path, path, debug, options.addresses, options.both)
        elif options.programs:
            for number, (label, make) in enumerate(PROGRAMS.items()):
                place = os.path.join(folder, str(number))
                os.mkdir(place)
                made = make(place)
                if made:
                    path, debug, whole = made
                    bad += compare(options.frames, label, path, debug, options.addresses,
                                   options.both, whole)
                else:
                    print(f'{label}: it is not there')
                    bad += 'CI' in os.environ
        else:
            for label, path, whole in build(folder):
                bad += compare(options.frames, label, path, '', options.addresses, options.both,
                               whole)
            bad += compare_linkage(options.frames, label, path)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The formats of viewers hold what those read, rule by rule as they publish them, and the same
stacks and sums as folded text does; also with names that mean harm, and where next to nothing is
known.
usage: viewers.py PROFD"""
import collections
import html.parser
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse

from pprof_bytes import Profile, number

PROFD = os.path.abspath(sys.argv[1])
HANG_S = 60
HOSTILE = ('</script><script>alert(1)</script>', 'quote" back\\slash', 'tab\there\nand line',
           '\x1b[31mred\x07', '\u202eright to left', 'nul-like \\u0000', 'bad \udcff\udcc0 bytes',
           '\U0001f600 wide', '__proto__', '')
failures = 0


def fail(text):
    global failures
    print(f'failed: {text}')
    failures += 1


def check(what, holds):
    if not holds:
        fail(what)


def convert(content, *arguments):
    with open('in', 'wb') as file:
        file.write(content)
    done = subprocess.run([PROFD, 'convert', 'in', *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=HANG_S)
    if done.returncode or (done.stderr and b'below 0: only pprof' not in done.stderr):
        fail(f'{arguments}: {done.returncode} {done.stderr}')
    return done.stdout


def parse(content, form, *arguments):
    def no_constant(name):
        fail(f'{form}: {name} is no JSON')

    def pairs(items):
        keys = [key for key, _ in items]
        check(f'{form}: a key twice in {keys}', len(keys) == len(set(keys)))
        return dict(items)

    text = convert(content, '-f', form, *arguments)
    check(f'{form}: other bytes the second time',
          text == convert(content, '-f', form, *arguments))
    check(f'{form}: control characters', not any(c < 32 and c != 10 for c in text))
    decoded = text.decode('utf-8')
    check(f'{form}: marks that turn text around', '\u202e' not in decoded)
    return json.loads(decoded, parse_constant=no_constant, object_pairs_hook=pairs)


def is_int(value, least=0):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def has(what, thing, keys, optional=()):
    """keys, optional: name → a type or a predicate."""
    for key, rule in {**keys, **dict(optional)}.items():
        if key not in thing:
            check(f'{what}: no {key}', key in dict(optional))
        elif not (isinstance(thing[key], rule) if isinstance(rule, type) else rule(thing[key])):
            fail(f'{what}: {key} is {thing[key]!r}')
    unknown = set(thing) - set(keys) - set(dict(optional))
    check(f'{what}: also has {unknown}', not unknown)


def stacks_of_folded(content, *arguments):
    """Stack without suffixes → weight; the process comes first where it is told."""
    sums = collections.Counter()
    for line in convert(content, '-f', 'folded', *arguments).decode().splitlines():
        stack, _, count = line.rpartition(' ')
        names = [name[:-4] if name.endswith(('_[k]', '_[j]', '_[i]')) else name
                 for name in stack.split(';')]
        sums[tuple(names)] += int(count)
    return sums


# ---- speedscope: file-format-schema.json, and what its importer wants beyond ----

SPEEDSCOPE_UNITS = ('none', 'nanoseconds', 'microseconds', 'milliseconds', 'seconds', 'bytes')


def check_speedscope(file):
    """[(profile, {stack of (name, inlined): weight})]"""
    has('speedscope', file, {
        '$schema': lambda v: v == 'https://www.speedscope.app/file-format-schema.json',
        'exporter': lambda v: v.startswith('profd@'),
        'activeProfileIndex': lambda v: is_int(v) and v < len(file['profiles']),
        'shared': dict, 'profiles': list, 'profd': dict}, {'name': str})
    frames = file['shared']['frames']
    for frame in frames:
        has('frame', frame, {'name': lambda v: isinstance(v, str) and v},
            {'file': str, 'line': lambda v: is_int(v, 1), 'module': str,
             'inlined': lambda v: v is True})
    found = []
    for profile in file['profiles']:
        has('profile', profile, {
            'type': lambda v: v == 'sampled', 'name': lambda v: isinstance(v, str) and v,
            'unit': lambda v: v in SPEEDSCOPE_UNITS, 'startValue': is_int, 'endValue': is_int,
            'samples': list, 'weights': list, 'profd': dict})
        check('as many weights as samples', len(profile['samples']) == len(profile['weights']))
        check('sum of weights', sum(profile['weights']) ==
              profile['endValue'] - profile['startValue'])
        sums = collections.Counter()
        for stack, weight in zip(profile['samples'], profile['weights']):
            check('weights are above 0', is_int(weight, 1))
            check('frames exist', all(is_int(i) and i < len(frames) for i in stack))
            sums[tuple((frames[i]['name'], 'inlined' in frames[i]) for i in stack)] += weight
        found.append((profile, sums))
    check('profiles', found)
    return found


# ---- .cpuprofile: Profiler.Profile of the DevTools Protocol ----

def check_cpuprofile(file):
    """{stack: microseconds}"""
    has('cpuprofile', file, {'nodes': list, 'samples': list, 'timeDeltas': list,
                             'startTime': is_int, 'endTime': is_int})
    nodes, parents = {}, {}
    for node in file['nodes']:
        has('node', node, {'id': lambda v: is_int(v, 1), 'callFrame': dict, 'hitCount': is_int},
            {'children': list, 'positionTicks': list})
        has('callFrame', node['callFrame'], {
            'functionName': str, 'scriptId': str, 'url': str,
            'lineNumber': lambda v: is_int(v, -1), 'columnNumber': lambda v: is_int(v, -1)})
        check('ids are unique', node['id'] not in nodes)
        nodes[node['id']] = node
        for tick in node.get('positionTicks', []):
            has('tick', tick, {'line': lambda v: is_int(v, 1), 'ticks': is_int})
        lines = [tick['line'] for tick in node.get('positionTicks', [])]
        check('lines are told once', len(set(lines)) == len(lines))
        check('more ticks than hits',
              sum(tick['ticks'] for tick in node.get('positionTicks', [])) <= node['hitCount'])
    for node in nodes.values():
        for child in node.get('children', []):
            check('a child exists, and has one parent', child in nodes and child not in parents)
            parents[child] = node['id']
    root = file['nodes'][0]
    check('the root', root['callFrame']['functionName'] == '(root)' and
          set(nodes) - set(parents) == {root['id']})
    check('as many times as samples', len(file['samples']) == len(file['timeDeltas']))
    check('times', all(is_int(delta) for delta in file['timeDeltas']) and
          sum(file['timeDeltas']) == file['endTime'] - file['startTime'])
    sums, hits = collections.Counter(), collections.Counter()
    # A sample lasts until the next one begins.
    for node, lasts in zip(file['samples'], file['timeDeltas'][1:]):
        names, at = [], node
        while at != root['id']:
            names.append(nodes[at]['callFrame']['functionName'])
            at = parents[at]
        sums[tuple(reversed(names))] += lasts
        hits[node] += 1
    check('what was hit has a sample', set(hits) ==
          {node['id'] for node in nodes.values() if node['hitCount']})
    check('idle at the end', nodes[file['samples'][-1]]['callFrame']['functionName'] == '(idle)')
    return sums


# ---- the Firefox Profiler: src/types/profile.ts, version 60 ----

COLORS = {'transparent', 'purple', 'green', 'orange', 'yellow', 'lightblue', 'blue', 'brown',
          'magenta', 'red', 'lightred', 'darkgrey', 'grey'}


def check_table(what, table, columns):
    has(what, table, {**{key: list for key in columns}, 'length': is_int})
    for key, rule in columns.items():
        check(f'{what}.{key}: rows', len(table[key]) == table['length'])
        bad = [value for value in table[key] if not rule(value)]
        check(f'{what}.{key}: {bad[:1]}', not bad)


def row_of(count, none=False):
    return lambda v: (v is None and none) or (is_int(v) and v < count)


def check_firefox(file):
    """[(thread, {stack of (name, depth): weight})], the categories of functions, [line of leaf]"""
    has('firefox', file, {'meta': dict, 'libs': list, 'shared': dict, 'threads': list})
    has('meta', file['meta'], {
        'interval': lambda v: is_number(v) and v > 0, 'startTime': is_number,
        'processType': lambda v: v == 0, 'product': str, 'stackwalk': lambda v: v in (0, 1),
        'version': is_int, 'preprocessedProfileVersion': lambda v: v == 60, 'categories': list,
        'markerSchema': list, 'symbolicated': bool, 'usesOnlyOneStackType': bool,
        'sourceCodeIsNotOnSearchfox': bool, 'keepProfileThreadOrder': bool, 'importedFrom': str},
        {'arguments': str, 'misc': str})
    categories = file['meta']['categories']
    for category in categories:
        has('category', category, {'name': str, 'color': lambda v: v in COLORS,
                                   'subcategories': lambda v: v == ['Other']})
    check('the first category is what others fall back to', categories[0]['color'] == 'grey')
    for lib in file['libs']:
        has('lib', lib, {**{key: str for key in ('arch', 'name', 'path', 'debugName', 'debugPath',
                                                 'breakpadId')},
                         'codeId': lambda v: v is None or isinstance(v, str)})
    shared = file['shared']
    strings, libs = shared['stringArray'], len(file['libs'])
    check('strings', all(isinstance(text, str) for text in strings))
    check('strings are there once', len(set(strings)) == len(strings))
    string = row_of(len(strings))
    has('shared', shared, {key: (list if key == 'stringArray' else dict) for key in (
        'stackTable', 'frameTable', 'funcTable', 'resourceTable', 'nativeSymbols', 'sources',
        'stringArray')})
    stacks, frames, funcs = shared['stackTable'], shared['frameTable'], shared['funcTable']
    symbols, resources = shared['nativeSymbols'], shared['resourceTable']
    check_table('sources', shared['sources'], {'uuid': lambda v: v is None, 'filename': string})
    check_table('resources', resources, {'lib': row_of(libs, True), 'name': string,
                                         'host': lambda v: v is None, 'type': lambda v: v == 1})
    check_table('symbols', symbols, {'libIndex': row_of(libs), 'address': is_int, 'name': string,
                                     'functionSize': lambda v: v is None})
    positive = (lambda v: v is None or is_int(v, 1))
    check_table('functions', funcs, {
        'name': string, 'isJS': lambda v: v is False, 'relevantForJS': lambda v: v is False,
        'resource': lambda v: v == -1 or row_of(resources['length'])(v),
        'source': row_of(shared['sources']['length'], True), 'lineNumber': positive,
        'columnNumber': lambda v: v is None})
    check_table('frames', frames, {
        'address': lambda v: is_int(v, -1) and v < 1 << 53, 'inlineDepth': is_int,
        'category': row_of(len(categories)), 'subcategory': lambda v: v == 0,
        'func': row_of(funcs['length']), 'nativeSymbol': row_of(symbols['length'], True),
        'innerWindowID': lambda v: v is None, 'line': positive, 'column': lambda v: v is None})
    check_table('stacks', stacks, {'frame': row_of(frames['length']), 'prefix': lambda v: True})
    for i, prefix in enumerate(stacks['prefix']):
        check('a prefix comes before', prefix is None or is_int(prefix) and prefix < i)
    found, tids = [], []
    for thread in file['threads']:
        has('thread', thread, {
            'processType': lambda v: v == 'default', 'processStartupTime': is_number,
            'processShutdownTime': lambda v: v is None, 'registerTime': is_number,
            'unregisterTime': lambda v: v is None, 'pausedRanges': list, 'name': str,
            'isMainThread': bool, 'processName': str, 'pid': lambda v: v.lstrip('-').isdigit(),
            'tid': lambda v: is_int(v, 1) or isinstance(v, str), 'samples': dict, 'markers': dict})
        samples, tids = thread['samples'], tids + [thread['tid']]
        weight_type = samples.pop('weightType')
        check('weightType', weight_type in ('samples', 'tracing-ms', 'bytes'))
        check_table('samples', samples, {'stack': row_of(stacks['length'], True),
                                         'time': is_number, 'weight': is_number})
        check('time goes on', samples['time'] == sorted(samples['time']))
        check_table('markers', thread['markers'], {key: bool for key in (
            'data', 'name', 'startTime', 'endTime', 'phase', 'category')})
        sums = collections.Counter()
        for stack, weight in zip(samples['stack'], samples['weight']):
            names = []
            while stack is not None:
                frame = stacks['frame'][stack]
                names.append((strings[funcs['name'][frames['func'][frame]]],
                              frames['inlineDepth'][frame]))
                stack = stacks['prefix'][stack]
            sums[tuple(reversed(names))] += weight
        found.append((thread, sums))
    check('threads are told apart', len(set(tids)) == len(tids))
    kinds = {strings[funcs['name'][frames['func'][i]]]: categories[frames['category'][i]]['name']
             for i in range(frames['length'])}
    return found, kinds


# ---- profiles ----

def rich():
    """Threads of two processes, inlined functions, lines, all kinds, two types."""
    profile = Profile('samples/count', 'cpu/nanoseconds')
    profile.mapping(1, '/usr/bin/prog', 0x400000, 0x500000, 0x1000,
                    'b32e58f82cc4db7d389299d0536e0972db5ce220', flags=(7, 8, 9, 10))
    profile.mapping(2, '/lib/my lib%.so.6', 0x7f0000000000, 0x7f0000100000, 0x28000, 'c0de')
    profile.mapping(3, '[kernel.kallsyms]')
    profile.mapping(4, '[jit]')
    profile.function(1, 'main', file='/src/a dir/main.c', line=3)
    profile.function(2, 'inner', '_Z5innerv', '/src/a dir/main.c', 9)
    profile.function(3, 'do_syscall_64')
    profile.function(4, 'generated')
    profile.function(5, 'script', file='app.py', line=7)
    profile.function(6, 'main', file='/src/other.c', line=8)  # another one of this name
    profile.location(1, (2, 10), (1, 5), mapping=1, address=0x401234)
    profile.location(2, (1, 6), mapping=1, address=0x401300)
    profile.location(3, (1, 6), mapping=1, address=0x401308)  # the same line once more
    profile.location(4, (6, 8), mapping=2, address=0x7f0000000123)
    profile.location(5, (3, 0), mapping=3, address=0xffffffff81000042)
    profile.location(6, (4, 0), mapping=4, address=0x1000)
    profile.location(7, (5, 9))
    one = {'comm': 'server', 'pid': 4242, 'thread_name': 'worker 3', 'tid': 4243}
    other = {'comm': 'server', 'pid': 4242, 'thread_name': 'server', 'tid': 4242}
    for locations, count, labels in (
            ([1], 3, one), ([5, 4, 1], 2, one), ([1], 4, other), ([2], 5, other), ([3], 6, other),
            ([6, 2], 1, other), ([7, 2], 7, other), ([2], 40, {'comm': 'client', 'pid': 7}),
            ([], 2, other)):
        profile.sample(locations, [count, count * 10000000], **labels)
    profile.add(number(9, 1700000000000000000) + number(10, 5000000000) +
                profile.type(11, 'cpu', 'nanoseconds') + number(12, 10000000))
    return profile.bytes()


def plain(*types, values):
    """Stacks "f" and "f;g"."""
    profile = Profile(*types)
    profile.function(1, 'f')
    profile.function(2, 'g')
    profile.location(1, (1, 0))
    profile.location(2, (2, 0))
    profile.sample([1], values[0])
    profile.sample([2, 1], values[1])
    return profile.bytes()


def hostile():
    profile = Profile('samples/count')
    for id_, name in enumerate(HOSTILE, 1):
        profile.mapping(id_, '/lib/' + name)
        profile.function(id_, name, file='/src/' + name)
        profile.location(id_, (id_, 0), mapping=id_)
    profile.sample(range(1, len(HOSTILE) + 1), [1], comm=HOSTILE[0], pid=-3, thread_name=HOSTILE[3],
                   tid=1 << 40)
    return profile.bytes()


def thread_stack(comm, thread, names):
    return (comm,) + ((thread,) if thread else ()) + tuple(names)


def check_rich():
    content = rich()
    folded = stacks_of_folded(content)
    threads = {('server', 4243): 'worker 3 (4243)', ('server', 4242): 'server (4242)',
               ('client', None): None}

    found = check_speedscope(parse(content, 'speedscope'))
    order = [(p['profd']['type'], p['unit'], p['profd']['comm'], p['profd'].get('tid'))
             for p, _ in found]
    want = [(type_, unit, comm, tid) for type_, unit in (('cpu', 'nanoseconds'), ('samples', 'none'))
            for comm, tid in (('client', None), ('server', 4242), ('server', 4243))]
    check(f'speedscope: profiles {order}', order == want)
    for type_, divisor in ('cpu', 10000000), ('samples', 1):
        sums = collections.Counter()
        for profile, stacks in found:
            if profile['profd']['type'] != type_:
                continue
            label = threads[profile['profd']['comm'], profile['profd'].get('tid')]
            for stack, weight in stacks.items():
                sums[thread_stack(profile['profd']['comm'], label,
                                  [name for name, _ in stack])] += weight // divisor
        check(f'speedscope, {type_}: {sums} not {folded}', sums == folded)
    inlined = {frame for _, stacks in found for stack in stacks for frame in stack}
    check(f'speedscope: inlined {inlined}', ('inner', True) in inlined and
          ('main', True) not in inlined)
    frames = parse(content, 'speedscope')['shared']['frames']
    check('speedscope: lines and files',
          {'name': 'inner', 'file': '/src/a dir/main.c', 'line': 10, 'module': '/usr/bin/prog',
           'inlined': True} in frames and
          {'name': 'do_syscall_64', 'file': '[kernel.kallsyms]', 'module': '[kernel.kallsyms]'}
          in frames)

    file = parse(content, 'cpuprofile')
    sums = {stack: lasts // 10000 for stack, lasts in check_cpuprofile(file).items()}
    check(f'cpuprofile: {sums} not {folded}', sums == folded)
    by_name = collections.defaultdict(list)
    for node in file['nodes']:
        by_name[node['callFrame']['functionName']].append(node)
    check('cpuprofile: hits', sum(node['hitCount'] for node in file['nodes']) == 70)
    check('cpuprofile: ticks', [11] == [tick['ticks'] for node in by_name['main']
                                        for tick in node.get('positionTicks', [])
                                        if tick['line'] == 6 and node['hitCount'] != 40])
    scripts = {(node['callFrame']['url'], node['callFrame']['scriptId']) for node in file['nodes']}
    check(f'cpuprofile: scripts {scripts}',
          len(scripts) == len({url for url, _ in scripts}) == len({id_ for _, id_ in scripts}) >= 5)
    frame = by_name['inner'][0]['callFrame']
    check(f'cpuprofile: {frame}', (frame['url'], frame['lineNumber']) ==
          ('file:///src/a%20dir/main.c', 8))
    check('cpuprofile: time', file['startTime'] == 1700000000000000 and
          file['endTime'] - file['startTime'] == 700000)

    file = parse(content, 'firefox')
    found, kinds = check_firefox(file)
    sums = collections.Counter()
    for thread, stacks in found:
        tid = thread['tid'] if isinstance(thread['tid'], int) else None
        label = threads[thread['processName'], tid]
        for stack, weight in stacks.items():
            sums[thread_stack(thread['processName'], label,
                              [name for name, _ in stack])] += round(weight / 10)
    check(f'firefox: {sums} not {folded}', sums == folded)
    check(f'firefox: {kinds}', kinds == {
        'main': 'Library', 'inner': 'Program', 'do_syscall_64': 'Kernel',
        'generated': 'Generated code', 'script': 'Interpreted'} or kinds == {
        'main': 'Program', 'inner': 'Program', 'do_syscall_64': 'Kernel',
        'generated': 'Generated code', 'script': 'Interpreted'})
    check('firefox: threads', [(t['pid'], t['tid'], t['name'], t['isMainThread'])
                               for t, _ in found] ==
          [('7', 'thread-0', 'client', True), ('4242', 4242, 'server', True),
           ('4242', 4243, 'worker 3', False)])
    check('firefox: inlined', any(('inner', 1) in stack for _, stacks in found for stack in stacks))
    lib = next(lib for lib in file['libs'] if lib['path'] == '/usr/bin/prog')
    check(f'firefox: {lib}', lib['breakpadId'] == 'F8582EB3C42C7DDB389299D0536E09720' and
          lib['codeId'] == 'b32e58f82cc4db7d389299d0536e0972db5ce220' and lib['name'] == 'prog')
    meta = file['meta']
    check(f'firefox: {meta}', meta['interval'] == 10 and meta['startTime'] == 1700000000000)


def check_units():
    for types, values, unit, weight_type, milliseconds in (
            (['cpu/seconds'], ([1], [2]), 'seconds', 'tracing-ms', [1000, 2000]),
            (['cpu/ms'], ([1], [2]), 'milliseconds', 'tracing-ms', [1, 2]),
            (['wall/microseconds'], ([1], [2]), 'microseconds', 'tracing-ms', [0.001, 0.002]),
            (['space/bytes'], ([1 << 40], [2]), 'bytes', 'bytes', [1 << 40, 2]),
            (['goroutine/count'], ([1], [2]), 'none', 'samples', [1, 2]),
            (['n/apples'], ([1], [2]), 'none', 'samples', [1, 2]),
            # What differences have below 0 cannot be drawn.
            (['n/count'], ([-1], [2]), 'none', 'samples', [2])):
        content = plain(*types, values=values)
        profile, _ = check_speedscope(parse(content, 'speedscope'))[0]
        got = profile['unit'], profile['weights']
        check(f'{types}: {got}', got == (unit, [v[0] for v in values if v[0] > 0]))
        thread = parse(content, 'firefox')['threads'][0]
        check_firefox(parse(content, 'firefox'))
        got = thread['samples']['weightType'], thread['samples']['weight']
        check(f'{types}: {got}', got == (weight_type, milliseconds))
        check_cpuprofile(parse(content, 'cpuprofile'))
    content = plain('alloc/bytes', 'inuse/bytes', values=([1, 20], [3, 40]))
    check('cpuprofile: --type', check_cpuprofile(parse(content, 'cpuprofile', '--type', 'alloc')) ==
          {('f',): 1, ('f', 'g'): 3})
    names = [p['name'] for p in parse(content, 'speedscope', '--type', 'alloc')['profiles']]
    check(f'speedscope: --type {names}', [name.rpartition(': ')[2] for name in names] ==
          ['alloc', 'inuse'])
    # Nothing of the type is still a file.
    content = plain('a/count', 'b/count', values=([1, 0], [3, 0]))
    check('speedscope: nothing', check_speedscope(parse(content, 'speedscope'))[0][1] == {})
    check('cpuprofile: nothing', check_cpuprofile(parse(content, 'cpuprofile')) == {})
    check('firefox: nothing', check_firefox(parse(content, 'firefox'))[0][0][1] == {})


def check_hostile():
    content = hostile()
    check_speedscope(parse(content, 'speedscope'))
    check_firefox(parse(content, 'firefox'))
    file = parse(content, 'cpuprofile')
    check_cpuprofile(file)
    for node in file['nodes']:
        url = node['callFrame']['url']
        check(f'no URL: {url!r}', url.isascii() and ' ' not in url and '"' not in url)
    names = {frame['name'] for frame in parse(content, 'speedscope')['shared']['frames']}
    check(f'names: {names}', HOSTILE[0] in names and '[unknown]' in names and
          '\\x1b[31mred\\x07' in names and len(names) == len(HOSTILE))
    check('URLs lead back', any(
        urllib.parse.unquote(node['callFrame']['url']) == 'file:///src/' + HOSTILE[1]
        for node in file['nodes']))


class Page(html.parser.HTMLParser):
    """Elements that are open where each text stands."""
    EMPTY = {'meta', 'stop', 'rect', 'path', 'line', 'use', 'br'}

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.elements = [], [], collections.Counter()
        self.attributes = []
        self.feed(text)
        self.close()
        check(f'html: left open: {self.open}', not self.open)

    def handle_starttag(self, tag, attrs):
        self.elements[tag] += 1
        self.attributes += attrs
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements[tag] += 1
        self.attributes += attrs

    def handle_endtag(self, tag):
        check(f'html: </{tag}> in {self.open}', self.open and self.open.pop() == tag)

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))


def rows_of(page):
    text = ''.join('\n' if at[-1:] == ('tr',) else data for at, data in page.texts
                   if 'tbody' in at)
    return [line.strip() for line in text.split('\n') if line.strip()]


def check_html():
    content = rich()
    text = convert(content, '-f', 'html').decode()
    check('html: other bytes the second time', text == convert(content, '-f', 'html').decode())
    check('html: its beginning', text.startswith('<!DOCTYPE html>\n<html lang="en">'))
    for part in ("default-src 'none'", '<svg ', '<h2>Flame graph</h2>', '@media print'):
        check(f'html: no {part}', part in text)
    # The picture is markup of another kind, which its own tests look at.
    begin, end = text.index('<svg '), text.rindex('</svg>') + len('</svg>')
    page = Page(text[:begin] + text[end:])
    check(f'html: elements {page.elements}', page.elements['script'] == 0 and
          page.elements['table'] == 1 and page.elements['details'] == 8)
    outside = [(key, value) for key, value in page.attributes
               if key in ('src', 'href', 'action', 'data', 'srcset')]
    check(f'html: {outside}', not outside)
    rows = rows_of(page)
    check(f'html: {rows[:1]}', rows and rows[0].startswith('72.9 %') and 'main' in rows[0] and
          '± ' in rows[0] and 'main.c:' in rows[0] and 'prog' in rows[0])
    check('html: inlined', any('inner' in row and 'inlined' in row for row in rows))
    check('html: the kernel', any('do_syscall_64 kernel' in row for row in rows))
    uncounted = convert(plain('space/bytes', values=([5], [15])), '-f', 'html').decode()
    check('html: intervals of nothing', '±' not in uncounted[uncounted.rindex('</svg>'):])
    empty = convert(plain('a/count', 'b/count', values=([1, 0], [3, 0])), '-f', 'html').decode()
    check('html: nothing', 'No samples' in empty and Page(empty).elements['table'] == 0)
    # Names stay names.
    text = convert(hostile(), '-f', 'html').decode('utf-8')
    begin, end = text.index('<svg '), text.rindex('</svg>') + len('</svg>')
    page = Page(text[:begin] + text[end:])
    check(f'html: elements of names {page.elements}', page.elements['script'] == 0)
    shown = ''.join(data for _, data in page.texts)
    for name in HOSTILE[:2]:
        check(f'html: {name} is not shown', name in shown)
    check('html: control characters', not any(ord(c) < 32 and c != '\n' for c in text) and
          '\u202e' not in text)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        check_rich()
        check_units()
        check_hostile()
        check_html()
        os.chdir('/')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

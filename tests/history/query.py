#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`profd query` about histories of known contents: `query.py PROFD FEED`."""
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

PROFD, FEED = (os.path.abspath(path) for path in sys.argv[1:3])
HANG_S = 120
S = 10**9
HZ = 20
PERIOD = S // HZ
OLD, NEW, THIRD, SHELL = ('3fe1' + '0' * 36, '99ab' + '0' * 36, 'cafe' + '0' * 36, '77' + 'e' * 38)
CONTAINER = '0123456789abcdef' * 4
POD = '12345678-1234-1234-1234-123456789abc'
NGINX = f'unit=nginx.service exe=/usr/sbin/nginx comm=nginx pid=42 user=www-data uid=33 ' \
        f'cgroup=/system.slice/nginx.service'
BASH = f'exe=/bin/bash build_id={SHELL} comm=bash pid=43 user=root uid=0 cgroup=/user.slice/a'
APP = f'exe=/app/server build_id={SHELL} comm=app-worker pid=44 container={CONTAINER} pod={POD} ' \
      f'cgroup=/kubepods.slice/x unit=cri-containerd-{CONTAINER}.scope user=1000 uid=1000'
with open(PROFD, 'rb') as program:
    SANITIZED = b'__asan_init' in program.read()  # which takes terabytes of addresses
failures = 0


def fail(text):
    global failures
    print(f'failed: {text}')
    failures += 1


def same(got, want, what):
    if got != want:
        fail(f'{what}: {got!r} is not {want!r}')


def near(got, want, tolerance, what):
    if not abs(got - want) <= tolerance:
        fail(f'{what}: {got} is not {want} ± {tolerance}')


class History:
    """Windows as a script for feed, and a folder that holds them."""

    def __init__(self, folder, name):
        self.folder, self.name, self.lines = os.path.join(folder, name), name, []

    def window(self, at_s, *programs, length_s=10, lost=0):
        """programs: 'FILE PART labels'."""
        self.lines.append(f'window {at_s * S} {length_s * S} {PERIOD} {lost}')
        self.lines += [f'add {program}' for program in programs]

    def write(self):
        subprocess.run([FEED, self.folder], input='\n'.join(self.lines) + '\n', encoding='utf-8',
                       check=True, timeout=HANG_S)
        self.lines = []

    def query(self, *arguments, expect=0, said=None, text=True, zone='UTC0', **options):
        """stdout. said: what the one line on stderr holds; without it there is none."""
        done = subprocess.run([PROFD, 'query', '--store', self.folder, *arguments],
                              capture_output=True, timeout=HANG_S, check=False,
                              env={**os.environ, 'TZ': zone}, **options)
        err = done.stderr.decode()
        what = f'{self.name}: {" ".join(arguments)}'
        if done.returncode != expect:
            fail(f'{what}: status {done.returncode}, not {expect}: {err}')
        if (said or '') not in err or err.count('\n') != (1 if said else 0):
            fail(f'{what}: stderr is {err!r}, not one line with {said!r}')
        if expect and done.stdout:
            fail(f'{what}: something on stdout: {done.stdout[:200]}')
        return done.stdout.decode() if text else done.stdout

    def json(self, *arguments, **options):
        return json.loads(self.query(*arguments, '--json', **options) or '{}')


def clock(at_s):
    return time.strftime('%H:%M:%S', time.gmtime(at_s))


def moment(at_s, beside_s):
    """As it is told: with its day, where that is another one than that of the time it stands beside."""
    day, other = (time.strftime('%Y-%m-%d', time.gmtime(of)) for of in (at_s, beside_s))
    return clock(at_s) if day == other else f'{day} {clock(at_s)}'


def span(from_s, until_s):
    return f'{moment(from_s, time.time())} to {moment(until_s, from_s)}'


def selves(answer):
    return {function['name']: function['self']['weight'] for function in answer['functions']}


def check_counts(history, t):
    """Ten windows of 10 s with the same in each, a gap of 60 s, and ten more."""
    whole = ['--since', f'@{t}', '--until', f'@{t + 260}']
    answer = history.json(*whole)
    same(selves(answer), {'json_decode': 620, 'render': 1000, 'loop': 400, 'serve': 200, 'main': 0},
         'samples by function')
    of_history = answer['history']
    same(of_history['samples'], 2220, 'samples')
    same(of_history['windows'], 20, 'windows')
    same(of_history['gaps'], 1, 'gaps')
    same(of_history['recorded_ns'], 200 * S, 'time recorded')
    same(of_history['lost'], 40, 'samples lost')
    same(of_history['cpu_ns'], 2220 * PERIOD, 'CPU time')
    near(of_history['cores'], 2220 / HZ / 200, 1e-9, 'cores across a gap')
    near(answer['total']['cores'], 2220 / HZ / 200, 1e-9, 'cores of the table')
    # Half of it, by any way to say that.
    for since, until in ((f'@{t}', f'@{t + 100}'), (f'@{t * S}ns', f'@{t * S + 100 * S}ns'),
                         (f'@{t}', '+100s'), (f'@{t}', clock(t + 100)),
                         (time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(t)), '+100'),
                         (time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(t)), '+100')):
        same(history.json('--since', since, '--until', until)['history']['samples'], 1110,
             f'samples from {since} to {until}')
    zone = 'EST5EDT,M3.2.0,M11.1.0'
    local = subprocess.run(['date', '-d', f'@{t}', '+%Y-%m-%d %H:%M:%S'], env={'TZ': zone},
                           stdout=subprocess.PIPE, check=True, encoding='utf-8').stdout.strip()
    same(history.json('--since', local, '--until', '+100', zone=zone)['history']['samples'], 1110,
         'samples since a local time')
    # A part of a window has that part of its samples, by chance.
    near(history.json('--since', f'@{t}', '--until', '+95')['history']['samples'], 1110 - 55, 30,
         'samples of half a window')


def check_filters(history, t):
    whole = ['--since', f'@{t}', '--until', f'@{t + 260}']
    chosen = {
        '-a': 2220, '--unit nginx.service': 1620, '--unit ngin*.service': 1620,
        '--comm bash': 400, '--comm app-*': 200, '--pid 42': 1620, '-p 43,44': 600,
        '--exe /usr/sbin/nginx': 1620, '--exe nginx': 1620, '--exe /app/*': 200,
        '--uid 33': 1620, '--uid www-data': 1620, '--uid root': 400, '--uid 1000': 200,
        '--cgroup /system.slice': 1620, '--cgroup system.slice/nginx.service': 1620,
        '--cgroup /sys/fs/cgroup/system.slice/': 1620, '--cgroup /user.slice/a': 400,
        f'--container {CONTAINER[:12]}': 200, f'--container {CONTAINER}': 200, f'--pod {POD}': 200,
        f'--build-id {SHELL}': 600, f'--build-id {SHELL} --uid 0': 400,
        '--tagfocus unit=nginx.service': 1620, '--tagfocus comm=bash': 400,
    }
    for words, samples in chosen.items():
        answer = history.json(*whole, *words.split())
        same(answer['total']['weight'], samples, f'samples of {words}')
    same(selves(history.json(*whole, '--focus', 'json_decode')), {'json_decode': 620, 'main': 0},
         '--focus')
    # Shares stay those of all that was chosen.
    near(history.json(*whole, '--unit', 'nginx.service', '--focus', 'json_decode')
         ['total']['share'], 620 / 1620, 1e-9, 'share of what --focus leaves')
    for words in ('--unit ngnix.service', '--pid 41', '--cgroup /system', '--comm nginx2'):
        same(history.json(*whole, *words.split(), said='nothing of that used any CPU time')
             ['history']['samples'], 0, words)


def check_lists(history, t):
    whole = ['--since', f'@{t}', '--until', f'@{t + 260}']
    answer = history.json(*whole, '--list')
    same(sorted(set(answer) - {'schema_version', 'history'}),
         ['commands', 'containers', 'executables', 'units'], 'lists')
    same({row['name']: row['samples'] for row in answer['executables']},
         {'/usr/sbin/nginx': 1620, '/bin/bash': 400, '/app/server': 200}, 'executables')
    nginx = answer['units'][0]
    same((nginx['name'], nginx['samples']), ('nginx.service', 1620), 'the first unit')
    near(nginx['cores'], 1620 / HZ / 200, 1e-9, "a unit's cores")
    near(nginx['share'], 1620 / 2220, 1e-9, "a unit's share")
    same((nginx['first_ns'], nginx['last_ns']), (t * S, (t + 260) * S), 'when a unit ran')
    for name, rows in (('users', {'www-data': 1620, 'root': 400, '1000': 200}),
                       ('pods', {None: 2020, POD: 200}), ('containers', {None: 2020, CONTAINER: 200}),
                       ('processes', {'42': 1620, '43': 400, '44': 200}),
                       ('builds', {OLD: 1620, SHELL: 600}),
                       ('cgroups', {'/system.slice/nginx.service': 1620, '/user.slice/a': 400,
                                    '/kubepods.slice/x': 200})):
        got = {}
        for row in history.json(*whole, f'--list={name}')[name]:
            got[row['name']] = got.get(row['name'], 0) + row['samples']
        same(got, rows, name)
    same([row['name'] for row in history.json(*whole, '--list=commands', '-n', '1')['commands']],
         ['nginx'], 'the first command')
    same(history.json(*whole, '--list=units', '--uid', '33')['units'][0]['share'], 1,
         'share of what was chosen')
    text = history.query(*whole, '--list')
    for words in ('UNIT', 'COMMAND', 'EXECUTABLE', 'CONTAINER', '0.41', ' 73.0 %',
                  'nginx.service', '(in no unit)', 'with 1 gap', span(t, t + 260),
                  '40 samples lost', 'recorded 3 min 20 s of 4 min 20 s'):
        if words not in text.replace('\n', ' '):
            fail(f'--list does not say {words!r}:\n{text}')


def check_outputs(history, t, folder):
    whole = ['--since', f'@{t}', '--until', f'@{t + 260}', '--unit', 'nginx.service']
    head = 'unit nginx.service'
    text = history.query(*whole)
    for words in (head, span(t, t + 260), '1,620 samples at 20 Hz',
                  'with 1 gap', 'in windows of 10 s', '40 samples lost', '0.41 cores',
                  ' 61.7 % ± 2.4    0.25   61.7 %   61.7 % ± 2.4  render'):
        if words not in text.replace('\n', ' '):
            fail(f'the table does not say {words!r}:\n{text}')
    if max(map(len, text.splitlines())) > 80:
        fail('the table is wider than 80 columns')
    formats = {'svg': b'<svg', 'html': b'<!DOCTYPE html', 'folded': b'nginx;main;',
               'speedscope.json': b'"exporter"', 'cpuprofile': b'"nodes"', 'firefox.json': b'"meta"',
               'txt': b'render', 'pb.gz': b'\x1f\x8b'}
    names = [os.path.join(folder, f'out.{extension}') for extension in formats]
    history.query(*whole, *(word for name in names for word in ('-o', name)))
    for name, begin in zip(names, formats.values()):
        with open(name, 'rb') as file:
            data = file.read()
        if begin not in data:
            fail(f'{name} has no {begin}')
    pprof = history.query(*whole, '-f', 'pprof', '-o', '-', text=False)
    done = subprocess.run([PROFD, 'report', '-', '--json'], input=pprof, capture_output=True,
                          check=True)
    same(selves(json.loads(done.stdout)), {'json_decode': 620, 'render': 1000, 'main': 0},
         'a profile that was read again')
    done = subprocess.run([PROFD, 'report', '-', '--json', '--by', 'label:unit'], input=pprof,
                          capture_output=True, check=True)
    same([group['name'] for group in json.loads(done.stdout)['groups']], ['nginx.service'],
         'labels in pprof')
    # A reader that has seen enough.
    with subprocess.Popen([PROFD, 'query', '--store', history.folder, *whole, '-f', 'svg'],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        same((process.stderr.read(), process.wait(HANG_S)), (b'', 0), 'a broken pipe')


def check_baseline(history, t):
    """From t on for an hour as ever; then, for ten minutes, json_decode is dearer."""
    new = ['--since', f'@{t + 3600}', '--until', '+10m', '--unit', 'nginx.service']
    for baseline in ('1h-ago', '1h', f'@{t}..@{t + 600}', '30m', f'@{t}..@{t + 3600}'):
        change = history.json(*new, '--baseline', baseline)
        by_name = {function['name']: function for function in change['functions']}
        same(change['noise'], 'runs', f'noise of {baseline}')
        if not 8 <= len(change['base']) <= 12:
            fail(f'{baseline}: {len(change["base"])} stretches')
        decode = by_name['json_decode']['self']
        same(decode['mark'], 'dearer', f'json_decode, {baseline}')
        near(decode['base'], 0.062, 0.02, f'json_decode before, {baseline}')
        near(decode['new'], 0.225, 0.03, f'json_decode after, {baseline}')
        if not decode['low'] <= 0.225 - 0.062 <= decode['high']:
            fail(f'{baseline}: the truth is not in {decode}')
        same(by_name['main']['total']['mark'], 'none', 'main')
    same_time = history.json('--since', f'@{t + 1800}', '--until', '+10m', '--baseline', '30m')
    marks = [f['name'] for f in same_time['functions'] for k in ('self', 'total')
             if f[k]['mark'] != 'none']
    same(marks, [], 'marks where nothing has changed')
    # Cores: nginx needs more, bash does not.
    change = history.json('--since', f'@{t + 3600}', '--until', '+10m', '--baseline', '1h-ago',
                          '--per', 'seconds')
    by_name = {function['name']: function for function in change['functions']}
    same(by_name['json_decode']['self']['mark'], 'dearer', 'cores of json_decode')
    same(by_name['loop']['self']['mark'], 'none', 'cores of loop')
    near(by_name['loop']['self']['base'], 100 * 0.2 / HZ / 10, 0.02, 'cores of loop')
    text = history.query(*new, '--baseline', '1h-ago').replace('\n', ' ')
    for words in (f'unit nginx.service, {span(t + 3600, t + 4200)}, compared with '
                  f'{span(t, t + 600)} in 12 stretches', 'json_decode became dearer: ',
                  'more than stretches of time of one side do among themselves'):
        if words not in text:
            fail(f'--baseline does not say {words!r}: {text[:600]}')
    for form, begin in (('flamegraph', '<?xml'), ('folded', 'nginx;'), ('json', '{"schema')):
        if not history.query(*new, '--baseline', '1h', '-f', form).startswith(begin):
            fail(f'-f {form} of a comparison')
    history.query(*new, '--baseline', '@5..@500', expect=1, said='nothing was recorded from')
    history.query('--since', f'@{t}', '--until', '+1h', '--baseline', f'@{t + 3600}..+5m',
                  '--unit', 'late.service', expect=1, said='there is nothing to compare')


def check_old_history(folder, t):
    """Ten minutes in one window, then bursts: nothing is cut finer than it is known."""
    history = History(folder, 'old')
    for i in range(13):
        history.window(t + 600 * i, f'old.folded {NGINX} build_id={OLD}', length_s=600)
    # Busy in every tenth window only.
    for i in range(120):
        history.window(t + 7800 + 10 * i, *[f'old.folded {NGINX} build_id={OLD}'] * (i % 10 == 0))
    history.write()
    one = ['--since', f'@{t + 600}', '--until', '+10m', '--baseline', f'@{t}..@{t + 600}']
    change = history.json(*one)
    same((change['noise'], len(change['base'])), ('sampling', 1), 'a baseline of one window')
    if 'The history has the two intervals as one window each' not in \
            history.query(*one).replace('\n', ' '):
        fail('nothing says that there is one window')
    several = history.json('--since', f'@{t + 7200}', '--until', '+10m', '--baseline',
                           f'@{t}..@{t + 7200}')
    same((several['noise'], len(several['base'])), ('runs', 12), 'a baseline of 12 windows')
    same({run['samples'] for run in several['base']}, {1000}, 'whole windows')
    # Stretches of about as many samples, and, for cores, of the same length.
    for per, most in (('samples', 12), ('seconds', 12)):
        bursts = history.json('--since', f'@{t + 8400}', '--until', '+10m', '--baseline', '10m',
                              '--per', per)
        counts = [run['samples'] for run in bursts['base']]
        same(sum(counts), 6000, f'samples of bursts, per {per}')
        if not 3 <= len(counts) <= most or min(counts) < max(counts) / 3:
            fail(f'stretches of bursts, per {per}: {counts}')


def deploys_of(history, *arguments):
    return [(d['unit'], d['executable'], d['old']['build_id'][:4], d['new']['build_id'][:4],
             d['time_ns'] // S, d['state'], d['returned'])
            for d in history.json('--deploys', *arguments)['deploys']]


def check_deploys(folder, t):
    history = History(folder, 'deploys')
    nginx = {OLD: f'old.folded 0.2 {NGINX} build_id={OLD}',
             NEW: f'new.folded 0.2 {NGINX} build_id={NEW}'}
    app = 'old.folded 0.1 unit=app.service exe=/opt/app comm=app pid=50'
    # Half an hour of the old one; both side by side for five minutes; the new one alone; back again.
    for i in range(540):
        programs = []
        if i < 210:
            programs.append(nginx[OLD])
        if 180 <= i < 330:
            programs.append(nginx[NEW])
        if i >= 330:
            programs.append(nginx[OLD])
        # A service that starts compilers and tries out what they make, and is restarted itself.
        programs.append(f'loop.folded 0.1 unit=ci.service exe=/usr/bin/cc1 build_id={SHELL} pid={i}')
        if i % 30 == 0:
            programs.append(f'loop.folded 0.2 unit=ci.service exe=/tmp/a.out pid={10000 + i} '
                            f'build_id={i:040x}')
        programs.append(f'{app} build_id={OLD}' if i < 500 else f'{app} build_id={NEW}')
        history.window(t + 10 * i, *programs)
    # The clock was set far ahead for a moment.
    history.window(t + 365 * 86400, nginx[NEW])
    history.write()
    rolled, back, last = (
        ('nginx.service', '/usr/sbin/nginx', OLD[:4], NEW[:4], t + 1800, 'waits', False),
        ('nginx.service', '/usr/sbin/nginx', NEW[:4], OLD[:4], t + 3300, 'waits', True),
        ('app.service', '/opt/app', OLD[:4], NEW[:4], t + 5000, 'waits', False))
    same(deploys_of(history), [rolled, back, last], 'new versions, asked before they are judged')
    same(history.query('--deploys').count('; so far\n'), 3, 'what is not judged for good')
    for _ in range(2):
        if SANITIZED:
            history.lines += ['judge', f'tidy {time.time_ns()}']
            history.write()
        else:
            subprocess.run([PROFD, '_tidy', history.folder, '0', '0'], check=True, timeout=HANG_S)
    judged = [(*deploy[:5], 'judged', deploy[6]) for deploy in (rolled, back, last)]
    same(deploys_of(history), judged, 'new versions that are judged')
    deploys = history.json('--deploys')['deploys']
    for deploy, (old, new) in zip(deploys, ((0.062, 0.225), (0.225, 0.062))):
        # What became dearer comes first.
        names = [(c['function'], c['new'] > c['old']) for c in deploy['changes']]
        same(names, [('json_decode', True), ('render', False), ('other', False)] if new > old else
             [('render', True), ('other', True), ('json_decode', False)], 'changes')
        change = deploy['changes'][[name for name, _ in names].index('json_decode')]
        same(change['with_callees'], False, 'by itself')
        near(change['old'], old, 0.02, 'json_decode before')
        near(change['new'], new, 0.03, 'json_decode after')
        if not abs(change['new'] - change['old'] - (new - old)) <= change['half'] < 0.05:
            fail(f'the truth is not in {change}')
        near(deploy['old']['samples'], 30000 if deploy['returned'] else 36000, 1000, 'samples')
        near(deploy['new']['cores'], 200 / HZ / 10, 0.05, 'cores of the new one')
    same(deploys[2]['changes'], [], 'changes of what has not changed')
    text = history.query('--deploys')
    for words in (f'{moment(t + 1800, time.time())} nginx.service /usr/sbin/nginx 3fe1000… → 99ab000…: '
                  'json_decode 6.', ' % → 2', 'which ran before', 'no function changed beyond noise'):
        if words not in text:
            fail(f'--deploys does not say {words!r}:\n{text}')
    same(len(text.splitlines()), 3, 'a line each')
    for words, want in (('--unit nginx.service', 2), ('--unit app*', 1), ('--exe nginx', 2),
                        (f'--build-id {NEW}', 3), (f'--build-id {SHELL}', 0), ('-n 1', 1),
                        (f'--since @{t + 3000}', 2), (f'--until @{t + 3000}', 1),
                        ('--since 5m', 0)):
        same(len(deploys_of(history, *words.split())), want, f'--deploys {words}')
    # Of plain SQL, too.
    rows = sqlite3.connect(os.path.join(history.folder, 'history.db')).execute(
        'SELECT unit, function, old_percent, new_percent, state FROM deploys').fetchall()
    same(rows[0], ('nginx.service', 'json_decode',
                   *(round(100 * deploys[0]['changes'][0][key], 2) for key in ('old', 'new')),
                   'judged'), 'the view')
    # What was found stays when nothing is left of the windows.
    database = sqlite3.connect(os.path.join(history.folder, 'history.db'))
    database.executescript('DELETE FROM slice; DELETE FROM segment')
    database.close()
    same(deploys_of(history), judged, 'what was found, without windows')
    same([d['changes'][0]['new'] for d in history.json('--deploys')['deploys'][:2]],
         [d['changes'][0]['new'] for d in deploys[:2]], 'changes, without windows')


def check_hostile(folder):
    """What is kept about new versions, made by somebody else: never believed, never endless."""
    for name, statements in {
            'types': ("UPDATE build SET unit = 7, exe = x'00ff', first_ns = 'x', samples = -1",
                      "UPDATE deploy SET time_ns = 'soon', state = 99, old_cores = 'many'",
                      "UPDATE deploy_change SET function = zeroblob(100), old = 'x', half = 9e999"),
            'long': ("UPDATE build SET exe = replace(hex(zeroblob(1000000)), '0', 'a')",
                     "UPDATE deploy SET unit = replace(hex(zeroblob(1000000)), '0', 'b')"),
            'times': ('UPDATE build SET first_ns = -5, last_ns = 9223372036854775807',
                      'UPDATE deploy SET time_ns = 9223372036854775807, ended_ns = -1, state = 1',
                      'UPDATE deploy_scan SET scanned_ns = 9223372036854775807'),
            'windows': ('UPDATE slice SET begin_ns = 9223372036854775807 - duration_ns - id % 1000',
                        'UPDATE segment SET until_ns = 9223372036854775807', 'DELETE FROM build',
                        'DELETE FROM deploy_scan'),
            'much': ('INSERT INTO deploy SELECT NULL, value, value, \'a\', \'/b\', \'c\', \'d\', 1, 0, 0, '
                     '0, 0, 0, 0, 0, 0, 0 FROM generate',
                     "INSERT INTO build SELECT NULL, 'a', '/b', value, value, value, 9, 1 "
                     'FROM generate'),
            'escapes': ("UPDATE deploy_change SET function = char(27) || '[31m' || char(10)",
                        "UPDATE deploy SET unit = char(27) || 'x', exe = char(8238)"),
            'view': ('DROP TABLE deploy', 'CREATE VIEW deploy AS WITH RECURSIVE g(n) AS (SELECT 1 '
                     'UNION ALL SELECT n + 1 FROM g) SELECT * FROM g'),
            'columns': ('DROP VIEW deploys', 'ALTER TABLE deploy DROP COLUMN new_cores')}.items():
        history = History(folder, f'hostile-{name}')
        shutil.copytree(os.path.join(folder, 'deploys'), history.folder)
        database = sqlite3.connect(os.path.join(history.folder, 'history.db'))
        database.execute('CREATE TEMP TABLE generate (value INTEGER)')
        database.executemany('INSERT INTO generate VALUES (?)', ((i,) for i in range(20000)))
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()
        for words in ((), ('--json',)):
            done = subprocess.run([PROFD, 'query', '--store', history.folder, '--deploys', *words],
                                  capture_output=True, timeout=HANG_S, check=False)
            if done.returncode not in (0, 1) or done.stderr.count(b'\n') != done.returncode:
                fail(f'{name}: {done}')
            if b'\x1b' in done.stdout + done.stderr or '\u202e'.encode() in done.stdout and not words:
                fail(f'{name}: a name steers the terminal')
            if words and done.returncode == 0:
                json.loads(done.stdout)


def check_refusals(history, t, folder):
    for words, said in (
            ('--since yesterweek', 'is no time'), ('--since 25:00', 'is no time'),
            ('--until 5x', 'is no time'), ('--since 5m --until 10m', 'is not after'),
            ('--since 2100-01-01', 'still to come'), ('--since 99999d', 'out of range'),
            ('--baseline 5s', 'overlaps'), ('--baseline tomorrow', 'write 1h-ago'),
            ('--per seconds', 'goes with --baseline'), ('--list=nothing', 'there are lists of'),
            ('--list --deploys', 'exclude each other'), ('--baseline 1h --list', 'exclude each'),
            ('-a -p 1', 'exclude each other'), ('-p 0', 'not a process id'),
            ('--unit a --unit b', 'was given already'), ('--cgroup /', 'below the root'),
            ('--json -o x.svg', '--json is for stdout'), ('--list -o x.svg', 'without -o'),
            ('-o x.unknown', 'says no format'), ('-f nosuch', 'no such format'),
            ('--baseline 1h -f html', 'with --baseline there are'), ('word', "unexpected 'word'"),
            ('--deploys --comm x', 'goes with --unit'), ('--list --focus x', 'choose stacks'),
            ('--sort total -f svg', 'for the table of functions'),
            ('--color never --list', 'for the table'), ('-n 3 --baseline 1h', '-n and -w are for'),
            ('-w 90 -f pprof', '-n and -w are for'),
            ('--uid 99999999999', "is not a user's number"), ('--baseline 1h -o x.html', 'no format')):
        history.query(*words.split(), expect=2, said=said)
    history.query('--since', '@1000', '--until', '@2000', expect=1,
                  said='there is history from')
    history.query('--since', f'@{t}', '-o', '/nonexistent/x.svg', expect=1, said='does not exist')
    other = History(folder, 'none')
    other.query(expect=1, said="is 'profd daemon' running?")
    os.mkdir(other.folder)
    other.query('--deploys', expect=1, said='there is none')
    with open(os.path.join(other.folder, 'history.db'), 'wb') as file:
        file.write(b'SQLite format 3\0' + b'x' * 8000)
    other.query('--list', expect=1, said='damaged')
    # Whoever calls us may leave us little memory.
    for mebibytes in () if SANITIZED else (40, 60, 100):
        limit = mebibytes << 20
        done = subprocess.run([PROFD, 'query', '--store', history.folder, '--since', f'@{t}',
                               '-f', 'pprof', '-o', '/dev/null'], capture_output=True,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS,
                                                                    (limit, limit)), check=False)
        if done.returncode not in (0, 1, 127) or done.stderr.count(b'\n') > 1:
            fail(f'with {mebibytes} MiB: {done}')


def main():
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    for name, text in (('old', 'main;json_decode 62\nmain;render 700\nmain;other 238\n'),
                       ('new', 'main;json_decode 225\nmain;render 579\nmain;other 196\n'),
                       ('known', 'main;json_decode 31\nmain;render 50\n'), ('loop', 'loop 100\n'),
                       ('twenty', 'loop 20\n'), ('ten', 'serve 10\n')):
        with open(f'{name}.folded', 'w', encoding='utf-8') as file:
            file.write(text)
    now = int(time.time())
    t = now - 7200
    counts = History(folder, 'counts')
    for i in (*range(10), *range(16, 26)):
        counts.window(t + 10 * i, f'known.folded {NGINX} build_id={OLD}', f'twenty.folded {BASH}',
                      f'ten.folded {APP}', lost=2)
    counts.write()
    check_counts(counts, t)
    check_filters(counts, t)
    check_lists(counts, t)
    check_outputs(counts, t, folder)
    change = History(folder, 'change')
    for i in range(420):
        change.window(t + 10 * i, f'loop.folded 0.2 {BASH}', f'old.folded 0.2 {NGINX} build_id={OLD}'
                      if i < 360 else f'new.folded 0.2 {NGINX} build_id={OLD}')
    change.write()
    check_baseline(change, t)
    check_old_history(folder, t - 3600)
    check_deploys(folder, t)
    check_hostile(folder)
    check_refusals(counts, t, folder)
    shutil.rmtree(folder)
    return failures > 0


if __name__ == '__main__':
    sys.exit(main())

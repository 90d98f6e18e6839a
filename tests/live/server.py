#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: what it answers, to whom, and what becomes of it when others misbehave."""
import base64
import errno
import grp
import json
import math
import os
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import urllib.request

from fakes import STATUS, FakeDaemon, pprof_of, status_of, wait_until
from harness import HANG_S, PROFD, Target, check, check_equal, folder, need, run, start

TOKEN = 'a-token-that-nobody-guesses'
PROMETHEUS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), 'tools', 'prometheus')


def words_after(asked, *skipped):
    return [word for word in asked['words'][2:] if word.split('=')[0] not in skipped]


def go_environment():
    environment = dict(os.environ, PPROF_TMPDIR=folder(), GOTOOLCHAIN='local')
    environment.setdefault('GOCACHE', os.path.join(tempfile.gettempdir(), 'profd-live-go'))
    return environment


def go_pprof(*arguments):
    return subprocess.run([need('go'), 'tool', 'pprof', *arguments], capture_output=True,
                          env=go_environment(), timeout=HANG_S, check=False, text=True)


def test_go_tool_pprof():
    """A profile as Go's tool asks for it; where there is none, it shows our sentence."""
    with FakeDaemon() as fake:
        fake.answer_with('pprof', pprof_of('main;busy_in_c 30\nmain;idle 10\n'))
        address = f'http://127.0.0.1:{fake.port}'
        for path, line in (('', 'all -'), ('/unit/nginx.service', 'unit nginx.service'),
                           (f'/pid/{os.getpid()}', f'pid {os.getpid()}')):
            done = go_pprof('-top', f'{address}{path}/debug/pprof/profile?seconds=1')
            check_equal(done.returncode, 0, f'pprof of {path}: {done.stderr}')
            check('75.00%' in done.stdout and 'busy_in_c' in done.stdout, done.stdout)
            check_equal(fake.line('capture ').split(' ', 2)[2], f'1 99 {line}', 'capture')
        for path, sentence in ((f'/pid/{2**22 + 5}/debug/pprof/profile', 'there is no process'),
                               ('/debug/pprof/block', 'profd does not measure waiting'),
                               ('/debug/pprof/allocs', 'measured in one process'),
                               ('/unit/absent/debug/pprof/profile', 'no unit called absent')):
            done = go_pprof('-top', address + path)
            check(done.returncode != 0 and sentence in done.stderr, f'{path}: {done.stderr}')
    with FakeDaemon(token=TOKEN) as fake:
        fake.answer_with('pprof', pprof_of('main;busy_in_c 30\n'))
        done = go_pprof('-top', f'http://any:{TOKEN}@127.0.0.1:{fake.port}/debug/pprof/profile?seconds=1')
        check('busy_in_c' in done.stdout, f'with a token: {done.stderr}')
        done = go_pprof('-top', f'http://127.0.0.1:{fake.port}/debug/pprof/profile?seconds=1')
        check('the token is missing' in done.stderr, f'without: {done.stderr}')


def test_conventions():
    """What clients of net/http/pprof count on, over both sockets."""
    with FakeDaemon() as fake:
        for local in (False, True):
            for name in ('allocs', 'block', 'mutex', 'trace', 'goroutine', 'threadcreate',
                         'nonsense'):
                status, headers, body = fake.ask(f'/debug/pprof/{name}?seconds=5', local=local)
                check_equal((status, headers.get('x-go-pprof')), (404, '1'), name)
                check(body.endswith(b'\n') and body.count(b'\n') == 1, f'{name}: {body}')
            index = fake.get('/debug/pprof/', local=local)
            check('<a href="profile">' in index and 'cmdline' not in index, index)
            index = json.loads(fake.get('/debug/pprof/', local=local,
                                        headers={'Accept': 'application/json'}))
            check_equal([row['name'] for row in index['profiles']], ['profile', 'heap', 'symbol'],
                        'index')
            index = fake.get('/unit/%3Cb%3E/debug/pprof/', local=local)
            check('<b>' not in index and '&#60;b&#62;' in index, index)
            status, headers, _ = fake.ask('/debug/pprof', local=local)
            check_equal((status, headers['location']), (301, 'pprof/'), 'without its slash')
        with Target('recurse', 30) as target:
            check_equal(fake.get(f'/pid/{target.pid}/debug/pprof/cmdline').split('\0')[1:], ['30'],
                        'command line')
        for path, line in (('/debug/pprof/heap', '10 growth all -'),
                           ('/unit/a/debug/pprof/heap?seconds=3', '3 growth unit a'),
                           (f'/pid/{os.getpid()}/debug/pprof/heap?event=heap', f'10 heap pid {os.getpid()}'),
                           (f'/pid/{os.getpid()}/debug/pprof/allocs', f'10 alloc pid {os.getpid()}')):
            check('it broke' in fake.get(path, 500), path)
            check_equal(fake.line('record ').split(' ', 2)[2], line, path)
        for query in ('seconds=0', 'seconds=301', 'seconds=x', 'event=cpu'):
            fake.get('/debug/pprof/heap?' + query, 400)
        check('only a process' in fake.get('/debug/pprof/cmdline', 404), 'of the machine')
        for options in ({}, {'method': 'POST', 'body': '0x1234+0x5678'}):
            check_equal(fake.get('/debug/pprof/symbol', **options), 'num_symbols: 0\n', 'symbol')
        status, headers, body = fake.ask('/debug/pprof/profile?seconds=1')
        check_equal((status, headers['content-type'], headers['content-disposition'],
                     'content-encoding' in headers),
                    (200, 'application/octet-stream', 'attachment; filename="profile"', False),
                    'headers')
        asked = json.loads(body)
        times = [int(word.split('@')[1][:-2]) for word in asked['words']
                 if word.startswith(('--since=', '--until='))]
        check_equal(times[1] - times[0], 1000000000, 'length of what is queried')
        status, headers, body = fake.ask('/debug/pprof/profile?seconds=1', method='HEAD')
        check_equal((status, body), (200, b''), 'HEAD')


def test_history():
    """From the history at once: the last seconds, or an interval; all targets, whatever their names."""
    with FakeDaemon() as fake:
        last = words_after(fake.asked('/debug/pprof/profile?window=last&seconds=20'), '--store')
        times = [int(word.split('@')[1][:-2]) for word in last[:2]]
        check_equal(times[1] - times[0], 20 * 10**9, 'the last 20 s')
        check(abs(times[1] / 1e9 - time.time()) < HANG_S, f'until when: {times}')
        for path, option in (('', []), ('/pid/77', ['--pid=77']), ('/comm/kworker%2F0:1', ['--comm=kworker/0:1']),
                             ('/unit/system-a%5Cx2db.service', ['--unit=system-a\\x2db.service']),
                             ('/comm/--all', ['--comm=--all']), ('/comm/a%20b+%C3%A9', ['--comm=a b+é']),
                             ('/container/0123456789ab', ['--container=0123456789ab'])):
            asked = fake.asked(f'{path}/debug/pprof/profile?since=yesterday+14:02&until=14:06')
            check_equal(words_after(asked, '--store'),
                        ['--since=yesterday 14:02', '--until=14:06', *option, '--format=pprof',
                         '--output=-'], f'query of {path}')
        for query in ('since=-1', 'until=now', 'since=%0a', 'since=10m&window=last', 'window=first',
                      'seconds=0', 'seconds=301', 'seconds=x', 'seconds=', 'hz=0', 'since=' + 70 * '1',
                      'seconds=5%', 'since=10m;reboot'):
            fake.get('/debug/pprof/profile?' + query, 400)
        for path in ('/pid/x', '/pid/0', '/pid/1%00', '/unit/%ff', '/unit/', '/comm/a%0Ab', '/pid/-5'):
            status, headers, _ = fake.ask(path + '/debug/pprof/profile?window=last')
            check_equal((status, headers.get('x-go-pprof')), (400, '1'), path)


def test_api():
    """The JSON API's parameters are options of profd query."""
    with FakeDaemon() as fake:
        for path, words in (
                ('query', ['--json']),
                ('query?format=text&since=10m', ['--since=10m']),
                ('query?format=flamegraph&unit=a&pid=1,2', ['--unit=a', '--pid=1,2', '--format=flamegraph',
                                                            '--output=-']),
                ('query?baseline=1h-ago&per=seconds&format=json', ['--baseline=1h-ago', '--per=seconds', '--json']),
                ('query?pod=u&cgroup=/a/b&uid=root&exe=/bin/x&build_id=ab12',
                 ['--pod=u', '--cgroup=/a/b', '--uid=root', '--exe=/bin/x', '--build-id=ab12', '--json']),
                ('list', ['--list', '--json']), ('list?by=units&limit=5', ['--limit=5', '--list=units', '--json']),
                ('timeline?by=units&step=10', ['--list=units', '--json', '--every=10s']),
                ('deploys?since=10m', ['--since=10m', '--deploys', '--json'])):
            check_equal(words_after(fake.asked('/api/v1/' + path), '--store'), words, path)
        for path in ('query?colour=red', 'query?format=exe', 'query?by=units', 'list?format=json',
                     'query?pid=1;2', 'list?by=--store', 'list?limit=0', 'timeline?step=0', 'query?since='):
            status, headers, body = fake.ask('/api/v1/' + path)
            check_equal((status, headers['content-type']), (400, 'application/json'), path)
            check(json.loads(body)['error'], f'{path}: {body}')
        fake.answer_with('flamegraph', b'<svg xmlns="http://www.w3.org/2000/svg"/>')
        _, headers, _ = fake.ask('/api/v1/query?format=flamegraph')
        check_equal(headers['content-type'], 'image/svg+xml', 'type')
        check(headers['content-security-policy'].startswith('sandbox allow-scripts; default-src \'none\''),
              f'a picture may not see the rest of us: {headers}')
        status = json.loads(fake.get('/api/v1/status'))
        check_equal(status['daemon'], STATUS, 'status')
        check_equal(status['server']['captures_max'], 8, 'captures')


def test_page():
    """The page is all there, and refers to nothing elsewhere."""
    with FakeDaemon() as fake:
        for path, content in (('/', 'text/html'), ('/profd.css', 'text/css'), ('/profd.svg', 'image/svg+xml'),
                              ('/profd.js', 'text/javascript')):
            status, headers, body = fake.ask(path)
            check_equal((status, headers['content-type'].split(';')[0]), (200, content), path)
            policy = headers['content-security-policy']
            check("default-src 'none'" in policy and 'unsafe' not in policy, policy)
            check_equal(headers['x-content-type-options'], 'nosniff', path)
            check('access-control-allow-origin' not in headers, 'no other origin is let in')
            text = body.decode('ascii').replace('http://www.w3.org/', '')
            check('http:' not in text and 'https:' not in text and '//' not in text.replace('// ', ''),
                  f'{path} refers to something')


def test_who_may_ask():
    """Names of the machine, a token, other sites; the Unix socket's mode."""
    with FakeDaemon(hosts=['Profiles.example']) as fake:
        for host, good in (('localhost:%d' % fake.port, True), ('127.0.0.1', True), ('[::1]:80', True),
                           (socket.gethostname(), True), ('profiles.EXAMPLE:1', True), ('localhost.', True),
                           ('evil.example', False), ('localhost.evil.example', False), ('', False),
                           ('localhost:80:80', False), ('127.0.0.1.evil.example', False), ('[::1', False)):
            fake.get('/api/v1/status', 200 if good else 421, headers={'Host': host})
            fake.get('/healthz', 200 if good else 421, headers={'Host': host})
        fake.get('/api/v1/status', local=True, headers={'Host': 'whatever'})
        for site, mode, status in (('same-origin', 'cors', 200), ('none', 'navigate', 200), ('cross-site', 'navigate', 200),
                                   ('cross-site', 'no-cors', 403), ('same-site', 'cors', 403)):
            fake.get('/metrics', status, headers={'Sec-Fetch-Site': site, 'Sec-Fetch-Mode': mode})
        info = os.stat(fake.socket)
        check_equal((stat.S_IMODE(info.st_mode), info.st_gid), (0o660, grp.getgrnam('daemon').gr_gid), 'socket')
        second = FakeDaemon(path=fake.folder, listen=None)
        check(second.refused and 'another daemon' in second.refused, f'two daemons: {second.refused}')
        fake.get('/healthz', local=True)
        path = fake.folder
        os.kill(fake.process.pid, signal.SIGKILL)
        fake.process.wait()
        wait_until(lambda: not os.path.exists(f'/proc/{fake.server}'), 'the server ends with its daemon')
    with FakeDaemon(path=path, listen=None) as fake:
        fake.get('/healthz', local=True)
    check(not os.path.exists(os.path.join(path, 'profd.sock')), 'the socket is left behind')
    with FakeDaemon(token=TOKEN, listen='0.0.0.0:0') as fake:
        def basic(text):
            return 'Basic ' + base64.b64encode(text.encode()).decode()
        for given, good in (('Bearer ' + TOKEN, True), ('bearer  ' + TOKEN, True), (basic('x:' + TOKEN), True),
                            (basic(':' + TOKEN), True), ('', False), ('Bearer', False), ('Bearer ' + TOKEN[:-1], False),
                            ('Bearer ' + TOKEN + 'x', False), ('Bearer ' + TOKEN + TOKEN, False), (basic(TOKEN), False),
                            (basic('x:' + TOKEN[1:]), False), ('Basic !!!!', False), (TOKEN, False),
                            ('Bearer ' + 3000 * 'x', False)):
            status, headers, _ = fake.ask('/api/v1/status', headers={'Authorization': given})
            check_equal((status, 'www-authenticate' in headers), (200, False) if good else (401, True), given)
        fake.get('/healthz', headers={'Authorization': ''})
        fake.get('/api/v1/status', local=True, headers={'Authorization': ''})
        with open(f'/proc/{fake.server}/cmdline', 'rb') as file:
            check(TOKEN.encode() not in file.read(), 'the token is in the list of processes')
    for options, words in (({'listen': '0.0.0.0:0'}, 'needs a token'), ({'listen': 'example:80'}, 'not an address'),
                           ({'listen': '127.0.0.1:0', 'token': 'short'}, 'characters')):
        refused = FakeDaemon(unix=False, **options).refused
        check(refused and words in refused, f'{options}: {refused}')


def test_privileges():
    """The server and its queries have none."""
    with FakeDaemon() as fake:
        query = fake.asked('/api/v1/query')
        server = status_of(fake.server)
        for status in (server, query):
            check_equal(int(status['CapEff'], 16) | int(status['CapBnd'], 16) & ~(~0 << 41), 0, 'capabilities')
            check_equal((status['NoNewPrivs'], status['Seccomp']), ('1', '2'), 'no_new_privs, seccomp')
            check('0' not in status['Uid'].split(), f'user: {status["Uid"]}')
        check_equal(query['socket'], errno.EPERM, 'new sockets')
        check_equal(query['descriptor'], errno.EBADF, 'descriptors of the server')
        check_equal((query['shadow'], query['made']), (errno.EACCES, errno.EACCES), 'files')
        os.chmod(fake.folder, 0o700)
    # Where only root reaches the history it stays root, and without what makes root strong.
    path = folder()
    inner = os.path.join(path, 'inner')
    os.mkdir(inner)
    os.chmod(path, 0o700)
    with FakeDaemon(path=inner) as fake:
        query = fake.asked('/api/v1/query')
        check_equal((int(query['CapEff'], 16), query['shadow'], query['made']), (0, errno.EACCES, errno.EACCES),
                    'root')


def test_queries_that_fail():
    """Each is one answer's affair."""
    with FakeDaemon() as fake:
        before = fake.server
        for comm, status, words in (('crash', 500, 'crashed'), ('usage', 400, '--since: not understood'),
                                    ('nothing', 404, 'nothing was recorded'), ('large', 422, 'larger than 32 MiB'),
                                    ('memory', 404, 'out of memory')):
            text = fake.get(f'/comm/{comm}/debug/pprof/profile?window=last', status)
            check(words in text and text.count('\n') == 1, f'{comm}: {text}')
        for value, status, words in (('absent', 404, 'no unit called'), ('busy', 503, 'governor'), ('failed', 500, 'it broke')):
            got, headers, body = fake.ask(f'/unit/{value}/debug/pprof/profile?seconds=1')
            check_equal((got, 'retry-after' in headers), (status, status == 503), value)
            check(words in body.decode(), f'{value}: {body}')
        check(fake.process.poll() is None and os.path.exists(f'/proc/{before}'), 'the server has ended')


def children_of(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        return file.read().split()


def test_clients_that_leave():
    """Whatever they waited for is given up."""
    with FakeDaemon() as fake:
        for local in (False, True):
            client = fake.connect(local)
            client.sendall(b'GET /comm/never/debug/pprof/profile?seconds=300 HTTP/1.1\r\nHost: localhost\r\n\r\n')
            number = fake.line('capture ').split()[1]
            client.close()
            fake.line(f'cancel {number}')
            client = fake.connect(local)
            client.sendall(b'GET /comm/slow/debug/pprof/profile?window=last HTTP/1.1\r\nHost: localhost\r\n\r\n')
            wait_until(lambda: children_of(fake.server), 'the query runs')
            client.shutdown(socket.SHUT_WR)
            wait_until(lambda: not children_of(fake.server), 'the query ends')
            client.close()
        # While one waits for a slow query, others are answered.
        fake.get('/healthz')


def test_limits():
    """More than it does at once, and requests that are too large."""
    with FakeDaemon() as fake:
        waiting = []
        for number in range(8):
            client = fake.connect(number % 2 == 0)
            client.sendall(b'GET /comm/never/debug/pprof/profile?seconds=100 HTTP/1.1\r\nHost: localhost\r\n\r\n')
            fake.line('capture ')
            waiting.append(client)
        status, headers, body = fake.ask('/debug/pprof/profile?seconds=1')
        check_equal((status, headers['x-go-pprof']), (503, '1'), f'the ninth capture: {body}')
        check(60 <= int(headers['retry-after']) <= 101, f'when it may come again: {headers}')
        for number in range(18):
            client = fake.connect()
            client.sendall(b'GET /api/v1/query?comm=slow HTTP/1.1\r\nHost: localhost\r\n\r\n')
            waiting.append(client)
        wait_until(lambda: json.loads(fake.get('/api/v1/status'))['server']['queries'] == 18, '18 queries')
        status, headers, body = fake.ask('/api/v1/query')
        check_equal((status, 'retry-after' in headers), (503, True), f'the nineteenth query: {body}')
        check_equal(len(children_of(fake.server)), 2, 'queries at once')
        for client in waiting:
            client.close()
        wait_until(lambda: not children_of(fake.server), 'all queries end')
        fake.asked('/api/v1/query')

        fake.get('/' + 5000 * 'x', 414)
        check(fake.ask('/' + 50000 * 'x')[0] in (413, 414, 431), 'an address of 50 kB')
        check_equal(fake.ask('/', headers={'X': 50000 * 'x'})[0], 431, 'a header of 50 kB')
        fake.get('/debug/pprof/symbol', 413, method='POST', body=70000 * 'x')
        fake.get('/api/v1/query?' + '&'.join('since=10m' for _ in range(30)), 414)
        for method in ('PUT', 'DELETE', 'OPTIONS', 'POST', 'NONSENSE'):
            status, headers, _ = fake.ask('/api/v1/status', method=method)
            check_equal((status, headers['allow']), (405, 'GET, HEAD'), method)


def test_daemon_that_fails():
    """One that hangs, one that talks nonsense, one whose server is killed."""
    with FakeDaemon(status=None) as fake:
        check_equal(fake.ask('/metrics')[0], 503, 'metrics of a daemon that is silent')
        check_equal(fake.ask('/readyz')[0], 503, 'is it ready')
        fake.get('/healthz')
        fake.line('status ')
        before = fake.lines.qsize()
        for _ in range(20):
            check_equal(fake.ask('/api/v1/status')[0], 503, 'status')
        check_equal(fake.lines.qsize() - before, 0, 'questions to one that is silent already')
        os.kill(fake.server, signal.SIGKILL)
        fake.wait_restart()
        fake.set_status(dict(STATUS, store_error='the disk is full'))
        check('the disk is full' in fake.get('/readyz', 503), 'why it is not ready')
        check('profd_store_up 0' in fake.get('/metrics'), 'metrics')
        client = fake.connect()
        client.sendall(b'GET /comm/nonsense/debug/pprof/profile HTTP/1.1\r\nHost: localhost\r\n\r\n')
        fake.wait_restart()
        client.close()
        fake.get('/healthz')


def test_metrics():
    """As Prometheus's own tools want them; the number of series stays bounded."""
    with FakeDaemon() as fake:
        text = fake.get('/metrics')
        lint = subprocess.run([need('promtool'), 'check', 'metrics'], input=text, capture_output=True, text=True,
                              timeout=HANG_S, check=False)
        check_equal((lint.returncode, lint.stdout + lint.stderr), (0, ''), 'promtool check metrics')
        for line in ('profd_samples_total 11400', 'profd_lost_samples_total{where="ring"} 3',
                     'profd_unwind_stops_total{reason="a \\"strange\\" reason"} 7', 'process_cpu_seconds_total 1.5',
                     'profd_unit_cpu_seconds_total{unit="nginx.service"} 3', 'process_start_time_seconds 1700000000.25',
                     'profd_sampling_rate_hertz 9.5', 'profd_store_up 1', 'profd_paused 0', 'profd_bpf_seconds_total 0.25'):
            check(line in text.splitlines(), f'{line}: {text}')
        many = [{'unit': f'unit-{number}.service' if number != 998 else '', 'cpu_ns': number * 10**9} for number in range(1000)]
        fake.set_status(dict(STATUS, units=many, truncated={str(number): 1 for number in range(1000)}))
        time.sleep(1.1)  # what is known counts for a second
        text = fake.get('/metrics')
        units = [line for line in text.splitlines() if line.startswith('profd_unit_cpu_seconds_total{')]
        check_equal(len(units), 65, 'series of units')
        check('profd_unit_cpu_seconds_total{unit="unit-999.service"} 999' in units, 'the largest one')
        check('profd_unit_cpu_seconds_total{unit="none"} 998' in units, 'what is in none')
        check('profd_unit_cpu_seconds_total{unit="nginx.service"} 3' in units, 'one that went')
        total = sum(float(line.rsplit(' ', 1)[1]) for line in units)
        check_equal(total, 3 + 999 * 1000 / 2, 'all of them together')
        check_equal(sum(line.startswith('profd_unwind_stops_total{') for line in text.splitlines()), 64, 'reasons')


def let_go_after(client):
    """How long a client is put up with that says a little now and then; None: for longer than a hang."""
    begun = time.monotonic()
    while time.monotonic() - begun < HANG_S:
        try:
            client.sendall(b'G')
            client.settimeout(0.5)
            if client.recv(1000) == b'':
                return time.monotonic() - begun
        except TimeoutError:
            pass
        except ConnectionError:
            return time.monotonic() - begun
    return None


def test_prometheus():
    """A real one scrapes it, with the rules; its tools check and test these. Slow clients are let go."""
    promtool, rules = need('promtool'), os.path.join(PROMETHEUS, 'profd.rules.yml')
    for arguments in (['check', 'rules', rules], ['test', 'rules', os.path.join(PROMETHEUS, 'profd.rules.test.yml')]):
        done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=HANG_S, check=False)
        check_equal(done.returncode, 0, f'promtool {arguments}: {done.stdout} {done.stderr}')
    where = folder()
    with FakeDaemon(token=TOKEN) as fake, socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
        free.close()
        patience = []
        slow = threading.Thread(target=lambda: patience.append(let_go_after(fake.connect())))
        slow.start()
        config = os.path.join(where, 'prometheus.yml')
        with open(config, 'w', encoding='utf-8') as file:
            json.dump({'global': {'scrape_interval': '1s', 'evaluation_interval': '1s'}, 'rule_files': [rules],
                       'scrape_configs': [{'job_name': 'profd', 'authorization': {'credentials': TOKEN},
                                           'static_configs': [{'targets': [f'127.0.0.1:{fake.port}']}]}]}, file)
        start([need('prometheus'), '--config.file', config, '--storage.tsdb.path', os.path.join(where, 'data'),
               '--web.listen-address', f'127.0.0.1:{port}', '--log.level=error'], stdout=subprocess.DEVNULL)

        def ask(path):
            try:
                with urllib.request.urlopen(f'http://127.0.0.1:{port}/api/v1/{path}', timeout=5) as answer:
                    return json.load(answer)['data']
            except OSError:
                return None

        def value(query):
            data = ask('query?query=' + query)
            return [float(row['value'][1]) for row in data['result']] if data else None
        wait_until(lambda: value('up%7Bjob=%22profd%22%7D') == [1.0], 'Prometheus scrapes it')
        check_equal(value('profd_samples_total'), [11400.0], 'samples')
        check_equal(value('profd_unit_cpu_seconds_total%7Bunit=%22nginx.service%22%7D'), [3.0], 'of a unit')
        groups = ask('rules')['groups']
        check_equal(sorted(group['name'] for group in groups), ['profd-alerts', 'profd-costs'], 'rules')
        check(all(rule['health'] in ('ok', 'unknown') for group in groups for rule in group['rules']), f'{groups}')
        slow.join()
        check(patience[0] is not None, 'it may go on for ever')
        check(patience[0] > 3, f'nobody has a chance: {patience}')


def resources(pid):
    return (len(os.listdir(f'/proc/{pid}/fd')), int(status_of(pid)['VmRSS'].split()[0]) // 1024)


def test_hostile_clients():
    """Thousands of slow and broken ones: others are answered, and the server stays small."""
    openings = (b'', b'G', b'GET / HTTP/1.1\r\nHost: localhost\r\nX: ', b'POST /debug/pprof/symbol HTTP/1.1\r\n'
                b'Host: localhost\r\nContent-Length: 60000\r\n\r\nabc', b'\0\xff\x16\x03\x01', b'GET ' + 3000 * b'/x',
                b'POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n',
                b'GET /api/v1/query?format=folded HTTP/1.1\r\nHost: localhost\r\n\r\n' * 3,
                b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n' * 50)
    with FakeDaemon() as fake:
        fake.answer_with('folded', bytes(4 << 20))
        clients, most_fds, most_mib, answered = [], 0, 0, 0
        for number in range(2000):
            client = socket.socket()
            client.settimeout(2)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            try:
                client.connect(('127.0.0.1', fake.port))
                client.sendall(openings[number % len(openings)])
                clients.append(client)
            except OSError:
                client.close()
            if number % 3 == 0 and clients:
                clients.pop(0).close()
            if number % 100 == 0:
                fake.get('/healthz', local=True)
                fake.get('/metrics', local=True)
                answered += 1
                fds, mib = resources(fake.server)
                most_fds, most_mib = max(most_fds, fds), max(most_mib, mib)
        fake.get('/healthz')
        print(f'    {len(clients)} clients hold on; at most {most_fds} descriptors, {most_mib} MiB')
        check_equal(answered, 20, 'answers meanwhile')
        check(most_fds <= 320 and most_mib <= 64, 'the server has grown')
        before = fake.server
        for client in clients:
            client.close()
        # It is the same one, and has let go of all of them.
        wait_until(lambda: resources(before)[0] < 30, 'descriptors are closed')
        fake.get('/healthz')
        check(fake.process.poll() is None and os.path.exists(f'/proc/{before}'), 'the server has ended')


def shares_of(folded):
    """{function: percent} of the four functions of targets/split."""
    counts = dict.fromkeys(('share_10', 'share_20', 'share_30', 'share_40'), 0)
    for line in folded.splitlines():
        frames, _, count = line.rpartition(' ')
        for name in counts:
            if name in frames.split(';'):
                counts[name] += int(count)
    total = sum(counts.values())
    return {name: 100 * count / total for name, count in counts.items()} if total else {}


def test_real_daemon():
    """From the kernel to Go's tool, while hundreds of clients hang on and a thousand come and go."""
    where = folder()
    config = os.path.join(where, 'profd.conf')
    with open(config, 'w', encoding='ascii'), socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    path = os.path.join(where, 'profd.sock')
    address = f'http://127.0.0.1:{port}'
    daemon = start([PROFD, 'daemon', '--config', config, '--store', os.path.join(where, 'store'), '--symbol-cache', 'none',
                    '--user', 'root', '--stop-file', 'none', '--socket', path, '--listen', f'127.0.0.1:{port}',
                    '--max-overhead', '50'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(name):
        with urllib.request.urlopen(address + name, timeout=HANG_S) as answer:
            return answer.read().decode()

    def is_ready():
        check(daemon.poll() is None, 'the daemon has ended')
        try:
            return ask('/readyz') == 'ok\n'
        except OSError:
            return False
    wait_until(is_ready, 'the daemon answers')
    before = json.loads(ask('/api/v1/status'))['daemon']
    clients = []
    with Target('split') as target:
        pprof = start([need('go'), 'tool', 'pprof', '-top', f'{address}/pid/{target.pid}/debug/pprof/profile?seconds=4'],
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=go_environment())
        begun = time.monotonic()
        while time.monotonic() - begun < 3:
            client = socket.create_connection(('127.0.0.1', port), timeout=HANG_S)
            clients.append(client)
            try:
                client.sendall((b'', b'GET / HTT', b'\0\1', b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
                               [len(clients) % 4])
            except OSError:
                pass  # it was let go already
            if len(clients) > 500:
                clients.pop(0).close()
            time.sleep(0.004)
        output, errors = pprof.communicate(timeout=HANG_S)
        check_equal(pprof.returncode, 0, f'pprof: {errors}')
        check('File: split' in output and 'Showing nodes' in output, output)
        status = json.loads(ask('/api/v1/status'))['daemon']
        check(status['samples'] > before['samples'], f'samples: {before} {status}')
        check_equal((status['lost']['ring'], status['lost']['budget'], status['windows_dropped']), (0, 0, 0), 'lost')
        commands = json.loads(ask('/api/v1/list?by=commands&since=1h'))['commands']
        check('split' in [row['name'] for row in commands], f'{commands}')
        steps = json.loads(ask('/api/v1/timeline?by=commands&since=1m&step=10'))
        check('split' in [row['name'] for row in steps['series']], f'{steps}')
        # Programs are named in the background, as time allows.
        name = f'/api/v1/query?format=folded&pid={target.pid}&since=1h'
        wait_until(lambda: all(shares_of(ask(name)).values()) and shares_of(ask(name)), 'all functions have names')
        samples = json.loads(ask(f'/api/v1/query?pid={target.pid}&since=1h'))['history']['samples']
        for function, percent in shares_of(ask(name)).items():
            true = int(function[-2:])
            check(abs(percent - true) < 5 + 400 * math.sqrt(true * (100 - true) / 1e4 / samples),
                  f'{function}: {percent} % of {samples} samples')
        check('<svg' in ask('/api/v1/query?format=flamegraph&since=1h'), 'flame graph')
        check('profd_samples_total' in ask('/metrics'), 'metrics')
        done = go_pprof('-top', f'{address}/unit/no-such.service/debug/pprof/profile?seconds=1')
        check(done.returncode == 0 or 'no-such' in done.stderr, f'a unit that is not there: {done.stderr}')
    for client in clients:
        client.close()
    daemon.terminate()
    check_equal(daemon.wait(timeout=HANG_S), 0, 'status of the daemon')
    check(not os.path.exists(path), 'its socket is left behind')


if __name__ == '__main__':
    run(globals(), by_table_only='no stack is taken here, but by profd daemon: by tables')

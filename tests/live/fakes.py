# SPDX-License-Identifier: Apache-2.0
"""The HTTP server with a daemon that records nothing, and clients for it."""
import http.client
import json
import os
import queue
import socket
import subprocess
import threading
import time

from harness import HANG_S, TARGETS, Failed, check, end, folder, profd, start

STATUS = {
    'version': '0.1.0', 'started_s': 1700000000.25, 'now_s': 1700000600, 'samples': 11400,
    'lost': {'ring': 3, 'ticks': 0, 'events': 0, 'budget': 1},
    'truncated': {'a "strange" reason': 7}, 'frames': 1000, 'frames_named': 990, 'rate_hz': 9.5,
    'asked_rate_hz': 19, 'governor': 'slowed down', 'own_cpu_ns': 1500000000, 'bpf_ns': 250000000,
    'rss_bytes': 31457280, 'kernel_bytes': 20971520, 'processes': 212, 'windows_written': 60,
    'windows_dropped': 0, 'store_error': None, 'store_bytes': 4096000, 'tables': 321, 'cpus': 2,
    'units': [{'unit': 'nginx.service', 'cpu_ns': 3000000000}], 'paused': False,
}


class FakeDaemon:
    """tests/targets/fake_daemon. status: None: it never answers that question."""

    def __init__(self, listen='127.0.0.1:0', unix=True, token=None, hosts=(), status=STATUS,
                 path=None):
        self.folder = path or folder()
        os.chmod(self.folder, 0o755)
        self.socket = os.path.join(self.folder, 'profd.sock') if unix else '-'
        self.set_status(status)
        self.token = token
        token_file = '-'
        if token:
            token_file = os.path.join(self.folder, 'token')
            with open(token_file, 'w', encoding='ascii') as file:
                file.write(token + '\n')
            os.chmod(token_file, 0o600)
        self.process = start([os.path.join(TARGETS, 'fake_daemon'), self.folder, self.socket,
                              listen or '-', token_file, *hosts], stdout=subprocess.PIPE)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()
        self.refused = None
        line = self.line()
        if line.startswith('refused '):
            self.refused = line[len('refused '):]
        else:
            self._take_ready(line)

    def _read(self, pipe):
        try:
            for line in pipe:
                self.lines.put(line.decode('utf-8', 'replace').rstrip('\n'))
        except ValueError:
            pass  # closed
        self.lines.put('')

    def _take_ready(self, line):
        words = line.split()
        check(words[0] == 'ready', f'not ready: {line}')
        self.server, self.port = int(words[1]), int(words[2])

    def set_status(self, status):
        name = os.path.join(self.folder, 'status.json')
        if status is None:
            if os.path.exists(name):
                os.unlink(name)
            return
        with open(name + '.new', 'w', encoding='utf-8') as file:
            json.dump(status, file)
        os.rename(name + '.new', name)

    def answer_with(self, name, data):
        """What `profd query -f NAME` is to print."""
        with open(os.path.join(self.folder, 'answer.' + name), 'wb') as file:
            file.write(data)

    def line(self, prefix=''):
        """The next line that the daemon has printed which begins like this."""
        while True:
            try:
                line = self.lines.get(timeout=HANG_S)
            except queue.Empty:
                raise Failed(f'the daemon never printed {prefix!r}') from None
            if line.startswith(prefix):
                return line
            if not line:
                raise Failed(f'the daemon ended before it printed {prefix!r}')

    def wait_restart(self):
        self._take_ready(self.line('ready '))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=HANG_S)
        finally:
            end(self.process)

    # ---- clients ----

    def connect(self, local=False):
        if not local:
            return socket.create_connection(('127.0.0.1', self.port), timeout=HANG_S)
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(HANG_S)
        client.connect(self.socket)
        return client

    def ask(self, path, method='GET', body=None, headers=None, local=False):
        """(status, {header: value}, body)."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=HANG_S)
        connection.sock = self.connect(local)
        headers = dict(headers or {})
        if self.token and 'Authorization' not in headers:
            headers['Authorization'] = 'Bearer ' + self.token
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return (answer.status, {name.lower(): value for name, value in answer.getheaders()},
                    answer.read())
        finally:
            connection.close()

    def get(self, path, status=200, **options):
        """The body, as text, of an answer that has to have this status."""
        got, headers, body = self.ask(path, **options)
        check(got == status, f'{path}: {got}, not {status}: {headers} {body[:300]!r}')
        return body.decode('utf-8', 'replace')

    def asked(self, path, **options):
        """What a query was asked, and what it may do, for an answer without a file of its own."""
        return json.loads(self.get(path, **options))


def pprof_of(folded):
    """A profile as profd writes it, of lines of stacks."""
    where = folder()
    source, result = os.path.join(where, 'in.folded'), os.path.join(where, 'out.pb.gz')
    with open(source, 'w', encoding='utf-8') as file:
        file.write(folded)
    status, _, errors = profd('convert', source, '-o', result)
    check(status == 0, f'profd convert: {errors}')
    with open(result, 'rb') as file:
        return file.read()


def status_of(pid):
    with open(f'/proc/{pid}/status', encoding='utf-8') as file:
        return dict(line.rstrip('\n').split(':\t', 1) for line in file if ':\t' in line)


def wait_until(condition, what):
    for _ in range(HANG_S * 20):
        if condition():
            return
        time.sleep(0.05)
    raise Failed(f'never: {what}')

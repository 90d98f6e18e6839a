#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""profd daemon: what it records of the machine, at what rate, and what happens to it meanwhile."""
import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from fakes import wait_until
from selection import cgroup2
from harness import (HANG_S, PROFD, TARGETS, Failed, Target, check, check_equal, end, folder, need,
                     run, start)

SPLIT = {'share_10': 10, 'share_20': 20, 'share_30': 30, 'share_40': 40}


def children_called(pid, word):
    """Of a process, those with such a word in their command line."""
    found = []
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        children = file.read().split()
    for child in children:
        with contextlib.suppress(FileNotFoundError), \
                open(f'/proc/{child}/cmdline', 'rb') as file:
            found += [child] if word.encode() in file.read().split(b'\0') else []
    return found


def ask_socket(path, what):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(HANG_S)
        client.connect(path)
        client.sendall(f'GET {what} HTTP/1.0\r\nHost: localhost\r\n\r\n'.encode())
        answer = b''
        while piece := client.recv(65536):
            answer += piece
    head, _, body = answer.partition(b'\r\n\r\n')
    return int(head.split()[1]), body


class Daemon:
    """A daemon of its own, with its folder, socket and stop file."""

    def __init__(self, *arguments, path=None, config=''):
        self.home = path or folder()
        self.store = os.path.join(self.home, 'history')
        self.socket = os.path.join(self.home, 'socket')
        self.stop_file = os.path.join(self.home, 'stop')
        self.config = os.path.join(self.home, 'profd.conf')
        with open(self.config, 'w', encoding='ascii') as file:
            file.write(config)
        self.stderr = tempfile.TemporaryFile()
        self.process = start(
            [PROFD, 'daemon', '--config', self.config, '--store', self.store, '--socket', self.socket,
             '--socket-group', 'none', '--stop-file', self.stop_file, '--user', 'none',
             '--symbol-cache', 'none', *map(str, arguments)],
            stdout=subprocess.DEVNULL, stderr=self.stderr, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid

    def said(self):
        self.stderr.seek(0)
        return self.stderr.read().decode('utf-8', 'replace')

    def wait_recording(self):
        wait_until(lambda: self.process.poll() is not None or self.status() is not None,
                   f'never recorded: {self.said()}')
        check(self.process.poll() is None, f'ended: {self.said()}')
        return self

    def status(self):
        """What it says of itself; None while nobody answers."""
        try:
            code, body = ask_socket(self.socket, '/api/v1/status')
        except OSError:
            return None
        return json.loads(body)['daemon'] if code == 200 else None

    def wait_windows(self, count):
        before = self.status()['windows_written']
        wait_until(lambda: (self.status() or {}).get('windows_written', 0) >= before + count,
                   f'no windows: {self.said()}')

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(timeout=HANG_S)
        return self.process.returncode

    def query(self, *arguments):
        done = subprocess.run([PROFD, 'query', '--store', self.store, *map(str, arguments)],
                              capture_output=True, timeout=HANG_S, check=False, text=True)
        check_equal(done.returncode, 0, f'query {arguments}: {done.stderr}')
        return done.stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        return [int(child) for child in file.read().split()]


def child_of(daemon, role):
    for pid in children(daemon.pid):
        with contextlib.suppress(OSError):
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                if role in file.read().split(b'\0'):
                    return pid
    return None


def check_split(answer, what):
    """Each of the known shares lies in its interval, or nearly: of 4 at 95 % one may just miss."""
    rows = {row['name']: row['total'] for row in answer['functions']}
    for name, percent in SPLIT.items():
        check(name in rows, f'{what}: no {name} in {sorted(rows)}')
        low, high = rows[name]['low'] * 100, rows[name]['high'] * 100
        slack = (high - low) / 2
        check(low - slack <= percent <= high + slack, f'{what}: {name} {low:.1f} to {high:.1f} %')
    # Which nobody gets right by chance.
    check(rows['share_40']['share'] > rows['share_10']['share'], f'{what}: {rows}')


def test_whose_samples_are():
    """Labels of each sample, also of a process that has ended; names; the daemon is left out."""
    with Daemon('--window', '2s', '-F', '199') as daemon:
        daemon.wait_recording()
        with Target('split') as target:
            pid = target.pid
            daemon.wait_windows(3)
        check_equal(daemon.stop(), 0, f'status: {daemon.said()}')
        answer = json.loads(daemon.query('--since', '1h', '-p', pid, '--json'))
        check_split(answer, 'split')
        for words in (('--comm', 'split'), ('--exe', os.path.join(os.path.realpath(TARGETS), 'split')),
                      ('--uid', 'root', '--comm', 'split'), ('--uid', '0', '--exe', 'split')):
            other = json.loads(daemon.query('--since', '1h', *words, '--json'))
            check(other['samples'] >= answer['samples'] > 100, f'{words}: {other["samples"]}')
        listed = json.loads(daemon.query('--since', '1h', '--list=builds', '--json'))
        build = subprocess.run([need('readelf'), '-n', os.path.join(TARGETS, 'split')],
                               capture_output=True, text=True, check=True).stdout
        build = re.search(r'Build ID: ([0-9a-f]+)', build)[1]
        check(build in json.dumps(listed), f'{build}: {listed}')
        commands = daemon.query('--since', '1h', '--list=processes', '--json')
        check(f'"{daemon.pid}"' not in commands and f':{daemon.pid},' not in commands, commands)


def test_units_and_containers():
    """As the control group's path names them; also of one that is gone by then."""
    root = cgroup2()
    ident = 'ab' * 32
    unit = os.path.join(root, f'profd{os.getpid()}.service')
    container = os.path.join(root, f'docker-{ident}.scope')
    made = []
    try:
        with Daemon('--window', '2s', '-F', '199') as daemon:
            daemon.wait_recording()
            with Target('split') as one, Target('recurse', 10) as two:
                for path, target in ((unit, one), (container, two)):
                    os.makedirs(path, exist_ok=True)
                    made.append(path)
                    with open(os.path.join(path, 'cgroup.procs'), 'w', encoding='ascii') as file:
                        file.write(str(target.pid))
                daemon.wait_windows(3)
            for path in made:
                wait_until(lambda path=path: not os.path.exists(path) or not os.rmdir(path)
                           if not busy(path) else False, f'{path} stays')
            check_equal(daemon.stop(), 0, daemon.said())
            answer = json.loads(daemon.query('--since', '1h', '--unit', os.path.basename(unit),
                                             '--json'))
            check_split(answer, 'unit')
            answer = json.loads(daemon.query('--since', '1h', '--container', ident[:12], '--json'))
            check(any('recurse' in row['name'] for row in answer['functions']), answer)
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def busy(path):
    with contextlib.suppress(OSError):
        with open(os.path.join(path, 'cgroup.procs'), encoding='ascii') as file:
            return bool(file.read().strip())
    return False


def cpu_seconds(pid):
    with open(f'/proc/{pid}/schedstat', encoding='ascii') as file:
        return int(file.read().split()[0]) / 1e9


def test_the_governor_biases_nothing():
    """The rate falls to a quarter and less; shares and totals stay what they are."""
    with Daemon('--window', '1s', '-F', '397', config='[cost]\nmax-overhead = 100\n') as daemon:
        daemon.wait_recording()
        with Target('split') as target:
            daemon.wait_windows(4)  # until names are known: what finding them costs is no matter of rate
            begin, used = time.time(), cpu_seconds(target.pid)
            before = daemon.status()
            daemon.wait_windows(2)
            after = daemon.status()
            # What it costs now, in percent of the machine; an eighth of that is to be enough.
            cost = 100 * (after['bpf_ns'] - before['bpf_ns'] + after['own_cpu_ns'] -
                          before['own_cpu_ns']) / after['cpus'] / (
                              (after['now_s'] - before['now_s']) * 1e9)
            with open(daemon.config, 'w', encoding='ascii') as file:
                file.write(f'[cost]\nmax-overhead = {cost / 8:.6f}\n')
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: daemon.status()['rate_hz'] <= 397 / 4, 'the rate stays')
            daemon.wait_windows(4)
            until, used = time.time(), cpu_seconds(target.pid) - used
            status = daemon.status()
        check_equal(daemon.stop(), 0, daemon.said())
        check(re.search(r'sampling costs [0-9.]+ % of the machine, above the limit of [0-9.]+ %: '
                        r'\d+ Hz from now on instead of 397 Hz', daemon.said()), daemon.said())
        check_equal(status['asked_rate_hz'], 397, 'asked')
        answer = json.loads(daemon.query('--since', f'@{begin}', '--until', f'@{until}', '-p',
                                         target.pid, '--json'))
        check_split(answer, 'slowed down')
        seconds = answer['value'] / 1e9
        # Windows are cut at the edges by the share of them that lies inside.
        print(f'    {answer["samples"]} samples, {seconds:.2f} s of {used:.2f} s; '
              f'{status["rate_hz"]:.0f} Hz')
        check(abs(seconds - used) < 4 * used / answer['samples'] ** 0.5 + 0.15 * used,
              f'{seconds} s in the history, {used} s by the scheduler')


def test_asked_targets_are_sampled_closely():
    """A capture holds just the stretch that was asked for, at 99 Hz; others stay at 19 Hz."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    with Daemon('--listen', f'127.0.0.1:{port}', config='[cost]\nmax-overhead = 100\n') as daemon:
        daemon.wait_recording()
        # Of a name that no other process has.
        copy = os.path.join(daemon.home, f'split-{os.getpid()}')
        shutil.copy(os.path.join(TARGETS, 'split'), copy)
        with Target(copy, prefix=()) as target, Target('recurse', 10) as other:
            for path in (f'pid/{target.pid}', f'comm/{os.path.basename(copy)}'):
                path_of = os.path.join(daemon.home, 'capture.pb.gz')
                begin = time.monotonic()
                used = cpu_seconds(target.pid)
                with urllib.request.urlopen(
                        f'http://127.0.0.1:{port}/{path}/debug/pprof/profile?seconds=3',
                        timeout=HANG_S) as answer:
                    with open(path_of, 'wb') as file:
                        shutil.copyfileobj(answer, file)
                used = cpu_seconds(target.pid) - used
                done = subprocess.run([PROFD, 'report', path_of, '--json'], capture_output=True,
                                      check=True, text=True)
                answer = json.loads(done.stdout)
                check_split(answer, path)
                rate = answer['samples'] / (answer['value'] / 1e9)
                print(f'    {path}: {answer["samples"]} samples, {answer["value"] / 1e9:.2f} s of '
                      f'{used:.2f} s, {time.monotonic() - begin:.1f} s later')
                check(60 < rate < 110, f'{path}: {rate} samples per second of CPU time')
            now = time.time()
            answer = json.loads(daemon.query('--since', f'@{now - 60}', '-p', other.pid, '--json'))
            rate = answer['samples'] / (answer['value'] / 1e9)
            check(15 < rate < 24, f'of the other one: {rate}')
        check_equal(daemon.stop(), 0, daemon.said())


def test_memory_over_http():
    """Who grows, by a recorder that ends with its answer; and why there is none."""
    with Daemon() as daemon:
        daemon.wait_recording()
        with Target('grower', 'small', 24, 1500, stdin=subprocess.PIPE) as target, \
                concurrent.futures.ThreadPoolExecutor() as pool:
            waits = pool.submit(ask_socket, daemon.socket,
                                f'/pid/{target.pid}/debug/pprof/heap?seconds=4')
            wait_until(lambda: children_called(daemon.pid, 'record'), 'nothing records')
            time.sleep(1)
            target.process.stdin.write(b'.')
            truth = json.loads(target.read_line())['stays']
            code, body = waits.result()
            check_equal(code, 200, body[:200])
        path = os.path.join(daemon.home, 'heap.pb.gz')
        with open(path, 'wb') as file:
            file.write(body)
        done = subprocess.run([PROFD, 'report', path, '--json'], capture_output=True, check=True,
                              text=True)
        answer = json.loads(done.stdout)
        share = {f['name']: f['total']['share'] for f in answer['functions']}['keep_much']
        print(f'    keep_much {100 * share:.1f} % of {answer["value"]} bytes, truly {truth}')
        check_equal((answer['type'], answer['unit']), ('growth', 'bytes'), 'type')
        check(abs(share - truth['keep_much'] / sum(truth.values())) < 0.05, f'{share} of {truth}')
        code, words = ask_socket(daemon.socket, f'/pid/{2**22 + 5}/debug/pprof/heap')
        check_equal(code, 404, words)
        code, words = ask_socket(daemon.socket, '/unit/absent.service/debug/pprof/heap')
        check_equal((code, words.count(b'\n')), (404, 1), words)
        wait_until(lambda: not children_called(daemon.pid, 'record'), 'it still records')
        check_equal(daemon.stop(), 0, daemon.said())


def wakeups(pid):
    """How often it has slept so far."""
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return int(re.search(r'^voluntary_ctxt_switches:\s*(\d+)', file.read(), re.M)[1])


def test_stop_file():
    """Nothing is sampled, who waits for more is told so, and the daemon sleeps."""
    with Daemon('--window', '1s', '-F', '99', '--max-overhead', '50%') as daemon, \
            Target('recurse', 10):
        daemon.wait_recording()
        daemon.wait_windows(1)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waits = pool.submit(ask_socket, daemon.socket, '/debug/pprof/profile?seconds=300')
            daemon.wait_windows(2)
            with open(daemon.stop_file, 'w', encoding='ascii'):
                pass
            code, words = waits.result()
        check_equal(code, 503, words)
        check(b'stop file' in words, words)
        wait_until(lambda: daemon.status()['paused'], 'goes on all the same')
        time.sleep(1.2)
        before, slept = daemon.status(), wakeups(daemon.pid)
        time.sleep(2)
        slept = wakeups(daemon.pid) - slept
        check(slept < 100, f'woke up {slept} times in 2 s')
        after = daemon.status()
        check_equal(after['samples'], before['samples'], 'samples while it is stopped')
        os.unlink(daemon.stop_file)
        wait_until(lambda: daemon.status()['samples'] > before['samples'], 'never went on')
        check_equal(daemon.stop(), 0, daemon.said())
        check('sampling is stopped' in daemon.said() and 'sampling goes on' in daemon.said(),
              daemon.said())


def test_history_that_cannot_be_written():
    """Who waits for a capture hears why there is none; it goes on as soon as it can be written."""
    with Daemon('--window', '1s', '--max-overhead', '50%') as daemon:
        daemon.wait_recording()
        daemon.wait_windows(1)
        shutil.rmtree(daemon.store)
        with open(daemon.store, 'w', encoding='ascii'):
            pass
        wait_until(lambda: daemon.status()['store_error'], 'writes all the same')
        code, words = ask_socket(daemon.socket, '/debug/pprof/profile?seconds=1')
        check_equal(code, 503, words)
        check(daemon.store.encode() in words, words)
        os.unlink(daemon.store)
        # The server is started anew to read the new folder, and may drop who asks just then.
        wait_until(lambda: 'is another one' in daemon.said(), f'never went on: {daemon.said()}')
        codes = []

        def is_answered():
            with contextlib.suppress(OSError, IndexError):
                codes.append(ask_socket(daemon.socket, '/debug/pprof/profile?seconds=1'))
            return bool(codes)
        wait_until(is_answered, 'nobody answers')
        check_equal(codes[0][0], 200, codes[0][1])
        check_equal(daemon.status()['store_error'], None, 'trouble')
        check_equal(daemon.stop(), 0, daemon.said())


def test_killed_at_any_moment():
    """What was finished is there; the next one goes on with the same history."""
    path = folder()
    seen = 0
    with Target('recurse', 10) as target:
        for wait in (0, 0.7, 1.4):
            with Daemon('--window', '1s', '-F', '99', path=path) as daemon:
                daemon.wait_recording()
                daemon.wait_windows(2)
                time.sleep(wait)
                written = daemon.status()['windows_written']
                check_equal(daemon.stop(signal.SIGKILL), -signal.SIGKILL, 'status')
                wait_until(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in
                                           left_of(daemon)), 'processes are left')
                answer = json.loads(daemon.query('--since', '1h', '-p', target.pid, '--json'))
                check(answer['history']['windows'] >= seen + written, answer['history'])
                seen = answer['history']['windows']


def left_of(daemon):
    """Processes that say they belong to it."""
    found = []
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f'/proc/{name}/cmdline', 'rb') as file:
                if daemon.store.encode() in file.read():
                    found.append(name)
    return found


def test_helpers_that_are_killed():
    """The HTTP server comes again; recording does not notice."""
    with Daemon('--window', '1s', '-F', '99') as daemon:
        daemon.wait_recording()
        first = child_of(daemon, b'_server')
        check(first, children(daemon.pid))
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: child_of(daemon, b'_server') not in (None, first), 'no server comes')
        wait_until(lambda: daemon.status() is not None, 'it does not answer')
        for pid in children(daemon.pid):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: daemon.status() is not None, 'it does not answer any more')
        daemon.wait_windows(2)
        check_equal(daemon.stop(), 0, daemon.said())


def test_two_daemons():
    with Daemon('--window', '1s') as daemon:
        daemon.wait_recording()
        second = Daemon('--window', '1s', '--socket', os.path.join(daemon.home, 'other'),
                        path=daemon.home)
        check_equal(second.process.wait(timeout=HANG_S), 1, second.said())
        check(str(daemon.pid) in second.said(), second.said())
        daemon.wait_windows(1)
        check_equal(daemon.stop(), 0, daemon.said())


def test_files_of_targets_are_closed():
    """Ten seconds after a program has ended nothing keeps its deleted file."""
    with Daemon('--window', '2s', '-F', '199') as daemon:
        daemon.wait_recording()
        path = os.path.join(folder(), 'brief')
        shutil.copy(os.path.join(TARGETS, 'recurse'), path)
        with Target(path, 10, prefix=()):
            daemon.wait_windows(2)
        os.unlink(path)
        begin = time.monotonic()
        wait_until(lambda: not keeps(daemon, path), 'its file is open')
        check(time.monotonic() - begin < 10 or not keeps(daemon, path), 'closed too late')
        check_equal(daemon.stop(), 0, daemon.said())


def keeps(daemon, path):
    for pid in [daemon.pid, *children(daemon.pid)]:
        with contextlib.suppress(OSError):
            for fd in os.listdir(f'/proc/{pid}/fd'):
                with contextlib.suppress(OSError):
                    if os.readlink(f'/proc/{pid}/fd/{fd}').startswith(path):
                        return True
    return False


def test_reload():
    with Daemon('--window', '1s', config='[record]\nfreq = 49\n') as daemon:
        daemon.wait_recording()
        check_equal(daemon.status()['asked_rate_hz'], 49, 'at first')
        with open(daemon.config, 'w', encoding='ascii') as file:
            file.write('[record]\nfreq = 98\n')
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.status()['asked_rate_hz'] == 98, 'the rate stays')
        with open(daemon.config, 'w', encoding='ascii') as file:
            file.write('[record]\nfreq = many\n')
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: 'many' in daemon.said(), 'the mistake is not told')
        check_equal(daemon.status()['asked_rate_hz'], 98, 'after a mistake')
        check_equal(daemon.stop(), 0, daemon.said())


if __name__ == '__main__':
    run(globals(), by_table_only='profd daemon records by tables')

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debug files from debuginfod: asked for only when wanted, and no server's fault is the recording's."""
import collections
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

from harness import (HANG_S, PROFD, TARGETS, Failed, Recorder, check, check_equal, end, folder, need,
                     one_line, pprof, profd, rate, record, run, start, wait_listening)

NOBODY = 65534
SECONDS = 1


def build_id(path):
    notes = subprocess.run([need('readelf'), '-n', path], capture_output=True, check=True).stdout
    return re.search(rb'Build ID: ([0-9a-f]+)', notes).group(1).decode()


class Stripped:
    """A program without symbols, its debug file in a folder of its own, and where caches go."""

    def __init__(self, name='inlines'):
        self.folder = folder()
        os.chmod(self.folder, 0o755)
        self.full = os.path.join(TARGETS, name)
        self.program = os.path.join(self.folder, name)
        self.debug = os.path.join(self.folder, 'files', name + '.debug')
        os.mkdir(os.path.dirname(self.debug))
        subprocess.run([need('objcopy'), '--only-keep-debug', self.full, self.debug], check=True)
        subprocess.run([need('strip'), '-s', '-o', self.program, self.full], check=True)
        self.build_id = build_id(self.program)
        self.cache = os.path.join(self.folder, 'cache')

    def environment(self, **more):
        """Of profd; no server and no cache of this machine gets into it."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith('DEBUGINFOD_') and not name.lower().endswith('_proxy')}
        return dict(kept, DEBUGINFOD_CACHE_PATH=self.cache, **more)

    def record(self, *arguments, command=None, environment=None, **options):
        return record(*arguments, seconds=None, outputs=('out.folded', 'out.pb.gz'),
                      command=command or [self.program, SECONDS],
                      env=environment or self.environment(), **options)


def port_of(server):
    return server.getsockname()[1]


def url(port):
    return f'--debuginfod=http://127.0.0.1:{port}'


class Listener:
    """Accepts, counts, and hands each connection to `serve` in a thread of its own."""

    def __init__(self, serve):
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = port_of(self.socket)
        self.serve = serve
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError):
            self.serve(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.connections:
            connection.close()


def silence(connection):
    """Takes the question, and never answers."""
    while connection.recv(4096):
        pass


def answer(body, status='200 OK', delay=0):
    def serve(connection):
        question = b''
        while b'\r\n\r\n' not in question:
            question += connection.recv(4096)
        time.sleep(delay)
        connection.sendall(f'HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n'
                           'Connection: close\r\n\r\n'.encode() + body)
        connection.close()
    return serve


def shelf(*paths):
    """Has these files, by their build IDs."""
    bodies = {}
    for path in paths:
        with open(path, 'rb') as file:
            bodies[build_id(path)] = file.read()

    def serve(connection):
        question = connection.recv(4096).decode('ascii')
        wanted = re.match(r'GET /buildid/([0-9a-f]+)/debuginfo ', question).group(1)
        body, status = bodies.get(wanted, b''), '200 OK' if wanted in bodies else '404 Not Found'
        connection.sendall(f'HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n'
                           'Connection: close\r\n\r\n'.encode() + body)
        connection.close()
    return serve


def endless(connection):
    connection.recv(4096)
    connection.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n')
    while True:
        connection.sendall(bytes(1 << 16))


def files_of(recording):
    return recording.summary['debuginfod']['files']


def check_outcome(recording, outcome, says=None):
    files = [entry for entry in files_of(recording) if entry['path'].endswith('/inlines')]
    check_equal([entry['outcome'] for entry in files], [outcome], f'outcome ({recording.stderr})')
    if says:
        check(says in (files[0]['why'] or ''), f'{files[0]["why"]!r} does not say {says!r}')
    said = {'found': 'found', 'not_found': 'not found', 'failed': 'failed',
            'given_up': 'given up'}[outcome]
    check(f'debug files from debuginfod: 1 {said}' in recording.stderr, recording.stderr)


def check_stripped(recording):
    """What is to be had without a debug file: function starts, and the C library's exports."""
    functions = recording.functions()
    check(any(name.startswith('inlines+0x') for name in functions), f'no starts: {functions}')
    check('__libc_start_main' in functions or '__libc_start_main_impl' in functions,
          f'no exported names: {functions}')
    check(not functions & {'outer', 'main'}, f'names out of nowhere: {functions}')
    check(recording.samples > 20, recording.stderr)


# What has a smaller share is not met every time.
LEAST = 0.1


def lines(recording):
    """{(function, file:line)} of the program's own functions, as pprof reads them."""
    text = pprof(recording, '-top', '-lines', '-nodefraction=0', '-edgefraction=0')
    found = re.finditer(r'([\d.]+)%\s+(\w+) (\S*inlines\.c:\d+(?: \(inline\))?)$', text,
                        re.MULTILINE)
    return {match.groups()[1:] for match in found if float(match[1]) >= 100 * LEAST}


def frames_of(recording):
    """Paths from main on, without the kernel's frames above them."""
    found = collections.Counter()
    for frames, weight in recording.stacks:
        names = [name for name in frames if not name.endswith('_[k]')]
        if 'main' in names:
            found[tuple(names[names.index('main'):])] += weight
    return {names for names, weight in found.items() if weight >= LEAST * found.total()}


def wait_served(address):
    """A server listens before it has looked through its folders."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(HANG_S * 10):
        with contextlib.suppress(OSError):
            opener.open(address, timeout=HANG_S).close()
            return
        time.sleep(0.1)
    raise Failed(f'{address} is not served')


def test_same_as_with_debug_information():
    """A real server; then the cache alone."""
    stripped = Stripped()
    port = port_of(socket.create_server(('127.0.0.1', 0)))
    server = start([need('debuginfod'), '-F', '-p', str(port), '-d',
                    os.path.join(stripped.folder, 'db.sqlite'), '-t', '0', '-g', '0',
                    os.path.dirname(stripped.debug)],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_listening(port)
    wait_served(f'http://127.0.0.1:{port}/buildid/{stripped.build_id}/debuginfo')
    truth = stripped.record(command=[stripped.full, SECONDS])
    first = stripped.record(url(port))
    end(server)
    check_outcome(first, 'found')
    second = stripped.record(url(port))
    check_outcome(second, 'found')
    check_equal([entry['from_cache'] for entry in files_of(first)][:1], [False], 'first time')
    check('1 found, 1 of them in the cache' in second.stderr, second.stderr)
    wanted, wanted_frames = lines(truth), frames_of(truth)
    check(any('(inline)' in where for _, where in wanted), f'no inlined lines: {wanted}')
    for recording in (first, second):
        check_equal(lines(recording), wanted, 'lines')
        check_equal(frames_of(recording), wanted_frames, 'frames')


def test_debug_information_that_goes_on_in_another_file():
    """As dwz leaves it for distributions: what two programs share is moved out."""
    stripped = Stripped()
    for name in ('one', 'two'):
        shutil.copy(stripped.full, os.path.join(stripped.folder, name))
    subprocess.run([need('dwz'), '-m', 'common.debug', '-M', '/usr/lib/debug/.dwz/no/where.debug',
                    'one', 'two'], cwd=stripped.folder, check=True)
    subprocess.run([need('objcopy'), '--only-keep-debug', 'one', stripped.debug],
                   cwd=stripped.folder, check=True)
    common = os.path.join(stripped.folder, 'common.debug')
    truth = stripped.record(command=[stripped.full, SECONDS])
    with Listener(shelf(stripped.debug, common)) as listener:
        recording = stripped.record(url(listener.port))
    check('debug files from debuginfod: 2 found' in recording.stderr, recording.stderr)
    check_equal(lines(recording), lines(truth), 'lines')
    check_equal(frames_of(recording), frames_of(truth), 'frames')
    # Without it there is less, but that is all.
    shutil.rmtree(stripped.cache)
    with Listener(shelf(stripped.debug)) as listener:
        recording = stripped.record(url(listener.port))
    check_equal(sorted(entry['outcome'] for entry in files_of(recording)), ['found', 'not_found'],
                'outcomes')
    check('main' in recording.functions(), recording.functions())
    check(frames_of(recording) != frames_of(truth), 'nothing was moved out')


def test_nothing_is_asked_without_the_option():
    stripped = Stripped()
    with Listener(answer(b'', '404 Not Found')) as listener:
        environment = stripped.environment(DEBUGINFOD_URLS=f'http://127.0.0.1:{listener.port}')
        recording = stripped.record(environment=environment)
        check_stripped(recording)
        check('debuginfod' not in recording.summary, 'a summary of what was not asked')
        check_equal(len(listener.connections), 0, 'connections')
        # With it there are some: the listener would have counted.
        check_outcome(stripped.record('--debuginfod', environment=environment), 'not_found')
        check(listener.connections, 'the variable is not used')


def test_silence_ends_with_the_limit():
    stripped = Stripped()
    with Listener(silence) as listener:
        began = time.monotonic()
        recording = stripped.record(url(listener.port), '--debuginfod-timeout', '500ms')
        check(time.monotonic() - began < HANG_S / 3, 'it waited for more than its limit')
        check(listener.connections, 'nobody was asked')
    check_outcome(recording, 'given_up')
    check_stripped(recording)
    # What is no terminal gets whole lines only.
    check(not re.search('[\r\x1b]', recording.stderr), repr(recording.stderr))


def test_answers_that_are_no_debug_file():
    stripped = Stripped()
    with open(os.path.join(TARGETS, 'sorts'), 'rb') as file:
        other = file.read()
    with open(stripped.debug, 'rb') as file:
        cut = file.read()[:3000]
    with open(stripped.program, 'rb') as file:
        without = file.read()
    for what, body in (('garbage', b'\x7fELF' + os.urandom(5000)), ('another build', other),
                       ('a part', cut), ('no lines', without)):
        shutil.rmtree(stripped.cache, ignore_errors=True)
        print(f'    {what}')
        with Listener(answer(body)) as listener:
            recording = stripped.record(url(listener.port))
        check_outcome(recording, 'failed', 'not its debug information')
        check_stripped(recording)
        check_equal(recording.summary['files_given_up'], 0, 'files given up')


def test_debug_file_that_is_broken_inside():
    """Its build ID is right and its symbols are; what else it says makes no sense."""
    stripped = Stripped()
    noise = os.path.join(stripped.folder, 'noise')
    broken = os.path.join(stripped.folder, 'broken.debug')
    for names in (['.debug_info'], ['.debug_abbrev', '.debug_line']):
        shutil.rmtree(stripped.cache, ignore_errors=True)
        with open(noise, 'wb') as file:
            file.write(os.urandom(4000))
        subprocess.run([need('objcopy')] + [f'--update-section={name}={noise}' for name in names] +
                       [stripped.debug, broken], check=True)
        with Listener(shelf(broken)) as listener:
            recording = stripped.record(url(listener.port))
        check_outcome(recording, 'found')
        check({'main', 'outer'} <= recording.functions(), recording.functions())


def test_servers_that_fail():
    stripped = Stripped()
    nobody = socket.create_server(('127.0.0.1', 0))
    closed = port_of(nobody)
    nobody.close()
    recording = stripped.record(url(closed))
    check_outcome(recording, 'failed', 'refused')
    check_stripped(recording)
    with Listener(answer(b'', '404 Not Found')) as listener:
        recording = stripped.record(url(listener.port))
    check_outcome(recording, 'not_found')
    check_stripped(recording)
    # One that has it is enough.
    shutil.rmtree(stripped.cache)
    with open(stripped.debug, 'rb') as file, Listener(answer(file.read())) as good, \
            Listener(silence) as silent:
        recording = stripped.record(f'{url(silent.port)} http://127.0.0.1:{good.port}')
    check_outcome(recording, 'found')
    check('inner_[i]' in recording.functions(), recording.functions())


def test_endless_answer_is_cut_off():
    stripped = Stripped()
    with Listener(endless) as listener:
        recording = stripped.record(
            url(listener.port), environment=stripped.environment(DEBUGINFOD_MAXSIZE='2000000'))
    check_outcome(recording, 'failed', 'larger than profd downloads')
    check_stripped(recording)
    left = [os.path.join(path, name) for path, _, names in os.walk(stripped.cache)
            for name in names if name.startswith('debuginfo')]
    check_equal(left, [], 'left behind')


def test_file_that_comes_when_the_program_is_gone():
    """Its file stays open for that long."""
    stripped = Stripped()
    with open(stripped.debug, 'rb') as file:
        body = file.read()
    with Listener(answer(body, delay=4)) as listener:
        recording = stripped.record(url(listener.port), command=[
            '/bin/sh', '-c', f'{stripped.program} 1; rm {stripped.program}; sleep 4.5'])
    check_outcome(recording, 'found')
    check('inner_[i]' in recording.functions(), recording.functions())


def fetchers(pid):
    """Processes that a profd has started to download."""
    found = []
    for name in os.listdir('/proc'):
        with contextlib.suppress(OSError, IndexError, ValueError):
            with open(f'/proc/{int(name)}/stat', encoding='ascii') as file:
                head, tail = file.read().rsplit(')', 1)
            if head.endswith('(profd-fetcher') and int(tail.split()[1]) == pid:
                found.append(int(name))
    return found


def wait_fetcher(recorder, listener):
    for _ in range(HANG_S * 20):
        if listener.connections and fetchers(recorder.pid):
            return fetchers(recorder.pid)[0]
        time.sleep(0.05)
    check(False, 'nothing is downloaded')


def test_who_downloads_has_nothing():
    stripped = Stripped()
    with Listener(silence) as listener:
        recorder = Recorder(url(listener.port), '--debuginfod-timeout', 60,
                            command=[stripped.program, 30], env=stripped.environment())
        pid = wait_fetcher(recorder, listener)
        with open(f'/proc/{pid}/status', encoding='ascii') as file:
            status = dict(line.split(':\t', 1) for line in file)
        for name in ('CapPrm', 'CapEff', 'CapInh', 'CapBnd'):
            check_equal(int(status[name], 16), 0, name)
        check_equal(status['NoNewPrivs'].strip(), '1', 'no_new_privs')
        check_equal(status['Seccomp'].strip(), '2', 'seccomp')
        for fd in os.listdir(f'/proc/{pid}/fd'):
            what = os.readlink(f'/proc/{pid}/fd/{fd}')
            mine = what == '/dev/null' or what.startswith(('socket:', stripped.cache)) \
                or what in ('anon_inode:[eventfd]', 'anon_inode:[eventpoll]')
            check(mine or what.startswith('pipe:'), f'it has {what}')
        # Killed, profd takes it along.
        recorder.signal(signal.SIGKILL)
        for _ in range(HANG_S * 20):
            if not os.path.exists(f'/proc/{pid}'):
                break
            time.sleep(0.05)
        check(not os.path.exists(f'/proc/{pid}'), 'left behind')
        end(recorder.process)


def test_interrupt_ends_the_waiting():
    stripped = Stripped()
    with Listener(silence) as listener:
        recorder = Recorder('-F', rate(997), url(listener.port), '--debuginfod-timeout', 60,
                            command=[stripped.program, 30], env=stripped.environment())
        pid = wait_fetcher(recorder, listener)
        recorder.signal(signal.SIGTERM)
        time.sleep(0.5)
        check(recorder.process.poll() is None, 'the first signal ended the waiting')
        began = time.monotonic()
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
    check(time.monotonic() - began < HANG_S / 3, 'it went on waiting')
    check_outcome(recording, 'given_up')
    check_stripped(recording)
    check(not os.path.exists(f'/proc/{pid}'), 'left behind')
    check_equal([name for _, _, names in os.walk(stripped.cache) for name in names
                 if name.startswith('debuginfo')], [], 'in the cache')


def slowly(connection):
    """Half of it, and the rest when somebody has had the time to read that."""
    connection.recv(4096)
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n' + bytes(2000000))
    time.sleep(4)
    connection.sendall(bytes(2000000))


def test_terminal_shows_what_is_downloaded():
    """While recording and at the end."""
    stripped = Stripped()
    ours, theirs = os.openpty()
    with Listener(slowly) as listener:
        process = start([PROFD, 'record', '-d', '3', url(listener.port), '-o',
                         os.path.join(stripped.folder, 'out.folded'), '--', stripped.program, '3'],
                        env=stripped.environment(), stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        said = b''
        with contextlib.suppress(OSError):  # the end of a terminal
            while True:
                said += os.read(ours, 4096)
        os.close(ours)
        check_equal(process.wait(), 0, 'status')
        end(process)
    said = said.decode()
    check(re.search(r'samples .*; downloading inlines 2\.0 of 4\.0 MB\. Ctrl-C to stop', said), said)
    check(re.search(r'downloading inlines 2\.0 of 4\.0 MB; at most [0-9]+ s more', said), said)


def test_cache_belongs_to_who_called_sudo():
    stripped = Stripped()
    os.mkdir(stripped.cache)
    os.chown(stripped.cache, NOBODY, NOBODY)
    with open(stripped.debug, 'rb') as file:
        body = file.read()
    with Listener(answer(body)) as listener:
        recording = stripped.record(
            url(listener.port),
            environment=stripped.environment(SUDO_UID=str(NOBODY), SUDO_GID=str(NOBODY)))
    check_outcome(recording, 'found')
    check('inner_[i]' in recording.functions(), recording.functions())
    path = os.path.join(stripped.cache, stripped.build_id, 'debuginfo')
    check_equal(os.stat(path).st_uid, NOBODY, 'owner of what was downloaded')


def test_no_server_is_known():
    stripped = Stripped()
    for environment in (stripped.environment(DEBUGINFOD_URLS=''),
                        stripped.environment(DEBUGINFOD_URLS='', SUDO_UID='1', SUDO_GID='1')):
        status, _, errors = profd('record', '--debuginfod', '--', '/bin/true', env=environment,
                                  cwd=folder())
        check_equal(status, 1, 'status')
        check('--debuginfod=https://' in one_line(errors), errors)


def test_cache_that_cannot_be_made():
    stripped = Stripped()
    with open(stripped.cache, 'w', encoding='ascii'):
        pass
    with Listener(answer(b'')) as listener:
        recording = stripped.record(url(listener.port))
        check_equal(len(listener.connections), 0, 'connections')
    check_outcome(recording, 'failed', 'cache')
    check_stripped(recording)


if __name__ == '__main__':
    run(globals())

# SPDX-License-Identifier: Apache-2.0
"""Starts targets, records them with profd, reads what came out, and leaves nothing running.

Every process it starts is in a session of its own, dies with the harness (PR_SET_PDEATHSIG) and is
killed and reaped at the latest when the harness ends. A test file has functions test_*; run()
calls them in order, prints a line for each, and exits 0, 1, or 77 where profiling is not allowed
at all. A time limit is only ever there to find a hang.

Environment: PROFD the program, TARGETS the folder of the target programs, PROFD_UNWIND adds
--unwind to every recording, PROFD_WITHOUT_BPF=1 has every profd refused bpf(2). What a test checks that
copies of stacks cannot show, or that nothing can without bpf(2), says so (by_table_only, with_bpf_only):
it is left out there, and why is printed.
"""
import atexit
import ctypes
import json
import math
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from roots import Roots, parse

PROFD = os.environ.get('PROFD', 'profd')
TARGETS = os.environ.get('TARGETS', '.')
HANG_S = 90
# Whether stacks are copied, and walked afterwards.
REFUSED_BPF = 'PROFD_WITHOUT_BPF' in os.environ
COPIES = os.environ.get('PROFD_UNWIND') == 'copy' or REFUSED_BPF
# Before profd's words, to run it where bpf(2) is refused; by the Python that any user may run.
WITHOUT_BPF = ('/usr/bin/python3', os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                'without_bpf.py'))
CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 21, 38, 39

_libc = ctypes.CDLL(None, use_errno=True)
_running = []
_folders = []


class Failed(Exception):
    """A test's expectation that did not hold."""


class Skipped(Exception):
    """A case that this machine has not got, such as a program that is not installed."""


def check(condition, message):
    if not condition:
        raise Failed(message)


def check_equal(got, want, what):
    check(got == want, f'{what}: {got!r}, not {want!r}')


def need(program):
    """The path of a program that a case is about."""
    path = shutil.which(program, path=os.environ.get('PATH', '') + ':/usr/sbin:/usr/local/go/bin')
    if not path:
        raise Skipped(f'{program} is not installed')
    return path


def privileged():
    with open('/proc/self/status', encoding='ascii') as file:
        fields = dict(line.split(':', 1) for line in file)
    held = int(fields['CapEff'], 16)
    may = held >> CAP_SYS_ADMIN & 1 or (held >> CAP_BPF & 1 and held >> CAP_PERFMON & 1)
    return bool(may) and os.path.exists('/sys/kernel/btf/vmlinux')


def rate(wanted):
    """The wanted rate, or the kernel's limit where that has been lowered."""
    with open('/proc/sys/kernel/perf_event_max_sample_rate', encoding='ascii') as file:
        return min(wanted, int(file.read()))


def folder():
    path = tempfile.mkdtemp(prefix='profd-live-')
    _folders.append(path)
    return path


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def start(argv, **options):
    """Popen whose process is in its own session and surely ends."""
    process = subprocess.Popen(argv, start_new_session=True, preexec_fn=_die_with_parent,
                               **options)
    _running.append(process)
    return process


def end(process):
    """Kills what is left of a started process and its session, and reaps it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()
    if process in _running:
        _running.remove(process)


# A killed harness cleans up, too; exactly once.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


@atexit.register
def _clean():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for process in list(_running):
        end(process)
    for path in _folders:
        shutil.rmtree(path, ignore_errors=True)


class Target:
    """A running target program; `with Target('recurse', 30) as target:`."""

    def __init__(self, name, *arguments, wait=True, prefix=(), **options):
        argv = [*prefix, os.path.join(TARGETS, name)] + [str(argument) for argument in arguments]
        # Unbuffered: select has to see every line that was not read.
        self.process = start(argv, stdout=subprocess.PIPE, bufsize=0, **options)
        self.pid = self.process.pid
        if wait:
            self.read_until('ready')

    def read_line(self):
        if not select.select([self.process.stdout], [], [], HANG_S)[0]:
            raise Failed(f'{self.process.args[0]}: no output')
        line = self.process.stdout.readline().decode('utf-8', 'replace')
        if not line:
            raise Failed(f'{self.process.args[0]} ended early: {self.process.wait()}')
        return line.rstrip('\n')

    def read_until(self, text):
        while self.read_line() != text:
            pass

    def stop(self):
        """Ends it; the truth it prints, as a dict."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=HANG_S)
        lines = [line for line in output.decode().splitlines() if line.startswith('{')]
        check(lines, f'{self.process.args[0]} printed no truth: {output!r}')
        return json.loads(lines[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)


class Program(Target):
    """A program that knows nothing of the harness."""

    def __init__(self, argv, stdout=subprocess.DEVNULL, **options):
        self.process = start(argv, stdout=stdout, stderr=subprocess.DEVNULL, **options)
        self.pid = self.process.pid


def wait_listening(port):
    """Until something accepts connections on 127.0.0.1:port."""
    for _ in range(HANG_S * 10):
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise Failed(f'nothing listens on port {port}')


class Recording:
    """What a finished `profd record` left: its status, its output, its files."""

    def __init__(self, argv, path, process, stdout, stderr):
        self.argv, self.folder = argv, path
        self.pid, self.status = process.pid, process.returncode
        self.stdout, self.stderr = stdout, stderr

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def summary(self):
        if os.path.exists(self.path('summary.json')):
            with open(self.path('summary.json'), encoding='utf-8') as file:
                return json.load(file)
        raise Failed(f'{" ".join(self.argv)}: no summary (status {self.status}): {self.stderr}')

    @property
    def stacks(self):
        """[(frames, weight)], root first; frames[0] is the process name.

        The weight is what the file counts, samples or nanoseconds: for shares only.
        """
        check(os.path.exists(self.path('out.folded')),
              f'{" ".join(self.argv)}: no folded file (status {self.status}): {self.stderr}')
        return list(parse(self.path('out.folded')))

    @property
    def samples(self):
        return self.summary['samples']

    def share(self, predicate):
        """Share of all weight, 0..1, whose frames fulfil the predicate."""
        stacks = self.stacks
        total = sum(count for _, count in stacks)
        check(total > 0, f'{" ".join(self.argv)}: no samples: {self.stderr}')
        return sum(count for frames, count in stacks if predicate(frames)) / total

    def functions(self):
        return {frame for frames, _ in self.stacks for frame in frames[1:]}


def profd_words(prefix):
    """The program, and what is to run it."""
    return [*prefix, *(WITHOUT_BPF if REFUSED_BPF else ()), PROFD]


def with_defaults(arguments):
    arguments = [str(argument) for argument in arguments]
    if os.environ.get('PROFD_UNWIND') and '--unwind' not in arguments:
        arguments = ['--unwind', os.environ['PROFD_UNWIND']] + arguments
    # What one test has found out is not to answer for another.
    if '--symbol-cache' not in arguments:
        arguments = ['--symbol-cache', 'none'] + arguments
    return arguments


class Recorder:
    """A `profd record` under way, for tests that act meanwhile. prefix: words before profd's."""

    def __init__(self, *arguments, outputs=('out.folded',), command=None, path=None,
                 stdout=None, prefix=(), **options):
        self.folder = path or folder()
        self.argv = profd_words(prefix) + ['record'] + with_defaults(arguments)
        for name in outputs:
            self.argv += ['-o', name if name == '-' else os.path.join(self.folder, name)]
        self.argv += ['--summary', os.path.join(self.folder, 'summary.json')]
        if command:
            self.argv += ['--'] + [str(word) for word in command]
        # Files, not pipes: a profd that hangs with full pipes would be our fault.
        self.stderr = tempfile.TemporaryFile()
        self.given_stdout = stdout
        self.stdout = stdout or tempfile.TemporaryFile()
        self.process = start(self.argv, stdout=self.stdout, stderr=self.stderr,
                             stdin=subprocess.DEVNULL, **options)
        self.pid = self.process.pid

    def wait_sampling(self):
        """Until its perf events are open; sampling begins within moments of that."""
        for _ in range(HANG_S * 20):
            try:
                links = [os.readlink(f'/proc/{self.pid}/fd/{fd}')
                         for fd in os.listdir(f'/proc/{self.pid}/fd')]
            except FileNotFoundError:
                links = []
            if any('perf_event' in link for link in links):
                time.sleep(0.3)
                return
            if self.process.poll() is not None:
                raise Failed(f'{" ".join(self.argv)} ended: {self.finish().stderr}')
            time.sleep(0.05)
        raise Failed(f'{" ".join(self.argv)}: never sampled')

    def wait_timers(self):
        """Until its timers run: then it has raised its own priority."""
        for _ in range(HANG_S * 50):
            if self.process.poll() is not None:
                raise Failed(f'{" ".join(self.argv)} ended: {self.finish().stderr}')
            if os.getpriority(os.PRIO_PROCESS, self.pid) < 0:
                return
            time.sleep(0.02)
        raise Failed(f'{" ".join(self.argv)}: never sampled')

    def signal(self, number):
        self.process.send_signal(number)

    def finish(self):
        try:
            self.process.wait(timeout=HANG_S)
        except subprocess.TimeoutExpired:
            end(self.process)
            raise Failed(f'{" ".join(self.argv)}: hangs') from None
        texts = []
        for file in (self.stdout, self.stderr):
            if file is self.given_stdout:
                texts.append(b'')
            else:
                file.seek(0)
                texts.append(file.read())
                file.close()
        end(self.process)
        return Recording(self.argv, self.folder, self.process, texts[0],
                         texts[1].decode('utf-8', 'replace'))


def record(*arguments, seconds=2, hz=997, good=True, **options):
    """Records to the end. good: anything but status 0 fails the test."""
    if seconds is not None:
        arguments = ('-d', seconds) + arguments
    if hz is not None:
        arguments = ('-F', rate(hz)) + arguments
    recording = Recorder(*arguments, **options).finish()
    if good:
        check(recording.status == 0,
              f'{" ".join(recording.argv)}: status {recording.status}: {recording.stderr}')
    return recording


def profd(*arguments, prefix=(), **options):
    """Any profd command to its end: (status, stdout, stderr). prefix: words before profd's."""
    process = start(profd_words(prefix) + [str(argument) for argument in arguments],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    **options)
    try:
        output, errors = process.communicate(timeout=HANG_S)
    except subprocess.TimeoutExpired:
        raise Failed(f'profd {" ".join(map(str, arguments))}: hangs') from None
    finally:
        end(process)
    return (process.returncode, output.decode('utf-8', 'replace'),
            errors.decode('utf-8', 'replace'))


def cpu_ns(pid):
    """CPU time of a process's live threads so far, as the scheduler counts it."""
    total = 0
    for tid in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{tid}/schedstat', encoding='ascii') as file:
            total += int(file.read().split()[0])
    return total


def pprof(recording, *arguments, name='out.pb.gz'):
    """What go tool pprof prints about a recording's file."""
    environment = dict(os.environ, PPROF_TMPDIR=recording.folder, GOTOOLCHAIN='local')
    environment.setdefault('GOCACHE', os.path.join(tempfile.gettempdir(), 'profd-live-go'))
    done = subprocess.run([need('go'), 'tool', 'pprof'] + list(arguments) +
                          [recording.path(name)], capture_output=True, env=environment,
                          timeout=HANG_S, check=False)
    check(done.returncode == 0, f'go tool pprof {arguments}: {done.stderr.decode()}')
    return done.stdout.decode('utf-8', 'replace')


# Why a stack is not whole that is longer than what perf copies, 64 KiB.
DEEPER = 'deeper than the copied stack'


def check_complete(recording, percent=99.9, threads=False, at_least=100, roots=(), deep=0):
    """Nearly every sample reaches a true root, as roots.py counts; and there are enough.

    roots: names of more functions in which the program's stacks begin. deep: percent of the samples whose
    stacks are at most deeper than a copy reaches, so that they need not reach a root by copies.
    """
    samples = recording.samples
    check(samples >= at_least, f'only {samples} samples: {recording.stderr}')
    total, reached, kinds, failures = Roots((TARGETS,), roots).count(recording.stacks, threads)
    check(total > 0, 'an empty folded file')
    share = 100 * reached / total
    print(f'    {share:.3f} % of {samples} samples reach a root: ' + ', '.join(
        f'{kind} {weight * samples / total:.0f}' for kind, weight in kinds.most_common(4)))
    for failure, weight in failures.most_common(5):
        print(f'    ! {weight * samples / total:.0f} {failure}')
    cut = 100 * recording.summary['truncated'].get(DEEPER, 0) / samples if COPIES and deep else 0
    check(cut <= deep, f'{cut:.3f} % are {DEEPER}')
    # Of a few hundred samples a single one is more than 0.1 %.
    check(share + cut >= percent or samples * (100 - share - cut) < 150, f'{share:.3f} % of samples reach a root; '
          f'profd says {recording.summary.get("truncated")}')
    return share


def check_count(observed, expected, sigmas, what):
    """A count as a Poisson process of the expected mean would give, which a timer betters."""
    allowed = sigmas * math.sqrt(expected)
    print(f'    {what}: {observed}, expected {expected:.1f} ± {allowed:.1f}')
    check(abs(observed - expected) <= allowed,
          f'{what}: {observed}, expected {expected:.1f} ± {allowed:.1f}')


def has(*names):
    """Predicate: the names occur as frames next to each other, in this order, root first."""
    def predicate(frames):
        return any(tuple(frames[i:i + len(names)]) == names
                   for i in range(1, len(frames) - len(names) + 1))
    return predicate


def one_line(text):
    """The single line that a refusal has to be."""
    lines = text.splitlines()
    check(len(lines) == 1, f'not one line on stderr: {text!r}')
    check(lines[0].startswith('profd: '), f'not profd\'s line: {text!r}')
    return lines[0]


def by_table_only(reason):
    """Decorator: leaves a test out where stacks are copied. reason: why copies cannot hold it."""
    return _left_out_if(COPIES, reason)


def with_bpf_only(reason):
    """Decorator: leaves a test out where bpf(2) is refused. reason: what has no other way."""
    return _left_out_if(REFUSED_BPF, reason)


def _left_out_if(condition, reason):
    def mark(function):
        if condition:
            function.left_out = reason
        return function
    return mark


def attempt(function):
    """Runs a test to its end: what came out, and why."""
    try:
        function()
        return 'ok', ''
    except Skipped as reason:
        return 'skipped', f': {reason}'
    except Failed as reason:
        return 'failed', f': {reason}'
    except Exception:  # noqa: BLE001  (a test's own bug fails that test only)
        return 'failed', ':\n' + traceback.format_exc()
    finally:
        for process in list(_running):
            end(process)


# They measure on machines that others use, too. What is wrong is wrong each time; each failure is
# printed, also when a later try succeeds.
TRIES = 3


def run(names, by_table_only=None):
    """Runs the tests of a module (its globals), or those named on the command line.

    by_table_only: why all of them are left out where stacks are copied.
    """
    if COPIES and by_table_only:
        print(f'left out: {by_table_only}')
        sys.exit(77)
    if not privileged():
        print('skipped: needs CAP_BPF and CAP_PERFMON (root), and kernel BTF')
        sys.exit(77)
    chosen = sys.argv[1:]
    tests = [(name, function) for name, function in names.items() if name.startswith('test_')
             and callable(function) and (not chosen or name in chosen)]
    results = {'ok': 0, 'failed': 0, 'skipped': 0, 'left out': 0}
    repeated = 0
    for name, function in tests:
        if hasattr(function, 'left_out'):
            results['left out'] += 1
            print(f'left out {name}: {function.left_out}', flush=True)
            continue
        began = time.monotonic()
        result, why = attempt(function)
        for _ in range(TRIES - 1):
            if result != 'failed':
                break
            print(f'again {name}, which failed{why}', flush=True)
            repeated += 1
            result, why = attempt(function)
        results[result] += 1
        print(f'{result} {name}{why} ({time.monotonic() - began:.1f} s)', flush=True)
    print(', '.join(f'{count} {result}' for result, count in results.items()
                    if count or result != 'left out') +
          (f'; {repeated} repeated' if repeated else ''))
    if results['failed'] or not tests:
        sys.exit(1)
    sys.exit(77 if not results['ok'] else 0)

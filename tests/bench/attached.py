# SPDX-License-Identifier: Apache-2.0
"""Profilers attached to programs: what they cost, and when they are there and through."""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'live'))
from generate_cpp import generate  # noqa: E402
from harness import HANG_S, Program, folder, need  # noqa: E402


def cpu_s(pid):
    """CPU time of all live threads of a process and of its children, by the scheduler's count."""
    total = 0
    try:
        for tid in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{tid}/schedstat', encoding='ascii') as file:
                total += int(file.read().split()[0])
            with open(f'/proc/{pid}/task/{tid}/children', encoding='ascii') as file:
                total += sum(1e9 * cpu_s(int(child)) for child in file.read().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total / 1e9


def peak_rss(pid):
    try:
        with open(f'/proc/{pid}/status', encoding='ascii', errors='replace') as file:
            return next((int(line.split()[1]) * 1024 for line in file
                         if line.startswith('VmHWM')), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def wait_events(process):
    """Until the profiler has perf events open."""
    for _ in range(HANG_S * 100):
        try:
            if any('perf_event' in os.readlink(f'/proc/{process.pid}/fd/{fd}')
                   for fd in os.listdir(f'/proc/{process.pid}/fd')):
                return
        except (FileNotFoundError, PermissionError):
            pass
        if process.poll() is not None:
            raise RuntimeError(f'{process.args}: ended with {process.returncode}')
        time.sleep(0.01)
    raise RuntimeError(f'{process.args}: opens no events')


def wait_end(process, rss=0):
    """Reaps a process that is about to end; (its rusage's CPU time, its peak RSS)."""
    while True:
        rss = max(rss, peak_rss(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_utime + usage.ru_stime, rss
        time.sleep(0.002)


class Paranoid:
    """perf_event_paranoid at 1 meanwhile: samply asks for that even of root."""
    path = '/proc/sys/kernel/perf_event_paranoid'

    def __enter__(self):
        with open(self.path, encoding='ascii') as file:
            self.before = file.read()
        self.write('1')

    def __exit__(self, *_):
        self.write(self.before)

    def write(self, text):
        with open(self.path, 'w', encoding='ascii') as file:
            file.write(text)


def find_samply(install):
    if os.environ.get('SAMPLY'):
        return os.environ['SAMPLY']
    if install:
        where = folder()
        subprocess.run(['cargo', 'install', 'samply', '--locked', '--root', where], check=True)
        return os.path.join(where, 'bin', 'samply')
    return shutil.which('samply')


def compile_cpp():
    path = os.path.join(folder(), 'large.cc')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(generate(400))
    return Program([need('clang++'), '-O2', '-c', path, '-o', path + '.o'])

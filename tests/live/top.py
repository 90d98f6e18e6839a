# SPDX-License-Identifier: Apache-2.0
"""profd top, driven in tmux and read off its screen; and its one interval for scripts."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

from harness import (HANG_S, PROFD, TARGETS, Failed, Target, check, check_equal, folder, need,
                     profd, run)

NAMES = ('share_10', 'share_20', 'share_30', 'share_40')


class Tmux:
    """A terminal of its own: a tmux server with one pane, in which a shell runs."""

    def __init__(self, columns=120, rows=32, env=(), term='tmux-256color'):
        self.home = folder()
        self.socket = os.path.join(self.home, 'socket')
        environment = {'PATH': os.environ['PATH'], 'HOME': self.home, 'LC_ALL': 'C.UTF-8',
                       'PS1': '$ ', 'TERM': 'xterm-256color', 'SHELL': '/bin/sh'}
        self.environment = environment
        with open(os.path.join(self.home, 'tmux.conf'), 'w', encoding='ascii') as file:
            file.write(f'set -g default-terminal {term}\nset -s escape-time 0\n')
        self.call('-f', os.path.join(self.home, 'tmux.conf'), 'new-session', '-d', '-x',
                  str(columns), '-y', str(rows), '-c', self.home,
                  ' '.join(['env', *env, 'PS1="$ "', '/bin/bash', '--norc', '--noprofile']))
        self.wait_for(r'^\$')

    def call(self, *arguments):
        done = subprocess.run([need('tmux'), '-u', '-S', self.socket, *arguments],
                              env=self.environment, capture_output=True, timeout=HANG_S,
                              check=False)
        check(done.returncode == 0, f'tmux {arguments}: {done.stderr.decode()}')
        return done.stdout.decode('utf-8', 'replace')

    def keys(self, *keys):
        self.call('send-keys', *keys)

    def type(self, text):
        self.call('send-keys', '-l', text)

    def run(self, line):
        self.type(line)
        self.keys('Enter')

    def screen(self, escapes=False):
        return self.call('capture-pane', '-p', *(['-e'] if escapes else []))

    def format(self, text):
        return self.call('display-message', '-p', text).strip()

    def wait(self, predicate, what):
        """The first screen on which it holds."""
        end = time.monotonic() + HANG_S
        while time.monotonic() < end:
            screen = self.screen()
            if predicate(screen):
                return screen
            time.sleep(0.05)
        raise Failed(f'never: {what}, but:\n{screen}')

    def wait_for(self, pattern):
        return self.wait(lambda screen: re.search(pattern, screen, re.M), pattern)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(['tmux', '-S', self.socket, 'kill-server'], env=self.environment,
                       capture_output=True, check=False)


class Top(Tmux):
    """A terminal in which profd top runs."""

    def __init__(self, *arguments, prefix='', **options):
        super().__init__(**options)
        words = [PROFD, 'top', '--symbol-cache', 'none', *map(str, arguments)]
        self.run(prefix + ' '.join(os.path.abspath(word) if word == PROFD else word
                                   for word in words) + '; echo status=$?')

    def pids(self):
        """The guard's and the drawing process's."""
        pane = int(self.format('#{pane_pid}'))
        guard = children(pane)[0]
        return guard, next(pid for pid in children(guard))

    def is_restored(self):
        """The shell has its screen and its modes back."""
        self.wait(lambda _: self.format('#{alternate_on}') == '0', 'the normal screen')
        self.run('stty -a | tr ";" "\\n" | grep -c -w -e icanon -e echo')
        self.wait_for(r'^[12]$')


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        return [int(child) for child in file.read().split()]


def shares(screen):
    """{function: (self, total)} of a table."""
    rows = re.findall(r'^ *([0-9.]+) % ±[ 0-9.]+  *([0-9.]+) % ±[ 0-9.]+  *(\w+)', screen, re.M)
    return {name: (float(own), float(total)) for own, total, name in rows}


def test_functions_with_names_on_the_first_screen():
    with Target('split') as target, Top('-p', target.pid) as top:
        screen = top.wait_for(r'%.*share_40')
        check(re.search(rf'^profd top +split, pid {target.pid}', screen), screen)
        screen = top.wait_for(r'CPU [0-9.]+ %')
        for word in ('CPU', 'user', 'kernel', 'run', 'wait', 'RSS', 'samples/s', 'lost'):
            check(word in screen, f'no {word}:\n{screen}')
        check(re.search(r'share_40 +split +split.c:\d+', screen), screen)
        top.keys('m')
        top.wait_for('since start')
        time.sleep(2)
        screen = top.wait_for(r'profd [0-9.]+ %')
        top.keys('q')
        top.wait_for('status=0')
        top.is_restored()
        truth = target.stop()
        got = shares(screen)
        for name in NAMES:
            # Few samples where others run, too: only what no build gets right by chance.
            check(abs(got[name][1] - 100 * truth[name]) < 20, f'{name}: {got[name]}, {truth}')


def test_once_and_json():
    with Target('split') as target:
        status, text, errors = profd('top', '--once', '-d', '2', '-p', target.pid,
                                     '--symbol-cache', 'none')
        check_equal((status, errors), (0, ''), 'status and stderr')
        check(re.search(r'CPU [0-9.]+ % of one core: user', text), text)
        check(re.search(r'\[split\] split.c:\d+', text), text)
        status, text, errors = profd('top', '--json', '-d', '3', '-p', target.pid,
                                     '--symbol-cache', 'none')
        check_equal((status, errors), (0, ''), 'status and stderr')
        got = json.loads(text)
        truth = target.stop()
        check_equal(got['schema_version'], 1, 'version')
        functions = {function['name']: function for function in got['functions']}
        inside = 0
        for name in NAMES:
            total = functions[name]['total']
            check(abs(total['share'] - truth[name]) < 0.2, f'{name}: {total}, {truth}')
            inside += total['low'] <= truth[name] <= total['high']
        # Intervals of 95 %: of four, two misses would be strange.
        check(inside >= 2, f'{inside} of 4 inside: {text}')
        check_equal([thread['tid'] for thread in got['threads']], [target.pid], 'threads')
        check_equal([process['pid'] for process in got['processes']], [target.pid], 'processes')
        check_equal(got['usage']['threads'], 1, 'threads in use')


def test_no_terminal():
    status, output, errors = profd('top', '-p', os.getpid())
    check_equal((status, output), (1, ''), 'status and stdout')
    check_equal(errors.count('\n'), 1, 'lines')
    check('--once' in errors, errors)


def test_unknown_terminals():
    with Tmux() as shell:
        for term in ('no-such-terminal', 'dumb', ''):
            shell.run(f'clear; TERM={term} {os.path.abspath(PROFD)} top -p $$; echo status=$?')
            screen = shell.wait_for('status=1')
            check(re.search(r'^profd: cannot draw on terminal', screen, re.M), screen)


if __name__ == '__main__':
    run(globals())

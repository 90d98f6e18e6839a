# SPDX-License-Identifier: Apache-2.0
"""profd top, driven in tmux and read off its screen; and its one interval for scripts."""
import atexit
import concurrent.futures
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

from harness import (COPIES, HANG_S, PROFD, TARGETS, Failed, Target, by_table_only, check,
                     check_equal, folder, need, profd, profd_words, run)

WAY = ('--unwind', 'copy') if COPIES else ()
MODES = {sign + name for sign in ('', '-') for name in ('icanon', 'echo', 'isig')}
NAMES = ('share_10', 'share_20', 'share_30', 'share_40')


class Tmux:
    """A terminal of its own: a tmux server with one pane, in which a shell runs."""

    def __init__(self, columns=120, rows=32, env=(), term='tmux-256color'):
        self.home = folder()
        self.socket = os.path.join(self.home, 'socket')
        environment = {'PATH': os.environ['PATH'], 'HOME': self.home, 'LC_ALL': 'C.UTF-8',
                       'PS1': '$ ', 'TERM': 'xterm-256color', 'SHELL': '/bin/sh'}
        self.environment = environment
        atexit.register(self.__exit__)  # the server is nobody's child
        with open(os.path.join(self.home, 'tmux.conf'), 'w', encoding='ascii') as file:
            file.write(f'set -g default-terminal {term}\nset -s escape-time 0\n')
        self.call('-f', os.path.join(self.home, 'tmux.conf'), 'new-session', '-d', '-x',
                  str(columns), '-y', str(rows), '-c', self.home,
                  ' '.join(['exec', 'env', *env, 'PS1="$ "', '/bin/bash', '--norc', '--noprofile']))
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
            time.sleep(0.1)
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
        words = [*profd_words(()), 'top', *WAY, '--symbol-cache', 'none', *map(str, arguments)]
        self.run(prefix + ' '.join(os.path.abspath(word) if word == PROFD else word
                                   for word in words) + '; echo status=$?')

    def pids(self):
        """The guard's and the drawing process's."""
        guard = children(int(self.format('#{pane_pid}')))[0]
        return guard, children(guard)[0]

    def check_restored(self):
        """The shell has its screen and its modes back."""
        self.wait(lambda _: self.format('#{alternate_on} #{mouse_any_flag}') == '0 0',
                  'the normal screen')
        self.run('clear; stty -a | tr " ;" "\\n\\n" | grep -x -e "-\\?icanon" -e "-\\?echo" '
                 '-e "-\\?isig"')
        screen = self.wait_for(r'echo$')
        check_equal([word for word in screen.split() if word in MODES], ['isig', 'icanon', 'echo'],
                    'modes of the terminal')


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
        top.wait_for('since start, [^012]')
        screen = top.wait_for(r'profd [0-9.]+ %')
        top.keys('q')
        top.wait_for('status=0')
        top.check_restored()
        truth = target.stop()
        got = shares(screen)
        for name in NAMES:
            # Few samples where others run, too: only what no build gets right by chance.
            check(abs(got[name][1] - 100 * truth[name]) < 20, f'{name}: {got[name]}, {truth}')


def lines_of(screen, first):
    """What stands below the bar, after the row that begins with `first`, without the foot."""
    lines = screen.splitlines()
    at = next((number for number, line in enumerate(lines) if line.strip().startswith(first)),
              len(lines))
    return [line for line in lines[at + 1:-2] if line.strip()]


def test_views_and_keys():
    with Target('split') as target, Top('-p', target.pid) as top:
        top.wait_for('share_40')
        top.keys('m')  # since start: rows do not come and go
        top.wait_for('since start')
        top.keys('T')
        tree = lines_of(top.wait_for('heaviest first'), 'TOTAL')
        check(re.search(r'▾ main', '\n'.join(tree)), tree)
        leaves = [line for line in tree if 'share_' in line]
        # Heaviest first, and their callers above them.
        totals = [float(line.split('%')[0]) for line in leaves]
        check_equal(totals, sorted(totals, reverse=True), 'order')
        count = len(tree)
        top.keys('Home', 'Left')
        top.wait(lambda screen: len(lines_of(screen, 'TOTAL')) == 1, 'one line, closed')
        top.keys('Right')
        top.wait(lambda screen: len(lines_of(screen, 'TOTAL')) >= count - 2, 'opened again')
        top.keys('F')
        top.wait_for('^[|│]?all')
        # As wide as they are large, so they are found where their shares say.
        top.wait(lambda screen: re.search('share_20.{4,} share_30.{8,}share_40', screen), 'boxes')
        top.type('/SHARE_[34]0')
        top.wait_for('matched: +[5-9]')
        top.keys('Enter', 'n')
        top.wait_for(r'^ *\d.* % ±.*  share_30  /')
        top.keys('n')
        top.wait_for(r'^ *\d.* % ±.*  share_40  /')
        top.keys('Up')
        top.wait_for(r'^ *\d.* % ±.*  main  /')
        top.keys('n', 'n', 'Escape', 'Enter')
        screen = top.wait_for('zoomed to')
        check('share_10' not in screen and '|share_40' in screen, screen)
        top.keys('Down')
        top.wait_for(r'^ *\d.* % ±.*  target_work ')
        top.keys('BSpace')
        top.wait_for('share_10.*share_20')
        top.keys('Home')
        top.wait_for('callers above')
        top.keys('l')
        lines = lines_of(top.wait_for('FILE:LINE'), 'SELF')
        check(re.search(r'^ *(100|[6-9]\d)\.\d %.*target_work.* target.h:\d+', lines[0]), lines)
        top.keys('t')
        screen = top.wait_for('TID')
        check(re.search(rf'^ *100.0 % .* {target.pid} split +split', screen, re.M), screen)
        top.keys('a')
        screen = top.wait_for('PID PROCESS')
        check(re.search(rf'^ *100.0 % .* {target.pid} split', screen, re.M), screen)
        top.keys('f', '3')
        names = [line.split('±')[2].split()[-3:] for line in
                 lines_of(top.wait_for('by name'), 'SELF') if 'share' in line]
        check_equal(names, sorted(names), 'by name')
        top.keys('?')
        top.wait_for('Keys; any key goes back')
        top.keys('q')  # goes back, too
        top.wait_for('by name')
        top.keys('q')
        top.wait_for('status=0')


def test_filter_module_and_kernel():
    with Target('syscalls') as target, Top('-p', target.pid) as top:
        top.wait_for(r'%.*\bmain\b')
        top.keys('m', '2')
        top.wait_for('by total')
        top.type('/^SPIN$')
        top.wait(lambda screen: len(lines_of(screen, 'SELF')) == 1, 'one row')
        top.wait_for('filter: .SPIN')
        top.keys('BSpace')
        top.type('|(')  # no expression: what was good holds
        top.wait_for('not a regular expression yet')
        top.keys('Escape')
        top.wait_for(r'read_iter_zero|\[kernel\]')
        top.keys('K')
        screen = top.wait_for('no kernel')
        screen = top.wait(lambda screen: '[kernel]' not in screen, 'no kernel frames')
        own = shares(screen)
        check(own['read'][0] > 50 or own['__libc_read'][0] > 50, own)
        top.keys('U')
        top.wait_for('kernel only')
        top.wait(lambda screen: ' spin ' not in screen and '[kernel]' in screen, 'the kernel only')
        top.keys('U')
        top.wait_for(' spin ')
        top.keys('Home', 'd')
        screen = top.wait_for('filter:.* in ')
        module = re.search(r' in (\S+)', screen.splitlines()[-1])[1]
        rows = lines_of(screen, 'SELF')
        check(rows and all(module in row or '[kernel]' in row for row in rows), screen)
        top.keys('d')
        top.wait_for('stacks complete')


def test_freeze_and_reset():
    with Target('split') as target, Top('-p', target.pid) as top:
        top.wait_for('share_40')
        top.keys('m')
        top.wait_for('since start')
        top.keys('p')
        screen = top.wait_for('frozen')
        samples = re.search(r'^(\d+) samples:', screen, re.M)[1]
        time.sleep(2.5)
        check_equal(re.search(r'^(\d+) samples:', top.screen(), re.M)[1], samples, 'frozen')
        top.keys('m', 'm', 'm')  # other spans are of that moment, too
        top.wait_for('since start')
        check_equal(re.search(r'^(\d+) samples:', top.screen(), re.M)[1], samples, 'frozen')
        top.keys('p')
        top.wait(lambda screen: 'frozen' not in screen and
                 int(re.search(r'^(\d+) samples:', screen, re.M)[1]) > int(samples), 'going on')
        top.keys('r')
        screen = top.wait_for('since reset')
        top.keys('m')
        top.wait_for('decaying')
        screen = top.wait_for('samples: .* complete')
        top.keys('m')
        top.wait_for('last 5 s')


def test_saved_files():
    with Target('split') as target, Top('-p', target.pid) as top:
        top.wait_for('share_40')
        for key, ending in (('w', '.pb.gz'), ('G', '.svg'), ('P', '.txt')):
            top.keys(key)
            top.wait_for(rf'wrote profd-split-{target.pid}-\d+-\d+(-\d+)?{ending}')
        names = sorted(os.listdir(top.home))
        paths = [next(os.path.join(top.home, name) for name in names if name.endswith(ending))
                 for ending in ('.pb.gz', '.svg', '.txt')]
        for path in paths:
            check_equal(os.stat(path).st_nlink, 1, path)
        out = os.path.join(top.home, 'out.folded')
        status, _, errors = profd('convert', paths[0], '-o', out)
        check_equal(status, 0, errors)
        with open(out, encoding='utf-8') as file:
            folded = file.read()
        check(re.search(r'main;share_40;target_work', folded), folded)
        with open(paths[1], encoding='utf-8') as file:
            svg = file.read()
        check(svg.startswith('<?xml') and 'share_40' in svg and 'the last seconds of: ' in svg,
              svg[:500])
        with open(paths[2], encoding='utf-8') as file:
            check('share_40' in file.read(), paths[2])
        # A folder that nothing can be written to is said so, and the view goes on.
        top.keys('q')
        top.wait_for('status=0')
        top.run(f'clear; cd /proc; {os.path.abspath(PROFD)} top -p {target.pid}')
        top.wait_for('share_40')
        top.keys('w')
        top.wait_for('cannot write profd-split')
        top.wait_for('share_40')


def resize(top, columns, rows):
    top.call('resize-window', '-x', str(columns), '-y', str(rows))


def test_sizes():
    with Target('split') as target, Top('-p', target.pid, columns=80, rows=24) as top:
        screen = top.wait_for('share_40')
        check(max(map(len, screen.splitlines())) <= 80, screen)
        for key in 'TFltaf':
            top.keys(key)
            top.wait_for('split|Flame')
        resize(top, 300, 100)
        screen = top.wait(lambda screen: 'of one core' in screen and 'share_40' in screen, 'wide')
        check(len(screen.splitlines()) == 100, screen)
        check(re.search(r'of stacks complete', screen.splitlines()[-1]), screen)
        resize(top, 20, 5)
        top.wait_for('too small: 20x5')
        top.wait_for('needs 40x8')
        resize(top, 40, 8)
        top.wait_for('share_|main|target_work')
        resize(top, 1, 1)
        time.sleep(0.3)
        resize(top, 120, 32)
        top.wait_for('share_40')
        top.keys('q')
        top.wait_for('status=0')


def colors(text):
    """How colours are said in it: '' none, '8', '256', 'rgb'."""
    kinds = set()
    for code in re.findall(r'\x1b\[([0-9;:]*)m', text):
        if re.search(r'[34]8[;:]2[;:]', code):
            kinds.add('rgb')
        elif re.search(r'[34]8[;:]5[;:]', code):
            kinds.add('256')
        elif any(int(part or 0) not in (38, 39, 48, 49) and
                 (30 <= int(part or 0) <= 47 or 90 <= int(part or 0) <= 107) for part in re.split('[;:]', code)):
            kinds.add('8')
    return kinds


def flame_of(top):
    top.wait_for('share_40')
    top.keys('F')
    top.wait_for('callers above')
    top.wait_for('share_40')
    return top.screen(escapes=True)


def test_colors_and_characters():
    with Target('split') as target:
        with Top('-p', target.pid, term='tmux-256color') as top:
            check('256' in colors(flame_of(top)), '256 colours')
        with Top('-p', target.pid, term='screen') as top:
            check_equal(colors(flame_of(top)), {'8'}, '8 colours')
        with Top('-p', target.pid, prefix='NO_COLOR=1 ') as top:
            plain = flame_of(top)
            check_equal(colors(plain), set(), 'no colours')
            check('|main' in plain, plain)
        with Top('-p', target.pid, prefix='LC_ALL=C ') as top:
            screen = top.wait_for('share_40')
            check(screen.isascii() and '+-' in screen, screen)
            top.keys('T')
            screen = top.wait_for('heaviest first')
            check(screen.isascii() and '- main' in screen, screen)


DIRECT = r"""tmux-direct|tmux with colours of 24 bits,
	RGB, colors#0x1000000, pairs#0x7FFF,
	setab=\E[%?%p1%{8}%<%t4%p1%d%e48\:2\:\:%p1%{65536}%/%d\:%p1%{256}%/%{255}%&%d\:%p1%{255}%&%d%;m,
	setaf=\E[%?%p1%{8}%<%t3%p1%d%e38\:2\:\:%p1%{65536}%/%d\:%p1%{256}%/%{255}%&%d\:%p1%{255}%&%d%;m,
	use=tmux-256color,
"""


def test_colors_of_24_bits():
    terms = folder()
    subprocess.run([need('tic'), '-x', '-o', terms, '-'], input=DIRECT.encode(), check=True,
                   capture_output=True)
    environment = [f'TERMINFO={terms}', 'COLORTERM=truecolor']
    with Target('split') as target, Top('-p', target.pid, env=environment) as top:
        check('rgb' in colors(flame_of(top)), 'no 24-bit colours')
        top.keys('q')
        top.wait_for('status=0')


def test_mouse():
    def click(top, x, y, button=0):
        # As xterm tells it (ctlseqs): button, column and row, from 1, each + 32; 3 is its release.
        for what in (button, 3):
            top.type('\x1b[M' + ''.join(chr(32 + number) for number in (what, x + 1, y + 1)))

    with Target('split') as target, Top('-p', target.pid) as top:
        top.wait_for('share_40')
        top.keys('m', '2')
        top.wait_for('since start, .*by total')
        click(top, 14, 3)
        top.wait_for('heaviest first')
        click(top, 2, 3)
        screen = top.wait_for('by total')
        row = next(number for number, line in enumerate(screen.splitlines()) if 'share_40' in line)
        click(top, 40, row)
        top.wait_for(r'^share_40  /')
        click(top, 40, row, button=64)  # the wheel, up
        top.wait(lambda screen: not re.search('^share_40  /', screen, re.M), 'another row')


def test_the_target_ends():
    with Target('split') as target, Top('-p', target.pid) as top:
        top.wait_for('share_40')
        target.stop()
        screen = top.wait_for('the target has ended')
        check('share_40' in screen, screen)
        top.keys('T')
        top.wait_for('▾ main')
        top.keys('w')
        top.wait_for('wrote profd-split')
        top.keys('q')
        top.wait_for('status=0')
        top.check_restored()


def test_terminal_is_restored():
    with Target('split') as target, Top('-p', target.pid) as top:
        line = f'clear; {os.path.abspath(PROFD)} top -p {target.pid}; echo status=$?'
        for who, number, status in (('drawer', signal.SIGKILL, 1), ('drawer', signal.SIGSEGV, 1),
                                    ('guard', signal.SIGTERM, 0), ('guard', signal.SIGHUP, 0),
                                    ('drawer', signal.SIGTERM, 0)):
            top.wait_for('share_40')
            guard, drawer = top.pids()
            os.kill(drawer if who == 'drawer' else guard, number)
            screen = top.wait_for(f'status={status}')
            if status:
                check(f'ended by signal {number:d}' in screen, screen)
            top.check_restored()
            top.run(line)
        top.wait_for('share_40')
        # Without its guard it leaves by itself.
        guard, drawer = top.pids()
        os.kill(guard, signal.SIGKILL)
        for _ in range(HANG_S * 20):
            if not os.path.exists(f'/proc/{drawer}'):
                break
            time.sleep(0.05)
        check(not os.path.exists(f'/proc/{drawer}'), 'still there')
        top.wait(lambda _: top.format('#{alternate_on}') == '0', 'the normal screen')
        top.run('clear; echo the shell is $((6 * 7))')
        top.wait_for('the shell is 42')


def test_stop_and_go_on():
    with Target('split') as target, Top('-p', target.pid) as top:
        top.wait_for('share_40')
        top.keys('C-z')
        top.wait_for('Stopped')
        top.wait(lambda _: top.format('#{alternate_on}') == '0', 'the normal screen')
        top.run('fg')
        top.wait_for('share_40')
        top.keys('q')
        top.wait_for(r'^\$$')
        top.check_restored()


def test_terminal_and_target_end_at_once():
    """Whichever comes first, and while names are being read: nothing waits for a screen that is gone."""
    for wait in (0, 0.1, 0.2, 0.3, 0.4, 0.6):
        with Target('syscalls') as target, Top('-p', target.pid) as top:
            shell = int(top.format('#{pane_pid}'))
            while not children(shell):
                time.sleep(0.01)
            guard = os.pidfd_open(children(shell)[0])
            time.sleep(wait)
        check(select.select([guard], [], [], HANG_S)[0], f'profd top is left after {wait} s')
        os.close(guard)


def test_hostile_names():
    path = os.path.join(folder(), 'hostile')
    names = {'hostile_outer': 'out\x1b]0;pwned\x07er', 'hostile_leaf': 'le\x9b2Jaf\u202e'}
    table = path + '.names'
    with open(table, 'w', encoding='latin-1', errors='surrogateescape') as file:
        for old, new in names.items():
            file.write(f'{old} {new.encode().decode("latin-1")}\n'.replace(' 0', '_0'))
    subprocess.run([need('objcopy'), f'--redefine-syms={table}', '--strip-debug',
                    os.path.join(TARGETS, 'hostile'), path], check=True)
    with Target(path, prefix=()) as target, Top('-p', target.pid) as top:
        top.wait_for(r'%.*\bmain\b')
        for key in 'fTFlta':
            top.keys(key)
            time.sleep(0.2)
            screen = top.screen(escapes=True)
            check('\x07' not in screen and '\x9b' not in screen and '\u202e' not in screen,
                  repr(screen))
            check('\x1b[3<' not in screen and '\x1b]' not in screen, repr(screen))
        check('pwned' not in top.format('#{pane_title}'), 'the title was set')
        top.keys('a')
        screen = top.wait_for(r'PID PROCESS')
        check('a;b\\x0a\\x1b[3<&' in screen, screen)
        top.keys('q')
        top.wait_for('status=0')


def test_a_command():
    with Top('--', os.path.abspath(os.path.join(TARGETS, 'split')), '100') as top:
        screen = top.wait_for('share_40')
        check('ready' not in screen, screen)
        top.keys('q')
        # The command's own status: it takes SIGTERM and ends well.
        top.wait_for('status=0')
        top.check_restored()
    with Top('--', '/nowhere/at-all') as top:
        screen = top.wait_for('status=1')
        check("cannot start '/nowhere/at-all'" in screen, screen)
    with Top('--', 'sh', '-c', '"exit 7"') as top:
        top.wait_for('the target has ended')
        top.keys('q')
        top.wait_for('status=7')


def test_a_terminal_that_takes_nothing_holds_no_sample_up():
    with Target('split') as target, Top('-p', target.pid, '--interval', '100ms') as top:
        top.wait_for('share_40')
        top.keys('m')
        top.wait_for('since start')
        server = int(top.format('#{pid}'))
        os.kill(server, signal.SIGSTOP)
        time.sleep(4)
        os.kill(server, signal.SIGCONT)
        top.wait_for('since start, ([5-9]|\\d\\d)')
        seconds = float(re.search(r'since start, (\d+)', top.screen())[1])
        used = cpu_seconds(target.pid)
        screen = top.wait_for(r'^\d+ samples:')
        samples = int(re.search(r'^(\d+) samples:', screen, re.M)[1])
        # Of all the CPU time that it has used since: the four seconds are not missing.
        check(samples > 0.5 * 99 * min(used, seconds) * 0.9, f'{samples} in {seconds} s: {screen}')


def cpu_seconds(pid):
    with open(f'/proc/{pid}/schedstat', encoding='ascii') as file:
        return int(file.read().split()[0]) / 1e9


def test_once_and_json():
    with Target('split') as target:
        status, text, errors = profd('top', *WAY, '--once', '-d', '2', '-p', target.pid,
                                     '--symbol-cache', 'none')
        check_equal((status, errors), (0, ''), 'status and stderr')
        check(re.search(r'CPU [0-9.]+ % of one core: user', text), text)
        check(re.search(r'\[split\] split.c:\d+', text), text)
        status, text, errors = profd('top', *WAY, '--json', '-d', '3', '-p', target.pid,
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


@by_table_only('growth is taken by BPF programs')
def test_growth():
    """Who grows, as text, as JSON and on the screen, which says how fast, too."""
    with Target('grower', 'small', 32, 500, stdin=subprocess.PIPE) as target, \
            Top('-e', 'growth', '-p', target.pid) as top, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        top.wait_for('since start')
        waits = pool.submit(profd, 'top', '--json', '-e', 'growth', '-d', '5', '-p', target.pid,
                            '--symbol-cache', 'none')
        time.sleep(1)
        target.process.stdin.write(b'.')
        truth = json.loads(target.read_line())['stays']
        want = truth['keep_much'] / sum(truth.values())
        screen = top.wait_for(r'(?s)(grows by|no growth) .*MiB.*keep_much')
        print(screen)
        status, text, errors = waits.result()
        check_equal((status, errors), (0, ''), 'status and stderr')
        got = json.loads(text)
        total = {f['name']: f['total'] for f in got['functions']}['keep_much']
        print(f'    truly {want:.3f}, told {total["share"]:.3f}')
        check(abs(total['share'] - want) < 0.03, f'{total} of {truth}')
        check(abs(got['growth']['growth_bytes'] - sum(truth.values())) < 4 << 20, got['growth'])
    status, _, errors = profd('top', '-e', 'growth,cpu', '-p', os.getpid(), '--once')
    check_equal(status, 2, errors)


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

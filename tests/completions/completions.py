#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a shell completes profd's command line to, asked of the shell itself: bash and zsh at a
terminal, with keys; fish by its `complete -C`.
usage: completions.py bash|zsh|fish SCRIPT PROFD; exits with 77 where there is no such shell"""
import ctypes
import os
import pty
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 60  # catches hangs only
COMM = f'pt{os.getpid()}xyz'  # others run this test at the same time
HOSTILE = '$(touch bad)\x1b['
FORMATS = {'flamegraph', 'html', 'pprof', 'folded', 'speedscope', 'firefox', 'cpuprofile', 'text'}
EXTENSIONS = {'svg', 'html', 'pb.gz', 'pprof', 'folded', 'collapsed', 'speedscope.json',
              'firefox.json', 'cpuprofile', 'txt'}


class Terminal:
    """A shell that reads its line from a terminal, and shows on a pipe what has become of it."""
    arguments, set_up, all_keys = [], '', ''

    def __init__(self, script, folder):
        read, write = os.pipe()
        environment = {'PATH': os.environ['PATH'], 'HOME': folder, 'TERM': 'vt100', 'LC_ALL': 'C',
                       'PS1': '', 'SCRIPT': script, 'SHOWN': f'/proc/{os.getpid()}/fd/{write}'}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(self.arguments[0], self.arguments, environment)
        self.shown, self.write, self.said = read, write, b''
        subprocess.run(['stty', 'rows', '1000', 'cols', '300'], stdin=self.terminal, check=True)
        self.type(self.set_up + '\n')
        while self.read_shown() != 'ready':
            pass

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for fd in (self.terminal, self.shown, self.write):
            os.close(fd)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read_shown(self):
        text, end = b'', time.monotonic() + PATIENCE_S
        while not text.endswith(b'\0'):
            ready, _, _ = select.select([self.terminal, self.shown], [], [],
                                        max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f'the shell hangs, having said {self.said!r}')
            if self.terminal in ready:
                self.said += os.read(self.terminal, 65536)
            elif self.shown in ready:
                text += os.read(self.shown, 65536)
        return text[:-1].decode()

    def press(self, line, keys):
        """The line after these keys."""
        self.said = b''
        self.type('\x15' + line + keys + '\x18p')
        return self.read_shown()

    def all(self, line):
        return self.press(line, self.all_keys)


class Bash(Terminal):
    arguments = ['bash', '--norc', '--noprofile', '-i']
    set_up = r'''
bind 'set enable-bracketed-paste off'
bind 'set completion-query-items 0'
bind 'set page-completions off'
bind -x '"\C-xp": printf "%s\0" "$READLINE_LINE" >$SHOWN'
bind '"\C-xa": insert-completions'
source "$SCRIPT"
printf 'ready\0' >$SHOWN'''
    all_keys = '\x18a'


class Zsh(Terminal):
    arguments = ['zsh', '-f', '-i']
    set_up = r'''
unsetopt prompt_sp
bindkey -e
fpath=(${SCRIPT:h} $fpath)
autoload -Uz compinit && compinit -u -D
LISTMAX=0
show() { print -rn -- $BUFFER$'\0' >$SHOWN }
zle -N show
bindkey '^Xp' show
zle -C all-matches complete-word _generic
bindkey '^Xa' all-matches
zstyle ':completion:all-matches::::' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert true
print -rn -- $'ready\0' >$SHOWN'''
    all_keys = '\x18a'


class Fish:
    def __init__(self, script, folder):
        self.script, self.folder, self.said = script, folder, b''

    def close(self):
        pass

    def all(self, line):
        """The last word of the line in every way it can be completed, as if all were typed."""
        environment = {'PATH': os.environ['PATH'], 'HOME': self.folder, 'LC_ALL': 'C.UTF-8'}
        run = subprocess.run(
            ['fish', '--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', self.script,
             line], env=environment, cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, timeout=PATIENCE_S)
        if run.stderr:
            raise AssertionError(f'fish: {run.stderr.decode()}')
        self.said = run.stdout
        words = [row.split('\t')[0] for row in run.stdout.decode().splitlines()]
        return ' '.join([line[:line.rindex(' ')]] + words)


class Task:
    """A process of a known name that waits."""

    def __init__(self, name):
        self.pid = os.fork()
        if self.pid == 0:
            ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)  # PR_SET_NAME
            while True:
                signal.pause()
        while True:
            with open(f'/proc/{self.pid}/comm', encoding='utf-8') as comm:
                if comm.read() == name + '\n':
                    break

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Checks:
    def __init__(self, shell, profd):
        self.shell, self.profd, self.failures = shell, profd, 0

    def fail(self, text):
        print(f'failed: {text}')
        self.failures += 1

    def words(self, line):
        """What the end of the line, behind its last blank, "=" or ",", can become. Shells that
        replace the whole word repeat what stands before that. Only some mark folders, and
        options with an argument."""
        start = max(line.rfind(c) for c in ' =,') + 1
        lead = line[line.rindex(' ') + 1:start]
        shown = self.shell.all(line)
        if not shown.startswith(line[:line.rindex(' ')]):
            self.fail(f'{line!r} became {shown!r}')
        words = shown[line.rindex(' ') + 1:].split(' ')
        return {word.removeprefix(lead).rstrip('/=') for word in words} - {''}

    def are(self, line, expected):
        words = self.words(line)
        if words != set(expected):
            self.fail(f'{line!r}: {sorted(words)}, not {sorted(expected)}')

    def have(self, line, expected, without=()):
        words = self.words(line)
        if not set(expected) <= words or words & set(without):
            self.fail(f'{line!r}: {sorted(words)}, not with {expected} and without {without}')

    def nothing(self, line):
        self.are(line, {line[max(line.rfind(c) for c in ' =,') + 1:]} - {''}
                 if not isinstance(self.shell, Fish) else {})

    def long_options(self, *command):
        text = subprocess.run([self.profd, *command, '--help'], stdout=subprocess.PIPE, check=True,
                              encoding='utf-8').stdout
        return set(re.findall(r'^  (?:-., |    )(--[a-z-]+)', text, re.MULTILINE))


def check_commands(check):
    check.are('profd ', ['record', 'top', 'dump', 'report', 'diff', 'check', 'convert', 'daemon',
                          'query', 'verify', 'doctor', 'help'])
    check.are('profd rec', ['record'])
    check.are('profd help d', ['dump', 'diff', 'daemon', 'doctor'])
    check.are('profd --', check.long_options())
    check.nothing('profd nosuch')
    check.nothing('profd nosuch --u')
    for command in ['record', 'doctor']:
        words = check.words(f'profd {command} ')
        if isinstance(check.shell, Zsh):
            words = {word for word in words if not word.startswith('-')}  # of options there are
        if words:
            check.fail(f'profd {command} takes no {words}')


def check_options(check):
    commands = check.words('profd ')
    for command in commands:
        expected = check.long_options(command)
        if len(expected) < 1 or command == 'record' and len(expected) < 20:
            check.fail(f'profd {command} --help tells only of {expected}')
        check.are(f'profd {command} --', expected)
    check.are('profd record --unw', ['--unwind'])
    check.are('profd rec --unw', ['--unwind'])
    check.are('profd record -a --no-k', ['--no-kernel'])
    check.nothing('profd record --nosuch')


def check_choices(check):
    for line in ['--unwind ', '--unwind=', '-a --unwind ', '-sF 99 --unwind=']:
        check.are('profd record ' + line, ['auto', 'copy', 'fp', 'table'])
    if not isinstance(check.shell, Zsh):  # for which no argument looks like an option
        check.are('profd record -o --unwind --unwind ', ['auto', 'copy', 'fp', 'table'])
    check.are('profd record --unwind t', ['table'])
    check.are('profd record --unwind=t', ['table'])
    check.are('profd rec --unwind t', ['table'])
    check.are('profd record -e ', ['alloc', 'branch-misses', 'branches', 'bus-cycles', 'cache-misses',
                                   'cache-references', 'context-switches', 'cpu', 'cpu-migrations', 'cycles',
                                   'growth', 'heap', 'instructions', 'major-faults', 'minor-faults',
                                   'page-faults', 'ref-cycles'])
    check.are('profd record -F ', ['max'])
    check.are('profd record -d u', ['unlimited'])
    check.are('profd record -f ', FORMATS)
    check.are('profd record --format=fo', ['folded'])
    check.nothing('profd record --max-depth ')
    check.nothing('profd record -c 1')


def check_tasks(check):
    task, hostile = Task(COMM), Task(HOSTILE)
    pid = str(task.pid)
    try:
        for option in ['-p', '--pid', '-sp', '--tid']:
            check.have(f'profd record {option} ', [pid, str(hostile.pid)], [COMM])
        check.have('profd record --pid=', [pid])
        check.have(f'profd record -p 1,{pid[:-1]}', [pid])
        check.have(f'profd record -p {pid[:-1]}', [pid], ['1'])
        check.are(f'profd record --comm {COMM[:-2]}', [COMM])
        check.have('profd record --comm ', [COMM])
        if not isinstance(check.shell, Fish):  # it leaves out what does not begin as the word does
            check.are(f'profd record -p {COMM[:-2]}', [pid])
            check.are(f'profd record -p 1,{COMM[:-2]}', [pid])
            check.shell.press('profd record -p ', '\t\t')
        else:
            check.shell.all('profd record -p ')
        if not re.search(rf'{pid}\s+{COMM}'.encode(), check.shell.said):
            check.fail(f'the name of {pid} is not shown: {check.shell.said!r}')
        if b'touch bad)\x1b' in check.shell.said or b'$(touch bad)?[' not in check.shell.said:
            check.fail(f'control characters in a name are shown: {check.shell.said!r}')
    finally:
        task.close()
        hostile.close()
    if not isinstance(check.shell, Fish):
        check_namesakes(check)


def check_namesakes(check):
    """bash lists them and leaves the name alone; zsh goes through their numbers."""
    tasks = [Task(COMM), Task(COMM)]
    numbers = {str(task.pid) for task in tasks}
    typed = f'profd record -p {COMM[:-2]}'
    try:
        line = check.shell.press(typed, '\t\t')
        if isinstance(check.shell, Zsh):
            line = {line.split(' ')[3]} <= numbers and typed
        elif not all(f'{number} ({COMM})'.encode() in check.shell.said for number in numbers):
            check.fail(f'{numbers} are not listed: {check.shell.said!r}')
        if line != typed:
            check.fail(f'{typed!r} with two such processes became {line!r}')
    finally:
        for task in tasks:
            task.close()


def check_files(check, folder):
    names = {'x.' + extension for extension in EXTENSIONS}
    check.are('profd record -o x.', names)
    check.are('profd record --output=x.', names)
    check.are('profd record -o x', names)
    check.are('profd record -o x.p', ['x.pb.gz', 'x.pprof'])
    check.have('profd record -o x.pb.', ['x.pb.gz'], ['x.pb.pb.gz'])
    check.are('profd record -o x.pb.g', ['x.pb.gz'])
    check.are('profd record -o a.b.sv', ['a.b.svg'])
    for name in ['kept.svg', 'kept.c']:
        with open(os.path.join(folder, name), 'w', encoding='utf-8'):
            pass
    os.mkdir(os.path.join(folder, 'kept.d'))
    check.are('profd record -o ke', ['kept.d', 'kept.svg'])
    check.have('profd record --summary kept.', ['kept.c', 'kept.svg'])
    check.are('profd record --uid roo', ['root'])
    check.have('profd record --uid ', [user.pw_name for user in pwd.getpwall()
                                       if user.pw_name.isalpha()])


def check_groups(check):
    root = '/sys/fs/cgroup'
    if not os.path.exists(root + '/cgroup.controllers'):
        root += '/unified'
    if not os.path.exists(root + '/cgroup.controllers'):
        return
    made = f'{root}/{COMM}'
    names = {entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name.isalpha()}
    try:
        os.makedirs(made + '/inner')
    except OSError:
        made = ''  # not root, or in a container
    try:
        if made:
            names.add(COMM)
            check.are(f'profd record --cgroup /{COMM[:-2]}', ['/' + COMM])
            check.are(f'profd record --cgroup=/{COMM[:-2]}', ['/' + COMM])
            check.are(f'profd record --cgroup /{COMM}/', [f'/{COMM}/inner'])
            check.are(f'profd record --cgroup {root}/{COMM}/i', [f'{root}/{COMM}/inner'])
        check.have('profd record --cgroup /', ['/' + name for name in names])
        check.have('profd record --cgroup ', ['/' + name for name in names])
        check.have(f'profd record --cgroup {root}/', [f'{root}/{name}' for name in names])
    finally:
        if made:
            os.rmdir(made + '/inner')
            os.rmdir(made)


def check_started(check):
    check.are('profd record -a -- profd-star', ['profd-started'])
    check.are('profd record -- ./profd-st', ['./profd-started'])
    check.have('profd record -- cat kept', ['kept.c', 'kept.svg', 'kept.d'])
    check.have('profd record -- cat --unwind kept', ['kept.c', 'kept.svg'])
    check.nothing('profd doctor -- profd-star')


def check_keys(check):
    press = check.shell.press
    for typed, expected in [('profd rec', 'profd record '),
                            ('profd record --unw', 'profd record --unwind '),
                            ('profd record --unwind t', 'profd record --unwind table '),
                            ('profd record --unwind ', 'profd record --unwind '),
                            ('profd record -o x.sv', 'profd record -o x.svg ')]:
        line = press(typed, '\t')
        line = line.replace('--unwind=', '--unwind ')  # zsh's way, until a blank is typed
        if line != expected:
            check.fail(f'{typed!r}, Tab: {line!r}, not {expected!r}')
    press('profd ', '\t\t')
    if b'what this machine and these privileges allow' not in check.shell.said:
        check.fail(f'commands are not described: {check.shell.said!r}')


def main():
    name, script, profd = sys.argv[1:]
    if not shutil.which(name):
        print(f'{name} is not installed')
        return 77
    with tempfile.TemporaryDirectory() as folder:
        os.environ['PATH'] = folder + ':' + os.environ['PATH']
        with open(os.path.join(folder, 'profd-started'), 'w', encoding='utf-8') as program:
            os.fchmod(program.fileno(), 0o755)
        shell = {'bash': Bash, 'zsh': Zsh, 'fish': Fish}[name](os.path.abspath(script), folder)
        check = Checks(shell, os.path.abspath(profd))
        try:
            check_commands(check)
            check_options(check)
            check_choices(check)
            check_tasks(check)
            check_files(check, folder)
            check_groups(check)
            check_started(check)
            if name != 'fish':
                check_keys(check)
        finally:
            shell.close()
        if os.path.exists(os.path.join(folder, 'bad')):
            check.fail('a process\'s name was run as a command')
    return 1 if check.failures else 0


if __name__ == '__main__':
    sys.exit(main())

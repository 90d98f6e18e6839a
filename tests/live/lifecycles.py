#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Processes as a machine at work has them: short, many, replaced, stopped, half ended.

Whatever happens, each sample is read with the mappings of its own moment, or is cut and counted;
nobody's name is on somebody else's code; and no target notices anything.
PROFD_LONG=1 goes on for minutes: 200 000 processes, and 500 new ones a second for 20 s.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from harness import (TARGETS, Program, Recorder, Target, check, check_complete, check_count,
                     check_equal, folder, has, need, one_line, rate, record, run)

HZ = rate(997)
LONG = bool(os.environ.get('PROFD_LONG'))
PLUGINS = ('red', 'blue', 'green', 'grey')
# After a fork the first write to the stack waits for a page of its own. A sample just then finds
# none; and a process that does little else than that has several in a thousand of those.
FORKING = 99.5


def path(name):
    return os.path.join(TARGETS, name)


class Everything:
    """`profd record -a` around what happens inside of the with statement."""

    def __init__(self, *arguments, hz=HZ, outputs=('out.folded',)):
        self.recorder = Recorder('-a', '-F', hz, *arguments, outputs=outputs)
        self.recording = None

    def __enter__(self):
        self.recorder.wait_sampling()
        return self

    def __exit__(self, kind, *_):
        if kind:
            return
        time.sleep(0.3)
        self.recorder.signal(signal.SIGINT)
        self.recording = self.recorder.finish()
        check_equal(self.recording.status, 0, f'status ({self.recording.stderr})')


class Own:
    """The part of a recording that is about processes of some names."""

    def __init__(self, recording, *names):
        self.summary, self.stderr = recording.summary, recording.stderr
        self.stacks = [(frames, count) for frames, count in recording.stacks
                       if frames[0] in names]
        self.samples = sum(count for _, count in self.stacks)

    def count(self, predicate):
        return sum(count for frames, count in self.stacks if predicate(frames))

    def share(self, predicate):
        check(self.samples > 0, f'no samples: {self.stderr}')
        return self.count(predicate) / self.samples


def to_the_end(name, *arguments):
    """Runs a target and returns its truth."""
    with Target(name, *arguments) as target:
        output, _ = target.process.communicate(timeout=120)
        check_equal(target.process.returncode, 0, f'status of {name}')
        return json.loads(output.decode().splitlines()[-1])


def of_command(recording):
    check_equal(recording.status, 0, f'status ({recording.stderr})')
    return json.loads(recording.stdout.decode().splitlines()[-1])


def any_of(*prefixes):
    return lambda frames: any(name.startswith(prefixes) for name in frames[1:])


def is_cut(frames):
    return any(name.startswith('[truncated') for name in frames)


# ---- gone before anyone looks ----

def test_thousands_of_short_children():
    """Of 1 to 3 ms; forked by somebody of whom the stream has not told before."""
    for milliseconds in (1, 3):
        with Everything() as everything:
            truth = to_the_end('children', 1000, milliseconds, 2)
        own = Own(everything.recording, 'children')
        print(f'    -a: {own.samples} samples')
        check_count(own.samples, truth['cpu_s'] * HZ, 6, 'samples')
        check_complete(own, percent=FORKING)
        check(own.share(has('main', 'child', 'child_leaf')) > 0.7, 'the children are missing')


def test_500_new_processes_a_second():
    """Each executes a program. Found by -- and by -a, as often as their time asks for."""
    arguments = [15000 if LONG else 2000, 1, 2, 'exec']
    begin = time.monotonic()
    recording = record(seconds=None, command=[path('children')] + arguments)
    truth = of_command(recording)
    print(f'    --: {truth["children"] / (time.monotonic() - begin):.0f} a second')
    check_count(recording.samples, truth['cpu_s'] * HZ, 6, 'samples')
    check_complete(recording, percent=FORKING)
    with Everything() as everything:
        begin = time.monotonic()
        truth = to_the_end('children', *arguments)
    print(f'    -a: {truth["children"] / (time.monotonic() - begin):.0f} a second')
    own = Own(everything.recording, 'children', 'exe')
    check_count(own.samples, truth['cpu_s'] * HZ, 6, 'samples')
    check_complete(own, percent=FORKING)


def check_programs(own, truth, least):
    """Samples of exec_even and exec_odd: each has its own functions and its share of the time."""
    for kind, other in (('even', 'odd_'), ('odd', 'even_')):
        wrong = [frames for frames, _ in own.stacks
                 if frames[0] == f'exec_{kind}' and any_of(other)(frames)]
        check(not wrong, f'{kind} has code of the other: {wrong[:1]}')
    even = own.count(has('main', 'even_stage', 'even_leaf'))
    odd = own.count(has('main', 'odd_stage', 'odd_outer', 'odd_leaf'))
    expected = truth['even_ns'] / (truth['even_ns'] + truth['odd_ns'])
    print(f'    {even} even, {odd} odd of {own.samples}; '
          f'{own.count(is_cut)} cut; {100 * expected:.1f} % of the time is even')
    check(even + odd > least * own.samples, f'only {even + odd} of {own.samples} in the stages')
    check_count(even, (even + odd) * expected, 6, 'samples in even_leaf')


def test_pid_reuse():
    """Two programs in turn, hundreds of times under one and the same pid."""
    arguments = [300, 3, path('exec_even'), path('exec_odd')]
    recording = record(seconds=None, command=[path('pid_again')] + arguments)
    check_programs(Own(recording, 'exec_even', 'exec_odd'), of_command(recording), 0.4)
    with Everything() as everything:
        truth = to_the_end('pid_again', *arguments)
    check_programs(Own(everything.recording, 'exec_even', 'exec_odd'), truth, 0.4)


def test_pid_reuse_with_events_lost():
    """As above while profd stands still, so that forks and exits are lost: cut, never mixed up."""
    with Everything() as everything:
        with Target('pid_again', 500, 3, path('exec_even'), path('exec_odd')) as target, \
                Target('stampede', 1000000, 2, '-', path('nothing')) as many:
            for _ in range(2):
                time.sleep(0.5)
                everything.recorder.signal(signal.SIGSTOP)
                time.sleep(1)
                everything.recorder.signal(signal.SIGCONT)
            many.stop()
            time.sleep(1)
            truth = target.stop()
    own = Own(everything.recording, 'exec_even', 'exec_odd')
    lost = own.summary['lost_detail']
    print(f'    lost: {lost}')
    check(lost['process_events'] > 0, 'no events were lost: the test sees nothing')
    check_programs(own, truth, 0.1)


def test_exec_again_and_again():
    """One process, 100 programs in turn; called by its first thread and by another one."""
    for how in ('', 'thread'):
        recording = record(seconds=None, command=[path('exec_even'), 99, 10, path('exec_odd'), how])
        truth = of_command(recording)
        check_complete(recording, percent=FORKING)
        check_count(recording.samples, truth['cpu_ns'] / 1e9 * HZ, 6, 'samples')
        own = Own(recording, 'exec_even', 'exec_odd')
        check_equal(own.samples, recording.samples, 'samples of the two')
        check_programs(own, {'even_ns': 1, 'odd_ns': 1}, 0.6)


def copies(name, destination, count):
    """Runs so many copies of a program, each deleted as soon as it has ended. Says its time."""
    source = path(name)
    used = 0
    for _ in range(count):
        shutil.copy(source, destination)
        process = subprocess.Popen([destination, '0', '2', 'nothing'], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        os.unlink(destination)
        check_equal(process.returncode, 0, f'status of {name}')
        used += usage.ru_utime + usage.ru_stime
    return used * 1e9


def test_programs_that_ran_once_and_are_deleted():
    """Two programs by turns at one path, and often one inode: whose function is whose is known."""
    where = os.path.join(folder(), 'conftest')
    with Everything() as everything:
        truth = {'even_ns': 0, 'odd_ns': 0}
        for _ in range(150):
            for kind in ('even', 'odd'):
                truth[f'{kind}_ns'] += copies(f'exec_{kind}', where, 1)
    own = Own(everything.recording, 'conftest')
    even, odd = own.count(any_of('even_')), own.count(any_of('odd_'))
    both = own.count(lambda frames: any_of('even_')(frames) and any_of('odd_')(frames))
    nameless = own.count(any_of('[conftest]'))
    print(f'    {even} even, {odd} odd, {nameless} of code that nobody could look at, '
          f'{own.count(is_cut)} cut, of {own.samples}')
    check_equal(both, 0, 'samples in both')
    check_count(own.samples, sum(truth.values()) / 1e9 * HZ, 6, 'samples')
    check(even + odd > 0, f'none was caught: {own.stderr}')
    # Whoever is caught, it is either kind as often as it ran.
    check_count(even, (even + odd) * truth['even_ns'] / sum(truth.values()), 6, 'even ones')


# ---- code that is replaced ----

def test_libraries_in_turn():
    """One after the other at the same addresses, however they come: each has its own time."""
    for how, milliseconds, seconds, cut in (('path', 3, 1, 0.1), ('memory', 5, 1, 1),
                                            ('memory', 60, 1.5, 0.7), ('rename', 5, 1, 1),
                                            ('unlink', 5, 1, 1), ('unlink', 60, 1.5, 0.7),
                                            ('overwrite', 60, 1.5, 1)):
        with Target('library_turns', how, milliseconds, folder(),
                    *(path(f'plugin_{name}.so') for name in PLUGINS)) as target:
            recording = record('-p', target.pid, seconds=seconds)
            truth = target.stop()
        check(truth['same_place'] > 0.5 * truth['turns'], f'the addresses differ: {truth}')
        own = Own(recording, 'library_turns')
        check_turns(own, dict(zip(PLUGINS, truth['cpu_ns'])), f'{how} {milliseconds} ms', cut)


def check_turns(own, spent, what, cut):
    """No stack is of two libraries, none has one's frame where the other's is; nobody has more than
    its time."""
    total = sum(spent.values())
    seen = {name: own.count(any_of(f'{name}_')) for name in spent}
    whole = {name: own.count(has('main', 'turn', 'plugin_run', f'{name}_middle', f'{name}_leaf'))
             for name in spent}
    print(f'    {what}: ' + ', '.join(
        f'{name} {seen[name]} ({100 * spent[name] / total:.0f} %)' for name in spent) +
        f', {own.count(is_cut)} cut of {own.samples}')
    for frames, _ in own.stacks:
        of = {name for name in spent if any_of(f'{name}_')(frames)}
        check(len(of) <= 1, f'{what}: a stack in two: {frames}')
        if of and not is_cut(frames):
            check(frames[1:6][0] == '_start' and 'turn' in frames, f'{what}: no root: {frames}')
    for name in spent:
        most = own.samples * spent[name] / total
        check(seen[name] < most + 6 * most ** 0.5 + 0.1 * own.samples,
              f'{what}: {name} has {seen[name]} samples, {most:.0f} are due')
        check(seen[name] - whole[name] <= 0.02 * own.samples + own.count(is_cut),
              f'{what}: {name} has {seen[name]}, whole are {whole[name]}')
    check(own.count(is_cut) <= cut * own.samples, f'{what}: {own.count(is_cut)} are cut')


def test_library_written_over_while_it_is_mapped():
    """Other code at the same place, and nobody tells: noticed, and cut until it is known."""
    with Target('library_turns', 'beneath', 400, folder(), path('plugin_red.so'),
                path('plugin_tan.so')) as target:
        recording = record('-p', target.pid, seconds=3)
        truth = target.stop()
    own = Own(recording, 'library_turns')
    check_turns(own, dict(zip(('red', 'tan'), truth['cpu_ns'])), 'beneath', 0.7)
    check(own.count(any_of('red_')) and own.count(any_of('tan_')), 'one of them is missing')


def test_library_written_over_on_an_overlay():
    """What runs may be the file below, or not: noticed as well, and cut from then on."""
    place = folder()
    mounted = f'{place}/root'
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', place], check=True)
    try:
        for name in ('low', 'up', 'work', 'root'):
            os.mkdir(f'{place}/{name}')
        subprocess.run(['mount', '-t', 'overlay', '-o', f'lowerdir={place}/low,upperdir={place}/up,'
                        f'workdir={place}/work', 'overlay', mounted], check=True)
        with Target('library_turns', 'beneath', 700, mounted, path('plugin_red.so'),
                    path('plugin_tan.so')) as target:
            recording = record('-p', target.pid, seconds=2)
            truth = target.stop()
    finally:
        subprocess.run(['umount', '-R', '-l', place], check=True)
    own = Own(recording, 'library_turns')
    check_turns(own, dict(zip(('red', 'tan'), truth['cpu_ns'])), 'beneath, on an overlay', 1)
    check(own.count(any_of('red_')) or own.count(any_of('tan_')), 'nothing was known before')
    check(own.count(is_cut) > 0.2 * own.samples, 'nobody noticed')


def check_deleted_program(target, what):
    recording = record('-p', target.pid, seconds=1)
    check_complete(recording)
    share = recording.share(has('main', 'recurse', 'leaf'))
    print(f'    {what}: {100 * share:.1f} % in leaf')
    check(share > 0.95, f'{what}: only {share}')


def test_program_deleted_or_replaced_while_it_runs():
    """What runs is the old file, whatever has its name now."""
    for what in ('deleted', 'replaced'):
        program = shutil.copy(path('recurse'), os.path.join(folder(), 'program'))
        with Target(program, 1) as target:
            if what == 'replaced':
                other = shutil.copy(path('split'), f'{program}.new')
                os.rename(other, program)
            else:
                os.unlink(program)
            check_deleted_program(target, what)
    # And when it happens under the recording, before the first sample can have been used.
    program = shutil.copy(path('recurse'), os.path.join(folder(), 'program'))
    with Everything() as everything:
        with Target(program, 1) as target:
            os.rename(shutil.copy(path('split'), f'{program}.new'), program)
            time.sleep(1)
            target.stop()
    own = Own(everything.recording, 'program')
    check(own.share(has('main', 'recurse', 'leaf')) > 0.9, f'not what ran: {own.stderr}')
    check_equal(own.count(any_of('share_')), 0, 'samples in the other program')


EXECUTE_MEMORY = '''
import os, sys
program, name, *arguments = sys.argv[1:]
fd = os.memfd_create(name, 0)
with open(program, 'rb') as file:
    os.write(fd, file.read())
os.execve(fd, [name] + arguments, os.environ)
'''


def test_program_without_a_file():
    """memfd_create and fexecve: nothing on any disk."""
    command = [sys.executable, '-c', EXECUTE_MEMORY, path('recurse'), 'nowhere', '1', '1']
    recording = record(seconds=None, command=command)
    own = Own(recording, *{frames[0] for frames, _ in recording.stacks
                           if 'recurse' in frames})
    check_complete(own)
    check(own.share(has('main', 'recurse', 'leaf')) > 0.9, f'not as it ran: {own.stacks[:3]}')
    process = Program(command[:-1])
    with process:
        time.sleep(0.5)
        check_deleted_program(process, 'attached')


def test_generated_code_that_is_replaced():
    """In place, and in memory that is mapped anew: one frame without a name, and whole below."""
    with Target('generated', 5) as target:
        recording = record('-p', target.pid, seconds=1)
    check_complete(recording)
    inside = recording.share(lambda frames: has('main', 'spin')(frames) and
                             frames[-1].startswith('[jit]'))
    print(f'    {100 * inside:.1f} % in generated code')
    check(inside > 0.9, f'{inside}')


def test_generated_code_where_a_library_was():
    """Nobody tells that the library was unmapped: still its names are not on the other code."""
    for milliseconds in (5, 60):
        with Target('generated', milliseconds, path('plugin_red.so')) as target:
            recording = record('-p', target.pid, seconds=1.5)
        own = Own(recording, 'generated')
        red = own.count(has('main', 'visit', 'plugin_run', 'red_middle', 'red_leaf'))
        spin = own.count(lambda frames: 'spin' in frames)
        wrong = [frames for frames, _ in own.stacks
                 if 'spin' in frames and any_of('red_', 'plugin_run')(frames)]
        print(f'    {milliseconds} ms: {red} in the library, {spin} in generated code, '
              f'{own.count(is_cut)} cut of {own.samples}')
        check(not wrong, f'the library in generated code: {wrong[:1]}')
        check(red < own.samples * 0.5 + 6 * own.samples ** 0.5, f'{red} are too many')
        check(own.count(is_cut) < (0.7 if milliseconds > 50 else 1) * own.samples, 'cut')


# ---- many at once ----

def test_fork_storm():
    """2 000 alive at once."""
    with Everything() as everything:
        truth = to_the_end('children', 2000, 2, 2000)
    own = Own(everything.recording, 'children')
    expected = truth['cpu_s'] * HZ
    print(f'    {own.samples} samples, {own.summary["lost"]} lost, expected {expected:.0f}')
    check(own.samples < expected * 1.25 and
          own.samples + own.summary['lost'] > expected * 0.75, 'too many, or too few')
    check_complete(own, percent=FORKING)
    check(own.share(has('main', 'child', 'child_leaf')) > 0.8, 'the children are missing')


def test_5000_threads():
    with Target('threads', 5000) as target:
        recording = record('-p', target.pid, '-t')
    own = Own(recording, 'threads')
    check_complete(own, threads=True)
    names = {frames[1] for frames, _ in own.stacks}
    print(f'    {len(names)} threads seen')
    check(len(names) > 100, f'only {len(names)} threads')
    check(own.share(has('worker', 'worker_step', 'worker_leaf')) > 0.8, 'not in the workers')


# ---- half ended, not yet begun, standing still ----

def test_vfork():
    """The child works in its parent's memory, and may become another program."""
    for program in ([], ['/bin/true']):
        with Target('vforks', 5, *program) as target:
            with Everything() as everything:
                time.sleep(0.6)
            attached = record('-p', target.pid, '-s', seconds=0.8)
        for what, recording in (('-a', everything.recording), ('-s', attached)):
            own = Own(recording, 'vforks')
            print(f'    {what}: {own.samples} samples')
            check_complete(own, percent=FORKING, at_least=10)
            child = own.share(has('main', 'begin_child', 'borrowed', 'borrowed_leaf'))
            beside = own.share(has('start_thread', 'beside', 'beside_leaf'))
            check(child > 0.4 and beside > 0.02, f'{what}: {child} in children, {beside} beside')


def test_without_its_first_thread():
    """A zombie whose other threads go on, and map new code long afterwards."""
    program = [path('leaderless'), 2, path('plugin_red.so'), path('exec_even'), 0, 300, 'x']
    command = Recorder('-F', HZ, command=['timeout', '--foreground', 5.5] + program)
    with Target('leaderless', 2, path('plugin_red.so')) as target:
        attached = record('-p', target.pid, seconds=5)
    check_complete(attached)
    check(attached.share(has('start_thread', 'worker', 'worker_leaf')) > 0.3, 'no workers')
    red = attached.share(has('worker', 'plugin_run', 'red_middle', 'red_leaf'))
    print(f'    attached: {100 * red:.1f} % in the plugin')
    check(red > 0.005, 'what it loaded later is missing')
    own = Own(command.finish(), 'leaderless', 'exec_even')
    check_complete(own)
    check(own.count(has('worker', 'plugin_run', 'red_middle', 'red_leaf')) > 0, 'no plugin')
    check(own.count(has('main', 'even_stage', 'even_leaf')) > 100, 'no program after it')


def state_of(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        fields = dict(line.split(':\t', 1) for line in file if ':\t' in line)
    return fields['State'][0], int(fields['TracerPid'])


def test_stopped():
    """By a signal and by a debugger: recorded without a sample, and left as it was."""
    with Target('recurse', 10) as target:
        os.kill(target.pid, signal.SIGSTOP)
        time.sleep(0.1)
        check_equal(record('-p', target.pid, seconds=0.5).samples, 0, 'samples')
        check_equal(state_of(target.pid), ('T', 0), 'state of the stopped target')
        os.kill(target.pid, signal.SIGCONT)
        check_complete(record('-p', target.pid, seconds=1))
    with Target('recurse', 10) as target:
        debugger = Program([need('gdb'), '-q', '-nx', '-batch', '-p', str(target.pid), '-ex',
                            'shell sleep 60'])
        with debugger:
            for _ in range(300):
                if state_of(target.pid)[1]:
                    break
                time.sleep(0.05)
            time.sleep(0.3)
            check_equal(record('-p', target.pid, seconds=0.5).samples, 0, 'samples')
            with Everything():
                time.sleep(0.3)
            state, tracer = state_of(target.pid)
            check_equal((state, tracer > 0), ('t', True), 'state of the traced target')
        check_complete(record('-p', target.pid, seconds=1))


def test_ends_just_then():
    """Killed at every moment of the recording's first and last: no hang, no crash, no riddle."""
    statuses = {}
    for step in range(16):
        with Target('recurse', 10) as target:
            recorder = Recorder('-q', '-F', HZ, '-d', '0.1', '-p', target.pid)
            time.sleep(0.02 * step)
            os.kill(target.pid, signal.SIGKILL)
            recording = recorder.finish()
        check(recording.status in (0, 1), f'status {recording.status}: {recording.stderr}')
        if recording.status == 1:
            one_line(recording.stderr)
        else:
            check(os.path.exists(recording.path('out.folded')), 'no file')
        statuses[recording.status] = statuses.get(recording.status, 0) + 1
    print(f'    statuses: {statuses}')


# ---- what is kept of the ended ----

def memory(pid):
    """Anonymous memory in KiB, of profd and of those who work for it."""
    total = 0
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        pids = [pid] + [int(word) for word in file.read().split()]
    for each in pids:
        try:
            with open(f'/proc/{each}/status', encoding='ascii') as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith('RssAnon'))
        except OSError:
            pass
    return total


def grows(count, *arguments):
    """Most memory in the second and in the last quarter of so many processes, in KiB."""
    with Everything(hz=99) as everything:
        figures = []
        with Target('stampede', count, 2, *arguments) as target:
            begin = time.monotonic()
            while not target.read_line().startswith('{'):
                figures.append(memory(everything.recorder.pid))
            seconds = time.monotonic() - begin
    quarter = len(figures) // 4
    early, late = max(figures[quarter:2 * quarter]), max(figures[-quarter:])
    print(f'    {count} processes, {count / seconds:.0f} a second: at most {early} KiB in the '
          f'second quarter, {late} KiB in the last; in the kernel '
          f'{everything.recording.summary["cost"]["kernel_bytes"] >> 10} KiB')
    return early, late


def test_nothing_is_kept_of_the_ended():
    """The same tiny program again and again: memory stays as it is after the first seconds."""
    # What has ended is kept for seconds: on a quick machine 20000 of them are over before that.
    early, late = grows(200000 if LONG else 60000, '-', path('nothing'))
    check(late < early * 1.25 + 8192, f'from {early} to {late} KiB')


def test_nothing_is_kept_of_deleted_programs():
    """Each time another program, which is deleted afterwards."""
    early, late = grows(40000 if LONG else 2000, folder(), path('nothing'))
    check(late < early * 1.25 + 4096, f'from {early} to {late} KiB')


def held_below(pid, place):
    """Descriptors of a process and of its children that lie below a folder."""
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        pids = [pid] + [int(word) for word in file.read().split()]
    held = []
    for each in pids:
        try:
            names = os.listdir(f'/proc/{each}/fd')
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(f'/proc/{each}/fd/{name}')
            except OSError:
                continue
            if target.startswith(place):
                held.append((each, target))
    return held


def test_no_mount_is_held():
    """A program on a file system of its own: within 10 s of its end that can be unmounted."""
    place = folder()
    done = subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', place], check=False,
                          capture_output=True)
    check_equal(done.returncode, 0, f'mount: {done.stderr}')
    try:
        program = shutil.copy(path('recurse'), os.path.join(place, 'program'))
        library = shutil.copy(path('plugin_red.so'), os.path.join(place, 'library.so'))
        with Everything() as everything:
            with Target(program, 10) as target, Target('leaderless', 1, library):
                time.sleep(1.5)
                os.kill(target.pid, signal.SIGKILL)
            ended = time.monotonic()
            while time.monotonic() - ended < 10:
                if subprocess.run(['umount', place], check=False,
                                  capture_output=True).returncode == 0:
                    break
                time.sleep(0.2)
            print(f'    unmounted after {time.monotonic() - ended:.1f} s')
            check(not os.path.ismount(place),
                  f'still held: {held_below(everything.recorder.pid, place)}')
        own = Own(everything.recording, 'program')
        check_complete(own, percent=95)  # at the beginning all processes of the machine are new
        check(own.share(has('main', 'recurse', 'recurse')) > 0.9, 'its names are gone')
    finally:
        subprocess.run(['umount', '-l', place], check=False, capture_output=True)


if __name__ == '__main__':
    run(globals())

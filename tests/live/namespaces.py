#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Targets and profd itself in namespaces of their own, made with unshare(1): no container runtime.

Names come from the files that the target sees, pids are those that the user sees, and what cannot
be done gets one clear line. All mounts are made in private mount namespaces, so the kernel takes
them away with the last process in there.
"""
import os
import re
import shlex
import shutil
import signal
import subprocess
import time

from harness import (COPIES, HANG_S, PROFD, TARGETS, Failed, Recorder, Recording, Skipped, Target,
                     check, check_complete, check_equal, end, folder, has, need, one_line, pprof,
                     profd, rate, record, run, start)

NOBODY = 65534


def program(name):
    return os.path.join(TARGETS, name)


def child_of(pid):
    """The only child of a process, as we see it."""
    for _ in range(HANG_S * 20):
        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
            children = file.read().split()
        if children:
            return int(children[0])
        time.sleep(0.05)
    raise Failed(f'process {pid} has no child')


class Namespace:
    """A pid namespace with its /proc; `enter` are the words that start a program inside."""

    def __init__(self, setup=''):
        self.process = start(['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c',
                              f'{setup}\n echo ready; exec sleep infinity'],
                             stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        check_equal(self.process.stdout.readline(), b'ready\n', 'a namespace\'s first word')
        self.enter = ['nsenter', '-t', str(child_of(self.process.pid)), '-m', '-p', '--']

    def record(self, *arguments, **options):
        return record(*arguments, prefix=self.enter, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)


class Inside(Target):
    """A target that is started through other words. pid: its own idea of it; outer: ours."""

    def __init__(self, enter, name, *arguments, **options):
        self.process = start([*enter, 'sh', '-c', 'echo $$; exec "$@"', 'sh', program(name),
                              *map(str, arguments)], stdout=subprocess.PIPE, bufsize=0, **options)
        self.pid = int(self.read_line())
        self.read_until('ready')

    @property
    def outer(self):
        pid = self.process.pid
        while os.path.basename(os.readlink(f'/proc/{pid}/exe')) in ('unshare', 'nsenter'):
            pid = child_of(pid)
        return pid


def most(recording, process=None):
    """The heaviest stacks, of one process, for messages."""
    stacks = [stack for stack in recording.stacks if process in (None, stack[0][0])]
    return ''.join(f'\n    {count} {";".join(frames)}' for frames, count in
                   sorted(stacks, key=lambda stack: -stack[1])[:5])


def names(recording):
    return {frames[0] for frames, _ in recording.stacks}


def pids(recording):
    """The pids that the samples of out.pb.gz are labelled with."""
    return {int(pid) for pid in re.findall(r'\bpid:\[?(\d+)', pprof(recording, '-raw'))}


BOTH = ('out.folded', 'out.pb.gz')


# ---- profd inside of a pid namespace ----

def test_profd_in_a_pid_namespace():
    """By the pids of the namespace: -p, -t and --tid, and nothing of what is outside."""
    with Target('split'), Namespace() as space, Inside(space.enter, 'recurse', 20) as target:
        check(target.pid < 100 and target.pid != target.outer, f'{target.pid} is {target.outer}')
        recording = space.record('-p', target.pid, seconds=1, outputs=BOTH)
        check_complete(recording)
        check_equal(names(recording), {'recurse'}, 'processes')
        check_equal(pids(recording), {target.pid}, 'pids')
        # Of single processes copies are made of these alone.
        check(COPIES or recording.summary['counters']['outside'] > 100, 'nothing was outside')


def test_everything_in_a_pid_namespace():
    """-a is what is inside; how much is not is said."""
    with Target('split'), Namespace() as space, Inside(space.enter, 'recurse', 20) as target:
        recording = space.record('-a', seconds=1, outputs=BOTH)
        check('recurse' in names(recording) and 'split' not in names(recording), f'{names(recording)}')
        check(target.pid in pids(recording) and target.outer not in pids(recording),
              f'{target.pid} is not in {pids(recording)}')
        check('outside of this pid namespace' in recording.stderr, recording.stderr)
        check_complete(recording)


def test_child_namespaces_of_profds_own():
    """A container in the container: still by profd's pids."""
    with Namespace() as space:
        with Inside(space.enter + ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'],
                    'recurse', 20) as target:
            check_equal(target.pid, 1, 'its own pid')
            with open(f'/proc/{target.outer}/status', encoding='ascii') as file:
                seen = int(re.search(r'NSpid:\s+\d+\s+(\d+)\s+1\n', file.read()).group(1))
            recording = space.record('-p', seen, seconds=1, outputs=BOTH)
            check_complete(recording)
            check_equal(pids(recording), {seen}, 'pids')


def test_threads_in_a_pid_namespace():
    with Namespace() as space, Inside(space.enter, 'threads', 4) as target:
        with open(f'/proc/{target.outer}/task/{target.outer}/children', encoding='ascii') as file:
            check_equal(file.read(), '', 'children')
        inner = sorted(int(line.split()[-1]) for tid in os.listdir(f'/proc/{target.outer}/task')
                       for line in open(f'/proc/{target.outer}/task/{tid}/status', encoding='ascii')
                       if line.startswith('NSpid'))
        recording = space.record('--tid', inner[2], '-t', seconds=2)
        frames = {stack[1] for stack, _ in recording.stacks}
        check(len(frames) == 1 and f'{inner[2]}' in frames.pop(), f'{inner[2]}: {frames}')
        check(recording.samples > 20, f'{recording.samples} samples')


def test_children_in_a_pid_namespace():
    """-s: children are learnt by the kernel half alone; the recording ends with the last of them."""
    with Namespace() as space, Inside(space.enter, 'children', 12, 80, 2, 'exec') as target:
        recording = space.record('-p', target.pid, '-s', seconds=None)
        check_complete(recording)
        check(recording.share(lambda frames: 'burn' in frames or 'child_leaf' in frames) > 0.8,
              most(recording))


def test_command_in_a_pid_namespace():
    with Namespace() as space:
        recording = space.record(seconds=None, outputs=BOTH,
                                 command=[program('children'), 6, 100, 2, 'exec'])
        check_complete(recording)
        check(max(pids(recording)) < 1000 and len(pids(recording)) >= 6, f'{pids(recording)}')


def test_commands_status_in_a_pid_namespace():
    with Namespace() as space:
        recording = space.record(seconds=None, good=False, command=['sh', '-c', 'exit 7'])
        check_equal(recording.status, 7, 'status')


def test_profd_in_a_time_namespace():
    """Its clock is not that of the kernel's events."""
    for offset in (86400, -30):
        recording = record(seconds=None, command=[program('children'), 4, 100, 2, 'exec'],
                           prefix=['unshare', '--time', '--monotonic', str(offset), '--fork',
                                   '--kill-child'])
        check_complete(recording)


def test_profd_in_a_debug_container():
    """The target's pid namespace, but a root of profd's own."""
    with Namespace() as space:
        target = Rooted('recurse', 20, setup=STRIP, prefix=space.enter)
        with open(f'/proc/{child_of(target.pid)}/status', encoding='ascii') as file:
            pid = int(re.search(r'NSpid:.*\s(\d+)\n', file.read()).group(1))
        output = folder()
        setup = f'''
mkdir "$root/dev" "$root/proc" "$root/sys" "$root/output"
mount -t proc proc "$root/proc"; mount --rbind /sys "$root/sys"; mount --rbind /dev "$root/dev"
mount --bind {output} "$root/output"
'''
        command = rooted(PROFD, 'record', '-p', pid, '-d', 1, '-o', '/output/out.folded',
                         '--summary', '/output/summary.json', path='/profd', setup=setup)
        done = start(space.enter + command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, errors = done.communicate(timeout=HANG_S)
        check_equal(done.returncode, 0, errors.decode())
        recording = Recording(command, output, done, b'', errors.decode())
        check_complete(recording, at_least=20)
        check(recording.share(has('main', 'recurse', 'recurse')) > 0.9, most(recording))
        end(target.process)


# ---- targets in a pid namespace, profd outside ----

def test_target_in_a_pid_namespace():
    """By the pid that profd's user sees, and labelled with it."""
    with Inside(['unshare', '--pid', '--fork', '--kill-child'], 'recurse', 20) as target:
        check_equal(target.pid, 1, 'its own pid')
        recording = record('-p', target.outer, seconds=1, outputs=BOTH)
        check_complete(recording)
        check_equal(pids(recording), {target.outer}, 'pids')


def test_target_in_a_time_namespace():
    """The vdso reads its clock another way there."""
    with Inside(['unshare', '--time', '--monotonic', '5000', '--fork', '--kill-child'],
                'vdso_loop') as target:
        check_complete(record('-p', target.outer, seconds=1))


def test_command_that_makes_a_pid_namespace():
    recording = record(seconds=None, outputs=BOTH,
                       command=['unshare', '--pid', '--fork', '--mount-proc', program('children'), 4,
                                100, 2, 'exec'])
    check_complete(recording)
    check(recording.share(lambda frames: 'burn' in frames) > 0.7, most(recording))
    check(min(pids(recording)) > 100, f'pids of the inner namespace: {pids(recording)}')


# ---- files ----

# A root of its own: a program with its libraries, nothing else.
FILL_ROOT = '''
set -e
root=$1 program=$2 path=$3
mount -t tmpfs tmpfs "$root"
mkdir -p "$root/tmp" "$root/${path%/*}"
cp "$program" "$root/$path"
for file in $(LD_TRACE_LOADED_OBJECTS=1 "$program" | grep -o '/[^ ]*'); do
    mkdir -p "$root/${file%/*}"
    cp -L "$file" "$root/$file"
done
'''
# Splits the program's symbols off. /usr/lib/debug is where it finds them by build ID.
STRIP = '''
id=$(readelf -n "$root/$path" | sed -n 's/.*Build ID: //p')
debug="$root/usr/lib/debug/.build-id/$(echo "$id" | cut -c1-2)/$(echo "$id" | cut -c3-).debug"
mkdir -p "${debug%/*}"
objcopy --only-keep-debug "$root/$path" "$debug"
strip --strip-all "$root/$path"
'''
STRIP_WITH_LINK = '''
mkdir "$root/${path%/*}/.debug"
debug="$root/${path%/*}/.debug/symbols"
objcopy --only-keep-debug "$root/$path" "$debug"
strip --strip-all "$root/$path"
objcopy --add-gnu-debuglink="$debug" "$root/$path"
'''


def rooted(name, *arguments, path='/app/server', chroot=False, own_pid=False, setup='',
           run='"$path" "$@"'):
    """A command that runs a target program in a root of its own, on a tmpfs that goes with it.

    chroot: only that; else it becomes the root of its mount namespace, as in a container.
    own_pid: it becomes the first process of a pid namespace, a child of the command.
    setup: more shell commands, for which $root is its root and $path the program below it.
    run: what is run there, instead of the program with the arguments.
    """
    enter = 'cd "$root"\n' + ('' if chroot else 'mount --move . /\n') + 'shift 3\n'
    flags = ['--pid', '--fork', '--kill-child'] if own_pid else []
    return ['unshare', '--mount', *flags, 'sh', '-c', FILL_ROOT + setup + enter +
            'exec chroot . ' + run, 'sh', folder(), program(name), path, *map(str, arguments)]


class Rooted(Target):
    """A target program so started. prefix: words before."""

    def __init__(self, *arguments, prefix=(), **options):
        self.process = start([*prefix, *rooted(*arguments, **options)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, bufsize=0)
        self.pid = self.process.pid
        self.read_until('ready')


def mapped_paths(recording):
    """The files that the mappings of out.pb.gz name."""
    return set(re.findall(r'^\d+: 0x\S+ (/\S*)', pprof(recording, '-raw'), re.MULTILINE))


def test_paths_are_those_of_the_target():
    """Attached to or started: the same, below its own root."""
    for chroot in (True, False):
        with Rooted('recurse', 20, chroot=chroot) as target:
            attached = record('-p', target.pid, seconds=1, outputs=BOTH)
        started = record(seconds=None, outputs=BOTH,
                         command=rooted('fixed_work', 20, 20000, chroot=chroot))
        check_complete(attached, at_least=50)
        check(started.share(has('main', 'recurse', 'recurse')) > 0.5, most(started))
        for recording in (attached, started):
            paths = {path for path in mapped_paths(recording) if 'server' in path}
            check_equal(paths, {'/app/server'}, f'the program\'s paths (chroot: {chroot})')


def test_path_that_means_another_file_here():
    """In the target\'s mount namespace the program\'s path is another file than in ours."""
    path = os.path.join(folder(), 'program')
    shutil.copy(program('split'), path)
    process = start(['unshare', '--mount', 'sh', '-c', 'mount --bind "$1" "$2"; exec "$2" 20', 'sh',
                     program('recurse'), path], stdout=subprocess.PIPE, bufsize=0)
    process.stdout.readline()
    recording = record('-p', process.pid, seconds=1)
    end(process)
    check_complete(recording)
    check(recording.share(has('main', 'recurse', 'recurse')) > 0.9, most(recording))


def test_path_that_was_hidden_since():
    """What was mounted over the path after the program had begun is not what runs."""
    path = os.path.join(folder(), 'program')
    shutil.copy(program('recurse'), path)
    process = start(['unshare', '--mount', 'sh', '-c',
                     '"$2" 20 & mount --bind "$1" "$2"; echo $!; wait', 'sh', program('split'), path],
                    stdout=subprocess.PIPE, bufsize=0)
    lines = {process.stdout.readline(), process.stdout.readline()} - {b'ready\n'}
    recording = record('-p', int(lines.pop()), seconds=1)
    end(process)
    check_complete(recording)
    check(recording.share(has('main', 'recurse', 'recurse')) > 0.9, most(recording))


def test_debug_files_below_the_targets_root():
    for setup in (STRIP, STRIP_WITH_LINK):
        for chroot in (True, False):
            with Rooted('recurse', 20, chroot=chroot, setup=setup) as target:
                recording = record('-p', target.pid, seconds=0.5)
            check(recording.share(has('main', 'recurse', 'recurse')) > 0.9,
                  f'chroot {chroot}, {setup}: {most(recording)}')


def test_debug_files_of_a_container_that_is_gone():
    """Its mount namespace ends with it, before the first name is looked for."""
    for _ in range(5): # a few ticks may all meet somebody else
        with Rooted('recurse', 20, setup=STRIP) as target:
            os.setpriority(os.PRIO_PROCESS, target.pid, -20)
            recorder = Recorder('-p', target.pid, '-F', 2)
            recorder.wait_timers()
            recorder.signal(signal.SIGSTOP)
            time.sleep(1)
            end(target.process)
            recorder.signal(signal.SIGCONT)
            recording = recorder.finish()
        if recording.samples:
            break
    check_equal(recording.share(has('main', 'recurse', 'recurse')), 1.0, 'share that is named')


def split_program(place):
    """`inlines` with its debug information in here.dwo, in here.dwp, and (twice) in common.debug."""
    source = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../targets/inlines.c')
    with open(os.path.join(place, 'here.c'), 'w', encoding='utf-8') as file:
        file.write(f'#include "{os.path.realpath(source)}"\n')
    for command in (['clang', '-O2', '-g', '-gsplit-dwarf', '-c', 'here.c', '-o', 'here.o'],
                    ['clang', 'here.o', '-o', 'here'],
                    ['llvm-dwp', '-e', 'here', '-o', 'here.dwp'],
                    ['gcc', '-O2', '-g', 'here.c', '-o', 'one'], ['cp', 'one', 'two'],
                    ['dwz', '-m', 'common.debug', '-M', f'../../../../../..{place}/common.debug',
                     'one', 'two']):
        subprocess.run([need(command[0]), *command[1:]], cwd=place, check=True, timeout=60)


def test_further_files_are_those_below_the_targets_root():
    """Paths that debug information names, and links on their way, never lead out of it."""
    place = folder()
    split_program(place)
    outside = f'{place}/here.dwo {place}/here.dwp {place}/common.debug'
    check(all(os.path.exists(path) for path in outside.split()), 'they are all there outside')
    keep = f'place={place}; mkdir -p "$root$place" "$root/moved"\n'
    cases = (
        # what; the program; how it gets there inside; what leads there outside of the root only
        ('.dwo', 'here', 'cp $place/here.dwo "$root$place"', ''),
        ('.dwo by a link', 'here',
         'cp $place/here.dwo "$root/moved"; ln -s /moved/here.dwo "$root$place/here.dwo"',
         'ln -s ../../../../../../../../$place/../${place##*/}/here.dwp "$root$place/here.dwo"'),
        ('.dwp', 'here', 'cp $place/here.dwp "$root/app/server.dwp"',
         'ln -s $place/here.dwp "$root/app/server.dwp"'),
        ('.dwp by a link', 'here',
         'cp $place/here.dwp "$root/moved"; ln -s ../moved/here.dwp "$root/app/server.dwp"',
         'ln -s ../../../../../../../..$place/here.dwp "$root/app/server.dwp"'),
        ('dwz', 'one', 'cp $place/common.debug "$root$place"',
         'ln -s ../../../../../../../..$place/common.debug "$root$place/other"'),
    )
    for what, name, inside, beyond in cases:
        for setup, good in ((inside, True), (beyond, False)):
            with Rooted(os.path.join(place, name), 20, chroot=not good,
                        setup=keep + setup + '\n') as target:
                recording = record('-p', target.pid, seconds=0.5)
            named = recording.share(has('outer', 'middle_[i]', 'inner_[i]'))
            check(recording.share(has('main', 'outer')) > 0.9, f'{what}: {most(recording)}')
            check((named > 0.9) == good and (named == 0) != good,
                  f'{what}, {"inside" if good else "outside"}: {named:.0%}{most(recording)}')


def mount(*arguments):
    subprocess.run(['mount', *arguments], check=True)


def unmount(path):
    """Its status: 32 where the path is still in use after 30 s, long after the last user ended.

    Not at once: a recording of the whole machine, also one of another test, follows ends by and by.
    """
    for _ in range(60):
        status = subprocess.run(['umount', path], check=False,
                                stderr=subprocess.DEVNULL).returncode
        if not status:
            break
        time.sleep(0.5)
    return status


def test_mounts_of_what_is_gone():
    """A process ended in a root of its own; who still maps the same file does so from elsewhere."""
    root, elsewhere = folder(), folder()
    mount('-t', 'tmpfs', 'tmpfs', elsewhere)
    try:
        shutil.copy(program('recurse_static'), os.path.join(elsewhere, 'server'))
        mount('--bind', elsewhere, root)
        recorder = Recorder('-a')
        recorder.wait_timers()
        inside = start(['chroot', root, '/server', '200'], stdout=subprocess.PIPE)
        time.sleep(1)
        outside = start([os.path.join(elsewhere, 'server'), '200'], stdout=subprocess.PIPE)
        time.sleep(1)
        end(inside)
        busy = unmount(root)
        time.sleep(0.5)
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
        end(outside)
        check_equal(busy, 0, 'status of umount, long after the process in there has ended')
        check(recording.share(has('main', 'recurse', 'recurse')) > 0, most(recording))
    finally:
        subprocess.run(['umount', root], check=False, stderr=subprocess.DEVNULL)
        check_equal(unmount(elsewhere), 0, 'status of umount, long after the last process')


def test_same_path_and_inode_number_here():
    """Of a container that is gone nobody has the file, but here is one that looks like it."""
    view = '''
mount -t tmpfs tmpfs /mnt
mkdir /mnt/tmp /mnt/mnt
cp "$0" /mnt/server
exec "$@"
'''
    # In each tmpfs the fourth thing that was made: root, two folders, the program.
    recorder = Recorder('-a', '--comm', 'server', '-F', rate(997), '-d', 3,
                        prefix=['unshare', '--mount', 'sh', '-c', view, program('twin_right')])
    recorder.wait_timers()
    with open(f'/proc/{recorder.pid}/root/mnt/server', 'rb') as file:
        here = os.fstat(file.fileno()).st_ino
    recorder.signal(signal.SIGSTOP)
    with Rooted('twin_left', path='/mnt/server') as target:
        with open(f'/proc/{target.pid}/root/mnt/server', 'rb') as file:
            there = os.fstat(file.fileno()).st_ino
        time.sleep(0.5)
    recorder.signal(signal.SIGCONT)
    recording = recorder.finish()
    check_equal(there, here, 'the inode number of the target\'s file')
    check(recording.samples > 20, recording.stderr)
    check_equal(recording.share(lambda frames: 'right' in frames), 0.0, 'share of another\'s names')


def test_names_of_processes():
    """The name that a process has given itself, whatever bytes it is made of; not its argv[0]."""
    own = folder()
    script = f'''
import ctypes, sys
ctypes.CDLL(None).prctl(15, b"a;b\\n\\x1b[1m\\xff\\xc3(", 0, 0, 0) # PR_SET_NAME
print("ready", flush=True)
while True: pass
'''
    odd = start(['/usr/bin/python3', '-c', script], stdout=subprocess.PIPE, cwd=own)
    odd.stdout.readline()
    shown = start(['bash', '-c', 'exec -a "[kworker/0:1]" "$0" 20', program('recurse')],
                  stdout=subprocess.PIPE)
    shown.stdout.readline()
    recorder = Recorder('-p', f'{odd.pid},{shown.pid}', '-d', 1, '-F', rate(997),
                        outputs=('out.folded', 'out.svg', 'out.txt', 'out.pb.gz'))
    recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    seen = names(recording)
    check(len(seen) == 2 and 'recurse' in seen, f'{seen}')
    name = (seen - {'recurse'}).pop()
    check(name.startswith('a') and not re.search('[\\x00-\\x1f;]', name), repr(name))
    for output in ('out.svg', 'out.txt'):
        with open(recording.path(output), 'rb') as file:
            text = file.read()
        text.decode('utf-8')
        check(b'\x1b' not in text, f'an escape byte in {output}')
    check_equal(pids(recording), {odd.pid, shown.pid}, 'pids')


def test_perf_map_below_the_targets_root():
    """By the target's own pid, 1 here; a file of that name in our /tmp is somebody else's."""
    with Rooted('jit_map', own_pid=True) as target:
        check(not os.path.exists('/tmp/perf-1.map'), 'the target is not in its own root')
        recording = record('-p', child_of(target.pid), seconds=1)
    check_complete(recording)
    check(recording.share(has('main', 'run', 'generated_[j]')) > 0.9, most(recording))


# A container: an overlay of its own, over what all of its image share. $1 is that, $2 a folder.
OVERLAY = '''
set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
cd "$2/root"
mount --move . /
shift 2
exec chroot . "$@"
'''


class Image:
    """A root with a program and its libraries that containers are made of."""

    def __init__(self, name, path='/app/server', setup=''):
        self.root, self.path = folder(), path
        self.process = start(
            ['unshare', '--mount', 'sh', '-c',
             FILL_ROOT + setup + 'echo ready; exec sleep infinity', 'sh', self.root, program(name),
             path], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        check_equal(self.process.stdout.readline(), b'ready\n', 'the image\'s first word')

    def container(self, *arguments):
        """The words that run the program in a container of its own."""
        return ['nsenter', '-t', str(self.process.pid), '-m', 'unshare', '--mount', 'sh', '-c',
                OVERLAY, 'sh', self.root, folder(), self.path, *map(str, arguments)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)


class Container(Target):
    def __init__(self, image, *arguments):
        self.process = start(image.container(*arguments), stdout=subprocess.PIPE, bufsize=0)
        self.pid = self.process.pid
        self.read_until('ready')


def test_overlays():
    """Two containers of one image: files of the overlays, debug files too, each compiled once."""
    with Image('recurse', setup=STRIP) as image, Container(image, 20) as one:
        alone = record('-p', one.pid, seconds=0.5)
        check_complete(alone)
        check(alone.share(has('main', 'recurse', 'recurse')) > 0.9, most(alone))
        with Container(image, 20) as two:
            both = record('-p', f'{one.pid},{two.pid}', seconds=1, outputs=BOTH)
        check_complete(both)
        check_equal(pids(both), {one.pid, two.pid}, 'pids')
        check(both.share(has('main', 'recurse', 'recurse')) > 0.9, most(both))
        check_equal(both.summary['cost']['tables'], alone.summary['cost']['tables'], 'tables')
        raw = pprof(both, '-raw')
        check_equal(len(re.findall(r'^\d+: 0x\S+ /app/server', raw, re.MULTILINE)), 1,
                    f'mappings of the program in {raw}')


def test_file_that_a_container_has_changed():
    """What was copied up is another file than the image's, under the same name."""
    with Image('twin_left') as image, Container(image) as left:
        changed = image.container()
        changed[changed.index(OVERLAY)] = OVERLAY.replace('mount --move', '''
cp "$TWIN" app/new; mv app/new app/server
mount --move''')
        os.environ['TWIN'] = program('twin_right')
        right = start(changed, stdout=subprocess.PIPE, bufsize=0)
        right.stdout.readline()
        recording = record('-p', f'{left.pid},{right.pid}', seconds=1)
        end(right)
    check_complete(recording)
    sides = {side: recording.share(has('main', side, side + '_leaf')) for side in ('left', 'right')}
    check(min(sides.values()) > 0.2 and sum(sides.values()) > 0.95, f'{sides} {most(recording)}')


def test_process_that_is_gone_before_anybody_looks():
    """In a container that goes on: its parent's root has the file, and the debug file."""
    shell = '/app/sh -c "echo ready; read word; $path 20 6000; read word"'
    with Rooted('fixed_work', run=shell, setup=STRIP + 'cp /bin/sh "$root/app/sh"\n') as target:
        recorder = Recorder('-a', '--comm', 'server', '-F', rate(997), '-d', 2)
        recorder.wait_timers()
        recorder.signal(signal.SIGSTOP)
        target.process.stdin.write(b'go\n')
        target.read_until('ready')
        target.read_line() # its end
        time.sleep(0.2)
        recorder.signal(signal.SIGCONT)
        recording = recorder.finish()
    check_complete(recording, at_least=20)
    check(recording.share(has('main', 'recurse', 'recurse')) > 0.9, most(recording))


def test_same_path_other_file():
    """Two roots with one path, the same code and no build ID, under other names: never mixed."""
    with Rooted('twin_left') as left, Rooted('twin_right') as right:
        recording = record('-p', f'{left.pid},{right.pid}', seconds=1)
    check_complete(recording)
    sides = {side: recording.share(has('main', side, side + '_leaf')) for side in ('left', 'right')}
    print(f'    {sides}')
    check(min(sides.values()) > 0.2, most(recording))
    mixed = recording.share(lambda frames: any('left' in frame for frame in frames) and
                            any('right' in frame for frame in frames))
    check_equal(mixed, 0.0, 'share of stacks with both')


# ---- /proc ----

def refused(*arguments, prefix, says, **options):
    status, output, errors = profd('record', *arguments, '-d', 1, prefix=prefix, cwd=folder(),
                                   **options)
    check_equal(status, 1, f'status of {arguments} ({errors!r})')
    check_equal(output, '', 'stdout')
    check(says in one_line(errors), f'{errors!r} does not say {says!r}')


def test_proc_of_another_namespace():
    """Pids would mean two things. /proc of the namespace around ours, and of one inside of ours."""
    around = ['unshare', '--pid', '--fork', '--kill-child']
    refused('-a', prefix=around, says='another pid namespace')
    refused('-p', os.getpid(), prefix=around, says='another pid namespace')
    with Namespace() as space:
        refused('-a', prefix=space.enter[:3] + ['-m', '--'], says='another pid namespace')
    status, output, _ = profd('doctor', prefix=around)
    check_equal(status, 1, 'status of doctor')
    check('missing   pid-namespace ' in output, output)


def test_no_proc():
    refused('-a', prefix=['unshare', '--mount', 'sh', '-c', 'umount -l /proc; exec "$@"', 'sh'],
            says='/proc is not mounted')


def test_no_sys():
    refused('-a', prefix=['unshare', '--mount', 'sh', '-c', 'umount -l /sys; exec "$@"', 'sh'],
            says='is /sys mounted?')


def test_proc_of_pids_only():
    """As ProcSubset=pid of systemd has it: without /proc/sys and /proc/kallsyms."""
    prefix = ['unshare', '--mount', 'sh', '-c',
              'mount -t proc -o subset=pid proc /proc; exec "$@"', 'sh']
    with Target('recurse', 20) as target:
        recording = record('-p', target.pid, seconds=0.5, prefix=prefix)
    check(recording.share(has('main', 'recurse', 'recurse')) > 0.9, most(recording))
    status, output, _ = profd('doctor', prefix=prefix)
    check_equal(status, 0, f'status of doctor: {output}')


def test_hidepid():
    """Root sees everything all the same; who does not is told why, not that there is no process."""
    hide = ['unshare', '--mount', 'sh', '-c',
            'mount -t proc -o hidepid=invisible proc /proc; exec "$@"', 'sh']
    with Target('recurse', 20) as target:
        recording = record('-p', target.pid, seconds=1, prefix=hide)
        check_complete(recording)
        capable = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups',
                   '--inh-caps=-all,+bpf,+perfmon', '--ambient-caps=-all,+bpf,+perfmon']
        refused('-p', target.pid, '-o', '/dev/null', '-f', 'text', prefix=hide + capable,
                says='hidepid')


def test_doctor_in_a_pid_namespace():
    with Namespace() as space:
        status, output, _ = profd('doctor', prefix=space.enter)
    check_equal(status, 0, f'status: {output}')
    line = [line for line in output.splitlines() if ' pid-namespace ' in line][0]
    check(line.startswith('degraded') and 'outside of it are not recorded' in line, line)


# ---- users ----

def test_target_in_a_user_namespace():
    """Root inside is an ordinary user to us, and to --uid."""
    own = folder()
    os.chmod(own, 0o755)
    name = f'user{os.getpid()}'
    path = shutil.copy(program('recurse'), os.path.join(own, name))
    with Target(path, 20, user=NOBODY, group=NOBODY, extra_groups=[],
                prefix=['unshare', '--user', '--map-root-user']) as target:
        check_complete(record('-p', target.pid, seconds=1))
        for user, seen in ((NOBODY, True), (0, False)):
            recording = record('-a', '--uid', user, '--comm', name, seconds=0.5)
            check_equal(recording.samples > 0, seen, f'--uid {user}: it is seen')


def test_profd_as_root_of_a_user_namespace():
    """All capabilities, and none that counts: said, not guessed."""
    inside = ['unshare', '--user', '--map-root-user']
    refused('-a', prefix=inside, says='outside of this user namespace')
    refused('-p', os.getpid(), prefix=inside, says='it is not yours')
    # Its own processes are in reach, as an ordinary user's are.
    recording = record(prefix=inside, seconds=None,
                       command=['sh', '-c', f'timeout 1 {TARGETS}/recurse 10 > /dev/null; true'])
    check_equal(recording.summary['unwind'], 'copy', 'way')
    check_complete(recording, at_least=50)
    status, output, _ = profd('doctor', prefix=inside)
    check_equal(status, 0, 'status of doctor')
    check('of your own processes' in output.splitlines()[-1], output)
    for name in ('CAP_BPF', 'CAP_PERFMON'):
        check(re.search(rf'^missing +{name} ', output, re.MULTILINE), output)


# ---- control groups ----

def cgroup2():
    with open('/proc/self/mounts', encoding='utf-8') as file:
        for line in file:
            if line.split()[2] == 'cgroup2':
                return line.split()[1]
    raise Skipped('no cgroup2 is mounted')


class Group:
    """A control group with one below it. Somebody else removes both, also when we are killed."""

    def __init__(self):
        self.name = f'/profd-live-{os.getpid()}'
        self.path = cgroup2() + self.name
        self.below = self.path + '/below'
        os.makedirs(self.below)
        self.remover = subprocess.Popen(
            ['sh', '-c', 'read word; for i in $(seq 300); do rmdir "$1" "$2" 2>/dev/null; '
             '[ -e "$2" ] || exit; sleep 0.1; done', 'sh', self.below, self.path],
            stdin=subprocess.PIPE, start_new_session=True)

    @staticmethod
    def add(path, pid):
        with open(path + '/cgroup.procs', 'w', encoding='ascii') as file:
            file.write(str(pid))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remover.stdin.close()
        self.remover.wait()


def test_cgroups_by_path_and_by_name():
    """As its folder in a mount, as /proc/PID/cgroup writes it; also where nothing is mounted."""
    with Group() as group, Target('split') as outside, Target('recurse', 20) as target, \
            Target('tailcalls') as deeper:
        group.add(group.path, target.pid)
        group.add(group.below, deeper.pid)
        both, one = {'recurse', 'tailcalls'}, {'tailcalls'}
        with open(f'/proc/{deeper.pid}/cgroup', encoding='ascii') as file:
            name = re.search('^0::(.*)$', file.read(), re.MULTILINE).group(1)
        unmounted = ['unshare', '--mount', 'sh', '-c',
                     'umount -l "$0"; exec "$@"', cgroup2()]
        elsewhere = folder()
        moved = ['unshare', '--mount', 'sh', '-c', 'umount -l "$0"; mount -t cgroup2 cgroup2 "$1"; '
                 'shift; exec "$@"', cgroup2(), elsewhere]
        for path, prefix, seen in ((group.path, (), both), (group.below, (), one), (name, (), one),
                                   (group.name[1:], unmounted, both), (name, unmounted, one),
                                   (elsewhere + group.name, moved, both), (name, moved, one)):
            recording = record('-a', '--cgroup', path, seconds=0.5, prefix=prefix)
            check_equal(names(recording), seen, f'processes of {path}')
        check_equal(outside.process.poll(), None, 'the one outside still runs')


def test_cgroup_namespace():
    """Names are those of profd's own cgroup namespace; what is outside of it is refused."""
    with Group() as group, Target('recurse', 20) as target, Target('tailcalls') as deeper:
        group.add(group.path, target.pid)
        group.add(group.below, deeper.pid)
        inside = ['sh', '-c', f'echo $$ > {group.path}/cgroup.procs; exec unshare --cgroup "$@"',
                  'sh']
        recording = record('-a', '--cgroup', '/below', seconds=0.5, prefix=inside)
        check_equal(names(recording), {'tailcalls'}, 'processes of /below')
        recording = record('-a', '--cgroup', '/', seconds=0.5, prefix=inside)
        check_equal(names(recording), {'recurse', 'tailcalls'}, 'processes of /')
        refused('-a', '--cgroup', '/..', prefix=inside, says='outside of this cgroup namespace')
        refused('-a', '--cgroup', '/above', prefix=inside, says='no such control group')


def test_cgroup_that_is_removed():
    """Whoever takes its name meanwhile is somebody else."""
    with Group() as group:
        with Target('recurse', 20) as target:
            group.add(group.below, target.pid)
            recorder = Recorder('-a', '--cgroup', group.below, '-F', rate(997), '-d', 3)
            recorder.wait_timers()
            time.sleep(0.5)
        os.rmdir(group.below)
        os.mkdir(group.below)
        with Target('tailcalls') as other:
            group.add(group.below, other.pid)
            recording = recorder.finish()
    check_equal(recording.status, 0, recording.stderr)
    check_equal(names(recording), {'recurse'}, 'processes')
    check_complete(recording, at_least=50)


def test_cgroup_of_version_1():
    with open('/proc/self/mounts', encoding='utf-8') as file:
        old = [line.split()[1] for line in file if line.split()[2] == 'cgroup']
    if old:
        refused('-a', '--cgroup', old[0], prefix=(), says='version 1')
    refused('-a', '--cgroup', '/proc', prefix=(), says='no such control group')


if __name__ == '__main__':
    run(globals())

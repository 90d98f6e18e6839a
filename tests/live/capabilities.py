#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What root's recordings have, those of an ordinary user with six capabilities have, too.

profd runs as a user who owns nothing here, with what profd.service gives and nothing else; the
targets belong to root and nobody. Each case is recorded as root as well, and compared.
"""
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

from harness import (COPIES, HANG_S, PROFD, TARGETS, Program, Recorder, Target, check,
                     check_complete, check_equal, folder, need, one_line, profd, record, run, start)

CAPABILITIES = ('perfmon', 'bpf', 'sys_ptrace', 'syslog', 'checkpoint_restore', 'dac_read_search')
MASK = '000001c400080004'  # capability.h: 2, 19, 34, 38, 39, 40


def user():
    """profd, where the package has made it; else a number that nobody has."""
    try:
        return pwd.getpwnam('profd').pw_uid
    except KeyError:
        return 61357


UID = user()


def as_user_with(*capabilities):
    """Words before profd's: that user with these and no others."""
    words = ','.join(('-all',) + tuple('+' + name for name in capabilities))
    return ['setpriv', f'--reuid={UID}', f'--regid={UID}', '--clear-groups', '--reset-env',
            f'--inh-caps={words}', f'--ambient-caps={words}', f'--bounding-set={words}',
            '--no-new-privs']


AS_PROFD = as_user_with(*CAPABILITIES)


def owned_folder():
    path = folder()
    os.chown(path, UID, UID)
    return path


def record_as_profd(*arguments, **options):
    # Where it stands is root's, and so need not be there for it.
    return record(*arguments, prefix=AS_PROFD, path=owned_folder(), cwd='/', **options)


def often(recording, process, least=0.03):
    """What is on that share of a process's stacks."""
    found, total = {}, 0
    for frames, weight in recording.stacks:
        if frames[0] == process:
            total += weight
            for frame in set(frames[1:]):
                found[frame] = found.get(frame, 0) + weight
    check(total > 0, f'nothing of {process}: {recording.stderr}')
    return {frame for frame, weight in found.items() if weight >= least * total}


def check_like_root(process, *arguments, complete=True, least=0.03, **options):
    """Records twice: the same functions, and as complete. Returns the functions."""
    root = record(*arguments, seconds='500ms', **options)
    ours = record_as_profd(*arguments, seconds='500ms', **options)
    if complete:
        check_complete(root)
        check_complete(ours)
    surely, rarely = often(ours, process, 2 * least), often(ours, process, least / 2)
    check(often(root, process, 2 * least) <= rarely,
          f'root has more: {often(root, process, 2 * least) - rarely}')
    rarely = often(root, process, least / 2)
    check(surely <= rarely, f'root has less: {surely - rarely}')
    check_equal(ours.summary['kernel_names'], 'ok', 'names of the kernel')
    check_equal(ours.summary['files_given_up'], 0, f'files given up: {ours.summary["given_up"]}')
    return surely


def status_of(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return dict(line.rstrip('\n').split(':\t', 1) for line in file)


def test_six_capabilities_and_nothing_else():
    """Nobody of the family has more, and those that read files of targets have none."""
    with Target('recurse', 10) as target:
        recorder = Recorder('-p', target.pid, '-d', '2', prefix=AS_PROFD, path=owned_folder(),
                            cwd='/')
        recorder.wait_sampling()
        family = {status_of(pid)['Name']: status_of(pid)
                  for pid in [recorder.pid] + children_of(recorder.pid)}
        check_complete(recorder.finish(), at_least=10)
    check({'profd', 'profd-reader', 'profd-opener'} <= set(family), f'{set(family)}')
    for name, status in family.items():
        check_equal(status['Uid'].split(), [str(UID)] * 4, f'users of {name}')
        check_equal(status['NoNewPrivs'], '1', f'NoNewPrivs of {name}')
        for field in ('CapEff', 'CapPrm', 'CapBnd', 'CapAmb'):
            check(int(status[field], 16) & ~int(MASK, 16) == 0, f'{name} has {field} {status[field]}')
    check_equal(family['profd']['CapEff'], MASK, 'profd\'s capabilities')
    check_equal(int(family['profd-reader']['CapPrm'], 16), 0, 'the reader\'s capabilities')


def test_a_program():
    with Target('recurse', 10) as target:
        found = check_like_root('recurse', '-p', target.pid)
    check({'main', 'recurse', 'leaf'} <= found, f'{found}')


def test_a_program_of_somebody_else():
    """Its user is neither root nor profd."""
    with Target('recurse', 10, prefix=['setpriv', '--reuid=65534', '--clear-groups']) as target:
        found = check_like_root('recurse', '-p', target.pid)
    check({'main', 'recurse', 'leaf'} <= found, f'{found}')


def test_the_whole_machine():
    """System calls, too: the kernel's functions have names."""
    with Target('recurse', 10), Target('syscalls'):
        root = record('-a', seconds='500ms')
        ours = record_as_profd('-a', seconds='500ms')
        for process in ('recurse', 'syscalls'):
            difference = often(root, process, 0.1) - often(ours, process, 0.03)
            check(not difference, f'{process}: root has more: {difference}')
    functions = ours.functions()
    check(any(frame.endswith('_[k]') for frame in functions), f'no kernel frame: {functions}')
    check('leaf' in functions, f'{functions}')
    check_equal(ours.summary['kernel_names'], 'ok', 'names of the kernel')


def test_python():
    with Program([need('python3'), '-c', 'while True: sorted(range(1000), key=str)']) as target:
        # Of what is inlined there may be more where debug information was read before.
        check_like_root('python3', '-p', target.pid, '--no-inline', complete=False, least=0.1)
        check_complete(record_as_profd('-p', target.pid, seconds='500ms'))


def private_copy(name, change=None):
    """A program that only root may read, in a folder that only root may enter."""
    path = os.path.join(folder(), name)
    os.chmod(os.path.dirname(path), 0o700)
    shutil.copy(os.path.join(TARGETS, name), path)
    if change:
        subprocess.run([need(change), path], check=True)
    os.chmod(path, 0o700)
    return path


def test_a_stripped_program():
    path = private_copy('recurse', 'strip')
    with Target(path, 10) as target:
        check_like_root('recurse', '-p', target.pid)


def test_a_deleted_program_that_only_root_may_read():
    """Through /proc/PID/map_files, which takes two of the capabilities."""
    path = private_copy('recurse')
    with Target(path, 10) as target:
        os.unlink(path)
        found = check_like_root('recurse', '-p', target.pid)
    check({'main', 'recurse', 'leaf'} <= found, f'{found}')


def test_a_program_in_a_mount_namespace():
    """As in a container: its path leads nowhere outside."""
    inside = folder()
    program = os.path.join(inside, 'recurse')
    script = (f'mount -t tmpfs none {inside} && cp {TARGETS}/recurse {program} && '
              f'chmod 700 {inside} && exec {program} 10')
    with Target('/bin/sh', '-c', script, prefix=['unshare', '--mount', '--']) as target:
        check(not os.path.exists(program), f'{program} can be seen from outside')
        found = check_like_root('recurse', '-p', target.pid)
    check({'main', 'recurse', 'leaf'} <= found, f'{found}')


def test_generated_code():
    """Its map in /tmp belongs to the target."""
    with Target('jit_map', prefix=['setpriv', '--reuid=65534', '--clear-groups']) as target:
        found = check_like_root('jit_map', '-p', target.pid, complete=False)
    check('generated_[j]' in found, f'{found}')


def test_dump():
    """Memory of another user's process."""
    with Target('recurse', 10) as target:
        status, output, errors = profd('dump', '-p', target.pid, prefix=AS_PROFD, cwd='/')
    check_equal(status, 0, f'dump: {errors}')
    check(re.search(r'\brecurse\b', output) and re.search(r'\bmain\b', output), output)


# ---- fewer of them ----

def record_with(capabilities, *arguments, **options):
    return record(*arguments, prefix=as_user_with(*capabilities), path=owned_folder(), cwd='/',
                  seconds='500ms', **options)


def own_target():
    return Target('recurse', 10, prefix=as_user_with())


def test_two_are_needed():
    """To walk in the kernel. With one of them alone stacks are copied: of one's own, or of all."""
    with own_target() as own, Target('recurse', 10) as roots:
        both = record_with(('bpf', 'perfmon'), '-p', own.pid, '--unwind', 'table')
        check_complete(both, at_least=30)
        copied = record_with(('perfmon',), '-p', own.pid)
        check_complete(copied, at_least=30)
        check_equal(copied.summary['unwind'], 'copy', 'way without CAP_BPF')
        check_equal(copied.summary['kernel_time_sampled'], True, 'time in the kernel with CAP_PERFMON')
        alone = record_with(('bpf',), '-p', own.pid)
        check_complete(alone, at_least=30)
        check_equal(alone.summary['kernel_time_sampled'], False, 'time in the kernel with CAP_BPF')
        for capabilities, pid, word in ((('bpf',), own.pid, 'CAP_PERFMON'),
                                        (('perfmon',), own.pid, 'BPF'),
                                        ((), own.pid, 'CAP_BPF')):
            status, _, errors = profd('record', '-p', pid, '-d', 1, '--unwind', 'table',
                                      prefix=as_user_with(*capabilities), cwd=owned_folder())
            check_equal(status, 1, f'status with {capabilities}')
            check(word in one_line(errors), errors)
        status, _, errors = profd('record', '-p', roots.pid, '-d', 1, prefix=as_user_with('bpf'),
                                  cwd=owned_folder())
        check_equal(status, 1, 'status for a process of root without CAP_PERFMON')
        check('CAP_PERFMON' in one_line(errors), errors)


def test_three_for_processes_of_others():
    with Target('recurse', 10) as target:
        recording = record_with(('bpf', 'perfmon', 'sys_ptrace'), '-p', target.pid)
        check_complete(recording, at_least=30)
        check_equal(recording.summary['unwind'], 'copy' if COPIES else 'table', 'way')


def test_a_file_with_capabilities():
    """As setcap makes it: a command gets none of them."""
    program = os.path.join(owned_folder(), 'profd')
    shutil.copy(PROFD, program)
    os.chmod(program, 0o755)
    # struct vfs_cap_data, revision 2, effective: permitted and inheritable, 32 bits at a time.
    mask = 1 << 39 | 1 << 38 | 1 << 19
    os.setxattr(program, 'security.capability',
                struct.pack('<5I', 0x02000001, mask & 0xffffffff, 0, mask >> 32, 0))
    as_user = ['setpriv', f'--reuid={UID}', f'--regid={UID}', '--clear-groups', '--reset-env']
    path = owned_folder()
    done = subprocess.run(
        [*as_user, program, 'record', '--unwind', 'table', '-F', '499', '-o', f'{path}/x.folded', '--',
         'sh', '-c', 'grep -h ^CapEff /proc/self/status; for i in 1 2 3; do :; done; exit 3'],
        cwd=path, capture_output=True, text=True, timeout=HANG_S, check=False)
    check_equal(done.returncode, 3, f'status: {done.stderr}')
    check_equal(int(done.stdout.split()[1], 16), 0, 'capabilities of the command')
    check('lost' in done.stderr, done.stderr)


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.name = f'@profd-live-{os.getpid()}'
        self.socket.bind('\0' + self.name[1:])
        self.socket.settimeout(HANG_S)

    def wait_for(self, line):
        """Until a message has this line; all of that message."""
        while True:
            lines = self.socket.recv(4096).decode().split('\n')
            if line in lines:
                return lines


def children_of(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        return [int(word) for word in file.read().split()]


def start_daemon(place, manager, *arguments):
    """By hand, as root; what it says goes to a file."""
    with open(os.path.join(place, 'log'), 'wb') as log:
        return start([PROFD, 'daemon', '--config', f'{place}/profd.conf',
                      '--store', f'{place}/store', '--symbol-cache', f'{place}/cache',
                      '--socket', f'{place}/run/profd.sock', '--stop-file', f'{place}/stop',
                      '--window', '1s', *arguments], stderr=log, stdin=subprocess.DEVNULL,
                     env={**os.environ, 'NOTIFY_SOCKET': manager.name, 'WATCHDOG_USEC': '3000000'})


def test_a_daemon_that_root_starts():
    """It becomes another user with these capabilities, makes its folders, and lives with a manager."""
    place, manager = folder(), Manager()
    os.chmod(place, 0o755)
    conf = os.path.join(place, 'profd.conf')
    with open(conf, 'w', encoding='ascii') as file:
        file.write('[record]\nfreq = 99\n[daemon]\nuser = nobody\n')
    with Target('recurse', 10) as target:
        daemon = start_daemon(place, manager, '--comm', 'recurse')
        manager.wait_for('READY=1')
        status = status_of(daemon.pid)
        check_equal(status['Uid'].split(), ['65534'] * 4, 'users')
        check_equal(status['NoNewPrivs'], '1', 'NoNewPrivs')
        for field in ('CapEff', 'CapPrm', 'CapBnd', 'CapAmb'):
            check_equal(status[field], MASK, field)
        family = {status_of(pid)['Name']: status_of(pid) for pid in children_of(daemon.pid)}
        check({'profd-reader', 'profd-opener'} <= set(family), f'{set(family)}')
        for name, status in family.items():
            check(int(status['CapBnd'], 16) & ~int(MASK, 16) == 0, f'{name}: {status["CapBnd"]}')
            check('0' not in status['Uid'].split(), f'{name} is of {status["Uid"]}')
        manager.wait_for('WATCHDOG=1')
        with open(conf, 'a', encoding='ascii') as file:
            file.write('[cost]\nmax-overhead = 5%\n')
        daemon.send_signal(signal.SIGHUP)
        manager.wait_for('RELOADING=1')
        manager.wait_for('READY=1')
        while not os.path.exists(f'{place}/store/history.db-wal'):
            check(daemon.poll() is None, 'it has ended')
            time.sleep(0.1)
        time.sleep(1.5)  # a window of a second
        daemon.send_signal(signal.SIGTERM)
        manager.wait_for('STOPPING=1')
        check_equal(daemon.wait(timeout=HANG_S), 0, 'status')
        status, output, errors = profd('query', '--store', f'{place}/store', '--since', '1m')
    check_equal(status, 0, f'query: {errors}')
    check(re.search(r'\brecurse\b', output), output)
    with open(os.path.join(place, 'log'), encoding='utf-8') as file:
        log = file.read()
    check('profd: running as user nobody, with six capabilities\n' in log, log)
    check(f'{conf}: max-overhead is 5% now, was 1%\n' in log, log)
    for name in ('store', 'cache', 'run', 'store/history.db'):
        check_equal(os.stat(os.path.join(place, name)).st_uid, 65534, f'who owns {name}')
    check_equal(os.stat(f'{place}/store').st_mode & 0o7007, 0, 'others in the store')


def test_a_user_that_is_missing():
    status, _, errors = profd('daemon', '--user', 'nobody-at-all', '--config', '/dev/null')
    check_equal(status, 2, f'{errors}')  # /dev/null is no file
    with tempfile.NamedTemporaryFile() as file:
        status, _, errors = profd('daemon', '--user', 'nobody-at-all', '--config', file.name)
    check_equal(status, 1, f'{errors}')
    check_equal(one_line(errors), "profd: there is no user 'nobody-at-all'", 'words')


def test_doctor():
    status, output, errors = profd('doctor', prefix=AS_PROFD, cwd='/')
    check_equal(status, 0, f'doctor: {output} {errors}')
    check('Recording works here.' in output, output)
    for name in CAPABILITIES:
        check(re.search(rf'^ok +CAP_{name.upper()}\b', output, re.M), f'{name}: {output}')


if __name__ == '__main__':
    run(globals())

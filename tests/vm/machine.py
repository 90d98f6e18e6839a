# SPDX-License-Identifier: Apache-2.0
"""Runs a command on another kernel: an emulated machine (qemu, without KVM) on the host's own files.

The guest's root is the host's, or another folder, through virtiofs under a cover of memory: what it
writes is gone afterwards, except in /mnt, which is the folder `out`. Its clock and its speed mean
nothing; what is counted in it does.

One machine runs at a time. A kernel that dies before the command has begun was hit by a fault of the
emulator: it is booted again, three times at most. After that it is a failure.
"""
import ctypes
import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import kernels

VIRTIOFSD = ('/usr/lib/qemu/virtiofsd', '/usr/libexec/virtiofsd')
BOOTS = 3
BOOT_S = 60
ROOT = os.path.dirname(os.path.dirname(kernels.HERE))
ARCHES = {
    'amd64': ['qemu-system-x86_64', '-M', 'q35', '-cpu', 'max'],
    'arm64': ['qemu-system-aarch64', '-M', 'virt,gic-version=3', '-cpu', 'max,pauth-impdef=on'],
}
CONSOLE = {'amd64': 'ttyS0', 'arm64': 'ttyAMA0'}


def accelerator(kernel, arch):
    """
    Emulated by several threads of the host, amd64's cmpxchg16b is not atomic: one boot in five of 6.12
    dies. By one thread, two busy CPUs take turns of 0.1 s, and miss most of their timers.
    """
    several = arch == 'arm64' or kernel in ('5.10', '5.15', '6.1')
    return ['-accel', 'tcg,thread=' + ('multi' if several else 'single')]


class Died(Exception):
    """The machine ended, or was ended, without the command's exit status."""


def cache_folder():
    return os.environ.get('PROFD_VM_CACHE', os.path.join(ROOT, 'build', 'vm'))


def missing(arch='amd64'):
    """Why no machine can be started here; None: one can."""
    if os.geteuid() != 0:
        return 'not root'
    if not shutil.which(ARCHES[arch][0]):
        return f'{ARCHES[arch][0]} is not installed'
    if not any(map(os.path.exists, VIRTIOFSD)):
        return 'virtiofsd is not installed'
    return None


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def share(folder, socket, log):
    program = next(filter(os.path.exists, VIRTIOFSD))
    return subprocess.Popen([program, '--socket-path=' + socket, '-o', 'source=' + folder, '-o', 'cache=always',
                             '-o', 'sandbox=chroot', '-o', 'xattr'], stdin=subprocess.DEVNULL,
                            stdout=log, stderr=log, start_new_session=True,
                            preexec_fn=die_with_parent)


class Machine:
    """One boot. Its console is handed on line by line, between VM-START and VM-EXIT."""

    def __init__(self, kernel, arch, command, out, root='/', cpus=2, memory='2G', without=(),
                 kernel_line=''):
        self.folder = kernels.prepare(cache_folder(), kernel, arch)
        self.kernel, self.arch, self.out, self.root = kernel, arch, out, root
        self.cpus, self.memory = cpus, memory
        self.line = (f'console={CONSOLE[arch]} quiet mitigations=off no_timer_check '
                     f'random.trust_cpu=on oops=panic panic=-1 '
                     f'vm.without={",".join(without)} {kernel_line}')
        with open(os.path.join(out, '.command'), 'w', encoding='utf-8') as file:
            file.write(f'cd {shlex.quote(os.getcwd() if root == "/" else "/")}\n{command}\n')
        self.started, self.status, self.console = False, None, []

    def argv(self, sockets):
        argv = [*ARCHES[self.arch], *accelerator(self.kernel, self.arch), '-smp', str(self.cpus), '-m', self.memory, '-nodefaults',
                '-display', 'none', '-serial', 'stdio', '-no-reboot', '-object',
                f'memory-backend-memfd,id=memory,size={self.memory},share=on', '-kernel',
                self.folder + '/kernel', '-initrd', self.folder + '/initrd', '-append', self.line]
        argv += ['-numa', 'node,memdev=memory']
        for tag, socket in sockets.items():
            argv += ['-chardev', f'socket,id={tag},path={socket}', '-device',
                     f'vhost-user-fs-pci,chardev={tag},tag={tag}']
        return argv

    def read(self, lines, show):
        for raw in lines:
            line = raw.decode('utf-8', 'replace').rstrip('\r\n')
            if not self.started:
                self.started = line.endswith('VM-START')
                self.console.append(line)
            elif self.status is not None:
                pass  # it goes down
            elif match := re.search(r'VM-EXIT (\d+)$', line):
                self.status = int(match[1])
            else:
                self.console.append(line)
                show(line)

    def boot(self, seconds, show):
        """Boots once, to the end or until so many seconds have passed. Returns why it has ended."""
        with tempfile.TemporaryDirectory(prefix='profd-vm-') as scratch, \
                open(scratch + '/log', 'w+b') as log:
            sockets = {tag: f'{scratch}/{tag}' for tag in ('root', 'out')}
            processes = [share(self.root, sockets['root'], log),
                         share(self.out, sockets['out'], log)]
            try:
                for _ in range(100):
                    if all(map(os.path.exists, sockets.values())):
                        break
                    time.sleep(0.05)
                qemu = subprocess.Popen(self.argv(sockets), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=log, start_new_session=True,
                                        preexec_fn=die_with_parent)
                processes.append(qemu)
                reader = threading.Thread(target=self.read, args=(qemu.stdout, show))
                reader.start()
                begin = time.monotonic()
                while qemu.poll() is None:
                    passed = time.monotonic() - begin
                    if passed > seconds or (passed > BOOT_S and not self.started):
                        break
                    time.sleep(0.05)
                late = qemu.poll() is None
                os.killpg(qemu.pid, signal.SIGKILL) if late else None
                qemu.wait()
                reader.join()
                log.seek(0)
                errors = log.read().decode('utf-8', 'replace')[-1000:]
                return 'it took too long' if late else errors
            finally:
                for process in processes:
                    if process.poll() is None:
                        process.kill()
                    process.wait()


def run(kernel, command, out, arch='amd64', seconds=600, show=None, **options):
    """Runs a shell command to its end. Returns (status, its output); raises Died, kernels.Unavailable."""
    os.makedirs(cache_folder(), exist_ok=True)
    with open(os.path.join(cache_folder(), 'lock'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for boot in range(BOOTS):
            machine = Machine(kernel, arch, command, out, **options)
            why = machine.boot(seconds, show or (lambda line: None))
            if machine.started:
                break
            print(f'{kernel} {arch}: did not start, boot {boot + 1} of {BOOTS}: {why}\n' +
                  '\n'.join(machine.console[-20:]), file=sys.stderr)
    if machine.status is None:
        raise Died(f'{kernel} {arch}: {why}\n' + '\n'.join(machine.console[-40:]))
    return machine.status, '\n'.join(machine.console)

# SPDX-License-Identifier: Apache-2.0
"""Fetches the kernels of Debian and Ubuntu and makes each bootable: CACHE/KERNEL-ARCH/{kernel,initrd}.

The host's apt is left alone: lists, state and cache are those of a root of its own. Nothing is
installed, packages are only unpacked. What is there already is not asked for again.
"""
import glob
import gzip
import lzma
import os
import re
import shutil
import subprocess
import urllib.request

DEBIAN = os.environ.get('PROFD_VM_MIRROR', 'http://deb.debian.org/debian')
UBUNTU = os.environ.get('PROFD_VM_UBUNTU_MIRROR', 'http://archive.ubuntu.com/ubuntu')
DEBIAN_KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'
# "Ubuntu Archive Automatic Signing Key (2018)". Debian 12 has no package of Ubuntu's keys: they are taken from
# the archive itself, and believed because of this fingerprint, which apt asks for.
UBUNTU_KEYS = 'pool/main/u/ubuntu-keyring/ubuntu-keyring_2021.03.26_all.deb'
UBUNTU_FINGERPRINT = 'F6ECB3762474EDA9D21B7022871920D1991BC93C'
# Which archive, which suite there.
SUITES = {
    '5.10': (DEBIAN, 'bullseye'),
    '5.15': (UBUNTU, 'jammy-updates'),
    '6.1': (DEBIAN, 'bookworm'),
    '6.8': (UBUNTU, 'noble-updates'),
    '6.12': (DEBIAN, 'trixie'),
    'backports': (DEBIAN, 'trixie-backports'),
    'sid': (DEBIAN, 'sid'),
}
# What it takes to reach the shares; a kernel may have some of them built in.
MODULES = ('virtio_pci', 'virtiofs', 'overlay')
MAGIC = ((b'\xfd7zXZ\0', 'xz'), (b'\x28\xb5\x2f\xfd', 'zstd'), (b'\x1f\x8b', 'gzip'),
         (b'\x02\x21\x4c\x18', 'lz4'))
HERE = os.path.dirname(os.path.abspath(__file__))


class Unavailable(Exception):
    """The kernel cannot be had here: no network, or not in the archive."""


def unpacked(data):
    """The content of compressed bytes; there may be something behind them."""
    kind = next((name for magic, name in MAGIC if data.startswith(magic)), None)
    if kind == 'xz':
        return lzma.LZMADecompressor().decompress(data)
    if kind == 'gzip':
        return gzip.decompress(data)
    if kind:
        return subprocess.run([kind, '-dc'], input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False).stdout
    return data


def uncompressed_linux(image):
    """The ELF file in a bzImage (Documentation/arch/x86/boot.rst): qemu starts that at once."""
    setup_sectors = image[0x1f1] or 4
    offset = int.from_bytes(image[0x248:0x24c], 'little')
    length = int.from_bytes(image[0x24c:0x250], 'little')
    begin = (setup_sectors + 1) * 512 + offset
    elf = unpacked(image[begin:begin + length])
    if not elf.startswith(b'\x7fELF'):
        raise Unavailable('no ELF file in the kernel image')
    return elf


class Archive:
    """The archives, through apt with a root of its own."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, 'apt')
        for name in ('lists/partial', 'archives/partial', 'preferences'):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        open(self.path('status'), 'a', encoding='ascii').close()
        self.options = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def ubuntu_keys(self):
        """The file with them, whatever else may be in it."""
        tree = self.path('ubuntu-keys')
        path = os.path.join(tree, 'usr/share/keyrings/ubuntu-archive-keyring.gpg')
        if not os.path.exists(path):
            package = tree + '.deb'
            try:
                with urllib.request.urlopen(f'{UBUNTU}/{UBUNTU_KEYS}', timeout=60) as answer, \
                        open(package, 'wb') as file:
                    file.write(answer.read(1 << 20))
                subprocess.run(['dpkg', '-x', package, tree], check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise Unavailable(f"Ubuntu's keys: {error}") from error
        return path

    def use(self, mirror, suite):
        arches, keys = 'amd64,arm64', DEBIAN_KEYS
        if mirror == UBUNTU:  # which has other processors' packages elsewhere
            arches, keys = 'amd64', f'{self.ubuntu_keys()},{UBUNTU_FINGERPRINT}'
        sources = self.path(f'{suite}.list')
        with open(sources, 'w', encoding='ascii') as file:
            file.write(f'deb [arch={arches} signed-by={keys}] {mirror} {suite} main\n')
        values = {'Dir::Etc::sourcelist': sources, 'Dir::Etc::sourceparts': '/dev/null',
                  'Dir::Etc::preferences': '/dev/null',
                  'Dir::Etc::preferencesparts': self.path('preferences'),
                  'Dir::State::lists': self.path('lists'),
                  'Dir::State::status': self.path('status'), 'Dir::Cache': self.folder,
                  'Dir::Cache::archives': self.path('archives'),
                  'APT::Architecture': 'amd64', 'APT::Sandbox::User': 'root',
                  'APT::Get::List-Cleanup': 'false', 'Acquire::Languages': 'none',
                  'Acquire::Check-Valid-Until': 'false', 'Acquire::Retries': '3'}
        self.options = [f'-o{name}={value}' for name, value in values.items()]
        self.options += ['-oAPT::Architectures::=amd64', '-oAPT::Architectures::=arm64']
        self.call('apt-get', '-qq', 'update')

    def call(self, program, *arguments, **options):
        done = subprocess.run([program, *self.options, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, **options)
        if done.returncode != 0:
            raise Unavailable(f'{program} {" ".join(arguments)}: '
                              f'{done.stderr.decode(errors="replace").strip()[-400:]}')
        return done.stdout.decode()

    def depends(self, package, arch):
        """What a package depends on: [(name, version that apt would take)]."""
        text = self.call('apt-cache', '--no-recommends', '--no-suggests', '--no-conflicts',
                         '--no-breaks', '--no-replaces', '--no-enhances', 'depends',
                         f'{package}:{arch}')
        return [name.removesuffix(f':{arch}')
                for name in re.findall(r'^\s+\|?Depends: (\S+)', text, re.M)]

    def unpack(self, package, arch, folder):
        """The package's files into the folder."""
        os.makedirs(folder, exist_ok=True)
        scratch = self.path('download')
        shutil.rmtree(scratch, ignore_errors=True)
        os.makedirs(scratch)
        self.call('apt-get', '-qq', 'download', f'{package}:{arch}', cwd=scratch)
        for deb in glob.glob(scratch + '/*.deb'):
            subprocess.run(['dpkg', '-x', deb, folder], check=True)
        shutil.rmtree(scratch)


def modules_in_order(tree):
    """[(file name, content)] of MODULES with what they depend on, each after what it needs."""
    found, done, order = {}, set(), []
    for path in glob.glob(tree + '/**/*.ko*', recursive=True):
        found[os.path.basename(path).split('.ko')[0].replace('-', '_')] = path

    def add(name):
        name = name.replace('-', '_')
        if name in done or name not in found:
            return
        done.add(name)
        with open(found[name], 'rb') as file:
            content = unpacked(file.read())
        match = re.search(rb'\0depends=([^\0]*)\0', content)
        for other in (match[1].decode().split(',') if match else ()):
            add(other)
        order.append((name + '.ko', content))

    for name in MODULES:
        add(name)
    return order


def cpio(entries):
    """A newc archive (Documentation/driver-api/early-userspace/buffer-format.rst).

    entries: [(name, mode, content)].
    """
    out = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ('TRAILER!!!', 0, b'')], 1):
        encoded = name.encode() + b'\0'
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        out += b'070701' + b''.join(b'%08x' % field for field in fields) + encoded
        out += b'\0' * (-len(out) % 4) + content
        out += b'\0' * (-len(out) % 4)
    return bytes(out)


def initrd(folder, busybox):
    """Of the modules in a folder, in the order of their names."""
    with open(os.path.join(HERE, 'init'), 'rb') as file:
        init = file.read()
    entries = [(name, 0o40755, b'') for name in
               ('bin', 'proc', 'sys', 'dev', 'modules', 'lower', 'cover', 'root')]
    entries += [('init', 0o100755, init), ('bin/busybox', 0o100755, busybox)]
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), 'rb') as file:
            entries.append(('modules/' + name, 0o100644, file.read()))
    return cpio(entries)


def fetch_busybox(cache, arch):
    path = os.path.join(cache, f'busybox-{arch}')
    if not os.path.exists(path):
        archive, tree = Archive(cache), path + '.tree'
        archive.use(DEBIAN, 'bookworm')
        archive.unpack('busybox-static', arch, tree)
        os.rename(glob.glob(tree + '/**/bin/busybox', recursive=True)[0], path)
        shutil.rmtree(tree)
    with open(path, 'rb') as file:
        return file.read()


def unpack_kernel(archive, mirror, suite, arch, tree):
    """The kernel's files into the folder. Returns the image."""
    archive.use(mirror, suite)
    newest = 'linux-image-virtual' if mirror == UBUNTU else f'linux-image-cloud-{arch}'
    image = next((name for name in archive.depends(newest, arch)
                  if name.startswith('linux-image-')), None)
    if not image:
        raise Unavailable(f'{suite} has no {newest} for {arch}')
    # Ubuntu's comes in pieces, Debian's from 7.x on.
    pieces = [name for name in archive.depends(image, arch)
              if name.startswith(('linux-binary-', 'linux-modules-'))]
    for package in (image, *pieces):
        archive.unpack(package, arch, tree)
    images = [*glob.glob(tree + '/boot/vmlinu[xz]-*'),
              *glob.glob(tree + '/usr/lib/modules/*/vmlinu[xz]')]
    if not images:
        raise Unavailable(f'{image} holds no kernel')
    with open(images[0], 'rb') as file:
        return file.read()


def fetch_kernel(cache, kernel, arch, folder):
    tree = folder + '.tree'
    shutil.rmtree(tree, ignore_errors=True)
    image = unpack_kernel(Archive(cache), *SUITES[kernel], arch, tree)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder + '/modules')
    for number, (name, content) in enumerate(modules_in_order(tree)):
        with open(f'{folder}/modules/{number:02}-{name}', 'wb') as file:
            file.write(content)
    with open(folder + '/kernel.new', 'wb') as file:
        file.write(uncompressed_linux(image) if arch == 'amd64' else image)
    os.rename(folder + '/kernel.new', folder + '/kernel')
    shutil.rmtree(tree)


def prepare(cache, kernel, arch):
    """The folder with `kernel` and `initrd`; raises Unavailable."""
    folder = os.path.join(cache, f'{kernel}-{arch}')
    if not os.path.exists(folder + '/kernel'):
        fetch_kernel(cache, kernel, arch, folder)
    content = initrd(folder + '/modules', fetch_busybox(cache, arch))
    with open(folder + '/initrd', 'wb') as file:
        file.write(content)
    return folder

# SPDX-License-Identifier: Apache-2.0
"""What libprofd-heap.so writes, read without profd: see src/preload/region.h."""
import mmap, math, os, select, socket, struct, time

HEADER_BYTES, OBJECTS, RING_BYTES = 4096, 1 << 17, 8 << 20
REGION_BYTES = HEADER_BYTES + 8 * OBJECTS + RING_BYTES
RECORD = struct.Struct('<9Q4I')
assert RECORD.size == 88


class Region:
    def __init__(self, fd, pid):
        self.pid, self.samples = pid, {}
        self.memory = mmap.mmap(fd, REGION_BYTES)
        os.close(fd)
        (magic, self.version, self.flags, self.nonce, self.parent, self.first_id,
         self.own_pid) = struct.unpack_from('<QIIQQQI', self.memory)
        assert magic == 0x50414548464f5250

    def word(self, offset):
        return struct.unpack_from('<Q', self.memory, offset)[0]

    head = property(lambda self: self.word(128))
    lost = property(lambda self: self.word(136))
    untracked = property(lambda self: self.word(144))
    nested = property(lambda self: self.word(152))

    def drain(self):
        """Reads the ring as far as it is ready."""
        tail, head = self.word(64), self.head
        while tail < head:
            at = HEADER_BYTES + 8 * OBJECTS + tail % RING_BYTES
            word = self.word(at)
            if word >> 32 != tail // 64 & 0xffffffff or not word & 1:
                break  # claimed, and not written yet
            size = word & 0xffffffc0
            if not word & 2:
                fields = RECORD.unpack_from(self.memory, at)
                (_, ident, time_ns, bytes_, interval, ip, sp, bp, bx, slot, tid, stack,
                 flags) = fields
                assert ident not in self.samples
                self.samples[ident] = (bytes_, interval, slot, tid, stack, flags)
            tail += size
        struct.pack_into('<Q', self.memory, 64, tail)
        return self

    def live(self):
        """Ids of what lives."""
        ids = struct.unpack_from(f'<{OBJECTS}Q', self.memory, HEADER_BYTES)
        return [i for i in ids if i]


def weight(bytes_, interval):
    return bytes_ / -math.expm1(-bytes_ / interval)


class Listener:
    """Collects the regions of all processes that have the library."""

    def __init__(self, library, interval=None):
        self.name = f'profd-heap-test-{os.getpid()}-{time.monotonic_ns()}'
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind('\0' + self.name)
        self.socket.listen(4096)
        self.environment = dict(os.environ, LD_PRELOAD=library, PROFD_HEAP_SOCKET=self.name + '/token')
        if interval:
            self.environment['PROFD_HEAP_INTERVAL'] = str(interval)
        self.regions = []

    def collect(self, seconds=0):
        while select.select([self.socket], [], [], seconds)[0]:
            connection, _ = self.socket.accept()
            pid = struct.unpack('3i', connection.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            token, fds, _, _ = socket.recv_fds(connection, 16, 1)
            assert token == b'token'
            connection.close()
            if fds:
                self.regions.append(Region(fds[0], pid))
        for region in self.regions:
            region.drain()
        return self.regions

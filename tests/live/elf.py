# SPDX-License-Identifier: Apache-2.0
"""What an ELF file says about its functions, read without any code of profd.

A second opinion for the live tests: entry point, build ID, symbols (the separate debug file's
included), the starts of functions from .eh_frame_hdr, and where a thread's stack begins in libc.
Sources: System V ABI (ELF64), LSB 5 "Exception Frames" for .eh_frame_hdr. Little-endian 64-bit.
"""
import os
import re
import struct
from bisect import bisect_right
from functools import lru_cache

PT_LOAD, PT_NOTE, PT_GNU_EH_FRAME, PF_X = 1, 4, 0x6474e550, 1
SHT_SYMTAB, SHT_DYNSYM = 2, 11
FUNCTION_TYPES = {0, 2, 10}  # NOTYPE (assembly), FUNC, GNU_IFUNC


class Elf:
    def __init__(self, path):
        self.path = path
        with open(path, 'rb') as file:
            self.data = file.read()
        if self.data[:6] != b'\x7fELF\x02\x01':
            raise ValueError(f'{path}: not a little-endian 64-bit ELF file')
        (self.type, _, _, self.entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum,
         _) = struct.unpack_from('<HHIQQQIHHHHHH', self.data, 16)
        self.segments = [struct.unpack_from('<IIQQQQQQ', self.data, phoff + i * phentsize)
                         for i in range(phnum)]
        self.sections = [struct.unpack_from('<IIQQQQIIQQ', self.data, shoff + i * shentsize)
                         for i in range(shnum)] if shoff else []

    def read(self, address, size):
        """Bytes at an ELF address, as far as the file has them."""
        for kind, _, offset, start, _, in_file, _, _ in self.segments:
            if kind == PT_LOAD and start <= address < start + in_file:
                begin = offset + address - start
                return self.data[begin:begin + min(size, start + in_file - address)]
        return b''

    @property
    def build_id(self):
        for kind, _, offset, _, _, size, _, _ in self.segments:
            at, end = offset, offset + size
            while kind == PT_NOTE and at + 12 <= end:
                name_size, desc_size, note = struct.unpack_from('<III', self.data, at)
                name = self.data[at + 12:at + 12 + name_size]
                desc = at + 12 + (name_size + 3) // 4 * 4
                if note == 3 and name == b'GNU\0':
                    return self.data[desc:desc + desc_size].hex()
                at = desc + (desc_size + 3) // 4 * 4
        return ''

    def own_symbols(self):
        """(address, size, name) of everything that may be a function."""
        found = []
        for _, kind, _, _, offset, size, link, _, _, entry in self.sections:
            if kind not in (SHT_SYMTAB, SHT_DYNSYM) or entry != 24 or link >= len(self.sections):
                continue
            strings, strings_size = self.sections[link][4:6]
            for name, info, _, section, value, extent in struct.iter_unpack(
                    '<IBBHQQ', self.data[offset:offset + size // 24 * 24]):
                if info & 15 in FUNCTION_TYPES and section and name < strings_size:
                    end = self.data.index(b'\0', strings + name)
                    text = self.data[strings + name:end].decode('utf-8', 'replace')
                    found.append((value, extent, text.split('@')[0]))
        return found

    @property
    @lru_cache(maxsize=None)
    def symbols(self):
        found = self.own_symbols()
        identity = self.build_id
        debug = f'/usr/lib/debug/.build-id/{identity[:2]}/{identity[2:]}.debug'
        if identity and os.path.exists(debug):
            found += Elf(debug).own_symbols()
        return sorted(set(found))

    @property
    @lru_cache(maxsize=None)
    def function_starts(self):
        """Start of every FDE, ascending, from the binary search table of .eh_frame_hdr."""
        for kind, _, _, address, _, size, _, _ in self.segments:
            table = self.read(address, size) if kind == PT_GNU_EH_FRAME else b''
            # version 1, eh_frame_ptr pcrel|sdata4, count udata4, table datarel|sdata4
            if table[:4] == b'\x01\x1b\x03\x3b':
                count = struct.unpack_from('<I', table, 8)[0]
                pairs = table[12:12 + 8 * count]
                return [address + start for start, _ in struct.iter_unpack('<ii', pairs)]
        return []

    def function_start(self, address):
        """Start of the FDE at or before the address, or None."""
        place = bisect_right(self.function_starts, address)
        return self.function_starts[place - 1] if place else None

    def names_at(self, address):
        """All names (as in the symbol tables) of functions whose extent covers the address."""
        end = bisect_right(self.symbols, (address, 1 << 64, ''))
        names = {name for start, size, name in self.symbols[max(0, end - 4096):end]
                 if start <= address < start + size}
        if names or end == 0:
            return names
        # Assembly without a size reaches to the next symbol.
        start = self.symbols[end - 1][0]
        return {name for at, size, name in self.symbols[max(0, end - 64):end]
                if at == start and size == 0}

    def thread_starts(self):
        """Starts of the functions in which a new thread's stack begins: clone and clone3.

        glibc's are stripped of their names, so by what they do: the system call, then in the
        child rbp is cleared ("outermost frame", System V ABI 3.4.1) and the thread's function is
        called through a register. sysdeps/unix/sysv/linux/x86_64/clone.S and clone3.S.
        """
        return self.functions_with(
            # mov $435,%eax; syscall … xor %ebp,%ebp … call *%rdx
            rb'\xb8\xb3\x01\x00\x00\x0f\x05.{1,16}?\x31\xed.{1,16}?\xff\xd2',
            # mov $56,%eax; syscall … xor %ebp,%ebp; pop %rax; pop %rdi; call *%rax
            rb'\xb8\x38\x00\x00\x00\x0f\x05.{1,16}?\x31\xed\x58\x5f\xff\xd0'
        ) | self.musl_thread_starts()

    def musl_thread_starts(self):
        """The same of musl, which has no exception tables: the function begins with the number.

        src/thread/x86_64/clone.s.
        """
        # xor %eax,%eax; mov $56,%al … syscall; test %eax,%eax; jnz …; xor %ebp,%ebp; pop %rdi;
        # call *%r9
        pattern = rb'\x31\xc0\xb0\x38.{1,64}?\x0f\x05\x85\xc0\x75.\x31\xed\x5f\x41\xff\xd1'
        return {address + match.start()
                for kind, flags, offset, address, _, size, _, _ in self.segments
                if kind == PT_LOAD and flags & PF_X
                for match in re.finditer(pattern, self.data[offset:offset + size], re.DOTALL)}

    def coroutine_starts(self):
        """Start of __start_context, which the function given to makecontext returns to.

        By what it does: takes the next context from where rbx points, and goes on with it or ends
        the program. sysdeps/unix/sysv/linux/x86_64/__start_context.S.
        """
        return self.functions_with(
            # mov %rbx,%rsp; mov (%rsp),%rdi; test %rdi,%rdi; je … call … mov %rax,%rdi; call …; hlt
            rb'\x48\x89\xdc\x48\x8b\x3c\x24\x48\x85\xff\x74.{1,80}?'
            rb'\x48\x89\xc7\xe8.{4}\xf4')

    def functions_with(self, *patterns):
        """Starts of the functions (FDEs) whose code has one of these byte patterns."""
        starts = set()
        for kind, flags, offset, address, _, size, _, _ in self.segments:
            if kind != PT_LOAD or not flags & PF_X:
                continue
            code = self.data[offset:offset + size]
            for pattern in patterns:
                for match in re.finditer(pattern, code, re.DOTALL):
                    start = self.function_start(address + match.start())
                    if start is not None:
                        starts.add(start)
        return starts

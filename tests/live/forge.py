# SPDX-License-Identifier: Apache-2.0
"""Makes ELF files that are not what their makers meant: for tests of what profd believes.

The kernel and ld.so load by program headers, so whatever is done here to sections leaves a program
running as before. Sources: System V ABI (ELF64), LSB 5 "Exception Frames", DWARF 5 chapter 6.4,
the .xz file format 1.1.0, RFC 8878 (zstd), zlib's crc32. Little-endian 64-bit.
"""
import lzma
import struct
import zlib

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS, SHT_DYNSYM = 1, 2, 3, 8, 11
SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 2, 4, 0x800
PT_LOAD, PF_X, PF_R = 1, 1, 4
PAGE = 4096


class Section:
    """As in the file; data: its own bytes, else it is what lies at its offset already."""

    def __init__(self, name, kind, data=None, flags=0, address=0, offset=0, size=0, link='',
                 info=0, align=1, entry=0):
        self.name, self.kind, self.data, self.flags, self.address = name, kind, data, flags, address
        self.offset, self.size, self.link, self.info = offset, size, link, info
        self.align, self.entry = align, entry


class Forge:
    """An ELF file with sections to take away and to add."""

    def __init__(self, path):
        with open(path, 'rb') as file:
            self.data = bytearray(file.read())
        shoff, = struct.unpack_from('<Q', self.data, 40)
        count, names = struct.unpack_from('<HH', self.data, 60)
        headers = [struct.unpack_from('<IIQQQQIIQQ', self.data, shoff + i * 64)
                   for i in range(count)]
        texts = headers[names][4]
        found = [bytes(self.data[texts + header[0]:self.data.index(b'\0', texts + header[0])])
                 .decode() for header in headers]
        self.sections = [Section(name, header[1], None, header[2], header[3], header[4], header[5],
                                 found[header[6]], header[7], header[8], header[9])
                         for name, header in zip(found, headers)
                         if name and name != '.shstrtab']

    def find(self, name):
        return next(section for section in self.sections if section.name == name)

    def bytes_of(self, name):
        section = self.find(name)
        return bytes(self.data[section.offset:section.offset + section.size])

    def overwrite(self, name, data):
        """The section's bytes, in place and as many as there were."""
        section = self.find(name)
        assert len(data) == section.size
        self.data[section.offset:section.offset + section.size] = data

    def drop(self, *names):
        self.sections = [section for section in self.sections if section.name not in names]

    def add(self, name, kind, data=None, **more):
        self.drop(name)
        self.sections.append(Section(name, kind, data, **more))

    def name_functions(self, functions):
        """A .symtab with these (address, size, name)."""
        strings, symbols = bytearray(b'\0'), bytearray(24)
        for address, size, name in functions:
            symbols += struct.pack('<IBBHQQ', len(strings), 0x12, 0, 1, address, size)
            strings += name + b'\0'
        self.add('.strtab', SHT_STRTAB, bytes(strings))
        self.add('.symtab', SHT_SYMTAB, bytes(symbols), link='.strtab', entry=24, align=8, info=1)

    def save(self, path, hole=0):
        """hole: bytes of nothing before the section headers, which cost no room on the disk."""
        out = bytearray(self.data)
        for section in self.sections:
            if section.data is not None:
                out += bytes(-len(out) % 16)
                section.offset, section.size = len(out), len(section.data)
                out += section.data
        names, starts = bytearray(b'\0'), []
        for section in self.sections + [Section('.shstrtab', SHT_STRTAB)]:
            starts.append(len(names))
            names += section.name.encode() + b'\0'
        self_at = len(out)
        out += names + bytes(-len(out + names) % 8)
        place = len(out) + hole
        numbers = {section.name: i + 1 for i, section in enumerate(self.sections)}
        headers = bytearray(64)
        for section, start in zip(self.sections, starts):
            headers += struct.pack('<IIQQQQIIQQ', start, section.kind, section.flags,
                                   section.address, section.offset, section.size,
                                   numbers.get(section.link, 0), section.info, section.align,
                                   section.entry)
        headers += struct.pack('<IIQQQQIIQQ', starts[-1], SHT_STRTAB, 0, 0, self_at, len(names),
                               0, 0, 1, 0)
        struct.pack_into('<Q', out, 40, place)
        struct.pack_into('<HHH', out, 58, 64, len(self.sections) + 2, len(self.sections) + 1)
        with open(path, 'wb') as file:
            file.write(out)
            file.seek(place)
            file.write(headers)
        return path


def uleb(value):
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def shift_frames(frames):
    """.eh_frame with every CIE's CFA a word too high: each caller is looked for in a wrong place."""
    frames, at, changed = bytearray(frames), 0, 0
    while at + 8 <= len(frames):
        length, identity = struct.unpack_from('<II', frames, at)
        if length == 0:
            break
        end = at + 4 + length
        # DW_CFA_def_cfa rsp, 8; DW_CFA_offset rip, 1
        place = frames.find(b'\x0c\x07\x08\x90\x01', at + 8, end) if identity == 0 else -1
        if place >= 0:
            frames[place + 2] = 16
            changed += 1
        at = end
    assert changed, 'no CIE as compilers write them'
    return bytes(frames)


def library_of_rules(path, rules):
    """A file with one executable segment, whose addresses are places in the file.

    Its entry is a function that works for some microseconds. Behind it nothing is meant to run, but
    has a row for every byte, and these rules: (CFA offset from rsp, place of rbp below the CFA) each,
    in words.
    """
    address = PAGE
    # mov $20000,%ecx; dec %ecx; jnz; ret
    function = b'\xb9\x20\x4e\0\0\xff\xc9\x75\xfc\xc3'
    text = function + b'\xcc' * (15 - len(function) & 15)
    program = bytearray(b'\x40' + bytes([0x40 + len(text)]))  # DW_CFA_advance_loc
    text += b'\xcc' * (len(rules) + 15 & ~15)
    cie = struct.pack('<IB4sBBB', 0, 1, b'zR\0\1', 0x78, 16, 1) + b'\x1b' + \
        b'\x0c\x07\x08\x90\x01'
    cie += bytes(-len(cie) % 8 + 4)
    frames = bytearray(struct.pack('<I', len(cie)) + cie)
    for cfa, slot in rules:
        # DW_CFA_def_cfa_offset, DW_CFA_offset_extended rbp, DW_CFA_advance_loc 1
        program += b'\x0e' + uleb(8 * cfa) + b'\x86' + uleb(slot) + b'\x41'
    frames_at = address + (len(text) + 0xfff & ~0xfff)
    head = struct.pack('<I', len(frames) + 4)
    start = frames_at + len(frames) + 8
    body = head + struct.pack('<iI', address - start, len(text)) + b'\0' + program
    body += bytes(-len(body) % 8)
    frames += struct.pack('<I', len(body)) + body + bytes(4)
    names = b'\0.eh_frame\0.shstrtab\0'
    frames_in = frames_at
    names_in = frames_in + len(frames)
    sections_in = names_in + len(names) + 7 & ~7
    elf = bytearray(sections_in + 3 * 64)
    struct.pack_into('<16sHHIQQQIHHHHHH', elf, 0, b'\x7fELF\2\1\1', 3, 62, 1, address, 64, sections_in, 0,
                     64, 56, 1, 64, 3, 2)
    struct.pack_into('<IIQQQQQQ', elf, 64, PT_LOAD, PF_R | PF_X, 0, 0, 0, names_in, names_in, PAGE)
    elf[address:address + len(text)] = text
    elf[frames_in:names_in] = frames
    elf[names_in:names_in + len(names)] = names
    struct.pack_into('<IIQQQQIIQQ', elf, sections_in + 64, 1, SHT_PROGBITS, SHF_ALLOC, frames_at,
                     frames_in, len(frames), 0, 0, 8, 0)
    struct.pack_into('<IIQQQQIIQQ', elf, sections_in + 128, 11, SHT_STRTAB, 0, 0, names_in,
                     len(names), 0, 0, 1, 0)
    with open(path, 'wb') as file:
        file.write(elf)
    return path


def xz_bomb(size, block=64 << 20):
    """A whole .xz file of `size` zeros, a multiple of block."""
    one = lzma.compress(bytes(block), lzma.FORMAT_XZ, lzma.CHECK_NONE)
    backward, = struct.unpack_from('<I', one, len(one) - 8)
    index = one[len(one) - 12 - 4 * (backward + 1):-12]
    body, count = one[12:len(one) - 12 - len(index)], size // block
    record = index[2:]
    # Unpadded and uncompressed size of a block: two numbers of 7 bits a byte.
    end = 0
    for _ in range(2):
        while record[end] & 128:
            end += 1
        end += 1
    index = b'\0' + uleb(count) + record[:end] * count
    index += bytes(-len(index) % 4)
    index += struct.pack('<I', zlib.crc32(index))
    footer = struct.pack('<I', len(index) // 4 - 1) + one[6:8]
    return one[:12] + body * count + index + struct.pack('<I', zlib.crc32(footer)) + footer + b'YZ'


def zlib_bomb(size, piece=64 << 20):
    """A zlib stream of so many zeros, a multiple of piece; its Adler-32 is not the right one."""
    packer = zlib.compressobj(9)
    packer.compress(bytes(piece))
    packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b'\x78\xda' + again * (size // piece) + b'\x03\0' + bytes(4)


ZSTD_PIECE = 128 << 10  # the most that a block may hold


def zstd_frame(blocks, window=0x38):
    """A frame of (kind, size, bytes) blocks; window: as its descriptor says, 0x38 is 128 KiB."""
    frame = bytearray(struct.pack('<IBB', 0xfd2fb528, 0, window))
    for number, (kind, size, data) in enumerate(blocks):
        last = number == len(blocks) - 1
        frame += struct.pack('<I', size << 3 | kind << 1 | last)[:3] + data
    return bytes(frame)


def zstd_stored(data):
    """data in a zstd frame, nothing of it compressed."""
    pieces = [data[at:at + ZSTD_PIECE] for at in range(0, len(data), ZSTD_PIECE)]
    return zstd_frame([(0, len(piece), piece) for piece in pieces])


def zstd_bomb(size, window=0x38):
    """A zstd frame of so many zeros, a multiple of ZSTD_PIECE: each a byte that is repeated."""
    return zstd_frame([(1, ZSTD_PIECE, b'\0')] * (size // ZSTD_PIECE), window)


ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD = 1, 2


def compressed_section(data, says, kind=ELFCOMPRESS_ZLIB):
    """Elf64_Chdr, and what it is about."""
    return struct.pack('<IIQQ', kind, 0, says, 1) + data


def give_checksum(data, wanted):
    """data with four bytes behind it that make its CRC-32 the wanted one."""
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0xedb88320 if i & 1 else 0)
        table.append(i)
    by_top = {entry >> 24: number for number, entry in enumerate(table)}
    # Which entries were used for the last four bytes, from the last one back.
    state, used = wanted ^ 0xffffffff, []
    for _ in range(4):
        number = by_top[state >> 24]
        used.append(number)
        state = (state ^ table[number]) << 8 & 0xffffffff
    state, patch = zlib.crc32(data) ^ 0xffffffff, bytearray()
    for number in reversed(used):
        patch.append(state & 255 ^ number)
        state = state >> 8 ^ table[number]
    forged = bytes(data) + bytes(patch)
    assert zlib.crc32(forged) == wanted
    return forged

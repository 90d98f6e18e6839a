// SPDX-License-Identifier: Apache-2.0
/*
 * The linkers write the search table in one encoding only (DW_EH_PE_datarel | DW_EH_PE_sdata4);
 * others are taken for no table, as the unwinders of gcc and llvm do. The table may be unsorted in
 * a hostile file: then the search ends somewhere, and the FDE found there is asked whether it
 * holds the address.
 */
#include "elf/function_starts.h"

#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fs.h"

/* The fixed part of .eh_frame_hdr, with the encodings that linkers use. */
struct frame_header {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	int32_t frame;
	uint32_t count;
};

/* Both relative to .eh_frame_hdr. */
struct frame_entry {
	int32_t start, fde;
};

enum {
	BLOCK_ENTRIES = 64,
	/* As much of a CIE or FDE as its head and augmentation take; instructions follow. */
	MAX_RECORD_BYTES = 128,
};

static int use_header(struct function_starts *starts, const Elf64_Phdr *segment)
{
	struct frame_header header;
	uint64_t room;
	int r;

	if (segment->p_filesz < sizeof(header) || segment->p_vaddr >> 63 ||
	    segment->p_offset > starts->object->identity.size)
		return 0;
	r = fs_read_at(starts->object->fd, &header, sizeof(header), (off_t)segment->p_offset);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (header.version != 1 || header.table_encoding != (DW_EH_PE_datarel | DW_EH_PE_sdata4) ||
	    header.count_encoding != DW_EH_PE_udata4 ||
	    (header.frame_encoding & 15) != DW_EH_PE_sdata4)
		return 0;
	room = (segment->p_filesz - sizeof(header)) / sizeof(struct frame_entry);
	starts->header_address = segment->p_vaddr;
	starts->table_offset = segment->p_offset + sizeof(header);
	starts->count = header.count < room ? header.count : (uint32_t)room;
	return 0;
}

int function_starts_init(struct function_starts *ret, const struct object *object)
{
	Elf64_Ehdr header;
	int r = fs_read_at(object->fd, &header, sizeof(header), 0);

	*ret = (struct function_starts){ .object = object };
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (header.e_phoff > INT64_MAX / 2 || header.e_phentsize != sizeof(Elf64_Phdr))
		return 0;
	for (unsigned i = 0; i < header.e_phnum && r == 0; i++) {
		Elf64_Phdr segment;

		r = fs_read_at(object->fd, &segment, sizeof(segment),
			       (off_t)(header.e_phoff + i * sizeof(segment)));
		if (r == 0 && segment.p_type == PT_GNU_EH_FRAME)
			return use_header(ret, &segment);
	}
	return r == -ENODATA ? 0 : r;
}

/* Up to `size` bytes at an ELF address; *ret_size: how many the file has there. */
static int read_memory(const struct object *object, void *ret, size_t *ret_size, uint64_t address)
{
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t inside = address - segment->address;

		if (address < segment->address || inside >= segment->file_size)
			continue;
		if (*ret_size > segment->file_size - inside)
			*ret_size = segment->file_size - inside;
		return fs_read_at(object->fd, ret, *ret_size,
				  (off_t)(segment->file_offset + inside));
	}
	return -ENOENT;
}

/* Bytes of a value in a DW_EH_PE_* format, 0 when the format has no fixed size. */
static size_t encoded_size(uint8_t encoding)
{
	switch (encoding & 15) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		return 2;
	default:
		return 0;
	}
}

/* The encoding of addresses in the FDEs of the CIE at `address`. -ENOENT when it tells none. */
static int read_cie_encoding(const struct object *object, uint64_t address)
{
	unsigned char data[MAX_RECORD_BYTES];
	size_t size = sizeof(data);
	const char *augmentation;
	struct reader reader;
	uint8_t version;
	int r = read_memory(object, data, &size, address);

	if (r < 0)
		return r;
	reader = reader_of(data, size);
	reader_u32(&reader); /* length */
	if (reader_u32(&reader) != 0)
		return -ENOENT;
	version = reader_u8(&reader);
	augmentation = (const char *)reader.at;
	while (!reader.overrun && reader_u8(&reader) != 0)
		;
	if (reader.overrun || (version != 1 && version != 3))
		return -ENOENT;
	reader_uleb(&reader); /* code alignment */
	reader_sleb(&reader); /* data alignment */
	if (version == 1)
		reader_u8(&reader); /* return address register */
	else
		reader_uleb(&reader);
	if (*augmentation == '\0')
		return DW_EH_PE_absptr;
	if (*augmentation++ != 'z')
		return -ENOENT;
	reader_uleb(&reader); /* augmentation size */
	for (; *augmentation && *augmentation != 'R'; augmentation++) {
		if (*augmentation == 'L')
			reader_u8(&reader);
		else if (*augmentation == 'P')
			reader_take(&reader, encoded_size(reader_u8(&reader)));
	}
	r = *augmentation ? reader_u8(&reader) : DW_EH_PE_absptr;
	return reader.overrun ? -ENOENT : r;
}

/* The size in bytes of the function whose FDE is at `address`. */
static int read_fde_size(const struct object *object, uint64_t address, uint64_t *ret)
{
	unsigned char data[2 * sizeof(uint32_t) + 2 * sizeof(uint64_t)] = {};
	size_t size = sizeof(data), width;
	struct reader reader;
	uint32_t cie;
	int r = read_memory(object, data, &size, address);

	if (r < 0)
		return r;
	reader = reader_of(data, size);
	reader_u32(&reader); /* length */
	cie = reader_u32(&reader);
	/* How far back the CIE is, counted from this very field; 0 would make it a CIE. */
	if (cie == 0 || cie > address + 4)
		return -ENOENT;
	r = read_cie_encoding(object, address + 4 - cie);
	if (r < 0)
		return r;
	width = encoded_size((uint8_t)r);
	if (width == 0)
		return -ENOENT;
	reader_take(&reader, width); /* first address: known from the table */
	*ret = width == 8   ? reader_u64(&reader)
	       : width == 4 ? reader_u32(&reader)
			    : reader_u16(&reader);
	return reader.overrun ? -ENOENT : 0;
}

/* The last entry of the table whose start is at or below `wanted`, by halves of the file. */
static int search(const struct function_starts *starts, int64_t wanted, struct frame_entry *ret)
{
	struct frame_entry block[BLOCK_ENTRIES];
	uint32_t low = 0, high = starts->count, found = UINT32_MAX;
	int r;

	while (high - low > BLOCK_ENTRIES) {
		uint32_t middle = low + (high - low) / 2;

		r = fs_read_at(starts->object->fd, block, sizeof(block[0]),
			       (off_t)(starts->table_offset + middle * sizeof(block[0])));
		if (r < 0)
			return r;
		if (block[0].start <= wanted)
			low = middle;
		else
			high = middle;
	}
	r = fs_read_at(starts->object->fd, block, (high - low) * sizeof(block[0]),
		       (off_t)(starts->table_offset + low * sizeof(block[0])));
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < high - low && block[i].start <= wanted; i++)
		found = i;
	if (found == UINT32_MAX)
		return -ENOENT;
	*ret = block[found];
	return 0;
}

int function_starts_find(const struct function_starts *starts, uint64_t address,
			 uint64_t *ret_start, uint64_t *ret_size)
{
	struct frame_entry entry;
	uint64_t start, size = 0;
	int r;

	if (starts->count == 0 || address >> 63)
		return -ENOENT;
	r = search(starts, (int64_t)(address - starts->header_address), &entry);
	if (r == 0)
		r = read_fde_size(starts->object, starts->header_address + (uint64_t)entry.fde,
				  &size);
	if (r < 0)
		return r == -ENODATA ? -ENOENT : r;
	start = starts->header_address + (uint64_t)(int64_t)entry.start;
	/* A start before address 0 is a very high one. */
	if (start > address || address - start >= size)
		return -ENOENT;
	*ret_start = start;
	*ret_size = size;
	return 0;
}

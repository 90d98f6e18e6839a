// SPDX-License-Identifier: Apache-2.0
/*
 * Sections are copied out of the file with pread and have a limit; nothing is mapped.
 */
#include "elf/cfi_section.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "elf/compressed.h"
#include "elf/sections.h"

enum {
	/* libLLVM's is 5 MB, a browser's some 30 MB. */
	MAX_SECTION_BYTES = 256 << 20,
	/* .eh_frame of unknown size: read in growing pieces, beginning with this one. */
	FIRST_PIECE_BYTES = 1 << 20,
	MAX_PROGRAM_HEADERS = 1024,
	/* Zeros behind the data: a LEB128 number that libdw reads past the end stops at once. */
	SPARE_BYTES = 16,
};

static int read_data(unsigned char **ret, int fd, uint64_t offset, uint64_t size)
{
	cleanup(free) unsigned char *data = NULL;
	int r;

	if (size > MAX_SECTION_BYTES)
		return -EFBIG;
	data = malloc(size + SPARE_BYTES);
	if (!data)
		return -ENOMEM;
	r = fs_read_at(fd, data, size, (off_t)offset);
	if (r < 0)
		return r;
	memset(data + size, 0, SPARE_BYTES);
	*ret = TAKE_PTR(data);
	return 0;
}

static const Elf64_Shdr *find(const struct section_table *sections, const char *name)
{
	const Elf64_Shdr *found = section_table_find(sections, SHT_PROGBITS, name);

	return found ? found : section_table_find(sections, SHT_X86_64_UNWIND, name);
}

static uint64_t address_of(const struct section_table *sections, const char *name)
{
	const Elf64_Shdr *found = find(sections, name);

	return found ? found->sh_addr : 0;
}

/* ---- .eh_frame without section headers ---- */

/*
 * Where the list of entries in `data` ends: behind its end mark (a length of 0), or SIZE_MAX when
 * that is not in the `size` bytes. from: where to go on looking, advanced.
 */
static size_t list_end(const unsigned char *data, size_t size, size_t *from)
{
	while (*from + 12 <= size) {
		uint64_t length = 0, skip = 4;

		memcpy(&length, data + *from, 4);
		if (length == 0)
			return *from + 4;
		if (length == UINT32_MAX) { /* 64-bit DWARF */
			memcpy(&length, data + *from + 4, 8);
			skip = 12;
		}
		/* An entry that leaves the segment ends the list before it. */
		if (length > MAX_SECTION_BYTES)
			return *from;
		*from += skip + length;
	}
	return SIZE_MAX;
}

static int read_open_ended(struct cfi_section *section, const struct object *object,
			   uint64_t address)
{
	const struct object_segment *segment = NULL;
	uint64_t offset, room, size = FIRST_PIECE_BYTES;
	size_t from = 0;

	for (uint32_t i = 0; i < object->segments.count && !segment; i++)
		if (address >= object->segments.at[i].address &&
		    address - object->segments.at[i].address < object->segments.at[i].file_size)
			segment = &object->segments.at[i];
	if (!segment)
		return 0;
	offset = segment->file_offset + (address - segment->address);
	room = segment->file_size - (address - segment->address);
	for (;; size *= 2) {
		cleanup(free) unsigned char *data = NULL;
		bool last = size >= room;
		size_t end;
		int r = read_data(&data, object->fd, offset, last ? room : size);

		if (r < 0)
			return r;
		end = list_end(data, last ? room : size, &from);
		if (end == SIZE_MAX && !last)
			continue;
		section->data = TAKE_PTR(data);
		section->size = end == SIZE_MAX ? room : end;
		section->address = address;
		section->open_ended = true;
		return 0;
	}
}

/* .eh_frame_hdr: version, three encodings, then the pointer to .eh_frame (LSB, "eh_frame_hdr"). */
static int read_from_header(struct cfi_section *section, const struct object *object,
			    const Elf64_Phdr *segment)
{
	unsigned char bytes[4 + sizeof(uint64_t)] = {};
	size_t size = segment->p_filesz < sizeof(bytes) ? segment->p_filesz : sizeof(bytes);
	const struct cfi_section header = { .data = bytes,
					    .size = size,
					    .address = segment->p_vaddr };
	struct reader reader = reader_of(bytes + 4, size < 4 ? 0 : size - 4);
	uint64_t address;
	int r = fs_read_at(object->fd, bytes, size, (off_t)segment->p_offset);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (bytes[0] != 1 || cfi_pointer_read(&address, &reader, bytes[1], &header) < 0)
		return 0;
	return read_open_ended(section, object, address);
}

static int read_by_program_header(struct cfi_section *section, const struct object *object)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	int r = fs_read_at(object->fd, &header, sizeof(header), 0);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (header.e_phentsize != sizeof(segment) || header.e_phoff > INT64_MAX / 2)
		return 0;
	for (unsigned i = 0; i < header.e_phnum && i < MAX_PROGRAM_HEADERS; i++) {
		r = fs_read_at(object->fd, &segment, sizeof(segment),
			       (off_t)(header.e_phoff + i * sizeof(segment)));
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		if (segment.p_type == PT_GNU_EH_FRAME && segment.p_offset <= INT64_MAX / 2)
			return read_from_header(section, object, &segment);
	}
	return 0;
}

int cfi_section_read_eh_frame(struct cfi_section *ret, const struct object *object)
{
	cleanup(section_table_fini) struct section_table sections = {};
	struct cfi_section section = { .eh_frame = true };
	const Elf64_Shdr *found;
	int r = section_table_read(&sections, object->fd);

	if (r < 0)
		return r;
	section.text = address_of(&sections, ".text");
	section.got = address_of(&sections, ".got.plt");
	if (!section.got)
		section.got = address_of(&sections, ".got");
	found = find(&sections, ".eh_frame");
	if (found) {
		r = read_data(&section.data, object->fd, found->sh_offset, found->sh_size);
		section.size = found->sh_size;
		section.address = found->sh_addr;
	} else {
		r = read_by_program_header(&section, object);
	}
	if (r < 0)
		return r;
	*ret = section;
	return 0;
}

/* ---- .debug_frame ---- */

int cfi_section_read_debug_frame(struct cfi_section *ret, const struct object *object)
{
	cleanup(section_table_fini) struct section_table sections = {};
	struct cfi_section section = {};
	const Elf64_Shdr *found;
	bool gnu = false;
	int r = section_table_read(&sections, object->fd);

	if (r < 0)
		return r;
	found = section_table_find(&sections, SHT_PROGBITS, ".debug_frame");
	if (!found) {
		found = section_table_find(&sections, SHT_PROGBITS, ".zdebug_frame");
		gnu = found;
	}
	if (!found) {
		*ret = section;
		return 0;
	}
	if (section_is_compressed(found, gnu)) {
		r = section_unpack(&section.data, &section.size, object->fd, found, gnu,
				   MAX_SECTION_BYTES, SPARE_BYTES);
		/* What cannot be unpacked is as good as absent. */
		if (r != -ENOMEM)
			r = 0;
	} else {
		r = read_data(&section.data, object->fd, found->sh_offset, found->sh_size);
		section.size = found->sh_size;
	}
	if (r < 0)
		return r;
	*ret = section;
	return 0;
}

void cfi_section_fini(struct cfi_section *section)
{
	free(section->data);
	*section = (struct cfi_section){};
}

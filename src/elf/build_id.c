// SPDX-License-Identifier: Apache-2.0
/* Notes as the ELF gABI lays them out ("Note Section"); a broken note ends the search. */
#include "elf/build_id.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/sections.h"

enum { MAX_NOTES_BYTES = 65536, MAX_NOTE_SECTIONS = 64 };

int build_id_read(uint8_t *ret, uint32_t *ret_size, uint32_t capacity, int fd, uint64_t offset,
		  uint64_t size, uint64_t align)
{
	cleanup(free) unsigned char *data = NULL;
	size_t mask = align == 8 ? 7 : 3;
	struct reader reader;
	int r;

	if (size == 0 || size > MAX_NOTES_BYTES || offset > INT64_MAX - size)
		return 0;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	r = fs_read_at(fd, data, size, (off_t)offset);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	reader = reader_of(data, size);
	while (!reader.overrun && reader_left(&reader) >= sizeof(Elf64_Nhdr)) {
		uint32_t name_size = reader_u32(&reader), id_size = reader_u32(&reader);
		uint32_t type = reader_u32(&reader);
		const unsigned char *name = reader_take(&reader, name_size), *id;

		reader_take(&reader, -(size_t)(reader.at - data) & mask);
		id = reader_take(&reader, id_size);
		if (name && id && type == NT_GNU_BUILD_ID && name_size == sizeof(ELF_NOTE_GNU) &&
		    memcmp(name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0 && id_size > 0 &&
		    id_size <= capacity) {
			memcpy(ret, id, id_size);
			*ret_size = id_size;
			return 0;
		}
		reader_take(&reader, -(size_t)(reader.at - data) & mask);
	}
	return 0;
}

int build_id_read_sections(uint8_t *ret, uint32_t *ret_size, uint32_t capacity, int fd)
{
	cleanup(section_table_fini) struct section_table sections = {};
	uint32_t size = 0, tried = 0;
	int r = section_table_read(&sections, fd);

	for (uint32_t i = 0; i < sections.count && r == 0 && size == 0; i++) {
		if (sections.at[i].sh_type == SHT_NOTE && tried++ < MAX_NOTE_SECTIONS)
			r = build_id_read(ret, &size, capacity, fd, sections.at[i].sh_offset,
					  sections.at[i].sh_size, sections.at[i].sh_addralign);
	}
	if (size)
		*ret_size = size;
	return r;
}

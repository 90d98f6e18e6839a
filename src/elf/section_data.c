// SPDX-License-Identifier: Apache-2.0
#include "elf/section_data.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum {
	CHUNK_BYTES = 48 * 1024, /* a multiple of the size of everything that is read in chunks */
	MAX_NAMES_BYTES = 32 << 20,
	/* Of symbols or relocations; a browser's are 100 MB. Zeros take no room on a disk. */
	MAX_LIST_BYTES = 512 << 20,
};

int section_for_each(int fd, const Elf64_Shdr *section, size_t element,
		     int (*take)(void *context, const void *elements, size_t count,
				 uint64_t address),
		     void *context)
{
	cleanup(free) unsigned char *chunk = malloc(CHUNK_BYTES);
	uint64_t all = section->sh_size < MAX_LIST_BYTES ? section->sh_size : MAX_LIST_BYTES;

	if (!chunk)
		return -ENOMEM;
	for (uint64_t done = 0; all - done >= element;) {
		uint64_t left = all - done;
		size_t size = left < CHUNK_BYTES ? left / element * element : CHUNK_BYTES;
		int r = fs_read_at(fd, chunk, size, (off_t)(section->sh_offset + done));

		if (r < 0)
			return r == -ENODATA ? 0 : r;
		r = take(context, chunk, size / element, section->sh_addr + done);
		if (r < 0)
			return r;
		done += size;
	}
	return 0;
}

int section_read_names(char **ret, uint64_t *ret_size, int fd, const struct section_table *sections,
		       uint32_t number)
{
	const Elf64_Shdr *section = section_table_at(sections, number);
	cleanup(free) char *names = NULL;
	int r;

	if (!section || section->sh_type != SHT_STRTAB || section->sh_size > MAX_NAMES_BYTES)
		return 0;
	names = malloc(section->sh_size + 1);
	if (!names)
		return -ENOMEM;
	r = fs_read_at(fd, names, section->sh_size, (off_t)section->sh_offset);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	names[section->sh_size] = '\0';
	*ret_size = section->sh_size;
	*ret = TAKE_PTR(names);
	return 0;
}

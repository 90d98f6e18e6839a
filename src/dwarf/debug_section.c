// SPDX-License-Identifier: Apache-2.0
#include "dwarf/debug_section.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file_window.h"
#include "base/fs.h"
#include "elf/compressed.h"

#define BUDGET_BYTES (64ULL << 20)

enum {
	BUDGET_TIMES = 64,
	TEXT_STEP = 256,
	MAX_TEXT_BYTES = 16384,
};

#define MAX_UNPACKED_TOTAL (512ULL << 20)

static uint64_t unpacked_total; /* bytes that all sections hold */

int debug_section_open(struct debug_section *ret, int fd, const Elf64_Shdr *header,
		       bool compressed_gnu)
{
	struct debug_section section = { .fd = fd };
	int r;

	*ret = section;
	if (header->sh_type == SHT_NOBITS || header->sh_size == 0)
		return 0;
	section.file_offset = header->sh_offset;
	section.size = header->sh_size;
	if (section_is_compressed(header, compressed_gnu)) {
		r = section_unpack(&section.memory, &section.size, fd, header, compressed_gnu,
				   MAX_UNPACKED_TOTAL - unpacked_total, 0);
		if (r < 0)
			return r;
		unpacked_total += section.size;
	}
	/* Honest files have every part read once or twice; of shared declarations, more often. */
	section.budget = BUDGET_BYTES + BUDGET_TIMES * section.size;
	*ret = section;
	return 0;
}

int debug_section_part(struct debug_section *ret, struct debug_section *whole, uint64_t offset,
		       uint64_t size)
{
	if (offset > whole->size || size > whole->size - offset)
		return -EBADMSG;
	*ret = (struct debug_section){
		.fd = -1, .whole = whole, .file_offset = offset, .size = size
	};
	return 0;
}

void debug_section_fini(struct debug_section *section)
{
	if (section->memory)
		unpacked_total -= section->size;
	free(section->memory);
	free(section->window);
	*section = (struct debug_section){ .fd = -1 };
}

const unsigned char *debug_section_some(struct debug_section *section, uint64_t offset,
					size_t *size)
{
	if (offset >= section->size)
		return NULL;
	if (*size > section->size - offset)
		*size = (size_t)(section->size - offset);
	if (section->whole)
		return debug_section_some(section->whole, section->file_offset + offset, size);
	if (section->memory)
		return section->memory + offset;
	if (!section->window) {
		section->window = malloc(sizeof(*section->window));
		if (!section->window)
			return NULL;
		file_window_init(section->window, section->fd, section->file_offset,
				 section->file_offset + section->size);
	}
	return file_window_some(section->window, offset, size);
}

const unsigned char *debug_section_take(struct debug_section *section, uint64_t offset, size_t size)
{
	size_t some = size;
	const unsigned char *taken = debug_section_some(section, offset, &some);

	return some == size ? taken : NULL;
}

int debug_section_read(struct debug_section *section, void *ret, uint64_t offset, size_t size)
{
	if (offset > section->size || size > section->size - offset)
		return -ENODATA;
	if (section->whole)
		return debug_section_read(section->whole, ret, section->file_offset + offset, size);
	if (section->memory) {
		memcpy(ret, section->memory + offset, size);
		return 0;
	}
	return fs_read_at(section->fd, ret, size, (off_t)(section->file_offset + offset));
}

int debug_section_text(struct debug_section *section, struct bytes *ret, uint64_t offset)
{
	size_t added = 0;

	while (added < MAX_TEXT_BYTES) {
		size_t size = TEXT_STEP, length;
		const unsigned char *some = debug_section_some(section, offset, &size);

		if (!some)
			return -ENODATA;
		length = strnlen((const char *)some, size);
		bytes_add(ret, some, length);
		if (length < size)
			return 0;
		offset += length;
		added += length;
	}
	return 0;
}

bool section_cursor_refill(struct section_cursor *cursor)
{
	enum { LOW = 64, WINDOW = FILE_WINDOW_BYTES };
	struct debug_section *section = cursor->section;
	struct debug_section *payer = section->whole ? section->whole : section;
	size_t size = WINDOW;
	uint64_t passed = LOW;

	if (cursor->begin && reader_left(&cursor->reader) >= LOW)
		return true;
	if (cursor->begin)
		passed = (uint64_t)(cursor->reader.at - cursor->begin);
	if (cursor->begin)
		cursor->offset += passed;
	if (payer->budget <= passed)
		return false;
	payer->budget -= passed;
	cursor->begin = debug_section_some(section, cursor->offset, &size);
	if (!cursor->begin)
		return false;
	cursor->reader = reader_of(cursor->begin, size);
	return true;
}

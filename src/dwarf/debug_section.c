// SPDX-License-Identifier: Apache-2.0
/*
 * ELF gABI, "Section Compression"; ".zdebug_" as binutils wrote it before: "ZLIB" and the size as
 * eight big-endian bytes.
 */
#include "dwarf/debug_section.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/file_window.h"
#include "base/fs.h"

#define BUDGET_BYTES (64ULL << 20)

enum {
	BUDGET_TIMES = 64,
	TEXT_STEP = 256,
	MAX_TEXT_BYTES = 16384,
	INPUT_BYTES = 64 * 1024,
	/* No compiler's output shrinks to less than that; zlib cannot do better than 1 : 1032. */
	MAX_RATIO = 1032,
};

#define MAX_UNPACKED_TOTAL (512ULL << 20)

static uint64_t unpacked_total; /* bytes that all sections hold */

/* The compressed bytes are [offset, offset + size) of the file. */
static int inflate_all(unsigned char *ret, uint64_t ret_size, int fd, uint64_t offset,
		       uint64_t size)
{
	cleanup(free) unsigned char *input = malloc(INPUT_BYTES);
	z_stream stream = {};
	uint64_t done = 0;
	int r = 0, result = Z_OK;

	if (!input || inflateInit(&stream) != Z_OK)
		return -ENOMEM;
	stream.next_out = ret;
	while (r == 0 && result == Z_OK && done < size) {
		size_t some = size - done < INPUT_BYTES ? (size_t)(size - done) : INPUT_BYTES;

		r = fs_read_at(fd, input, some, (off_t)(offset + done));
		stream.next_in = input;
		stream.avail_in = (uInt)some;
		done += some;
		while (r == 0 && result == Z_OK && stream.avail_in) {
			uint64_t left = ret_size - (uint64_t)(stream.next_out - ret);

			stream.avail_out = left < 1 << 30 ? (uInt)left : 1 << 30;
			result = inflate(&stream, Z_NO_FLUSH);
		}
	}
	if (r == 0 && (result != Z_STREAM_END || (uint64_t)(stream.next_out - ret) != ret_size))
		r = -EBADMSG;
	(void)inflateEnd(&stream);
	return r;
}

static int unpack(struct debug_section *section, uint64_t unpacked, uint64_t offset, uint64_t size)
{
	cleanup(free) unsigned char *memory = NULL;
	int r;

	if (unpacked == 0 || unpacked / MAX_RATIO > size)
		return -EBADMSG;
	if (unpacked > MAX_UNPACKED_TOTAL - unpacked_total)
		return -EFBIG;
	memory = malloc(unpacked);
	if (!memory)
		return -ENOMEM;
	r = inflate_all(memory, unpacked, section->fd, offset, size);
	if (r < 0)
		return r;
	section->memory = TAKE_PTR(memory);
	section->size = unpacked;
	unpacked_total += unpacked;
	return 0;
}

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
	if (header->sh_flags & SHF_COMPRESSED) {
		Elf64_Chdr head;

		if (header->sh_size < sizeof(head))
			return -EBADMSG;
		r = fs_read_at(fd, &head, sizeof(head), (off_t)header->sh_offset);
		if (r < 0)
			return r;
		if (head.ch_type != ELFCOMPRESS_ZLIB)
			return -EBADMSG;
		r = unpack(&section, head.ch_size, header->sh_offset + sizeof(head),
			   header->sh_size - sizeof(head));
	} else if (compressed_gnu) {
		struct {
			char magic[4];
			unsigned char size[8];
		} head;
		uint64_t size;

		if (header->sh_size < sizeof(head))
			return -EBADMSG;
		r = fs_read_at(fd, &head, sizeof(head), (off_t)header->sh_offset);
		if (r < 0)
			return r;
		memcpy(&size, head.size, sizeof(size));
		if (memcmp(head.magic, "ZLIB", 4) != 0)
			return -EBADMSG;
		r = unpack(&section, be64toh(size), header->sh_offset + sizeof(head),
			   header->sh_size - sizeof(head));
	} else {
		r = 0;
	}
	/* Honest files have every part read once or twice; of shared declarations, more often. */
	section.budget = BUDGET_BYTES + BUDGET_TIMES * section.size;
	if (r == 0)
		*ret = section;
	return r;
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
	if (section->memory) {
		if (*size > section->size - offset)
			*size = (size_t)(section->size - offset);
		return section->memory + offset;
	}
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
	size_t size = WINDOW;
	uint64_t passed = LOW;

	if (cursor->begin && reader_left(&cursor->reader) >= LOW)
		return true;
	if (cursor->begin)
		passed = (uint64_t)(cursor->reader.at - cursor->begin);
	if (cursor->begin)
		cursor->offset += passed;
	if (section->budget <= passed)
		return false;
	section->budget -= passed;
	cursor->begin = debug_section_some(cursor->section, cursor->offset, &size);
	if (!cursor->begin)
		return false;
	cursor->reader = reader_of(cursor->begin, size);
	return true;
}

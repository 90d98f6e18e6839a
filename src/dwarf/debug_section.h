/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DWARF section of a file: bytes at an offset, whether the section is compressed or not.
 *
 * What is not compressed stays in the file and is read where it is asked for, so that of gigabytes
 * of debug information only the units that somebody needs are ever in memory.
 */
#pragma once

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct file_window;

struct debug_section {
	int fd; /* borrowed */
	struct debug_section
		*whole; /* borrowed; this is its part at file_offset; NULL: of the file */
	uint64_t file_offset, size; /* size 0: there is no such section */
	struct file_window *window; /* made when it is read */
	unsigned char *memory;	    /* unpacked; NULL: it is in the file */
	/*
	 * Bytes that cursors may still go over. Lists and declarations are read again for each who
	 * names them, so that a small file can ask for any amount of work.
	 */
	uint64_t budget;
};

/*
 * compressed_gnu: the section is a ".zdebug_" one. Unpacks what is compressed, as far as 512 MiB
 * in all. Returns 0, -EBADMSG (cannot be unpacked), -EFBIG, -ENOMEM or another negative errno; then
 * the section is as if it were not there.
 */
int debug_section_open(struct debug_section *ret, int fd, const Elf64_Shdr *section,
		       bool compressed_gnu);
/*
 * A part of a section, which has its budget in common with all others. Returns 0, or -EBADMSG: that
 * is not there. whole: borrowed as long as the part.
 */
int debug_section_part(struct debug_section *ret, struct debug_section *whole, uint64_t offset,
		       uint64_t size);
void debug_section_fini(struct debug_section *section);
/* `size` bytes (at most 16 KiB), good until the next call; NULL: they are not all there. */
const unsigned char *debug_section_take(struct debug_section *section, uint64_t offset,
					size_t size);
/* As many of the bytes as there are of up to *size (at most 16 KiB); sets *size; NULL: none. */
const unsigned char *debug_section_some(struct debug_section *section, uint64_t offset,
					size_t *size);
/* Any number of bytes. Returns 0, -ENODATA (they are not all there) or a negative errno. */
int debug_section_read(struct debug_section *section, void *ret, uint64_t offset, size_t size);
/*
 * The NUL-terminated text at an offset, appended without its NUL, and cut at 16 KiB. Returns 0 or
 * -ENODATA.
 */
int debug_section_text(struct debug_section *section, struct bytes *ret, uint64_t offset);

/* Reads a section from some place on, however far that goes. */
struct section_cursor {
	struct debug_section *section;
	uint64_t offset;	    /* of `begin` in the section */
	const unsigned char *begin; /* NULL: nothing was read so far */
	struct reader reader;
};

/*
 * Makes sure that the reader has 64 bytes, or all that are left. Bytes taken before are not good any
 * more. Returns false when there is nothing left, or the section's budget is used up.
 */
bool section_cursor_refill(struct section_cursor *cursor);

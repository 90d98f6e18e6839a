/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a descriptor holds: its lines, one after another, in a buffer that is as large as the longest;
 * or, for what has no lines, piece by piece.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input/progress.h"

enum { LINES_MAX_BYTES = 16 << 20 }; /* of one line */

struct lines {
	int fd; /* borrowed; may be a pipe */
	char *buffer;
	size_t start, end, capacity; /* start..end is read, but not handed out */
	bool at_end;		     /* of the file */
	uint64_t number;	     /* of the line handed out last, from 1 */
	uint64_t bytes;		     /* read so far */
	const struct input_progress *progress; /* borrowed; NULL: nobody waits */
};

/* Named outcomes of lines_next. */
enum { LINES_END = 1, LINES_TOO_LONG = 2 };

static inline struct lines lines_of(int fd)
{
	return (struct lines){ .fd = fd };
}
/* Of what is in memory, which was malloc'ed, and is the lines' now. */
static inline struct lines lines_of_memory(char *bytes, size_t size)
{
	return (struct lines){
		.fd = -1, .buffer = bytes, .end = size, .capacity = size, .at_end = true
	};
}
void lines_fini(struct lines *lines);
static inline void lines_fini_cleanup(struct lines *lines)
{
	lines_fini(lines);
}
/*
 * Reads ahead until there are `size` bytes or the file ends. Returns 0 with what there is in *ret
 * and *ret_size (borrowed until the next call; maybe more, maybe less), or a negative errno.
 */
int lines_peek(struct lines *lines, const char **ret, size_t *ret_size, size_t size);
/*
 * The next line without its end ("\n" or "\r\n"; the last one needs none), borrowed until the next
 * call. Returns 0, LINES_END, LINES_TOO_LONG or a negative errno.
 */
int lines_next(struct lines *lines, const char **ret, size_t *ret_size);
/*
 * The next bytes, as many as are there at once, for formats that have no lines. Returns 0 with *ret
 * borrowed until the next call and *ret_size, which is 0 at the end of the file, or a negative errno.
 */
int lines_piece(struct lines *lines, const char **ret, size_t *ret_size);

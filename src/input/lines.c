// SPDX-License-Identifier: Apache-2.0
#include "input/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Large enough that system calls do not matter, small enough to stay in the cache. */
enum { BUFFER_BYTES = 256 << 10 };

void lines_fini(struct lines *lines)
{
	free(lines->buffer);
	*lines = (struct lines){ .fd = -1 };
}

/* Makes room behind what is there. */
static int make_room(struct lines *lines)
{
	size_t left = lines->end - lines->start, capacity = lines->capacity;
	char *grown;

	if (lines->start) {
		memmove(lines->buffer, lines->buffer + lines->start, left);
		lines->start = 0;
		lines->end = left;
	}
	if (left < capacity / 2)
		return 0;
	capacity = capacity ? capacity * 2 : BUFFER_BYTES;
	grown = realloc(lines->buffer, capacity);
	if (!grown)
		return -ENOMEM;
	lines->buffer = grown;
	lines->capacity = capacity;
	return 0;
}

static int read_more(struct lines *lines)
{
	int r = make_room(lines);
	ssize_t size;

	if (r < 0)
		return r;
	do
		size = read(lines->fd, lines->buffer + lines->end, lines->capacity - lines->end);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	lines->end += (size_t)size;
	lines->bytes += (uint64_t)size;
	input_progress_tell(lines->progress, INPUT_READING, lines->bytes, 0);
	lines->at_end = size == 0;
	return 0;
}

int lines_peek(struct lines *lines, const char **ret, size_t *ret_size, size_t size)
{
	int r = 0;

	while (r == 0 && !lines->at_end && lines->end - lines->start < size)
		r = read_more(lines);
	if (r < 0)
		return r;
	*ret_size = lines->end - lines->start;
	*ret = *ret_size ? lines->buffer + lines->start : "";
	return 0;
}

int lines_next(struct lines *lines, const char **ret, size_t *ret_size)
{
	size_t searched = 0;

	for (;;) {
		size_t left = lines->end - lines->start, size;
		char *begin = lines->buffer + lines->start;
		const char *newline = NULL;
		int r;

		if (left > searched)
			newline = memchr(begin + searched, '\n', left - searched);
		size = newline ? (size_t)(newline - begin) : left;
		if (size > LINES_MAX_BYTES) {
			lines->number++;
			return LINES_TOO_LONG;
		}
		if (newline || (lines->at_end && left)) {
			lines->start += size + (newline != NULL);
			lines->number++;
			size -= size && begin[size - 1] == '\r';
			*ret = begin;
			*ret_size = size;
			return 0;
		}
		if (lines->at_end)
			return LINES_END;
		searched = left;
		r = read_more(lines);
		if (r < 0)
			return r;
	}
}

int lines_piece(struct lines *lines, const char **ret, size_t *ret_size)
{
	int r = lines_peek(lines, ret, ret_size, 1);

	if (r == 0)
		lines->start = lines->end;
	return r;
}

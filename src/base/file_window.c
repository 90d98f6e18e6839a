// SPDX-License-Identifier: Apache-2.0
#include "base/file_window.h"

#include <stdbool.h>

#include "base/fs.h"

void file_window_init(struct file_window *window, int fd, uint64_t begin, uint64_t end)
{
	window->fd = fd;
	window->begin = begin;
	window->end = end < begin ? begin : end;
	window->at = begin;
	window->size = 0;
	window->error = 0;
	window->reads = 0;
}

/* Makes sure that the buffer holds [at, at + size), which lies inside. */
static bool fill(struct file_window *window, uint64_t at, size_t size)
{
	uint64_t left = window->end - at;
	int r;

	if (at >= window->at && at - window->at <= window->size &&
	    size <= window->size - (at - window->at))
		return true;
	window->size = 0;
	window->at = at;
	window->reads++;
	if (left > FILE_WINDOW_BYTES)
		left = FILE_WINDOW_BYTES;
	r = fs_read_at(window->fd, window->bytes, left, (off_t)at);
	if (r < 0) {
		if (window->error == 0)
			window->error = r;
		return false;
	}
	window->size = (uint32_t)left;
	return true;
}

const unsigned char *file_window_take(struct file_window *window, uint64_t offset, size_t size)
{
	uint64_t inside = window->end - window->begin;

	if (size > FILE_WINDOW_BYTES || offset > inside || size > inside - offset ||
	    !fill(window, window->begin + offset, size))
		return NULL;
	return window->bytes + (window->begin + offset - window->at);
}

const unsigned char *file_window_some(struct file_window *window, uint64_t offset, size_t *size)
{
	uint64_t inside = window->end - window->begin;

	if (offset >= inside)
		return NULL;
	if (*size > inside - offset)
		*size = inside - offset;
	return file_window_take(window, offset, *size);
}

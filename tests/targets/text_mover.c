// SPDX-License-Identifier: Apache-2.0
/* Library of text_moves.c: the code that runs while that program's own is being exchanged. */
#include "text_mover.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *need(void *memory)
{
	if (memory == MAP_FAILED)
		_exit(3);
	return memory;
}

static void *map(void *at, size_t bytes, int protection, int flags, int fd)
{
	return need(mmap(at, bytes, protection, MAP_PRIVATE | flags, fd, 0));
}

static void *prepared_copy(const void *start, size_t bytes)
{
	void *copy = map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1);

	memcpy(copy, start, bytes);
	return copy;
}

static void cover(void *start, size_t bytes)
{
	void *copy = prepared_copy(start, bytes);

	map(start, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_FIXED, -1);
	memcpy(start, copy, bytes);
	if (mprotect(start, bytes, PROT_READ | PROT_EXEC) != 0)
		_exit(3);
	munmap(copy, bytes);
}

static void swap(void *start, size_t bytes)
{
	void *copy = prepared_copy(start, bytes);

	if (mprotect(copy, bytes, PROT_READ | PROT_EXEC) != 0)
		_exit(3);
	need(mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, start));
}

static void cover_by_file(void *start, size_t bytes)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	if (fd < 0 || write(fd, start, bytes) != (ssize_t)bytes)
		_exit(3);
	map(start, bytes, PROT_READ | PROT_EXEC, MAP_FIXED, fd);
	close(fd);
}

static void *move(void *start, size_t bytes)
{
	void *room = map(NULL, bytes, PROT_NONE, MAP_ANONYMOUS, -1);

	return need(mremap(start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, room));
}

void *text_exchange(enum text_way way, void *start, size_t bytes)
{
	switch (way) {
	case TEXT_SPLIT:
		if (mprotect(start, bytes, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
			_exit(3);
		break;
	case TEXT_COVERED:
		cover(start, bytes);
		break;
	case TEXT_SWAPPED:
		swap(start, bytes);
		break;
	case TEXT_FILE:
		cover_by_file(start, bytes);
		break;
	case TEXT_MOVED:
		return move(start, bytes);
	}
	return start;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file whose contents are the input. It is the same one every time, because making a file takes
 * longer than most of what is done with it.
 */
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* Borrowed; good until the next call. */
static inline int memory_file(const void *data, size_t size)
{
	static size_t last_size;
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("input", MFD_CLOEXEC);
		/* Times of access take longer to keep than small reads. */
		FUZZ_CHECK(fd >= 0 && fcntl(fd, F_SETFL, O_NOATIME) == 0);
	}
	if (size != last_size)
		FUZZ_CHECK(ftruncate(fd, (off_t)size) == 0);
	last_size = size;
	FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	return fd;
}

/* What is in it now, in a second file: for who needs two at once. Borrowed; good until the next call. */
static inline int memory_file_copy(int fd)
{
	static int copy = -1;
	off_t from = 0;
	struct stat st;

	if (copy < 0)
		copy = memfd_create("copy", MFD_CLOEXEC);
	FUZZ_CHECK(copy >= 0 && fstat(fd, &st) == 0 && ftruncate(copy, 0) == 0 &&
		   lseek(copy, 0, SEEK_SET) == 0);
	FUZZ_CHECK(sendfile(copy, fd, &from, (size_t)st.st_size) == st.st_size);
	return copy;
}

/* Another descriptor of it, for who closes what it is given. */
static inline int memory_file_again(int fd)
{
	int again = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	FUZZ_CHECK(again >= 0);
	return again;
}

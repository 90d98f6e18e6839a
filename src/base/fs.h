/* SPDX-License-Identifier: Apache-2.0 */
/* Files: read within a limit, written whole or not at all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/bytes.h"

/*
 * Reads a whole file, /proc files included, into *ret (appended).
 * dirfd: as openat. limit_bytes: a larger file is -EFBIG, with its beginning in *ret.
 * Returns 0 or a negative errno, -EINVAL for what is not a regular file: names found beside targets
 * may be pipes and devices.
 */
int fs_read(struct bytes *ret, int dirfd, const char *path, size_t limit_bytes);
/* The same from an open descriptor, from its current position. */
int fs_read_fd(struct bytes *ret, int fd, size_t limit_bytes);
/* Reads exactly `size` bytes at `offset`. Returns 0, -ENODATA past the file's end, or -errno. */
int fs_read_at(int fd, void *ret, size_t size, off_t offset);
/*
 * For descriptors that are kept: there can be as many as the target has files, and some must stay
 * free for the rest. Returns fd, or closes it and returns -EMFILE when it is one of the last.
 */
int fs_spare(int fd);
/*
 * Opens a file that somebody else named for reading. Not even opened is what could block or have
 * effects by that: pipes, devices, and what the kernel makes up (/proc). Returns the descriptor (fs_spare),
 * -EINVAL for what is not a file that is kept somewhere, or another negative errno.
 */
int fs_open_regular(const char *path);
/*
 * Closes a folder (O_PATH) without waiting for it: the last user of a file system that was unmounted
 * writes back what it holds. What may take for ever is for base/parcel.h: a process does not end
 * before its threads.
 */
void fs_close_aside(int fd);
/* Writes everything. Returns 0 or a negative errno. */
int fs_write_all(int fd, const void *data, size_t size);

/*
 * A file that appears whole or not at all: written to a hidden file beside it (no name at all where
 * the file system has O_TMPFILE, so that even kill -9 leaves nothing), then put in place at once.
 * Under sudo it belongs to the invoking user.
 */
struct fs_atomic {
	int fd;		/* write here; -1 once committed or abandoned */
	char *path;	/* final name; NULL when `fd` was opened directly (a pipe, a terminal) */
	char *temp;	/* temporary name; NULL while nameless */
	bool exclusive; /* never replace an existing file */
};

#define FS_ATOMIC_NULL                                                                             \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * path: "-" is stdout; a name of something that is not a regular file (/dev/null, a pipe) is opened
 * and written directly, and so is a link of /dev or /proc to an open file (/dev/stdout). A link
 * elsewhere is replaced by the file. exclusive: -EEXIST at commit when the name is taken by then.
 * Returns 0 or a negative errno.
 */
int fs_atomic_open(struct fs_atomic *file, const char *path, bool exclusive);
/* Makes the file visible under its name. Returns 0, or -errno (then nothing is visible). */
int fs_atomic_commit(struct fs_atomic *file);
/* Leaves nothing behind. Harmless after commit. */
void fs_atomic_abandon(struct fs_atomic *file);

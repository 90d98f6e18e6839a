/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a file below a folder that belongs to somebody else, such as a container's root. */
#pragma once

#include <stdint.h>

enum rooted_flags {
	ROOTED_FOLLOW = 1, /* the last component may be a symbolic link */
	ROOTED_LOCAL = 2,  /* only what is on a disk or in memory */
};

/*
 * Opens a regular file for reading. root: folder that `path`, its symbolic links and its ".." are
 * confined to ("" is our own root). flags: enum rooted_flags.
 * Devices, pipes and what the kernel makes up (/proc/kmsg) are found out before they are opened, for
 * opening one can have effects.
 * Returns the descriptor, -EFBIG when larger than limit_bytes, -ELOOP for an unwanted link,
 * -EINVAL when not a regular file of a kind that is wanted, or another negative errno.
 */
int rooted_open(const char *root, const char *path, unsigned flags, uint64_t limit_bytes);
/* The same below the folder open as `rootfd`. */
int rooted_openat(int rootfd, const char *path, unsigned flags, uint64_t limit_bytes);

/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a file below a folder that belongs to somebody else, such as a container's root. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Opens a regular file for reading. root: folder that `path`, its symbolic links and its ".." are
 * confined to ("" is our own root). follow: whether the last component may be a symbolic link.
 * Devices and pipes are found out before they are opened, for opening one can have effects.
 * Returns the descriptor, -EFBIG when larger than limit_bytes, -ELOOP for an unwanted link,
 * -EINVAL when not a regular file, or another negative errno.
 */
int rooted_open(const char *root, const char *path, bool follow, uint64_t limit_bytes);
/* The same below the folder open as `rootfd`. */
int rooted_openat(int rootfd, const char *path, bool follow, uint64_t limit_bytes);

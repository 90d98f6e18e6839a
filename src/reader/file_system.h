/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of file system an open file is on. */
#pragma once

#include <stdbool.h>

/* One that asks somebody else (FUSE, NFS): it may never answer, and stamps files by another clock. */
bool file_system_is_remote(int fd);
/* One that shows files of others as its own, under inode numbers of its own. */
bool file_system_is_overlay(int fd);
/* One whose files may have another device by fstat(2) than by their mappings. */
bool file_system_has_many_devices(int fd);

/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of file system an open file is on. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * One that may ask somebody else (FUSE, NFS, and whatever is not known to be of disks or memory): it
 * may never answer, and stamps files by another clock.
 */
bool file_system_is_remote(int fd);
/* One that shows files of others as its own, under inode numbers of its own. */
bool file_system_is_overlay(int fd);
/*
 * Has nobody but root chosen who tells of the file? By a FUSE, also one below an overlay in a user
 * namespace of his own, any user makes files say of themselves what he likes. It must be on a mount
 * that the process sees in a mount namespace of our own user namespace: a descriptor can come from
 * anywhere, mapped or not.
 */
bool file_system_is_honest(int fd, pid_t pid);
/* One whose files may have another device by fstat(2) than by their mappings. */
bool file_system_has_many_devices(int fd);

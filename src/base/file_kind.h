/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is kept in, by its file system. */
#pragma once

enum file_kind {
	FILE_LOCAL,  /* disks or memory: this kernel alone answers */
	FILE_REMOTE, /* may ask somebody else: FUSE, networks, and whatever is not known */
	FILE_KERNEL, /* nothing: the kernel makes it up, and opening or reading it can have effects */
};

/* Of an open file, also one that was opened with O_PATH only. What does not say is FILE_REMOTE. */
enum file_kind file_kind_of(int fd);

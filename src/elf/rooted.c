// SPDX-License-Identifier: Apache-2.0
/*
 * openat2 (Linux 5.6) resolves as chroot would, without entering: nothing that the owner of the
 * folder does to links while we walk leads out of it.
 */
#include "elf/rooted.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file_kind.h"
#include "base/fs.h"

static bool is_wanted(enum file_kind kind, unsigned flags)
{
	return kind == FILE_LOCAL || (kind == FILE_REMOTE && !(flags & ROOTED_LOCAL));
}

int rooted_openat(int rootfd, const char *path, unsigned flags, uint64_t limit_bytes)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (flags & ROOTED_FOLLOW ? 0 : O_NOFOLLOW),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup(close) int place = -1;
	char self[32];
	struct stat st;
	int fd;

	/* EAGAIN: a rename somewhere made the kernel unsure whether ".." stayed inside. */
	for (unsigned attempt = 0; attempt < 16; attempt++) {
		place = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
		if (place >= 0 || errno != EAGAIN)
			break;
	}
	if (place < 0)
		return -errno;
	if (fstat(place, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!S_ISREG(st.st_mode) || !is_wanted(file_kind_of(place), flags))
		return -EINVAL;
	if ((uint64_t)st.st_size > limit_bytes)
		return -EFBIG;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
	/* Nor to wait for whoever has a lease on it (F_SETLEASE). */
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fs_spare(fd);
}

int rooted_open(const char *root, const char *path, unsigned flags, uint64_t limit_bytes)
{
	cleanup(close) int rootfd = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return rootfd < 0 ? -errno : rooted_openat(rootfd, path, flags, limit_bytes);
}

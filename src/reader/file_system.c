// SPDX-License-Identifier: Apache-2.0
#include "reader/file_system.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file_kind.h"

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546 /* linux/magic.h, since 5.7 */
#endif

bool file_system_is_remote(int fd)
{
	return file_kind_of(fd) != FILE_LOCAL;
}

static bool is_of_kind(int fd, uint32_t magic)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && (uint32_t)st.f_type == magic;
}

bool file_system_is_overlay(int fd)
{
	return is_of_kind(fd, OVERLAYFS_SUPER_MAGIC);
}

bool file_system_has_many_devices(int fd)
{
	return is_of_kind(fd, BTRFS_SUPER_MAGIC) || file_system_is_overlay(fd);
}

/* The process's mount namespace is one of our own user namespace. process: its folder in /proc. */
static bool has_our_mounts(int process)
{
	cleanup(close) int mounts = openat(process, "ns/mnt", O_RDONLY | O_CLOEXEC);
	cleanup(close) int owner = mounts < 0 ? -1 : ioctl(mounts, NS_GET_USERNS);
	struct stat theirs, ours;

	return owner >= 0 && fstat(owner, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

/*
 * What follows " - " in the line of that number in a proc_pid_mountinfo(5): type, source and options.
 * Blanks within them are escaped. Consumes fd. Returns NULL when there is none.
 */
static char *find_mount(int fd, uint64_t number)
{
	FILE *file = fdopen(fd, "r");
	char *line = NULL, *found = NULL;
	size_t size = 0;

	if (!file) {
		(void)close(fd);
		return NULL;
	}
	while (!found && getline(&line, &size, file) > 0) {
		const char *type = strstr(line, " - ");

		if (strtoull(line, NULL, 10) == number && type)
			found = strdup(type + 3);
	}
	(void)fclose(file);
	free(line);
	return found;
}

/* The same of the mount that an open file is on, if the process sees it and it is root's. */
static char *find_mount_of_root(int fd, pid_t pid)
{
	cleanup(close) int process = -1;
	cleanup(close) int mounts = -1;
	struct statx file;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* It shows the namespace of this moment; from others nobody gets into one of ours. */
	mounts = process < 0 ? -1 : openat(process, "mountinfo", O_RDONLY | O_CLOEXEC);
	if (mounts < 0 || !has_our_mounts(process) ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &file) < 0 ||
	    !(file.stx_mask & STATX_MNT_ID))
		return NULL;
	return find_mount(TAKE_FD(mounts), file.stx_mnt_id);
}

/* A FUSE says for whom it is; virtiofs says nothing. Options that follow are numbers and words. */
static bool is_fuse_of_root(const char *mount)
{
	static const char option[] = "user_id=";
	const char *last = NULL;

	if (strncmp(mount, "fuse", 4) != 0)
		return true;
	for (const char *at = mount; (at = strstr(at, option)); at++)
		last = at;
	return last && last[sizeof(option) - 1] == '0' && last[sizeof(option)] == ',';
}

bool file_system_is_honest(int fd, pid_t pid)
{
	bool is_fuse = is_of_kind(fd, FUSE_SUPER_MAGIC);
	cleanup(free) char *mount = NULL;

	/* All others that a user can mount (tmpfs) are told by this kernel, which stamps files. */
	if (!is_fuse && !file_system_is_overlay(fd))
		return true;
	mount = find_mount_of_root(fd, pid);
	if (!mount)
		mount = find_mount_of_root(fd, getpid());
	return mount && (!is_fuse || is_fuse_of_root(mount));
}

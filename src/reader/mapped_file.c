// SPDX-License-Identifier: Apache-2.0
/*
 * A file is the right one by its device, its inode number and the generation of that number, for
 * file systems give the number of a deleted file to the next one they make, and those of two
 * containers may number their files alike. On overlayfs a mapping may tell of the inode below, which
 * the opened file does not have, and on btrfs of another device. The right file holds the right code
 * when it was not written to since it was mapped.
 */
#include "reader/mapped_file.h"

#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "reader/file_system.h"

/* Not every file system tells the generation, or has one. */
static bool has_generation(int fd, uint64_t generation)
{
	int found = 0;

	return !generation || ioctl(fd, FS_IOC_GETVERSION, &found) < 0 ||
	       (uint32_t)found == (uint32_t)generation;
}

/* The file at `path`, if it is the mapping's. overlay: whether it may lie on an overlay. */
static int open_same(const char *path, const struct wire_open_mapping *mapping, bool overlay,
		     struct stat *st)
{
	cleanup(close) int fd = fs_open_regular(path);

	if (fd < 0)
		return fd;
	if (fstat(fd, st) < 0)
		return -errno;
	if (st->st_ino == mapping->inode &&
	    (st->st_dev == mapping->device || file_system_has_many_devices(fd)))
		return has_generation(fd, mapping->inode_generation) ? TAKE_FD(fd) : -ENOENT;
	return overlay && file_system_is_overlay(fd) ? TAKE_FD(fd) : -ENOENT;
}

/*
 * Is the file known to hold what it held when it was mapped? Stamps of the future say that the clock
 * was set back.
 */
static bool is_as_mapped(int fd, const struct stat *st, const struct wire_open_mapping *mapping)
{
	uint64_t now = clock_ns(CLOCK_REALTIME), apart = now - clock_ns(CLOCK_MONOTONIC);
	uint64_t written = (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;

	return !mapping->mapped_ns || written <= mapping->mapped_ns + apart || written > now ||
	       file_system_is_remote(fd);
}

static int open_below_root(pid_t pid, const char *path, const struct wire_open_mapping *mapping,
			   struct stat *st)
{
	char below[PATH_MAX + 64];

	snprintf(below, sizeof(below), "/proc/%d/root%s", (int)pid, path);
	return open_same(below, mapping, false, st);
}

int mapped_file_open(const struct wire_open_mapping *mapping, const char *path, pid_t *whose)
{
	char by_process[64];
	cleanup(close) int fd = -1;
	struct stat st;

	if (mapping->still_there) {
		snprintf(by_process, sizeof(by_process), "/proc/%d/map_files/%llx-%llx",
			 (int)mapping->thread, (unsigned long long)mapping->start,
			 (unsigned long long)mapping->end);
		fd = open_same(by_process, mapping, true, &st);
	}
	if (fd < 0 && (path[0] != '/' || strlen(path) >= PATH_MAX))
		return -ENOENT;
	*whose = mapping->thread;
	if (fd < 0)
		fd = open_below_root(mapping->thread, path, mapping, &st);
	/* The process is gone: its file as we see it, or in a container what it came from. */
	if (fd < 0)
		fd = open_same(path, mapping, false, &st);
	for (unsigned i = 0; fd < 0 && i < WIRE_ANCESTORS && mapping->ancestors[i] > 0; i++) {
		*whose = mapping->ancestors[i];
		fd = open_below_root(*whose, path, mapping, &st);
	}
	return fd >= 0 && is_as_mapped(fd, &st, mapping) ? TAKE_FD(fd) : -ENOENT;
}

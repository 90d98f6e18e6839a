// SPDX-License-Identifier: Apache-2.0
#include "proc/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { FOLDER = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

/* A mount of our own that is in nobody's tree: its root is the root of our cgroup namespace. */
static int mount_nowhere(void)
{
	cleanup(close) int context = fsopen("cgroup2", FSOPEN_CLOEXEC);
	int fd;

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(context, FSMOUNT_CLOEXEC,
		     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The first place where somebody has mounted the hierarchy. */
static int open_mount(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	int r = -ENODEV;

	if (!mounts)
		return -errno;
	while (r < 0 && (entry = getmntent(mounts))) {
		if (strcmp(entry->mnt_type, "cgroup2") != 0)
			continue;
		r = open(entry->mnt_dir, FOLDER);
		if (r < 0)
			r = -errno;
	}
	endmntent(mounts);
	return r;
}

static int open_name(int *ret, const char *name)
{
	struct open_how how = { .flags = FOLDER, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	cleanup(close) int root = mount_nowhere();
	int fd;

	if (root < 0)
		root = open_mount();
	if (root < 0)
		return root;
	name += strspn(name, "/");
	fd = (int)syscall(SYS_openat2, root, *name ? name : ".", &how, sizeof(how));
	if (fd < 0)
		return errno == EXDEV ? CGROUP_OUTSIDE : -errno;
	*ret = fd;
	return 0;
}

int cgroup_open(int *ret, const char *path)
{
	cleanup(close) int fd = path[0] == '/' ? open(path, FOLDER) : -1;
	struct statfs fs = {};
	int r;

	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
		*ret = TAKE_FD(fd);
		return 0;
	}
	r = open_name(ret, path);
	return r == -ENOENT && fs.f_type == CGROUP_SUPER_MAGIC ? CGROUP_OF_VERSION_1 : r;
}

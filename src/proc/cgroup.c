// SPDX-License-Identifier: Apache-2.0
#include "proc/cgroup.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"

/* The mount point of the hierarchy: the first cgroup2 mount. */
static int mount_point(char ret[PATH_MAX])
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	int r = -ENODEV;

	if (!mounts)
		return -errno;
	while ((entry = getmntent(mounts))) {
		if (strcmp(entry->mnt_type, "cgroup2") != 0)
			continue;
		if (snprintf(ret, PATH_MAX, "%s", entry->mnt_dir) < PATH_MAX)
			r = 0;
		break;
	}
	endmntent(mounts);
	return r;
}

int cgroup_find(struct cgroup *ret, const char *path)
{
	char root[PATH_MAX], joined[2 * PATH_MAX];
	cleanup(free) char *real = NULL, *real_root = NULL;
	struct statfs fs;
	struct stat st;
	int r = mount_point(root);

	if (r < 0)
		return r;
	real_root = realpath(root, NULL);
	if (!real_root)
		return -errno;
	if (path[0] == '/')
		real = realpath(path, NULL);
	if (!real || statfs(real, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC) {
		free(real);
		snprintf(joined, sizeof(joined), "%s/%s", root, path);
		real = realpath(joined, NULL);
	}
	if (!real)
		return -errno;
	if (statfs(real, &fs) < 0 || stat(real, &st) < 0)
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC || !S_ISDIR(st.st_mode))
		return -ENOENT;
	if (strncmp(real, real_root, strlen(real_root)) != 0)
		return -ENOENT;
	ret->id = st.st_ino;
	ret->level = 0;
	for (const char *at = real + strlen(real_root); *at; at++)
		ret->level += at[0] == '/' && at[1] != '\0';
	return 0;
}

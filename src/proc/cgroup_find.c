// SPDX-License-Identifier: Apache-2.0
#include "proc/cgroup_find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "proc/cgroup.h"
#include "proc/cgroup_name.h"

enum {
	DEPTH_MAX = 32,
	GROUPS_MAX = 1 << 18, /* a kernel has no more than 65 536 by default */
	TOLD_MAX = 3,
	ID_DIGITS_MIN = 6,
};

struct search {
	enum cgroup_kind kind;
	const char *name;
	struct bytes *ret;
	unsigned found;
	uint32_t left; /* groups that are still looked at */
};

static bool is_unit(const char *folder, const char *name)
{
	size_t size = strlen(name);

	folder += *folder == '_';
	return strncmp(folder, name, size) == 0 &&
	       (!folder[size] || (!cgroup_is_unit(name) && strcmp(folder + size, ".service") == 0));
}

static bool is_container(const char *folder, const char *name)
{
	char container[CGROUP_NAME_BYTES];
	size_t size = strlen(name);

	return cgroup_container_of(container, folder) &&
	       (strcmp(container, name) == 0 ||
		(size >= ID_DIGITS_MIN && strspn(container, "0123456789abcdef") == 64 &&
		 strncmp(container, name, size) == 0));
}

static bool fits(const struct search *search, const char *folder)
{
	return search->kind == CGROUP_UNIT ? is_unit(folder, search->name)
					   : is_container(folder, search->name);
}

static void take(struct search *search, const char *path)
{
	if (search->found++ < TOLD_MAX)
		bytes_add_format(search->ret, "%s%s", search->found > 1 ? ", " : "", path);
}

/* path: of the folder, "" or with "/" at its end. What is below a group that fits is part of it. */
static int look(struct search *search, int fd, const char *path, unsigned depth)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	cleanup(closedir) DIR *folder = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int r = 0;

	if (!folder) {
		if (copy >= 0)
			close(copy);
		return -errno;
	}
	/* The copy goes on where the caller's descriptor stands. */
	rewinddir(folder);
	while (r == 0 && (entry = readdir(folder))) {
		cleanup(bytes_fini) struct bytes below = {};
		cleanup(close) int child = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (!search->left--)
			return -E2BIG;
		bytes_add_format(&below, "%s%s", path, entry->d_name);
		if (!bytes_str(&below))
			return -ENOMEM;
		if (fits(search, entry->d_name)) {
			take(search, below.at);
			continue;
		}
		if (depth == DEPTH_MAX)
			continue;
		/* It may be gone by now. */
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		bytes_add_char(&below, '/');
		if (child >= 0 && bytes_str(&below))
			r = look(search, child, below.at, depth + 1);
	}
	return r;
}

int cgroup_find(struct bytes *ret, int root, enum cgroup_kind kind, const char *name)
{
	struct search search = { .kind = kind, .name = name, .ret = ret, .left = GROUPS_MAX };
	int r = look(&search, root, "", 0);

	if (r < 0)
		return r;
	if (ret->failed)
		return -ENOMEM;
	return search.found == 0 ? -ENOENT : search.found > 1 ? CGROUP_AMBIGUOUS : 0;
}

int cgroup_find_here(struct bytes *ret, enum cgroup_kind kind, const char *name)
{
	cleanup(close) int root = -1;
	int r = cgroup_open(&root, "/");

	/* "/" is a folder, too, but none of the hierarchy: it is taken as a name. */
	return r != 0 ? (r < 0 ? r : -ENODEV) : cgroup_find(ret, root, kind, name);
}

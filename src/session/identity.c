// SPDX-License-Identifier: Apache-2.0
/*
 * The id of a control group is the number of its folder's inode and generation (kernfs), which a file
 * handle of that file system consists of (include/linux/exportfs.h, FILEID_KERNFS): so it leads to the
 * folder, and that to its path, also when no process is left in it.
 */
#include "session/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "proc/cgroup.h"
#include "proc/cgroup_name.h"

enum {
	GROUPS_MAX = 4096, /* then all are looked up again */
	USERS_MAX = 4096,
	HANDLE_KERNFS = 0xfe,
};

#define USERS_NS 60000000000ULL
/* So long a process is believed to be where it was, and its pid to be its own. */
#define PROCESS_NS 10000000000ULL

/* The root's id says nothing where another hierarchy is in use beside it. */
static bool is_only_version_2(void)
{
	cleanup(fclose) FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 256];
	bool only = file != NULL;

	while (file && fgets(line, sizeof(line), file))
		only &= strncmp(line, "0::", 3) == 0;
	return only;
}

void identities_init(struct identities *i)
{
	*i = (struct identities){ .root = -1, .only_version_2 = is_only_version_2() };
	if (cgroup_open(&i->root, "/") != 0)
		i->root = -1;
}

static void group_fini(struct group_identity *group)
{
	free(group->path);
	free(group->unit);
	free(group->container);
	free(group->pod);
}

static void forget_groups(struct identities *i)
{
	for (uint32_t k = 0; k < i->groups.count; k++)
		group_fini(&i->groups.at[k]);
	array_fini(&i->groups);
	hash_index_fini(&i->group_index);
}

static void forget_users(struct identities *i)
{
	for (uint32_t k = 0; k < i->users.count; k++)
		free(i->users.at[k].name);
	array_fini(&i->users);
}

void identities_fini(struct identities *i)
{
	forget_groups(i);
	forget_users(i);
	if (i->root >= 0)
		close(i->root);
}

/* ---- groups ---- */

static int path_of_fd(char ret[PATH_MAX], int fd)
{
	char link[64];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, ret, PATH_MAX - 1);
	if (size < 0)
		return -errno;
	ret[size] = '\0';
	return 0;
}

/* Below the root of the hierarchy: "/system.slice/nginx.service". */
static int path_of_id(char ret[PATH_MAX], const struct identities *i, uint64_t id)
{
	struct {
		struct file_handle head;
		uint64_t id;
	} handle = { { .handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS }, id };
	char root[PATH_MAX], path[PATH_MAX];
	cleanup(close) int fd = -1;
	size_t size;

	if (i->root < 0)
		return -ENODEV;
	fd = open_by_handle_at(i->root, &handle.head, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (path_of_fd(root, i->root) < 0 || path_of_fd(path, fd) < 0)
		return -ENOENT;
	size = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(path, root, size) != 0)
		return -ENOENT;
	snprintf(ret, PATH_MAX, "%s", path[size] ? path + size : "/");
	return 0;
}

/* As the process tells it: the line of the version 2 hierarchy ("0::/path"), or the first one. */
static int path_of_process(char ret[PATH_MAX], pid_t pid)
{
	char name[64], line[PATH_MAX + 256];
	cleanup(fclose) FILE *file = NULL;
	int r = -ENOENT;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	file = fopen(name, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		char *path = strchr(line, ':');

		path = path ? strchr(path + 1, ':') : NULL;
		if (!path || (r == 0 && strncmp(line, "0::", 3) != 0))
			continue;
		path[1 + strcspn(path + 1, "\n")] = '\0';
		/* A version 2 hierarchy nobody uses says nothing. */
		if (r == 0 && strcmp(path + 1, "/") == 0)
			continue;
		snprintf(ret, PATH_MAX, "%s", path + 1);
		r = 0;
	}
	return r;
}

/* Returns 0, or -ENOMEM with nothing in *ret. */
static int group_init(struct group_identity *ret, uint64_t key, const char *path)
{
	struct cgroup_identity names;

	cgroup_identify(&names, path);
	*ret = (struct group_identity){ key,
					strdup(path),
					strdup(names.unit),
					strdup(names.container),
					strdup(names.pod),
					clock_ns(CLOCK_MONOTONIC) };
	if (ret->path && ret->unit && ret->container && ret->pod)
		return 0;
	group_fini(ret);
	return -ENOMEM;
}

/* Processes move, and pids are given to others; one that has ended stays what it was. */
static void look_again(struct group_identity *group, pid_t pid)
{
	struct group_identity now;
	char path[PATH_MAX];

	if (clock_ns(CLOCK_MONOTONIC) - group->read_ns < PROCESS_NS)
		return;
	group->read_ns = clock_ns(CLOCK_MONOTONIC);
	if (path_of_process(path, pid) < 0 || strcmp(path, group->path) == 0 ||
	    group_init(&now, group->id, path) < 0)
		return;
	group_fini(group);
	*group = now;
}

const struct group_identity *identities_group(struct identities *i, uint64_t id, pid_t pid)
{
	/* Where version 1 is used, all may have the same id: that of the root. */
	bool tells = id > 1 || (id == 1 && i->only_version_2);
	uint64_t key = tells ? id : 1ULL << 63 | (uint64_t)pid;
	uint32_t at = hash_index_find(&i->group_index, hash_u64(key), NULL, NULL, NULL);
	struct group_identity *group;
	char path[PATH_MAX];

	if (at != HASH_ABSENT) {
		if (!tells)
			look_again(&i->groups.at[at], pid);
		return &i->groups.at[at];
	}
	if ((!tells || path_of_id(path, i, id) < 0) && (!pid || path_of_process(path, pid) < 0))
		return NULL;
	if (i->groups.count >= GROUPS_MAX)
		forget_groups(i);
	group = array_push(&i->groups);
	if (!group)
		return NULL;
	if (group_init(group, key, path) < 0) {
		i->groups.count--;
		return NULL;
	}
	if (hash_index_add(&i->group_index, hash_u64(key), i->groups.count - 1) < 0) {
		group_fini(group);
		i->groups.count--;
		return NULL;
	}
	return group;
}

/* ---- users ---- */

static void read_users(struct identities *i)
{
	cleanup(fclose) FILE *file = fopen("/etc/passwd", "re");
	struct passwd *entry;

	forget_users(i);
	while (file && i->users.count < USERS_MAX && (entry = fgetpwent(file))) {
		struct user_identity *user = array_push(&i->users);

		if (!user)
			return;
		*user = (struct user_identity){ entry->pw_uid, strdup(entry->pw_name) };
		if (!user->name)
			i->users.count--;
	}
}

const char *identities_user(struct identities *i, uint32_t uid)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (!i->users_ns || now - i->users_ns > USERS_NS) {
		i->users_ns = now;
		read_users(i);
	}
	for (uint32_t k = 0; k < i->users.count; k++)
		if (i->users.at[k].uid == uid)
			return i->users.at[k].name;
	return NULL;
}

/* ---- executables ---- */

/* Of a process that has ended: its first file, below which libraries are not put. */
static const struct mapping *first_file(const struct process *process)
{
	for (uint32_t k = 0; k < process->mappings.count; k++)
		if (process->mappings.at[k].kind == MAPPING_FILE && process->mappings.at[k].object)
			return &process->mappings.at[k];
	return NULL;
}

static void read_executable(struct process *process)
{
	static const char deleted[] = " (deleted)";
	const struct mapping *first = first_file(process);
	char link[64], path[PATH_MAX];
	ssize_t size;

	process->executable_known = true;
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)process->pid);
	size = readlink(link, path, sizeof(path) - 1);
	if (size < 0 && first) {
		process->executable = strdup(first->object->path);
	} else if (size > 0) {
		path[size] = '\0';
		if ((size_t)size > strlen(deleted) &&
		    strcmp(path + size - strlen(deleted), deleted) == 0)
			path[(size_t)size - strlen(deleted)] = '\0';
		process->executable = strdup(path);
	}
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *identities_executable(struct process *process, const struct object **object)
{
	const struct mapping *first = first_file(process);

	*object = NULL;
	if (!process->executable_known)
		read_executable(process);
	if (!process->executable)
		return "";
	for (uint32_t k = 0; k < process->mappings.count && !*object; k++) {
		const struct mapping *mapping = &process->mappings.at[k];

		if (mapping->object && strcmp(mapping->object->path, process->executable) == 0)
			*object = mapping->object;
	}
	/*
	 * Its path may be told in other words, of another mount namespace. What is called otherwise is
	 * another file: of the program that it was until an execve that we have not heard of yet.
	 */
	if (!*object && first &&
	    strcmp(last_part(first->object->path), last_part(process->executable)) == 0)
		*object = first->object;
	return process->executable;
}

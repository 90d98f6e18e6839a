// SPDX-License-Identifier: Apache-2.0
#include "source/copy_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "bpf/glob.h"
#include "proc/stat.h"
#include "source/lifecycle.h"

enum { GROUP_DEPTH_MAX = 32 };

void copy_filter_fini(struct copy_filter *filter)
{
	task_names_fini(&filter->names);
	array_fini(&filter->targets);
	hash_index_fini(&filter->target_index);
	array_fini(&filter->groups);
}

static struct copy_target *find(struct copy_filter *filter, pid_t id)
{
	uint32_t at =
		hash_index_find(&filter->target_index, hash_u64((uint64_t)id), NULL, NULL, NULL);

	return at == HASH_ABSENT ? NULL : &filter->targets.at[at];
}

int copy_filter_watch(struct copy_filter *filter, pid_t id, uint32_t flags, uint64_t now_ns)
{
	struct copy_target *target = find(filter, id);

	if (!target) {
		target = array_push(&filter->targets);
		if (!target)
			return -ENOMEM;
		if (hash_index_add(&filter->target_index, hash_u64((uint64_t)id),
				   filter->targets.count - 1) < 0) {
			filter->targets.count--;
			return -ENOMEM;
		}
	}
	*target = (struct copy_target){ .id = id, .flags = flags, .since_ns = now_ns };
	return 0;
}

static bool lives(const struct copy_filter *filter, pid_t id)
{
	struct proc_stat stat;

	if (filter->config->by_tid)
		return proc_stat_read(&stat, id) == 0 && stat.state != 'Z' && stat.state != 'X';
	return proc_living_thread(id) >= 0;
}

bool copy_filter_watches_any(struct copy_filter *filter)
{
	for (uint32_t i = 0; i < filter->targets.count; i++) {
		struct copy_target *target = &filter->targets.at[i];

		if (!target->ended && lives(filter, target->id))
			return true;
		target->ended = true;
	}
	return false;
}

static int apply_fork(struct copy_filter *filter, const struct lifecycle_event *event)
{
	const struct copy_target *parent;
	struct copy_target *target;

	if (filter->config->by_tid || event->pid == event->parent_pid)
		return 0;
	parent = find(filter, event->parent_pid);
	if (parent && parent->flags & TARGET_INHERIT && parent->flags & TARGET_WATCHED)
		return copy_filter_watch(filter, event->pid, parent->flags, event->time_ns);
	target = find(filter, event->pid); /* its pid is used again by somebody else */
	if (target && target->since_ns < event->time_ns)
		*target = (struct copy_target){ .id = event->pid, .ended = true };
	return 0;
}

int copy_filter_event(struct copy_filter *filter, const struct lifecycle_event *event)
{
	struct copy_target *target;

	if (event->type == LIFECYCLE_FORK) {
		int r = apply_fork(filter, event);

		if (r < 0)
			return r;
	} else if (event->type == LIFECYCLE_EXEC) {
		target = find(filter, event->pid);
		if (target && target->flags & TARGET_AT_EXEC)
			target->flags = (target->flags & ~TARGET_AT_EXEC) | TARGET_WATCHED;
	}
	return task_names_event(&filter->names, event);
}

/* ---- control groups ---- */

/* A group's id is the inode of its folder, on all kernels of 64 bits (fs/kernfs). */
static bool holds(int folder_fd, uint64_t id, unsigned depth)
{
	cleanup(closedir) DIR *folder = NULL;
	const struct dirent *entry;
	struct stat stat;
	int copy;

	if (fstat(folder_fd, &stat) == 0 && stat.st_ino == id)
		return true;
	copy = depth < GROUP_DEPTH_MAX ? openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
				       : -1;
	folder = copy < 0 ? NULL : fdopendir(copy);
	if (!folder && copy >= 0)
		close(copy);
	while (folder && (entry = readdir(folder))) {
		cleanup(close) int fd = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		fd = openat(folder_fd, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && holds(fd, id, depth + 1))
			return true;
	}
	return false;
}

static int is_in_group(struct copy_filter *filter, uint64_t id)
{
	struct copy_group *group;

	for (uint32_t i = 0; i < filter->groups.count; i++)
		if (filter->groups.at[i].id == id)
			return filter->groups.at[i].inside;
	group = array_push(&filter->groups);
	if (!group)
		return -ENOMEM;
	*group = (struct copy_group){ id, holds(filter->cgroup_fd, id, 0) };
	return group->inside;
}

/* ---- samples ---- */

/* As is_own of bpf/watched.h. */
static int is_own(struct copy_filter *filter, pid_t pid)
{
	pid_t own = (pid_t)filter->config->own_tgid;

	for (unsigned i = 0; i < 3 && pid > 1; i++) {
		const struct task_name *task;

		if (pid == own)
			return 1;
		task = task_names_get(&filter->names, pid);
		if (!task)
			return -ENOMEM;
		pid = task->parent;
	}
	return 0;
}

static int passes(struct copy_filter *filter, const struct wire_sample *sample, uint32_t uid,
		  const char *leader)
{
	const struct wire_config *config = filter->config;

	if (config->filter_uid && uid != config->uid)
		return 0;
	if (config->filter_comm && !wire_glob_matches(filter->comm, sample->comm) &&
	    !wire_glob_matches(filter->comm, leader))
		return 0;
	return config->filter_cgroup ? is_in_group(filter, sample->cgroup) : 1;
}

int copy_filter_sample(struct copy_filter *filter, struct wire_sample *sample)
{
	const struct wire_config *config = filter->config;
	const struct task_name *task;
	char leader[WIRE_COMM_BYTES];
	uint32_t uid;
	int r;

	if (sample->tid == 0) {
		snprintf(sample->comm, sizeof(sample->comm), "swapper/%u", sample->cpu);
		sample->flags |= SAMPLE_KTHREAD;
		return config->everything ? passes(filter, sample, 0, sample->comm) : 0;
	}
	if (!config->everything) {
		const struct copy_target *target =
			find(filter, (pid_t)(config->by_tid ? sample->tid : sample->pid));

		if (!target || !(target->flags & TARGET_WATCHED))
			return 0;
	} else {
		r = is_own(filter, (pid_t)sample->pid);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	task = task_names_get(&filter->names, (pid_t)sample->pid);
	if (!task)
		return -ENOMEM;
	memcpy(leader, task->comm, sizeof(leader));
	uid = task->uid_known ? task->uid : UINT32_MAX;
	if (task->kernel && sample->outcome == WALK_NO_USER_STACK)
		sample->flags |= SAMPLE_KTHREAD;
	task = task_names_get(&filter->names, (pid_t)sample->tid);
	if (!task)
		return -ENOMEM;
	memcpy(sample->comm, task->comm[0] ? task->comm : leader, sizeof(sample->comm));
	sample->uid = uid;
	return passes(filter, sample, uid, leader);
}

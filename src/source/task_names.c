// SPDX-License-Identifier: Apache-2.0
#include "source/task_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "proc/stat.h"
#include "source/lifecycle.h"

enum {
	STATUS_BYTES = 16384,
	KTHREADD = 2,
	TASKS_MAX = 1 << 20, /* then all is forgotten, and read again */
};

void task_names_fini(struct task_names *names)
{
	array_fini(&names->tasks);
	hash_index_fini(&names->index);
}

static struct task_name *find(struct task_names *names, pid_t tid)
{
	uint32_t at = hash_index_find(&names->index, hash_u64((uint64_t)tid), NULL, NULL, NULL);

	return at == HASH_ABSENT ? NULL : &names->tasks.at[at];
}

static struct task_name *add(struct task_names *names, pid_t tid)
{
	struct task_name *task;

	if (names->tasks.count >= TASKS_MAX)
		task_names_fini(names);
	task = array_push(&names->tasks);
	if (!task)
		return NULL;
	if (hash_index_add(&names->index, hash_u64((uint64_t)tid), names->tasks.count - 1) < 0) {
		names->tasks.count--;
		return NULL;
	}
	task->tid = tid;
	return task;
}

static void set_comm(struct task_name *task, const char *comm)
{
	memset(task->comm, 0, sizeof(task->comm));
	memcpy(task->comm, comm, strnlen(comm, sizeof(task->comm) - 1));
}

static void look(struct task_name *task)
{
	cleanup(bytes_fini) struct bytes status = {};
	struct proc_stat stat;
	const char *uid;
	char path[32];

	if (proc_stat_read(&stat, task->tid) < 0)
		return;
	set_comm(task, stat.comm);
	task->parent = stat.parent;
	task->kernel = task->tid == KTHREADD || stat.parent == KTHREADD;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)task->tid);
	if (fs_read(&status, AT_FDCWD, path, STATUS_BYTES) < 0 || !bytes_str(&status))
		return;
	uid = strstr(status.at, "\nUid:\t");
	task->uid_known = uid && sscanf(uid, "\nUid:\t%u", &task->uid) == 1;
}

const struct task_name *task_names_get(struct task_names *names, pid_t tid)
{
	struct task_name *task = find(names, tid);

	if (!task) {
		task = add(names, tid);
		if (task)
			look(task);
	}
	return task;
}

int task_names_event(struct task_names *names, const struct lifecycle_event *event)
{
	struct task_name *task = find(names, event->tid), *parent, copy = {};

	switch (event->type) {
	case LIFECYCLE_FORK:
		parent = find(names, event->parent_pid);
		if (parent)
			copy = *parent;
		if (!task && !parent)
			return 0; /* it is read when it is met */
		if (!task)
			task = add(names, event->tid);
		if (!task)
			return -ENOMEM;
		if (!parent) { /* an id that is used again */
			*task = (struct task_name){ .tid = event->tid };
			look(task);
			return 0;
		}
		copy.tid = event->tid;
		copy.parent = event->pid == event->parent_pid ? parent->parent : event->parent_pid;
		*task = copy;
		return 0;
	case LIFECYCLE_COMM:
	case LIFECYCLE_EXEC:
		if (task)
			set_comm(task, event->text);
		return 0;
	default:
		return 0;
	}
}

// SPDX-License-Identifier: Apache-2.0
#include "proc/stat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"

int proc_stat_parse(struct proc_stat *ret, const char *text, size_t size)
{
	struct proc_stat stat = {};
	const char *open = memchr(text, '(', size), *close = memrchr(text, ')', size);
	uint64_t user, system;
	int64_t children_user, children_system;
	char rest[1024];
	size_t length;
	int parent;

	if (!open || !close || close < open)
		return -EINVAL;
	length = (size_t)(close - open - 1);
	if (length >= sizeof(stat.comm))
		length = sizeof(stat.comm) - 1;
	memcpy(stat.comm, open + 1, length);
	length = (size_t)(text + size - close - 1);
	if (length >= sizeof(rest))
		length = sizeof(rest) - 1;
	memcpy(rest, close + 1, length);
	rest[length] = '\0';
	/* Fields 3 state, 4 ppid, 14 utime, 15 stime, 16 cutime, 17 cstime, 20 num_threads,
	   22 starttime, 24 rss. */
	if (sscanf(rest,
		   " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64 " %" SCNd64
		   " %" SCNd64 " %*s %*s %" SCNu64 " %*s %" SCNu64 " %*s %" SCNu64,
		   &stat.state, &parent, &user, &system, &children_user, &children_system,
		   &stat.threads, &stat.start_time, &stat.resident_pages) != 9)
		return -EINVAL;
	stat.parent = parent;
	stat.cpu_ticks = user + system;
	stat.system_ticks = system;
	stat.children_cpu_ticks = (uint64_t)children_user + (uint64_t)children_system;
	stat.children_system_ticks = (uint64_t)children_system;
	*ret = stat;
	return 0;
}

int proc_stat_read(struct proc_stat *ret, pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = fs_read(&text, AT_FDCWD, path, 65536);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return proc_stat_parse(ret, text.at, text.size);
}

static bool has_ended(const struct proc_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X';
}

pid_t proc_living_thread(pid_t pid)
{
	struct proc_stat stat;
	struct dirent *entry;
	char path[64];
	pid_t found = -ESRCH;
	DIR *tasks;
	int tid, r = proc_stat_read(&stat, pid);

	if (r < 0 || !has_ended(&stat))
		return r < 0 ? r : pid;
	if (stat.threads <= 1)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return -ESRCH;
	while (found < 0 && (entry = readdir(tasks)))
		if (sscanf(entry->d_name, "%d", &tid) == 1 && tid != pid &&
		    proc_stat_read(&stat, tid) == 0 && !has_ended(&stat))
			found = tid;
	closedir(tasks);
	return found;
}

// SPDX-License-Identifier: Apache-2.0
#include "proc/perf_map_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/rooted.h"
#include "proc/stat.h"
#include "proc/status.h"

enum { PROC_FILE_BYTES = 65536 };

static const uint64_t MAX_FILE_BYTES = UINT64_C(1) << 30;

static int read_status(struct proc_status *ret, int process)
{
	cleanup(bytes_fini) struct bytes text = {};
	int r = fs_read(&text, process, "status", PROC_FILE_BYTES);

	if (r < 0)
		return r;
	return bytes_str(&text) ? proc_status_parse(ret, text.at) : -ENOMEM;
}

/* Whether the process whose /proc folder is open is the one that is meant. */
static int check_start_time(int process, uint64_t start_time)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct proc_stat stat;
	int r = fs_read(&text, process, "stat", PROC_FILE_BYTES);

	if (r == 0)
		r = proc_stat_parse(&stat, text.at, text.size);
	if (r == 0 && start_time && stat.start_time != start_time)
		r = -ESRCH;
	return r;
}

static int open_owned(int root, pid_t pid, const struct proc_status *status)
{
	cleanup(close) int fd = -1;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
	fd = rooted_openat(root, path, 0, MAX_FILE_BYTES);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* /tmp is everybody's: another user's file could put any name on this process. */
	if (st.st_uid != 0 && st.st_uid != status->effective_uid &&
	    st.st_uid != status->filesystem_uid)
		return -EPERM;
	return TAKE_FD(fd);
}

int perf_map_file_open(pid_t pid, uint64_t start_time)
{
	cleanup(close) int process = -1, root = -1;
	struct proc_status status;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	r = check_start_time(process, start_time);
	if (r == 0)
		r = read_status(&status, process);
	if (r < 0)
		return r;
	root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	r = open_owned(root, status.inner_pid ? status.inner_pid : pid, &status);
	/* Some runtimes in a container know the outer pid. */
	if (r == -ENOENT && status.inner_pid && status.inner_pid != pid)
		r = open_owned(root, pid, &status);
	return r;
}

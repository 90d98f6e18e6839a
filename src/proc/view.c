// SPDX-License-Identifier: Apache-2.0
#include "proc/view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"

/* Fixed inode numbers of the initial namespaces, include/uapi/linux/nsfs.h (Linux 6.18). */
#define INITIAL_USER_NAMESPACE 0xeffffffdU
#define INITIAL_PID_NAMESPACE 0xeffffffcU

bool proc_view_is_own(const char *status)
{
	const char *pids = strstr(status, "\nNSpid:");
	int first, second;

	/* Absent without CONFIG_PID_NS: then there is only one. */
	return !pids || sscanf(pids + strlen("\nNSpid:"), "%d %d", &first, &second) == 1;
}

int proc_view_check(bool *pids_differ)
{
	cleanup(bytes_fini) struct bytes status = {};
	struct statfs fs;
	struct stat st;
	int r;

	if (statfs("/proc", &fs) < 0)
		return errno == ENOENT ? PROC_VIEW_NOT_MOUNTED : -errno;
	if (fs.f_type != PROC_SUPER_MAGIC)
		return PROC_VIEW_NOT_MOUNTED;
	r = fs_read(&status, AT_FDCWD, "/proc/self/status", 65536);
	if (r == -ENOENT)
		return PROC_VIEW_FOREIGN; /* one that does not know us at all */
	if (r < 0)
		return r;
	if (!bytes_str(&status))
		return -ENOMEM;
	if (!proc_view_is_own(bytes_str(&status)))
		return PROC_VIEW_FOREIGN;
	/* Without CONFIG_PID_NS there is no such file. */
	*pids_differ = stat("/proc/self/ns/pid", &st) == 0 && st.st_ino != INITIAL_PID_NAMESPACE;
	return 0;
}

bool proc_view_in_user_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != INITIAL_USER_NAMESPACE;
}

bool proc_view_hides(pid_t pid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return stat(path, &st) < 0 && errno == ENOENT && (kill(pid, 0) == 0 || errno == EPERM);
}

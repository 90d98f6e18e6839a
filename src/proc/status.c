// SPDX-License-Identifier: Apache-2.0
#include "proc/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Each line begins with its name and a tab; a newline in the process's own name is written \n. */
static const char *find_line(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	return found ? found + strlen(name) : NULL;
}

int proc_status_parse(struct proc_status *ret, const char *text)
{
	const char *uids = find_line(text, "\nUid:\t"), *pids = find_line(text, "\nNSpid:\t");
	struct proc_status status = {};

	if (!uids ||
	    sscanf(uids, "%*u %u %*u %u", &status.effective_uid, &status.filesystem_uid) != 2)
		return -EINVAL;
	/* The pid in each namespace from ours inwards, tabs between; the last one is its own. */
	if (pids) {
		for (int pid, used; sscanf(pids, "%d%n", &pid, &used) == 1; pids += used + 1) {
			status.inner_pid = pid;
			if (pids[used] != '\t')
				break;
		}
	}
	*ret = status;
	return 0;
}

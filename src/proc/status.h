/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/status (proc(5)): whose process it is, and its pid where it lives. */
#pragma once

#include <sys/types.h>

struct proc_status {
	pid_t inner_pid; /* in its own, innermost pid namespace; 0: not told */
	uid_t effective_uid, filesystem_uid;
};

/* Pure. text: NUL-terminated. Returns 0 or -EINVAL. */
int proc_status_parse(struct proc_status *ret, const char *text);

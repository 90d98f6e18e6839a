/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Through which namespaces profd sees processes: /proc, the kernel's event streams and the user must
 * mean the same process by a pid, and only root of the initial user namespace may load BPF programs.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Positive results of proc_view_check. */
enum proc_view_outcome {
	PROC_VIEW_NOT_MOUNTED = 1, /* /proc is no proc file system */
	PROC_VIEW_FOREIGN,	   /* /proc shows the pids of another pid namespace than ours */
};

/*
 * *pids_differ: our pid namespace is not the initial one, so the kernel's own pids are others.
 * Returns 0, an outcome, or a negative errno.
 */
int proc_view_check(bool *pids_differ);
/*
 * The same of a text: /proc/self/status, NUL-terminated. Whether it is of our own pid namespace: from
 * another one a process has a pid in each namespace between ("NSpid:", proc(5)). Pure.
 */
bool proc_view_is_own(const char *status);
/* Whether we are root in a user namespace at most, whatever our capabilities say. */
bool proc_view_in_user_namespace(void);
/* There is such a process or thread, but /proc does not show it (its mount option hidepid). */
bool proc_view_hides(pid_t pid);

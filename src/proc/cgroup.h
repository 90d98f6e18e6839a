/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups, version 2 (kernel Documentation/admin-guide/cgroup-v2.rst). */
#pragma once

/* Positive results of cgroup_open. */
enum cgroup_outcome {
	CGROUP_OF_VERSION_1 = 1, /* the path is a group, but of a version 1 hierarchy */
	CGROUP_OUTSIDE,		 /* the path leads out of our cgroup namespace ("/../a") */
};

/*
 * Opens a group. path: its folder in some mount of the hierarchy ("/sys/fs/cgroup/a/b"), or its name
 * as /proc/PID/cgroup writes it ("/a/b", also "a/b"), below the root of our cgroup namespace. For a
 * name nothing needs to be mounted, given CAP_SYS_ADMIN; without it, it is looked for where the
 * hierarchy is mounted first.
 * *ret: a descriptor of the folder. Returns 0, an outcome, -ENOENT (no such group), -ENODEV (no
 * version 2 hierarchy to be had) or another negative errno.
 */
int cgroup_open(int *ret, const char *path);

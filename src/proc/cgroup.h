/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups, version 2 (kernel Documentation/admin-guide/cgroup-v2.rst). */
#pragma once

#include <stdint.h>

struct cgroup {
	uint64_t id;    /* what bpf_get_current_ancestor_cgroup_id gives: the folder's inode number */
	uint32_t level; /* 0 is the root of the hierarchy */
};

/*
 * path: a folder of the hierarchy, absolute ("/sys/fs/cgroup/a/b") or as /proc/PID/cgroup writes it
 * ("/a/b" or "a/b").
 * Returns 0, -ENOENT (no such group), -ENODEV (no version 2 hierarchy is mounted) or another
 * negative errno.
 */
int cgroup_find(struct cgroup *ret, const char *path);

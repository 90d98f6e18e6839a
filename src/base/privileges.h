/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up what a process does not need, for good. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Soft and hard limit of a resource (setrlimit(2)). Returns 0 or a negative errno. */
int privileges_limit(int resource, rlim_t value);
/* All capabilities. Who is root still may do what root's own files allow. Returns 0 or -errno. */
int privileges_drop(void);
/*
 * Root becomes another user for good, who keeps these capabilities only (a bit for each, by
 * linux/capability.h's numbers; they stay across exec), and gains nothing by exec of others.
 * groups: supplementary ones. To be called before there are threads.
 * Returns 0 or a negative errno; then what has changed already stays so.
 */
int privileges_become(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count,
		      uint64_t capabilities);

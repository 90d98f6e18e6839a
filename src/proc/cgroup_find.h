/* SPDX-License-Identifier: Apache-2.0 */
/* The control group of a systemd unit or a container, looked for by its name. */
#pragma once

#include "base/bytes.h"

enum cgroup_kind {
	CGROUP_UNIT,	  /* "nginx.service"; "nginx" is that, too */
	CGROUP_CONTAINER, /* an id or its beginning, of 6 digits at least; or a whole name */
};

/* Positive results of cgroup_find. */
enum { CGROUP_AMBIGUOUS = 1 };

/*
 * root: a descriptor of the hierarchy's folder, which stays the caller's. Adds the group's path from
 * there ("system.slice/nginx.service") to *ret; when there are several (a unit of two users), those
 * of the first ones, with ", " between them.
 * Returns 0, CGROUP_AMBIGUOUS, -ENOENT, or another negative errno.
 */
int cgroup_find(struct bytes *ret, int root, enum cgroup_kind kind, const char *name);
/* The same below the root of our cgroup namespace (see cgroup_open); -ENODEV: there is none. */
int cgroup_find_here(struct bytes *ret, enum cgroup_kind kind, const char *name);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The person behind sudo: `sudo profd record -- COMMAND` starts COMMAND as that person, not as root.
 *
 * Everything that needs memory or the user database is done beforehand, in the parent; what
 * remains for the child between fork and exec is three system calls, so a parent with threads may
 * call it.
 */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"

struct invoking_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary groups, `gid` among them */
	int group_count;
	char **environment; /* profd's own, with HOME, USER, LOGNAME and SHELL of the person */
};

enum {
	INVOKING_USER_SAME = 1, /* nobody else: not root, not under sudo, or root called sudo */
};

/*
 * Reads SUDO_UID and SUDO_GID (sudo(8), "ENVIRONMENT") and the user database.
 * Returns 0 and a new user in *ret, INVOKING_USER_SAME, -EINVAL when the variables are there but
 * make no sense (better not to start anything as root then), or another negative errno.
 */
int invoking_user_find(struct invoking_user **ret);
void invoking_user_free(struct invoking_user *user);
DEFINE_CLEANUP(struct invoking_user, invoking_user_free);

/*
 * Makes the calling process that user, for good: groups, group and user ids, real, effective and
 * saved; all capabilities go with them. To be called in the child, before exec with
 * user->environment. Async-signal-safe. Returns 0 or a negative errno (then do not exec).
 */
int invoking_user_become(const struct invoking_user *user);

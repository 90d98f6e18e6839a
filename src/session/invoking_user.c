// SPDX-License-Identifier: Apache-2.0
#include "session/invoking_user.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"

/* What sudo sets and a program that is not under sudo should not see, and what is replaced. */
static const char *const dropped[] = { "SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND", "HOME",
				       "USER",	   "LOGNAME",  "SHELL",	    "MAIL" };

static bool is_dropped(const char *variable)
{
	size_t size = strcspn(variable, "=");

	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
		if (strlen(dropped[i]) == size && memcmp(dropped[i], variable, size) == 0)
			return true;
	return false;
}

static bool add_variable(char **environment, size_t *count, const char *name, const char *value)
{
	if (asprintf(&environment[*count], "%s=%s", name, value) < 0) {
		environment[*count] = NULL;
		return false;
	}
	(*count)++;
	return true;
}

/* passwd: NULL when the user database does not know the user. */
static int make_environment(struct invoking_user *user, const struct passwd *passwd)
{
	size_t count = 0, have = 0;

	while (environ && environ[have])
		have++;
	/* One more than needed: the list always ends with NULL, however far it got. */
	user->environment = calloc(have + 5, sizeof(*user->environment));
	if (!user->environment)
		return -ENOMEM;
	for (size_t i = 0; i < have; i++) {
		if (is_dropped(environ[i]))
			continue;
		user->environment[count] = strdup(environ[i]);
		if (!user->environment[count++])
			return -ENOMEM;
	}
	if (!passwd)
		return add_variable(user->environment, &count, "HOME", "/") ? 0 : -ENOMEM;
	if (!add_variable(user->environment, &count, "HOME", passwd->pw_dir) ||
	    !add_variable(user->environment, &count, "USER", passwd->pw_name) ||
	    !add_variable(user->environment, &count, "LOGNAME", passwd->pw_name) ||
	    !add_variable(user->environment, &count, "SHELL",
			  passwd->pw_shell[0] ? passwd->pw_shell : "/bin/sh"))
		return -ENOMEM;
	return 0;
}

/* Without an entry in the user database there are no groups besides the one sudo named. */
static int find_groups(struct invoking_user *user, const struct passwd *passwd)
{
	int count = 64;

	for (int attempt = 0; attempt < 8; attempt++) {
		int room = count;

		free(user->groups);
		user->groups = calloc((size_t)room, sizeof(*user->groups));
		if (!user->groups)
			return -ENOMEM;
		if (!passwd) {
			user->groups[0] = user->gid;
			user->group_count = 1;
			return 0;
		}
		if (getgrouplist(passwd->pw_name, user->gid, user->groups, &count) >= 0) {
			user->group_count = count;
			return 0;
		}
		if (count <= room || count > NGROUPS_MAX)
			return -E2BIG;
	}
	return -E2BIG;
}

int invoking_user_find(struct invoking_user **ret)
{
	cleanup(invoking_user_free) struct invoking_user *user = NULL;
	const char *uid_text = getenv("SUDO_UID"), *gid_text = getenv("SUDO_GID");
	const struct passwd *passwd;
	uint64_t uid, gid;
	int r;

	if (geteuid() != 0 || (!uid_text && !gid_text))
		return INVOKING_USER_SAME;
	/* (uid_t)-1 means "leave it as it is" to setresuid. */
	if (!uid_text || !gid_text || parse_u64(&uid, uid_text, UINT32_MAX - 1) < 0 ||
	    parse_u64(&gid, gid_text, UINT32_MAX - 1) < 0)
		return -EINVAL;
	if (uid == 0)
		return INVOKING_USER_SAME;
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->uid = (uid_t)uid;
	user->gid = (gid_t)gid;
	passwd = getpwuid(user->uid);
	r = find_groups(user, passwd);
	if (r == 0)
		r = make_environment(user, passwd);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(user);
	return 0;
}

void invoking_user_free(struct invoking_user *user)
{
	if (!user)
		return;
	for (size_t i = 0; user->environment && user->environment[i]; i++)
		free(user->environment[i]);
	free(user->environment);
	free(user->groups);
	free(user);
}

int invoking_user_become(const struct invoking_user *user)
{
	if (setgroups((size_t)user->group_count, user->groups) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	/* Kept capabilities (SECBIT_KEEP_CAPS and the like) would leave a way back. */
	if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
		return -EPERM;
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* Who is behind sudo. As root the whole way down is tried; as anybody else, that there is none. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/invoking_user.h"

static void sudo_says(const char *uid, const char *gid)
{
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	if (uid)
		setenv("SUDO_UID", uid, 1);
	if (gid)
		setenv("SUDO_GID", gid, 1);
}

static const char *variable(const struct invoking_user *user, const char *name)
{
	size_t size = strlen(name);

	for (char **at = user->environment; *at; at++)
		if (strncmp(*at, name, size) == 0 && (*at)[size] == '=')
			return *at + size + 1;
	return NULL;
}

static void without_sudo_there_is_nobody_else(void **state)
{
	struct invoking_user *user = NULL;

	(void)state;
	sudo_says(NULL, NULL);
	assert_int_equal(invoking_user_find(&user), INVOKING_USER_SAME);
	sudo_says("0", "0");
	assert_int_equal(invoking_user_find(&user), INVOKING_USER_SAME);
	assert_null(user);
}

static void nonsense_is_an_error_for_root(void **state)
{
	static const char *const bad[][2] = { { "1000", NULL },	    { NULL, "1000" },
					      { "", "1000" },	    { "-1", "1000" },
					      { "1000x", "0" },	    { "4294967295", "1" },
					      { "1", "4294967295" } };
	int expected = geteuid() == 0 ? -EINVAL : INVOKING_USER_SAME;
	struct invoking_user *user = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		sudo_says(bad[i][0], bad[i][1]);
		assert_int_equal(invoking_user_find(&user), expected);
		assert_null(user);
	}
}

static void others_cannot_claim_anything(void **state)
{
	struct invoking_user *user = NULL;

	(void)state;
	if (geteuid() == 0)
		skip();
	sudo_says("1", "1");
	assert_int_equal(invoking_user_find(&user), INVOKING_USER_SAME);
}

static void the_environment_is_the_persons(void **state)
{
	cleanup(invoking_user_free) struct invoking_user *user = NULL;

	(void)state;
	if (geteuid() != 0)
		skip();
	setenv("PROFD_TEST_KEPT", "a=b", 1);
	setenv("HOMELIKE", "kept", 1);
	sudo_says("65534", "65534"); /* nobody, base-passwd */
	assert_ok(invoking_user_find(&user));
	assert_int_equal(user->uid, 65534);
	assert_string_equal(variable(user, "USER"), "nobody");
	assert_string_equal(variable(user, "LOGNAME"), "nobody");
	assert_string_equal(variable(user, "HOME"), "/nonexistent");
	assert_string_equal(variable(user, "PROFD_TEST_KEPT"), "a=b");
	assert_string_equal(variable(user, "HOMELIKE"), "kept");
	assert_null(variable(user, "SUDO_UID"));
}

/* In a child: 0 when nothing of root is left. */
static int step_down(const struct invoking_user *user)
{
	gid_t groups[64];
	uid_t r, e, s;
	int count;

	if (invoking_user_become(user) < 0)
		return 1;
	if (getresuid(&r, &e, &s) < 0 || r != user->uid || e != user->uid || s != user->uid)
		return 2;
	if (setuid(0) == 0 || setgid(0) == 0)
		return 3;
	count = getgroups(64, groups);
	for (int i = 0; i < count; i++)
		if (groups[i] == 0)
			return 4;
	return count < 1 ? 5 : 0;
}

static void there_is_no_way_back(void **state)
{
	static const char *const ids[] = { "65534", "54321" }; /* known, and in no database */
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		cleanup(invoking_user_free) struct invoking_user *user = NULL;
		pid_t child;

		sudo_says(ids[i], ids[i]);
		assert_ok(invoking_user_find(&user));
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(step_down(user));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_sudo_there_is_nobody_else),
		cmocka_unit_test(nonsense_is_an_error_for_root),
		cmocka_unit_test(others_cannot_claim_anything),
		cmocka_unit_test(the_environment_is_the_persons),
		cmocka_unit_test(there_is_no_way_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

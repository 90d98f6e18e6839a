// SPDX-License-Identifier: Apache-2.0
/* Where libdebuginfod's cache is, and what is made of it before it is asked. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/cache.h"

static char home[] = "/tmp/profd-cache-XXXXXX";

static const char *below(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s%s", home, name);
	return path;
}

static void assert_path(const char *wanted)
{
	cleanup(bytes_fini) struct bytes path = {};

	assert_ok(cache_path(&path));
	assert_string_equal(bytes_str(&path), wanted);
}

static int set_up(void **state)
{
	(void)state;
	unsetenv("DEBUGINFOD_CACHE_PATH");
	unsetenv("XDG_CACHE_HOME");
	return setenv("HOME", home, 1);
}

static void it_is_found_as_the_library_does(void **state)
{
	cleanup(bytes_fini) struct bytes none = {};

	(void)state;
	assert_path(below("/.cache/debuginfod_client"));
	setenv("XDG_CACHE_HOME", "/xdg", 1);
	assert_path("/xdg/debuginfod_client");
	assert_ok(mkdir(below("/.debuginfod_client_cache"), 0700));
	assert_path(below("/.debuginfod_client_cache"));
	setenv("DEBUGINFOD_CACHE_PATH", "/given", 1);
	assert_path("/given");
	assert_ok(rmdir(below("/.debuginfod_client_cache")));
	unsetenv("DEBUGINFOD_CACHE_PATH");
	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	assert_errno(cache_path(&none), ENOENT);
	/* Wherever profd was started is no place for it. */
	setenv("HOME", "relative", 1);
	assert_errno(cache_path(&none), ENOENT);
}

static void folders_are_made_for_the_user_alone(void **state)
{
	struct stat st;

	(void)state;
	assert_ok(cache_make(below("/one/two/three")));
	assert_ok(cache_make(below("/one/two/three")));
	assert_ok(stat(below("/one/two/three"), &st));
	assert_int_equal(st.st_mode & 0777, 0700);
	close(open(below("/file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_errno(cache_make(below("/file/deeper")), ENOTDIR);
	assert_true(cache_make(below("/file")) < 0);
	assert_ok(unlink(below("/file")));
	assert_ok(rmdir(below("/one/two/three")));
	assert_ok(rmdir(below("/one/two")));
	assert_ok(rmdir(below("/one")));
}

static void only_absence_is_forgotten(void **state)
{
	cleanup(close) int fd = -1;

	(void)state;
	assert_ok(mkdir(below("/abcd"), 0700));
	close(open(below("/abcd/debuginfo"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	cache_forget_absence(home, "abcd");
	assert_int_equal(access(below("/abcd/debuginfo"), F_OK), -1);
	cache_forget_absence(home, "abcd");
	fd = open(below("/abcd/debuginfo"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "x", 1), 1);
	cache_forget_absence(home, "abcd");
	assert_ok(access(below("/abcd/debuginfo"), F_OK));
	assert_ok(unlink(below("/abcd/debuginfo")));
	assert_ok(rmdir(below("/abcd")));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_found_as_the_library_does),
		TEST(folders_are_made_for_the_user_alone),
		TEST(only_absence_is_forgotten),
	};
	int r;

	if (!mkdtemp(home))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(home);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/* Following the file of a process while it grows, and to its end. */
#include "test.h"
#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/stat.h"
#include "symbol/jit_names.h"

static void check(struct jit_names *names, uint64_t address, const char *expected)
{
	const char *name;

	if (!expected) {
		assert_errno(jit_names_find(names, address, &name), ENOENT);
		return;
	}
	assert_ok(jit_names_find(names, address, &name));
	assert_string_equal(name, expected);
}

static void append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A child that waits, its map, its end. */
static void test_process(void **state)
{
	cleanup(jit_names_free) struct jit_names *names = NULL, *other = NULL;
	struct proc_stat stat;
	char path[64];
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_ok(proc_stat_read(&stat, pid));
	names = jit_names_new(pid, stat.start_time);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
	(void)unlink(path);
	append(path, "1000 10 first\n2000 10 half a li");
	assert_ok(jit_names_update(names, direct_workers()));
	check(names, 0x1000, "first");
	check(names, 0x2000, NULL);
	append(path, "ne\n");
	assert_ok(jit_names_update(names, direct_workers()));
	check(names, 0x2000, "half a line");
	/* Another process with the same pid. */
	other = jit_names_new(pid, stat.start_time + 1);
	assert_ok(jit_names_update(other, direct_workers()));
	check(other, 0x1000, NULL);

	append(path, "3000 10 last words\n");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_ok(unlink(path));
	assert_ok(jit_names_update(names, direct_workers()));
	check(names, 0x1000, "first");
	check(names, 0x3000, "last words");
}

/* A link in /tmp may lead to a file of the right owner that is no map. */
static void test_link_is_not_followed(void **state)
{
	cleanup(jit_names_free) struct jit_names *names = jit_names_new(getpid(), 0);
	char path[64], elsewhere[] = "/tmp/profd-test-XXXXXX";
	int fd = mkstemp(elsewhere);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	append(elsewhere, "1000 10 elsewhere\n");
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	(void)unlink(path);
	assert_ok(symlink(elsewhere, path));
	assert_ok(jit_names_update(names, direct_workers()));
	check(names, 0x1000, NULL);
	assert_ok(unlink(path));
	assert_ok(unlink(elsewhere));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_link_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

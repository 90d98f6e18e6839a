// SPDX-License-Identifier: Apache-2.0
/* What is gone for who downloads, tried in a process of its own. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fetch/confine.h"

enum { FILE_BYTES = 4096 };

static char inside[] = "/tmp/profd-inside-XXXXXX", outside[] = "/tmp/profd-outside-XXXXXX";

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static int create(const char *folder, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* Exits with the number of the first thing that is not as it should be, or 0. */
static void child(void)
{
	char *const argv[] = { (char *)"true", NULL };
	char bytes[2 * FILE_BYTES] = {};
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	if (confine(inside, FILE_BYTES) < 0)
		_exit(1);
	if (has_landlock() && create(outside, "x") >= 0)
		_exit(2);
	fd = create(inside, "x");
	if (fd < 0)
		_exit(3);
	if (write(fd, bytes, sizeof(bytes)) != FILE_BYTES || write(fd, bytes, 1) >= 0)
		_exit(4);
	if (execv("/bin/true", argv) == 0 || errno != EPERM)
		_exit(5);
	if (kill(getppid(), 0) == 0 || ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
		_exit(6);
	if (setuid(geteuid() + 1) == 0)
		_exit(7);
	/* What it is there for goes on. */
	if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ||
	    open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0)
		_exit(8);
	_exit(0);
}

static void little_is_left(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		child();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_folder_is_needed(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(has_landlock() ? confine("/nonexistent/folder", FILE_BYTES) != -ENOENT : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(little_is_left),
		cmocka_unit_test(a_folder_is_needed),
	};
	char path[128];
	int r;

	if (!mkdtemp(inside) || !mkdtemp(outside))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof(path), "%s/x", inside);
	(void)unlink(path);
	(void)rmdir(inside);
	(void)rmdir(outside);
	return r;
}

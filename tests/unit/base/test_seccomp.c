// SPDX-License-Identifier: Apache-2.0
/* What seccomp_refuse leaves, tried in a process of its own. */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/seccomp.h"

static bool is_refused(long number)
{
	errno = 0;
	return syscall(number) < 0 && errno == EPERM;
}

/* Exits with the number of the first thing that is not as it should be, or 0. */
static void child(void)
{
	static const int first[] = { SYS_getppid, SYS_getuid }, second[] = { SYS_getgid };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
	if (seccomp_refuse(first, ARRAY_SIZE(first)) < 0)
		_exit(2);
	if (!is_refused(SYS_getppid) || !is_refused(SYS_getuid))
		_exit(3);
	if (is_refused(SYS_getgid) || syscall(SYS_getpid) != getpid())
		_exit(4);
	/* The first one holds on. */
	if (seccomp_refuse(second, ARRAY_SIZE(second)) < 0 || !is_refused(SYS_getgid) ||
	    !is_refused(SYS_getppid))
		_exit(5);
#if defined(__x86_64__)
	if (!is_refused(0x40000000 | SYS_getpid)) /* the same call of x32 */
		_exit(6);
#endif
	_exit(0);
}

static void listed_calls_are_refused(void **state)
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

static void a_filter_has_a_largest_size(void **state)
{
	static const struct sock_filter statement[] = { SECCOMP_END(SECCOMP_RET_ALLOW) };

	(void)state;
	assert_int_equal(seccomp_install(statement, BPF_MAXINSNS + 1UL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listed_calls_are_refused),
		cmocka_unit_test(a_filter_has_a_largest_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

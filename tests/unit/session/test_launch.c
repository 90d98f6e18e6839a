// SPDX-License-Identifier: Apache-2.0
/* A command that waits to be let go, and how it ends. */
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "session/file_limit.h"
#include "session/launch.h"

#define COMMAND(...) ((char **)(uintptr_t)(const char *const[]){ __VA_ARGS__, NULL })

static char folder[] = "/tmp/profd-launch-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	/* Nobody is behind sudo here: that has a test of its own. */
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	/* A folder of PATH that may not be searched would be another error. */
	setenv("PATH", "/usr/bin:/bin", 1);
	signal(SIGPIPE, SIG_IGN);
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* Lets it go. Returns what became of its exec. */
static int go(struct launch *launch)
{
	struct pollfd wait = { .fd = launch->fail_fd, .events = POLLIN };
	int r = launch_go(launch);

	if (r == 0 && poll(&wait, 1, -1) == 1)
		r = launch_result(launch);
	assert_int_not_equal(r, LAUNCH_UNDER_WAY);
	return r;
}

static int run(char *const argv[])
{
	struct launch launch = LAUNCH_NULL;
	int r;

	assert_ok(launch_prepare(&launch, argv));
	assert_ok(go(&launch));
	r = launch_wait(&launch);
	assert_int_equal(launch.pid, 0);
	launch_fini(&launch);
	return r;
}

static void its_status_is_handed_on(void **state)
{
	(void)state;
	assert_int_equal(run(COMMAND("true")), 0);
	assert_int_equal(run(COMMAND("sh", "-c", "exit 7")), 7);
	assert_int_equal(run(COMMAND("/bin/sh", "-c", "kill -KILL $$")), 128 + SIGKILL);
}

static void its_file_limit_is_the_callers(void **state)
{
	struct rlimit limit, before, raised;

	(void)state;
	assert_ok(getrlimit(RLIMIT_NOFILE, &before));
	limit = (struct rlimit){ 200, before.rlim_max };
	assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
	file_limit_raise();
	assert_ok(getrlimit(RLIMIT_NOFILE, &raised));
	assert_int_equal(raised.rlim_cur, before.rlim_max);
	assert_int_equal(run(COMMAND("sh", "-c", "test $(ulimit -Sn) = 200")), 0);
	assert_ok(setrlimit(RLIMIT_NOFILE, &before));
}

static void what_cannot_run_says_why(void **state)
{
	struct launch launch = LAUNCH_NULL;

	(void)state;
	assert_ok(launch_prepare(&launch, COMMAND("/nowhere/at-all")));
	assert_errno(go(&launch), ENOENT);
	assert_int_equal(launch.pid, 0);
	launch_fini(&launch);
	assert_ok(launch_prepare(&launch, COMMAND("no-such-command-anywhere")));
	assert_errno(go(&launch), ENOENT);
	launch_fini(&launch);
	assert_ok(launch_prepare(&launch, COMMAND("/etc/passwd")));
	assert_errno(go(&launch), EACCES);
	launch_fini(&launch);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Who is never let go never runs, and is not left behind. */
static void it_waits_until_it_is_let_go(void **state)
{
	char path[64];
	struct launch launch = LAUNCH_NULL;
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/ran", folder);
	assert_ok(launch_prepare(&launch, COMMAND("touch", path)));
	launch_fini(&launch);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_ok(launch_prepare(&launch, COMMAND("touch", path)));
	assert_int_equal(launch_result(&launch), LAUNCH_UNDER_WAY);
	assert_int_equal(stat(path, &st), -1);
	assert_ok(go(&launch));
	assert_int_equal(launch_wait(&launch), 0);
	launch_fini(&launch);
	assert_ok(unlink(path));
}

/* The recording blocks and ignores signals; that is none of the command's business. */
static void it_starts_as_if_from_a_shell(void **state)
{
	sigset_t some, before;

	(void)state;
	sigemptyset(&some);
	sigaddset(&some, SIGINT);
	sigaddset(&some, SIGTERM);
	sigprocmask(SIG_BLOCK, &some, &before);
	assert_int_equal(
		run(COMMAND("grep", "-q", "^SigBlk:.0000000000000000$", "/proc/self/status")), 0);
	/* SIGPIPE is bit 12: not ignored. */
	assert_int_equal(run(COMMAND("grep", "-q", "^SigIgn:.000000000000.[02468ace]",
				     "/proc/self/status")),
			 0);
	assert_int_equal(run(COMMAND("sh", "-c", "kill -PIPE $$; exit 3")), 128 + SIGPIPE);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void one_that_was_killed_while_it_waits(void **state)
{
	struct launch launch = LAUNCH_NULL;

	(void)state;
	assert_ok(launch_prepare(&launch, COMMAND("true")));
	assert_ok(kill(launch.pid, SIGKILL));
	assert_ok(waitid(P_PID, (id_t)launch.pid, &(siginfo_t){}, WEXITED | WNOWAIT));
	assert_errno(go(&launch), EPIPE);
	launch_fini(&launch);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_status_is_handed_on),
		cmocka_unit_test(its_file_limit_is_the_callers),
		cmocka_unit_test(what_cannot_run_says_why),
		cmocka_unit_test(it_waits_until_it_is_let_go),
		cmocka_unit_test(it_starts_as_if_from_a_shell),
		cmocka_unit_test(one_that_was_killed_while_it_waits),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

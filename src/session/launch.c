// SPDX-License-Identifier: Apache-2.0
#include "session/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "session/file_limit.h"
#include "session/invoking_user.h"

enum { END_MS = 200 };

/* Only what is safe between fork and exec. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		if (isatty(fd))
			(void)dup2(null, fd);
}

/* The same. */
static void child(int go_fd, int fail_fd, const struct invoking_user *user,
		  char *const environment[], char *const argv[])
{
	sigset_t none;
	char byte;
	int r = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	file_limit_restore();
	/* End of file: the parent gave up or died. */
	if (read(go_fd, &byte, 1) != 1)
		_exit(127);
	if (user)
		r = invoking_user_become(user);
	if (r == 0) {
		execvpe(argv[0], argv, environment);
		r = -errno;
	}
	if (write(fail_fd, &r, sizeof(r)) < 0)
		_exit(126);
	_exit(127);
}

static bool is_same_variable(const char *a, const char *b)
{
	size_t size = strcspn(a, "=");

	return strncmp(a, b, size + 1) == 0;
}

/* *ret: a list of borrowed variables, of which those that are added win. */
static int merge_environment(char ***ret, char *const *from, char *const *added)
{
	size_t have = 0, more = 0, count = 0;
	char **merged;

	while (from && from[have])
		have++;
	while (added && added[more])
		more++;
	merged = calloc(have + more + 1, sizeof(*merged));
	if (!merged)
		return -ENOMEM;
	for (size_t i = 0, k; i < have; i++) {
		for (k = 0; k < more && !is_same_variable(added[k], from[i]); k++)
			;
		if (k == more)
			merged[count++] = from[i];
	}
	for (size_t k = 0; k < more; k++)
		merged[count++] = added[k];
	*ret = merged;
	return 0;
}

int launch_prepare(struct launch *launch, char *const argv[])
{
	cleanup(invoking_user_free) struct invoking_user *user = NULL;
	cleanup(free) char **environment = NULL;
	int go[2], failed[2], r = invoking_user_find(&user);
	pid_t pid;

	if (r >= 0)
		r = merge_environment(&environment, user ? user->environment : environ,
				      launch->added);
	*launch =
		(struct launch){ .go_fd = -1, .fail_fd = -1, .off_terminal = launch->off_terminal };
	if (r < 0)
		return r;
	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(failed, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
		close(go[0]);
		close(go[1]);
		return r;
	}
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		close(failed[0]);
		if (launch->off_terminal)
			leave_terminal();
		child(go[0], failed[1], user, environment, argv);
	}
	r = pid < 0 ? -errno : 0;
	close(go[0]);
	close(failed[1]);
	if (r < 0) {
		close(go[1]);
		close(failed[0]);
		return r;
	}
	*launch = (struct launch){ .pid = pid,
				   .go_fd = go[1],
				   .fail_fd = failed[0],
				   .off_terminal = launch->off_terminal };
	return 0;
}

int launch_go(struct launch *launch)
{
	if (write(launch->go_fd, "", 1) != 1)
		return -errno;
	close(launch->go_fd);
	launch->go_fd = -1;
	return 0;
}

int launch_result(struct launch *launch)
{
	ssize_t size;
	int failure;

	if (launch->fail_fd < 0)
		return 0;
	do
		size = read(launch->fail_fd, &failure, sizeof(failure));
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EAGAIN ? LAUNCH_UNDER_WAY : -errno;
	close(launch->fail_fd);
	launch->fail_fd = -1;
	if (size != sizeof(failure))
		return 0; /* exec closed the other end */
	(void)launch_wait(launch);
	return failure;
}

int launch_wait(struct launch *launch)
{
	pid_t pid = launch->pid;
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	launch->pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Killed, a child is gone soon, or it waits for a file system. */
static void end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	for (unsigned i = 0; i < END_MS && waitpid(pid, NULL, WNOHANG) == 0; i++)
		usleep(1000);
}

void launch_fini(struct launch *launch)
{
	if (launch->pid && (launch->go_fd >= 0 || launch_result(launch) == LAUNCH_UNDER_WAY)) {
		end_child(launch->pid);
		launch->pid = 0;
	}
	if (launch->go_fd >= 0)
		close(launch->go_fd);
	if (launch->fail_fd >= 0)
		close(launch->fail_fd);
	launch->go_fd = launch->fail_fd = -1;
}

// SPDX-License-Identifier: Apache-2.0
#include "top/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"

enum { RESTORE_BYTES = 512 };

struct guard {
	pid_t parent;
	_Atomic(bool) armed;
	size_t size;
	char restore[RESTORE_BYTES];
};

void guard_arm(struct guard *guard, const char *restore, size_t size)
{
	guard->size = size < RESTORE_BYTES ? size : RESTORE_BYTES;
	memcpy(guard->restore, restore, guard->size);
	atomic_store(&guard->armed, true);
}

void guard_disarm(struct guard *guard)
{
	atomic_store(&guard->armed, false);
}

bool guard_is_gone(const struct guard *guard)
{
	return getppid() != guard->parent;
}

static void restore(const struct guard *guard, const struct termios *modes)
{
	(void)fs_write_all(STDOUT_FILENO, guard->restore, guard->size);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, modes);
}

static int end_status(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_error("the process that draws was ended by signal %d (%s)%s", WTERMSIG(status),
		  strsignal(WTERMSIG(status)),
		  WTERMSIG(status) == SIGKILL ? "" : "; this is a defect of profd");
	return 1;
}

/* Only what profd handles itself is handed on: a stop stops both. */
static int wait_for(pid_t child, const sigset_t *signals)
{
	siginfo_t info;
	int status;

	for (;;) {
		int number = sigwaitinfo(signals, &info);

		if (number == SIGCHLD && waitpid(child, &status, WNOHANG) == child)
			return status;
		/* What is typed at the terminal reaches the child itself. So does a hangup, but not
		 * one from before there was a child; that it comes twice does no harm. */
		if (number > 0 && number != SIGCHLD && (number == SIGHUP || info.si_code <= 0))
			(void)kill(child, number);
	}
}

int guard_run(int (*work)(struct guard *guard, void *context), void *context)
{
	struct guard *guard = mmap(NULL, sizeof(*guard), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigset_t signals, before;
	struct termios modes;
	pid_t child;
	int status;

	if (guard == MAP_FAILED || tcgetattr(STDIN_FILENO, &modes) < 0) {
		log_error("cannot use the terminal: %s", strerror(errno));
		return 1;
	}
	guard->parent = getpid();
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &before);
	child = fork();
	if (child < 0) {
		log_error("cannot start a process: %s", strerror(errno));
		return 1;
	}
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		exit(guard_is_gone(guard) ? 1 : work(guard, context));
	}
	status = wait_for(child, &signals);
	signal(SIGTTOU, SIG_IGN);
	if (atomic_load(&guard->armed))
		restore(guard, &modes);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return end_status(status);
}

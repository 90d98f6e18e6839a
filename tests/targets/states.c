// SPDX-License-Identifier: Apache-2.0
/*
 * states zombie|uninterruptible|stopped|sleeping [SECONDS]
 *
 * Keeps one child in that state and prints its pid after "ready" is due: a zombie is a child that
 * nobody waits for; uninterruptible is a parent in vfork, which waits without signals until its
 * own child is gone.
 */
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "target.h"

int main(int argc, char **argv)
{
	const char *state = argc > 1 ? argv[1] : "";
	pid_t pid;

	if (strcmp(state, "zombie") != 0 && strcmp(state, "uninterruptible") != 0 &&
	    strcmp(state, "stopped") != 0 && strcmp(state, "sleeping") != 0)
		return 2;
	target_begin(argc > 2 ? argv[2] : NULL);
	pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (strcmp(state, "zombie") == 0)
			_exit(0);
		if (strcmp(state, "stopped") == 0)
			raise(SIGSTOP);
		if (strcmp(state, "uninterruptible") == 0 && vfork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		for (;;)
			pause();
	}
	usleep(100000);
	printf("ready\n%d\n", pid);
	fflush(stdout);
	while (!target_stopped)
		pause();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("{\"state\": \"%s\", \"pid\": %d}\n", state, pid);
	return 0;
}

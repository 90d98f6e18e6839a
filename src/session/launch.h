/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a command that waits, does not run yet, until it is let go: so that nothing is missed. */
#pragma once

#include <sys/types.h>

struct launch {
	pid_t pid;   /* 0: none */
	int go_fd;   /* writing lets it go; -1 afterwards */
	int fail_fd; /* a failed exec writes its errno here */
};

#define LAUNCH_NULL { .go_fd = -1, .fail_fd = -1 }

/* argv: NULL-terminated, looked up in PATH. Returns 0 or a negative errno. */
int launch_prepare(struct launch *launch, char *const argv[]);
/* Lets it exec. Returns 0, or the negative errno with which exec failed (the child is reaped). */
int launch_go(struct launch *launch);
/* Waits for its end. Returns its exit status, 128 + n when signal n ended it, or a negative errno. */
int launch_wait(struct launch *launch);
/* Ends and reaps a child that was never let go; closes descriptors. */
void launch_fini(struct launch *launch);

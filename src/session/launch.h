/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a command that waits, does not run yet, until it is let go: so that nothing is missed. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct launch {
	pid_t pid;   /* 0: none */
	int go_fd;   /* writing lets it go; -1 afterwards */
	int fail_fd; /* a failed exec writes its errno here, another closes it; -1 then */
	char *const *added; /* set before: variables to its environment; NULL ends it. NULL: none */
	bool off_terminal; /* set before: what of its descriptors is a terminal is /dev/null */
};

#define LAUNCH_NULL { .go_fd = -1, .fail_fd = -1 }

/* argv: NULL-terminated, looked up in PATH. Returns 0 or a negative errno. */
int launch_prepare(struct launch *launch, char *const argv[]);
/*
 * Lets it exec, which may take for ever: launch.fail_fd becomes readable when that is over. Returns 0
 * or a negative errno.
 */
int launch_go(struct launch *launch);
enum { LAUNCH_UNDER_WAY = 1 };
/*
 * What became of exec, without waiting: 0 it runs, LAUNCH_UNDER_WAY, or the negative errno with which
 * exec failed (the child is reaped).
 */
int launch_result(struct launch *launch);
/* Waits for its end. Returns its exit status, 128 + n when signal n ended it, or a negative errno. */
int launch_wait(struct launch *launch);
/*
 * Ends and reaps a child that runs no program yet, unless it waits for a file system, which nobody
 * can end; closes descriptors.
 */
void launch_fini(struct launch *launch);

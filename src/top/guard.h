/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives the terminal back, whatever happens to the process that draws on it: that one is a child, and
 * its parent waits for it, does nothing else, and restores the terminal when the child ended without
 * having done so. The shell waits for the parent, so it is done before the shell goes on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Shared by both processes. */
struct guard;

/*
 * Runs work(guard, context) in a child; signals that end profd are handed on to it. It ends when
 * the parent does. Returns what work returned, or 1 when the child was killed or could not be made, with a
 * line logged.
 */
int guard_run(int (*work)(struct guard *guard, void *context), void *context);

/*
 * From now on the terminal is to be restored, with these bytes to be written to stdout and stdin's
 * modes as they were when guard_run was called; `size` is cut to what there is room for.
 */
void guard_arm(struct guard *guard, const char *restore, size_t size);
/* The child has restored it itself. */
void guard_disarm(struct guard *guard);
/* Whether the parent is gone, and the terminal may be somebody else's by now. */
bool guard_is_gone(const struct guard *guard);

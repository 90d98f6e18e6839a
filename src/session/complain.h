/* SPDX-License-Identifier: Apache-2.0 */
/* What stops a command from the start, on one line with what to do about it. */
#pragma once

#include <stdbool.h>

/* Logs "cannot DOING: WHAT: why; what to do". r: a negative errno. Returns r. */
int session_complain(const char *doing, int r, const char *what);
/*
 * Is /proc the one that profd needs? Without it nothing can be told of any process. *pids_differ: see
 * proc_view_check. Logs. Returns 0 or a negative errno.
 */
int session_check_view(const char *doing, bool *pids_differ);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process that talks to anybody gives up first. The queries that it starts inherit that, so
 * what they need is left: programs of the system, and the history, for reading only.
 */
#pragma once

#include "server/settings.h"

/*
 * For good: the user (settings->uid, where that one can read the history), all capabilities, and where
 * the kernel has Landlock, files other than the system's and the history's, and signals to others.
 * Returns 0 or a negative errno: then do not go on.
 */
int confine_server(const struct settings *settings);
/* Once all sockets are there: no new ones, and no system call that neither it nor queries need. */
int confine_system_calls(void);

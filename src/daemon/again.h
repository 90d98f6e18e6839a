/* SPDX-License-Identifier: Apache-2.0 */
/* Our own program started once more, for another task. */
#pragma once

#include <spawn.h>
#include <sys/types.h>

/*
 * arguments: the first one is "profd", NULL at the end. files: what is done with its descriptors; NULL:
 * nothing. It begins without blocked or ignored signals. Returns 0 or a negative errno.
 */
int start_again(pid_t *ret, char *const arguments[], const posix_spawn_file_actions_t *files);

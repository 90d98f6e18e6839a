/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up what a child process does not need, for good. */
#pragma once

#include <sys/resource.h>

/* Soft and hard limit of a resource (setrlimit(2)). Returns 0 or a negative errno. */
int privileges_limit(int resource, rlim_t value);
/* All capabilities. Who is root still may do what root's own files allow. Returns 0 or -errno. */
int privileges_drop(void);

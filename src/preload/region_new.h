/* SPDX-License-Identifier: Apache-2.0 */
/* Making the memory that is shared with profd. */
#pragma once

#include <stdbool.h>

#include "preload/region.h"

struct region_wish {
	uint64_t nonce, parent_nonce, first_id, interval; /* as in struct heap_header */
	uint32_t flags;
	const char *told; /* as HEAP_SOCKET_VARIABLE; "": nobody is told */
};

/*
 * Makes a region and tells of it. It is switched on when somebody listens; else it waits to be found
 * in /proc/PID/maps. Returns NULL where that may not be done. No descriptor stays open.
 */
struct heap_header *region_new(const struct region_wish *wish);
void region_free(struct heap_header *region);

/* The mode of seccomp(2), or a negative errno. */
long region_seccomp(void);
/* A word that is 1 now, and 0 in children of fork. NULL: the kernel has no such thing. */
uint32_t *region_fork_mark(void);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the heap of a running process can be followed, and by which probes: every way in which one of its
 * objects may be freed has to be seen, and no probe may do harm.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "session/alloc_targets.h"
#include "source/heap_probes.h"

enum { HEAP_PLACES_NONE = 1 };

/* slot: of the process. Its objects' functions: */
struct heap_places_of {
	const struct alloc_used *used;
	const struct object *program; /* NULL: not known */
	uint32_t slot;
};

/*
 * Pure, but for the descriptors that it duplicates. Returns 0, HEAP_PLACES_NONE with the reason in `why`,
 * as it goes on behind "pid 17: ", or a negative errno. *ret: heap_process_places_fini in any case.
 */
int heap_places_find(struct heap_process_places *ret, const struct heap_places_of *of, char *why,
		     size_t why_size);

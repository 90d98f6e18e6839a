/* SPDX-License-Identifier: Apache-2.0 */
/* Which parts of a line of units are free: first fit, neighbours joined when given back. */
#pragma once

#include <stdint.h>

#include "base/array.h"

struct extent {
	uint32_t first, count;
};

struct extents {
	ARRAY_OF(struct extent) free; /* ascending, never touching each other */
};

#define EXTENTS_NONE UINT32_MAX

/* All of [first, first + count) is free. Returns 0 or -ENOMEM. */
int extents_init(struct extents *extents, uint32_t first, uint32_t count);
void extents_fini(struct extents *extents);
/* The first unit of a run of `count` free units, now taken, or EXTENTS_NONE. */
uint32_t extents_take(struct extents *extents, uint32_t count);
/* Gives a taken run back. When out of memory the run is lost, nothing else. */
void extents_give(struct extents *extents, uint32_t first, uint32_t count);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sampled objects live: address -> id, in memory of the process's own, so that a fork leaves
 * the child with what was true at that moment. Lock-free, bounded; an object is added before its
 * address is given away, and taken out by whoever frees it, so that no two threads ever do something
 * about the same one unless the program is wrong already. Also then no other's slot is lost.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "preload/region.h"

enum { OBJECTS_FILTER_BITS = 16 };

/*
 * How many sampled objects have an address of this hash; 255: it is not counted any more. Most frees
 * look no further than here.
 */
extern uint8_t objects_filter[1 << OBJECTS_FILTER_BITS] __attribute__((visibility("hidden")));

static inline uint32_t objects_filter_index(const void *object)
{
	return (uint32_t)(((uintptr_t)object >> 4) * 0x9e3779b97f4a7c15ULL >>
			  (64 - OBJECTS_FILTER_BITS));
}

/* Whether the object may be one of them. */
static inline bool objects_may_know(const void *object)
{
	return __atomic_load_n(&objects_filter[objects_filter_index(object)], __ATOMIC_RELAXED);
}

/* Has objects_may_know be true of this address for good. */
void objects_filter_add(const void *object);

/*
 * Adds it. live: what the reader sees, or NULL. An object at the same address that is still there was
 * freed in a way that nobody saw. Returns its slot, or HEAP_NO_SLOT.
 */
uint32_t objects_add(const void *object, uint64_t id, uint64_t *live);
/* Takes it out. Returns its id, or 0: it is not among them. */
uint64_t objects_take(const void *object, uint64_t *live);
/* In a child of fork: whatever was half done by other threads is undone; shows the rest. */
void objects_after_fork(uint64_t *live);

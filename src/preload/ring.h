/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to the ring of a region; what it holds is described in region.h. Any thread, any time. */
#pragma once

#include <stdbool.h>

#include "preload/region.h"

enum { RING_PLENTY = 4, RING_STACK_MIN = 1024 };

struct ring_claim {
	void *at;      /* room for the record, and for the stack behind it */
	uint64_t word; /* what makes it ready */
};

static inline uint64_t *ring_word(struct heap_header *region, uint64_t position)
{
	unsigned char *ring = (unsigned char *)region + HEAP_HEADER_BYTES + 8UL * HEAP_OBJECTS;

	return (uint64_t *)(void *)(ring +
				    position % HEAP_RING_BYTES / HEAP_ALIGNMENT * HEAP_ALIGNMENT);
}

/*
 * Claims room for a record of record_bytes and a stack behind it, of *stack_bytes, or less where there
 * is not plenty of room. Returns false when there is none.
 */
static inline bool ring_claim(struct ring_claim *ret, struct heap_header *region,
			      uint32_t record_bytes, uint32_t *stack_bytes)
{
	uint64_t head = __atomic_load_n(&region->head, __ATOMIC_RELAXED), room, padding;
	uint32_t stack, size;

	do {
		room = HEAP_RING_BYTES - (head - __atomic_load_n(&region->tail, __ATOMIC_ACQUIRE));
		if (room > HEAP_RING_BYTES)
			return false;
		/* Many cut off say more than a few whole ones and none of the rest. */
		stack = *stack_bytes;
		if (stack > room / RING_PLENTY / RING_PLENTY)
			stack = (uint32_t)(room / RING_PLENTY / RING_PLENTY);
		if (stack < RING_STACK_MIN && stack < *stack_bytes)
			return false;
		size = (record_bytes + stack + HEAP_ALIGNMENT - 1) / HEAP_ALIGNMENT *
		       HEAP_ALIGNMENT;
		padding = HEAP_RING_BYTES - head % HEAP_RING_BYTES;
		if (padding >= size)
			padding = 0;
		if (padding + size > room)
			return false;
	} while (!__atomic_compare_exchange_n(&region->head, &head, head + padding + size, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	if (padding)
		__atomic_store_n(ring_word(region, head),
				 HEAP_RECORD_WORD(head, padding | HEAP_RECORD_PADDING |
								HEAP_RECORD_READY),
				 __ATOMIC_RELEASE);
	head += padding;
	ret->at = ring_word(region, head);
	ret->word = HEAP_RECORD_WORD(head, size | HEAP_RECORD_READY);
	__atomic_store_n((uint64_t *)ret->at, HEAP_RECORD_WORD(head, size), __ATOMIC_RELEASE);
	*stack_bytes = stack;
	return true;
}

static inline void ring_commit(const struct ring_claim *claim)
{
	__atomic_store_n((uint64_t *)claim->at, claim->word, __ATOMIC_RELEASE);
}

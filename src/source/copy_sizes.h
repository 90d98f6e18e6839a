/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large the rings of a source of copies are, and the copies in them: what the limit on locked memory
 * allows, and what leaves room for several records until the ring is read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* No ring is smaller. */
#define COPY_RING_BYTES_MIN (32U * 1024)

struct copy_sizes {
	uint64_t period_ns;
	uint32_t cpu_count; /* each has a ring; at least 1 */
	bool by_task;	    /* an ordinary user's, whose locked memory is limited */
};

/*
 * What a user without privileges may lock for each of so many CPUs, in bytes: a part that everybody has,
 * and his process's own limit.
 */
uint64_t copy_lockable_bytes(uint32_t cpu_count);
/* Of each ring, a power of two: what there should be of it, if `lockable` bytes allow it. */
uint32_t copy_ring_bytes(const struct copy_sizes *sizes, uint64_t lockable);
/* Of a copy at first, where the smallest ring has `ring` bytes: a multiple of 8, as all of these. */
uint32_t copy_stack_bytes_at_first(const struct copy_sizes *sizes, uint32_t ring);
/* What copies of `bytes` grow to; `bytes` itself: they are as large as they can be. */
uint32_t copy_stack_bytes_grown(uint32_t bytes, uint32_t ring);

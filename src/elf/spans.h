/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From overlapping address ranges to disjoint ones: for each address, the best range that holds it.
 *
 * Symbols nest and overlap (hand-written assembly, aliases), and a JIT writes new code over old.
 * Sorting this out once makes every later look-up one binary search.
 */
#pragma once

#include <stdint.h>

#define SPAN_NONE UINT32_MAX

struct span {
	uint64_t start, end; /* end is outside */
	uint64_t priority;   /* the lowest one wins; then the lowest value */
	uint32_t value;	     /* anything but SPAN_NONE */
};

/*
 * get: puts the span with this number into *ret; they come in ascending order of `start`.
 * emit: from `start` on (until the next call) `value` is the best, or SPAN_NONE; ascending, each
 * call with another value than the one before; returns 0 or a negative errno, which ends it all.
 * O(n log n) whatever the spans look like; at most 2n + 1 calls of emit. Returns 0 or -errno.
 */
int spans_flatten(uint32_t count, void (*get)(void *context, uint32_t number, struct span *ret),
		  int (*emit)(void *context, uint64_t start, uint32_t value), void *context);

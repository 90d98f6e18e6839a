/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of profile_freeze, in their order; freeze.c says what they are for. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "profile/order.h"
#include "profile/profile.h"

#define FREEZE_UNUSED UINT32_MAX

/* Old ids to new ones; FREEZE_UNUSED where nothing refers to the old one. */
struct renumbering {
	uint32_t *string, *mapping, *function, *location, *stack, *labels;
};

struct freezer {
	struct profile *old;
	struct profile *now; /* the tables being built */
	struct renumbering to;
};

/*
 * Each fills tables of `now` from those of `old`, and renumbers what it has moved in `to`; each wants
 * the ids of those before. All return 0 or -ENOMEM.
 */

/* Makes the maps of `to`, in which what samples reach is 0. */
int freeze_mark(struct freezer *freezer);
/* freeze_names.c */
int freeze_strings(struct freezer *freezer);
int freeze_functions(struct freezer *freezer);
/* freeze_mappings.c */
int freeze_mappings(struct freezer *freezer);
/* freeze_stacks.c. Stacks of `old` hold new ids of locations then. */
int freeze_locations(struct freezer *freezer);
int freeze_stacks(struct freezer *freezer);
/* freeze_samples.c. Labels of `old` hold new ids of strings then. */
int freeze_labels(struct freezer *freezer);
int freeze_samples(struct freezer *freezer);

/* ---- freeze_order.c: shared by them ---- */

/* One id for each of `count`, all FREEZE_UNUSED; the caller's to free. NULL: out of memory. */
uint32_t *freeze_map(uint32_t count);
/*
 * The used old ids of a map, in order by keys or, of what there are few of, by a comparison (qsort_r);
 * the caller's to free. NULL: out of memory.
 */
uint32_t *freeze_ordered(const uint32_t *map, uint32_t count, uint32_t *ret_used,
			 order_read_fn read, const void *context);
uint32_t *freeze_compared(const uint32_t *map, uint32_t count, uint32_t *ret_used,
			  int (*compare)(const void *, const void *, void *), void *context);

/* In a comparison: returns, unless these are equal. */
#define FREEZE_COMPARE(a, b)                                                                       \
	do {                                                                                       \
		if ((a) != (b))                                                                    \
			return (a) < (b) ? -1 : 1;                                                 \
	} while (0)

/* A key of two numbers. */
static inline uint64_t freeze_pair(uint32_t first, uint32_t second)
{
	return (uint64_t)first << 32 | second;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each source line of a function used: a line's total counts once a sample. A function whose lines
 * are of several files is a routine for each.
 */
#pragma once

#include "base/hash.h"
#include "report/view.h"

/* A function with all its lines that are in one file. */
struct routine {
	uint32_t name, file; /* strings of the profile */
	uint32_t start_line;
	uint32_t last_sample; /* + 1, that was counted */
	int64_t self, total;
};

struct line_cost {
	uint32_t routine, line;
	uint32_t last_sample; /* + 1 */
	int64_t self, total;
};

struct listing {
	ARRAY_OF(struct routine) routines;
	ARRAY_OF(struct line_cost) lines;
	struct hash_index by_line;
	uint32_t *of_functions;	  /* by function of the profile: routine + 1, or NO_ROUTINE */
	ARRAY_OF(uint32_t) order; /* routines, the heaviest first */
};

/*
 * Finds and weighs the functions that report->options names. *ret: all zero; free with listing_fini in any
 * case. Returns 0, REPORT_REFUSED or -ENOMEM.
 */
int listing_make(struct listing *ret, struct report *report);
void listing_fini(struct listing *listing);
static inline void listing_fini_cleanup(struct listing *listing)
{
	listing_fini(listing);
}
/* The lines of a routine, ascending: all of *ret_count. */
const struct line_cost *listing_lines(const struct listing *listing, uint32_t routine,
				      uint32_t *ret_count);

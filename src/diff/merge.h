/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of diff_new, a file each; merge.c has their order. */
#pragma once

#include "diff/diff.h"

/* The name and the unit of the type that is compared; borrowed from the profile. */
static inline const char *diff_input_type(const struct diff_input *input)
{
	return profile_text(input->profile, input->profile->types.at[input->type].name);
}

static inline const char *diff_input_unit(const struct diff_input *input)
{
	return profile_text(input->profile, input->profile->types.at[input->type].unit);
}

/* ---- scale.c ---- */

/* How many seconds one of the unit is, as of "nanoseconds"; 0: it is not of time. */
double diff_unit_seconds(const char *unit);
/*
 * Sets *ret to what a weight of 1 of the input's tree is worth, in terms of `per`, and *ret_amount to
 * what everything amounts to, in the type's own unit. Returns 0, or DIFF_REFUSED where that cannot be
 * told.
 */
int diff_scale(double *ret, double *ret_amount, const struct diff_input *input,
	       const struct call_tree *tree, enum diff_per per, struct diff_reason *reason);

/* ---- order.c ---- */

/*
 * Brings frames into the order of their names, modules and kinds, and nodes, with what runs have of
 * them (`self`), into preorder, siblings by frame. Returns 0 or -ENOMEM.
 */
int diff_order(struct diff *diff);

/* ---- sums.c ---- */

/*
 * Of nodes in preorder: their ends, the totals of all runs by node and by frame, and which frames are
 * leaves. Returns 0 or -ENOMEM.
 */
int diff_add_up(struct diff *diff);

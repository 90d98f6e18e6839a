/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thinning without bias: systematic sampling with probability proportional to size (W. G. Madow,
 * 1949). Pure.
 *
 * Weights are laid end to end, and a mark is made every `unit` from a random start. What has n
 * marks then weighs n units. The expected weight of anything, and of any sum, is what it was; and
 * any run of neighbours keeps its sum to less than a unit, so what lies beside one another should
 * be alike.
 */
#pragma once

#include <stdint.h>

struct thinner {
	int64_t unit; /* above 0 */
	int64_t rest; /* since the last mark */
};

static inline struct thinner thinner_of(int64_t unit, uint64_t random)
{
	return (struct thinner){ unit, (int64_t)(random % (uint64_t)unit) };
}

/* How many units a weight (0 or above) becomes. */
static inline int64_t thinner_take(struct thinner *thinner, int64_t weight)
{
	int64_t whole = weight / thinner->unit;

	thinner->rest += weight % thinner->unit;
	if (thinner->rest < thinner->unit)
		return whole;
	thinner->rest -= thinner->unit;
	return whole + 1;
}

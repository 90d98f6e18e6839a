// SPDX-License-Identifier: Apache-2.0
/*
 * A histogram over weights: eight steps for each power of two.
 *
 * No frame weighs more than its caller, so what a cutoff leaves of a tree is a tree.
 */
#include "output/flamegraph/flamegraph.h"

static unsigned step_of(int64_t weight)
{
	unsigned power = 63 - (unsigned)__builtin_clzll((uint64_t)weight);
	uint64_t eighths = power >= 3 ? (uint64_t)weight >> (power - 3)
				      : (uint64_t)weight << (3 - power);

	return power * 8 + (unsigned)(eighths & 7);
}

/* The smallest weight of a step. */
static int64_t first_of(unsigned step)
{
	unsigned power = step / 8;
	uint64_t eighths = 8 + step % 8;

	return (int64_t)(power >= 3 ? eighths << (power - 3) : (eighths + (1U << (3 - power)) - 1) >>
									(3 - power));
}

void cutoff_add(struct cutoff *cutoff, int64_t weight, uint64_t cost)
{
	if (weight > 0)
		cutoff->cost[step_of(weight)] += cost;
}

int64_t cutoff_weight(const struct cutoff *cutoff, uint64_t budget, uint64_t *ret_left)
{
	/* Weights are below 2^63: the last power of two is empty. */
	for (unsigned step = 63 * 8; step-- > 0;) {
		if (cutoff->cost[step] > budget) {
			*ret_left = budget;
			return step + 1 < 63 * 8 ? first_of(step + 1) : INT64_MAX;
		}
		budget -= cutoff->cost[step];
	}
	*ret_left = budget;
	return 1;
}

int64_t cutoff_weight_below(int64_t weight)
{
	return first_of(step_of(weight - 1));
}

// SPDX-License-Identifier: Apache-2.0
/* What weighs most in a call tree: functions and stacks, heaviest first, in an order of its own. */
#include "profile/call_tree.h"

#include <errno.h>
#include <stdlib.h>

struct ranking {
	const struct call_tree *tree;
	bool by_total;
};

static int64_t frame_weight(const struct ranking *ranking, uint32_t frame)
{
	return ranking->by_total ? ranking->tree->frames.at[frame].total
				 : ranking->tree->frames.at[frame].self;
}

/* Ids are in the order of names already, so they settle ties. */
static int compare_heavier(const void *a_, const void *b_, void *context)
{
	uint32_t a = *(const uint32_t *)a_, b = *(const uint32_t *)b_;
	int64_t weight_a = frame_weight(context, a), weight_b = frame_weight(context, b);

	if (weight_a != weight_b)
		return weight_a > weight_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

int call_tree_top(const struct call_tree *tree, bool by_total, uint32_t **ret, uint32_t *ret_count)
{
	struct ranking ranking = { tree, by_total };
	uint32_t *order = malloc((tree->frames.count + 1ULL) * sizeof(*order)), count = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++)
		if (tree->frames.at[i].kind < CALL_ALL && frame_weight(&ranking, i) > 0)
			order[count++] = i;
	if (count)
		qsort_r(order, count, sizeof(*order), compare_heavier, &ranking);
	*ret = order;
	*ret_count = count;
	return 0;
}

static int compare_heavier_stack(const void *a_, const void *b_, void *context)
{
	const struct call_tree *tree = context;
	uint32_t a = *(const uint32_t *)a_, b = *(const uint32_t *)b_;
	int64_t self_a = tree->nodes.at[a].self, self_b = tree->nodes.at[b].self;

	if (self_a != self_b)
		return self_a > self_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

int call_tree_top_stacks(const struct call_tree *tree, uint32_t **ret, uint32_t *ret_count)
{
	uint32_t *order = malloc((tree->nodes.count + 1ULL) * sizeof(*order)), count = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->nodes.count; i++)
		if (tree->nodes.at[i].self > 0)
			order[count++] = i;
	if (count)
		qsort_r(order, count, sizeof(*order), compare_heavier_stack, (void *)tree);
	*ret = order;
	*ret_count = count;
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* Which changes are shown first. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "diff/output.h"

/* A caller's change is explained by a callee that carries this part of it. */
static const double explained = 0.8;

static int compare_entries(const void *a_, const void *b_)
{
	const struct diff_entry *a = a_, *b = b_;
	double change_a = fabs(diff_change(a->value)), change_b = fabs(diff_change(b->value));

	if (!a->value->mark != !b->value->mark)
		return a->value->mark ? -1 : 1;
	if (change_a != change_b)
		return change_a > change_b ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

int diff_rank_functions(const struct diff *diff, bool by_total, struct diff_entry **ret,
			uint32_t *ret_count)
{
	const struct diff_value *values = by_total ? diff->function_total : diff->function_self;
	struct diff_entry *entries = malloc((diff->frames.count + 1ULL) * sizeof(*entries));

	*ret_count = 0;
	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < diff->frames.count; i++)
		if (diff_is_function(&diff->frames.at[i]) &&
		    (values[i].base > 0 || values[i].new > 0))
			entries[(*ret_count)++] = (struct diff_entry){ i, &values[i], by_total };
	if (*ret_count)
		qsort(entries, *ret_count, sizeof(*entries), compare_entries);
	*ret = entries;
	return 0;
}

static bool is_explained(const struct diff *diff, uint32_t node)
{
	double change = diff_change(&diff->node_total[node]);

	for (uint32_t i = node + 1; i < diff->nodes.at[node].end; i = diff->nodes.at[i].end) {
		const struct diff_value *value = &diff->node_total[i];

		if (value->mark == diff->node_total[node].mark &&
		    fabs(diff_change(value)) >= explained * fabs(change))
			return true;
	}
	return false;
}

int diff_rank_stacks(const struct diff *diff, struct diff_entry **ret, uint32_t *ret_count)
{
	struct diff_entry *entries = malloc((diff->nodes.count + 1ULL) * sizeof(*entries));

	*ret_count = 0;
	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 1; i < diff->nodes.count; i++)
		if (diff->node_total[i].mark && !is_explained(diff, i))
			entries[(*ret_count)++] =
				(struct diff_entry){ i, &diff->node_total[i], true };
	if (*ret_count)
		qsort(entries, *ret_count, sizeof(*entries), compare_entries);
	*ret = entries;
	return 0;
}

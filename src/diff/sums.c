// SPDX-License-Identifier: Apache-2.0
/* What nodes and functions amount to in each run. */
#include "diff/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_up(struct diff *diff, struct diff_run *run, uint32_t *active)
{
	struct diff_node *nodes = diff->nodes.at;

	run->total = calloc(diff->nodes.count + 1ULL, sizeof(*run->total));
	run->function_self = calloc(diff->frames.count + 1ULL, sizeof(*run->function_self));
	run->function_total = calloc(diff->frames.count + 1ULL, sizeof(*run->function_total));
	if (!run->total || !run->function_self || !run->function_total)
		return -ENOMEM;
	for (uint32_t i = diff->nodes.count; i-- > 0;) {
		run->total[i] += run->self[i];
		if (nodes[i].end <= i)
			nodes[i].end = i + 1;
		if (!i)
			break;
		run->total[nodes[i].parent] += run->total[i];
		if (nodes[nodes[i].parent].end < nodes[i].end)
			nodes[nodes[i].parent].end = nodes[i].end;
	}
	memset(active, 0, diff->frames.count * sizeof(*active));
	for (uint32_t i = 0, previous = 0; i < diff->nodes.count; previous = i++) {
		for (uint32_t at = previous; i && at != nodes[i].parent; at = nodes[at].parent)
			active[nodes[at].frame]--;
		run->function_self[nodes[i].frame] += run->self[i];
		if (!active[nodes[i].frame]++)
			run->function_total[nodes[i].frame] += run->total[i];
	}
	return 0;
}

int diff_add_up(struct diff *diff)
{
	cleanup(free) uint32_t *active = calloc(diff->frames.count + 1ULL, sizeof(*active));
	int r = active ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < diff->runs.count; i++)
		r = add_up(diff, &diff->runs.at[i], active);
	if (r == 0)
		r = add_up(diff, &diff->squares, active);
	for (uint32_t f = 0; r == 0 && f < diff->frames.count; f++) {
		struct diff_frame *frame = &diff->frames.at[f];

		frame->is_leaf = true;
		for (uint32_t i = 0; i < diff->runs.count; i++) {
			const struct diff_run *run = &diff->runs.at[i];

			/* Sums of the same numbers, in another order. */
			frame->is_leaf &= run->function_total[f] - run->function_self[f] <=
					  1e-9 * run->function_total[f];
		}
	}
	return r;
}

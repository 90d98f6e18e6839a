// SPDX-License-Identifier: Apache-2.0
/* The order of a diff: that of a call tree. */
#include "diff/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_frames(const void *a_, const void *b_, void *context)
{
	const struct diff *diff = context;
	const struct diff_frame *a = &diff->frames.at[*(const uint32_t *)a_];
	const struct diff_frame *b = &diff->frames.at[*(const uint32_t *)b_];
	int r = strcmp(diff_name(diff, a), diff_name(diff, b));

	if (!r)
		r = strcmp(diff_module(diff, a), diff_module(diff, b));
	return r ? r : (int)a->kind - (int)b->kind;
}

static int order_frames(struct diff *diff)
{
	uint32_t count = diff->frames.count;
	cleanup(free) uint32_t *order = malloc((count + 1ULL) * sizeof(*order));
	cleanup(free) uint32_t *rank = malloc((count + 1ULL) * sizeof(*rank));
	struct diff_frame *sorted = malloc((count + 1ULL) * sizeof(*sorted));

	if (!order || !rank || !sorted) {
		free(sorted);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare_frames, diff);
	for (uint32_t i = 0; i < count; i++) {
		rank[order[i]] = i;
		sorted[i] = diff->frames.at[order[i]];
	}
	free(diff->frames.at);
	diff->frames.at = sorted;
	diff->frames.capacity = count + 1;
	for (uint32_t i = 0; i < diff->nodes.count; i++)
		diff->nodes.at[i].frame = rank[diff->nodes.at[i].frame];
	return 0;
}

static int compare_siblings(const void *a_, const void *b_, void *context)
{
	const struct diff_node *nodes = context;
	const struct diff_node *a = &nodes[*(const uint32_t *)a_];
	const struct diff_node *b = &nodes[*(const uint32_t *)b_];

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	return a->frame < b->frame ? -1 : a->frame > b->frame;
}

/* by_parent: nodes but 0, siblings together and in order. first: of a node's in there. */
static void walk(const uint32_t *by_parent, const uint32_t *first, uint32_t *place, uint32_t *stack)
{
	uint32_t top = 0, next = 0;

	stack[top++] = 0;
	while (top) {
		uint32_t node = stack[--top];

		place[node] = next++;
		for (uint32_t i = first[node + 1]; i-- > first[node];)
			stack[top++] = by_parent[i];
	}
}

/* place: of node → where it goes. */
static int order_run(struct diff_run *run, const uint32_t *place, uint32_t count)
{
	double *self = calloc(count + 1ULL, sizeof(*self));

	if (!self)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		self[place[i]] = run->self[i];
	free(run->self);
	run->self = self;
	return 0;
}

/* Brings nodes, and what runs know of them, into preorder. */
static int order_nodes(struct diff *diff)
{
	uint32_t count = diff->nodes.count;
	cleanup(free) uint32_t *by_parent = malloc((count + 1ULL) * sizeof(*by_parent));
	cleanup(free) uint32_t *first = calloc(count + 2ULL, sizeof(*first));
	cleanup(free) uint32_t *place = malloc((count + 1ULL) * sizeof(*place));
	cleanup(free) uint32_t *stack = malloc((count + 1ULL) * sizeof(*stack));
	struct diff_node *sorted = malloc((count + 1ULL) * sizeof(*sorted));
	int r = by_parent && first && place && stack && sorted ? 0 : -ENOMEM;

	if (r < 0) {
		free(sorted);
		return r;
	}
	for (uint32_t i = 1; i < count; i++) {
		by_parent[i - 1] = i;
		first[diff->nodes.at[i].parent + 1]++;
	}
	qsort_r(by_parent, count - 1, sizeof(*by_parent), compare_siblings, diff->nodes.at);
	for (uint32_t i = 0; i < count; i++)
		first[i + 1] += first[i];
	walk(by_parent, first, place, stack);
	for (uint32_t i = 0; i < count; i++) {
		sorted[place[i]] = diff->nodes.at[i];
		sorted[place[i]].parent = place[diff->nodes.at[i].parent];
	}
	free(diff->nodes.at);
	diff->nodes.at = sorted;
	diff->nodes.capacity = count + 1;
	for (uint32_t k = 0; r == 0 && k < diff->runs.count; k++)
		r = order_run(&diff->runs.at[k], place, count);
	return r == 0 ? order_run(&diff->squares, place, count) : r;
}

int diff_order(struct diff *diff)
{
	int r = order_frames(diff);

	return r == 0 ? order_nodes(diff) : r;
}

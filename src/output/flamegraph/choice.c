// SPDX-License-Identifier: Apache-2.0
#include "output/flamegraph/choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output/flamegraph/flamegraph.h"
#include "profile/order.h"

enum {
	NAME_BYTES = 2000000, /* of names before they are shortened */
	FEW_CALLS = 1000,     /* are not worth another look */
	CALL_COST = 6,        /* of a call in its list, in half characters */
};

/* Bytes of a function's entry: its name without what it shares with the one before, and the rest. */
static uint64_t cost_of_name(const struct choice *choice, uint32_t frame)
{
	const struct call_frame *frames = choice->tree->frames.at;
	const char *name = call_frame_name(choice->tree, &frames[frame]);
	const char *before = frame ? call_frame_name(choice->tree, &frames[frame - 1]) : "";
	size_t size = strnlen(name, choice->name_limit), same = 0;

	while (same < size && before[same] == name[same])
		same++;
	return size - same + 14;
}

/* Shortens names as far as there are many of them, and remembers what each costs then. */
static void choose_name_limit(struct choice *choice)
{
	static const size_t limits[] = { 4000, 1000, 300, 150, 80 };
	uint32_t count = choice->tree->frames.count;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		uint64_t most = i + 1 < ARRAY_SIZE(limits) ? NAME_BYTES : UINT64_MAX, bytes = 0;
		uint32_t frame = 0;

		choice->name_limit = limits[i];
		for (; frame < count && bytes <= most; frame++) {
			choice->name_cost[frame] = (uint32_t)cost_of_name(choice, frame);
			bytes += choice->name_cost[frame];
		}
		if (bytes <= most)
			return;
	}
}

static int find_call(struct choice *choice, uint32_t *ret, uint32_t caller, uint32_t callee)
{
	/* Different pairs have different hashes: nothing else needs to be compared. */
	uint64_t hash = hash_u64((uint64_t)caller << 32 | callee);
	struct call *call;

	*ret = hash_index_find(&choice->call_index, hash, NULL, NULL, NULL);
	if (*ret != HASH_ABSENT)
		return 0;
	*ret = choice->calls.count;
	call = array_push(&choice->calls);
	if (!call || hash_index_add(&choice->call_index, hash, *ret) < 0)
		return -ENOMEM;
	call->caller = caller;
	call->callee = callee;
	return 0;
}

/* Finds the call that each node is, as long as these are few beside the nodes. */
static int find_calls_by_caller(struct choice *choice)
{
	const struct call_tree *tree = choice->tree;
	uint32_t most = tree->nodes.count / 3;

	if (most < FEW_CALLS)
		most = FEW_CALLS;
	for (uint32_t i = 0; i < tree->nodes.count && choice->calls.count <= most; i++) {
		const struct call_node *node = &tree->nodes.at[i];
		uint32_t caller = i ? tree->nodes.at[node->parent].frame : CHOICE_NONE;
		int r = find_call(choice, &choice->call_of[i], caller, node->frame);

		if (r < 0)
			return r;
	}
	choice->by_caller = choice->calls.count <= most;
	return 0;
}

/* One list of callees for all: call i is that of function i. */
static int list_functions(struct choice *choice)
{
	const struct call_tree *tree = choice->tree;

	hash_index_fini(&choice->call_index);
	choice->calls.count = 0;
	if (!array_reserve(&choice->calls, tree->frames.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++)
		*array_push(&choice->calls) = (struct call){ .caller = CHOICE_NONE, .callee = i };
	for (uint32_t i = 0; i < tree->nodes.count; i++)
		choice->call_of[i] = tree->nodes.at[i].frame;
	return 0;
}

static void count_calls(struct choice *choice)
{
	for (uint32_t i = 0; i < choice->calls.count; i++)
		choice->calls.at[i].count = 0;
	for (uint32_t i = 0; i < choice->tree->nodes.count; i++) {
		struct call *call = &choice->calls.at[choice->call_of[i]];
		int64_t weight = choice->tree->nodes.at[i].total;

		call->count += choice_keeps(choice, i);
		if (weight > call->heaviest)
			call->heaviest = weight;
	}
}

/* By caller, the most frequent first, then by callee. */
static void read_calls(const void *context, struct order_entry *entries, uint32_t count,
		       uint32_t depth)
{
	const struct choice *choice = context;

	for (uint32_t i = 0; i < count; i++) {
		const struct call *call = &choice->calls.at[entries[i].position];

		entries[i].key = depth ? (uint64_t)call->callee << 32
				       : (uint64_t)call->caller << 32 | (UINT32_MAX - call->count);
	}
}

/* Calls by caller, each caller's by count, and their places. */
static int sort_calls(struct choice *choice)
{
	uint32_t count = choice->calls.count, *order;

	free(choice->order);
	choice->order = order = malloc((count + 1ULL) * sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	if (order_sort(order, count, read_calls, choice) < 0)
		return -ENOMEM;
	for (uint32_t i = 0, place = 0; i < count; i++) {
		struct call *call = &choice->calls.at[order[i]];

		place = i && choice->calls.at[order[i - 1]].caller == call->caller ? place + 1 : 0;
		call->place = place;
	}
	return 0;
}

static unsigned digits_of(uint64_t number)
{
	unsigned digits = 1;

	for (; number >= CHOICE_BASE; number /= CHOICE_BASE)
		digits++;
	return digits;
}

/* What a node costs, in half characters as all costs here. */
static uint64_t node_cost(const struct choice *choice, uint32_t i)
{
	const struct call_node *node = &choice->tree->nodes.at[i];
	uint32_t place = choice_call(choice, i)->place;
	uint64_t cost = place < CHOICE_PAIR ? 1 : 2 + 2 * digits_of(place);

	return node->self ? cost + 2 * (2 + digits_of(2 * (uint64_t)node->self)) : cost;
}

int64_t choice_cut_above(const struct choice *choice, uint32_t parent, uint32_t *ret_nodes)
{
	const struct call_node *nodes = choice->tree->nodes.at;
	int64_t weight = 0;

	*ret_nodes = 0;
	if (choice->smallest == 1)
		return 0;
	for (uint32_t i = parent + 1; i < nodes[parent].end; i = nodes[i].end) {
		if (choice_keeps(choice, i))
			continue;
		weight = profile_sum(weight, nodes[i].total);
		*ret_nodes += nodes[i].end - i;
	}
	return weight;
}

/*
 * Keeps what the budget pays for, the heaviest first. heaviest: by function of the tree. Returns what
 * it costs, without the cuts.
 */
static uint64_t keep(struct choice *choice, const struct cutoff *cutoff, const int64_t *heaviest,
		     uint64_t budget)
{
	const struct call_tree *tree = choice->tree;
	uint64_t left;

	choice->smallest = choice->some = cutoff_weight(cutoff, budget, &left);
	choice->some_end = 0;
	if (choice->smallest == 1)
		return budget - left;
	/* Often very many weigh the same: of these as many as there is room for. */
	choice->some = cutoff_weight_below(choice->smallest);
	for (uint32_t i = 0; i < tree->nodes.count; i++) {
		const struct call *call = choice_call(choice, i);
		int64_t weight = tree->nodes.at[i].total;
		uint64_t cost = 0;

		if (weight >= choice->smallest || weight < choice->some)
			continue;
		cost = node_cost(choice, i);
		if (call->heaviest < choice->smallest)
			cost += CALL_COST;
		if (heaviest[call->callee] < choice->smallest)
			cost += 2 * (uint64_t)choice->name_cost[call->callee];
		if (cost > left)
			break;
		left -= cost;
		choice->some_end = i + 1;
	}
	return budget - left;
}

/* What it costs to say where something is left out. */
static uint64_t cuts_cost(const struct choice *choice)
{
	const struct call_node *nodes = choice->tree->nodes.at;
	uint64_t cost = 0;

	for (uint32_t i = 0; i < choice->tree->nodes.count;) {
		uint32_t left_out;
		int64_t cut;

		if (!choice_keeps(choice, i)) {
			i = nodes[i].end;
			continue;
		}
		cut = choice_cut_above(choice, i, &left_out);
		if (left_out) /* a stack ends there, too */
			cost += 2 * digits_of((uint64_t)cut) + (nodes[i].self ? 0 : 6);
		i++;
	}
	return cost;
}

/* From which weight on the file is small enough. budget: in bytes. */
static int choose_smallest(struct choice *choice, uint64_t budget)
{
	const struct call_tree *tree = choice->tree;
	cleanup(free) int64_t *heaviest = calloc(tree->frames.count + 1ULL, sizeof(*heaviest));
	struct cutoff cutoff = {};
	uint64_t want = 2 * budget;

	if (!heaviest)
		return -ENOMEM;
	for (uint32_t i = 0; i < choice->calls.count; i++) {
		const struct call *call = &choice->calls.at[i];

		if (call->heaviest > heaviest[call->callee])
			heaviest[call->callee] = call->heaviest;
		cutoff_add(&cutoff, call->heaviest, CALL_COST);
	}
	for (uint32_t i = 0; i < tree->frames.count; i++)
		cutoff_add(&cutoff, heaviest[i], 2 * (uint64_t)choice->name_cost[i]);
	for (uint32_t i = 0; i < tree->nodes.count; i++)
		cutoff_add(&cutoff, tree->nodes.at[i].total, node_cost(choice, i));
	/* How much the cuts cost is known only when they are made; less is kept for them. */
	for (unsigned tries = 0; tries < 3; tries++) {
		uint64_t cost = keep(choice, &cutoff, heaviest, want) + cuts_cost(choice);

		if (cost <= 2 * budget)
			break;
		want -= cost - 2 * budget < want ? cost - 2 * budget : want;
	}
	return 0;
}

/* Functions have numbers in the order of their names. */
static void number_functions(struct choice *choice)
{
	uint32_t count = choice->tree->frames.count;

	memset(choice->number, 0xff, (count + 1ULL) * sizeof(*choice->number));
	for (uint32_t i = 0; i < choice->calls.count; i++)
		if (choice->calls.at[i].count)
			choice->number[choice->calls.at[i].callee] = 0;
	choice->function_count = 1;
	for (uint32_t i = 0; i < count; i++) {
		if (choice->number[i] == CHOICE_NONE)
			continue;
		choice->number[i] = choice->function_count;
		choice->by_number[choice->function_count++] = i;
	}
}

static void count_nodes(struct choice *choice)
{
	const struct call_node *nodes = choice->tree->nodes.at;

	for (uint32_t i = 0; i < choice->tree->nodes.count;) {
		int64_t weight;
		uint32_t left_out;

		if (!choice_keeps(choice, i)) {
			i = nodes[i].end;
			continue;
		}
		weight = choice_cut_above(choice, i, &left_out);
		choice->node_count += 1 + (left_out > 0);
		choice->left_out += left_out;
		choice->left_out_weight = profile_sum(choice->left_out_weight, weight);
		i++;
	}
}

static int choose(struct choice *choice, uint64_t budget)
{
	int r;

	choose_name_limit(choice);
	r = find_calls_by_caller(choice);
	if (r == 0 && !choice->by_caller)
		r = list_functions(choice);
	if (r < 0)
		return r;
	count_calls(choice);
	r = sort_calls(choice);
	if (r == 0)
		r = choose_smallest(choice, budget);
	if (r == 0 && choice->smallest > 1) {
		count_calls(choice);
		r = sort_calls(choice);
	}
	if (r < 0)
		return r;
	number_functions(choice);
	count_nodes(choice);
	return 0;
}

int choice_make(struct choice *choice, const struct call_tree *tree, uint64_t budget)
{
	uint64_t functions = tree->frames.count + 1ULL;

	*choice = (struct choice){ .tree = tree, .smallest = 1, .some = 1 };
	choice->number = malloc(functions * sizeof(*choice->number));
	choice->by_number = calloc(functions, sizeof(*choice->by_number));
	choice->call_of = malloc((tree->nodes.count + 1ULL) * sizeof(*choice->call_of));
	choice->name_cost = malloc(functions * sizeof(*choice->name_cost));
	if (!choice->number || !choice->by_number || !choice->call_of || !choice->name_cost)
		return -ENOMEM;
	return choose(choice, budget);
}

void choice_fini(struct choice *choice)
{
	array_fini(&choice->calls);
	hash_index_fini(&choice->call_index);
	free(choice->call_of);
	free(choice->order);
	free(choice->number);
	free(choice->by_number);
	free(choice->name_cost);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Many call trees become one: functions and then nodes are found by hash, and put into the order of
 * a call tree at the end.
 */
#include "diff/diff.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "profile/weights.h"

/* What all runs must agree on before any is merged. */
struct agreement {
	bool has_modules;     /* every run */
	bool has_one_process; /* every run has one at most */
	bool is_one_program;  /* no run is of the whole machine */
	const char *process;  /* NEW's; borrowed */
	const char *program;  /* file name of NEW's program */
};

/* What a frame is found by. */
struct frame_key {
	uint32_t name, module, class;
};

struct merge {
	struct diff *diff;
	struct agreement agreed;
	struct hash_index frame_index, node_index;
	ARRAY_OF(struct frame_key) frame_keys; /* by frame */
	const struct diff_input *inputs;       /* by run */
	struct call_tree **trees;	       /* by run */
	uint32_t **places;		       /* by run: node of its tree → node */
	double *scales;			       /* by run: what a weight of 1 is worth */
};

static void merge_fini_cleanup(struct merge *merge)
{
	hash_index_fini(&merge->frame_index);
	hash_index_fini(&merge->node_index);
	array_fini(&merge->frame_keys);
	for (uint32_t i = 0; merge->trees && i < merge->diff->runs.count; i++)
		call_tree_free(merge->trees[i]);
	for (uint32_t i = 0; merge->places && i < merge->diff->runs.count; i++)
		free(merge->places[i]);
	free(merge->trees);
	free(merge->places);
	free(merge->scales);
}

static void run_fini(struct diff_run *run)
{
	free(run->self);
	free(run->total);
	free(run->function_self);
	free(run->function_total);
}

void diff_free(struct diff *diff)
{
	if (!diff)
		return;
	profile_free(diff->names);
	for (uint32_t i = 0; i < diff->runs.count; i++)
		run_fini(&diff->runs.at[i]);
	run_fini(&diff->squares);
	array_fini(&diff->runs);
	array_fini(&diff->frames);
	array_fini(&diff->nodes);
	free(diff->function_self);
	free(diff->function_total);
	free(diff->node_total);
	free(diff);
}

static const char *type_name(const struct diff_input *input)
{
	return profile_text(input->profile, input->profile->types.at[input->type].name);
}

static const char *type_unit(const struct diff_input *input)
{
	return profile_text(input->profile, input->profile->types.at[input->type].unit);
}

/* Whether all have the type that one shows, and takes it. */
static bool agree_on(struct diff_input *inputs, uint32_t count, const char *name, const char *unit)
{
	uint32_t found = 0;

	for (int apply = 0; apply < 2; apply++) {
		if (apply && found < count)
			return false;
		for (uint32_t i = 0; i < count; i++) {
			const struct profile *profile = inputs[i].profile;

			for (uint32_t t = 0; t < profile->types.count; t++) {
				const struct profile_type *type = &profile->types.at[t];

				if (strcmp(profile_text(profile, type->name), name) != 0 ||
				    strcmp(profile_text(profile, type->unit), unit) != 0)
					continue;
				if (apply)
					inputs[i].type = t;
				found++;
				break;
			}
		}
	}
	return true;
}

static int choose_types(struct diff_input *inputs, uint32_t count, bool is_chosen,
			struct diff_reason *reason)
{
	uint32_t other = 1;

	for (uint32_t i = 0; i < count && !is_chosen; i++)
		if (agree_on(inputs, count, type_name(&inputs[i]), type_unit(&inputs[i])))
			return 0;
	while (other < count && strcmp(type_name(&inputs[0]), type_name(&inputs[other])) == 0 &&
	       strcmp(type_unit(&inputs[0]), type_unit(&inputs[other])) == 0)
		other++;
	if (other >= count)
		return 0;
	snprintf(
		reason->text, sizeof(reason->text),
		"%.100s holds %.30s (%.20s), and %.100s %.30s (%.20s): only the same can be compared",
		inputs[0].name, type_name(&inputs[0]), type_unit(&inputs[0]), inputs[other].name,
		type_name(&inputs[other]), type_unit(&inputs[other]));
	return DIFF_REFUSED;
}

int diff_choose_types(struct diff_input *inputs, uint32_t count, bool is_chosen,
		      struct diff_reason *reason)
{
	int r = choose_types(inputs, count, is_chosen, reason);

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		uint64_t below;

		(void)weights_values(inputs[i].profile, inputs[i].type, &below);
		if (!below)
			continue;
		snprintf(reason->text, sizeof(reason->text),
			 "%.200s holds values below 0: it is a difference already", inputs[i].name);
		r = DIFF_REFUSED;
	}
	return r;
}

/* ---- Normalisation. ---- */

/* How many seconds one of the unit is; 0: it is not of time. */
static double seconds_in(const char *unit)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "nanoseconds", 1e-9 },
		      { "microseconds", 1e-6 },
		      { "milliseconds", 1e-3 },
		      { "seconds", 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(units[i].name, unit) == 0)
			return units[i].seconds;
	return 0;
}

static double cpu_seconds(const struct profile *profile)
{
	for (uint32_t i = 0; i < profile->types.count; i++) {
		double one = seconds_in(profile_text(profile, profile->types.at[i].unit));

		if (one > 0 && strcmp(profile_text(profile, profile->types.at[i].name), "cpu") == 0)
			return (double)profile_total(profile, i) * one;
	}
	return 0;
}

/* Sets *ret to what a weight of 1 is worth, *ret_amount to what everything amounts to. */
static int scale_of(double *ret, double *ret_amount, const struct diff_input *input,
		    const struct call_tree *tree, enum diff_per per, struct diff_reason *reason)
{
	const struct profile *profile = input->profile;
	const struct profile_meta *meta = &profile->meta;
	bool is_periods = input->type == meta->period_type && meta->period > 1;
	double value = is_periods ? (double)meta->period : 1, seconds;

	*ret_amount = (double)call_tree_total(tree) * value;

	if (seconds_in(type_unit(input)) > 0)
		value *= seconds_in(type_unit(input));
	if (call_tree_total(tree) <= 0) {
		snprintf(reason->text, sizeof(reason->text), "%.200s holds no samples of %.40s",
			 input->name, type_name(input));
		return DIFF_REFUSED;
	}
	if (per == DIFF_PER_SAMPLES) {
		*ret = 1 / (double)call_tree_total(tree);
		return 0;
	}
	if (per == DIFF_PER_RUN) {
		*ret = value;
		return 0;
	}
	seconds = per == DIFF_PER_SECONDS ? (double)meta->duration_ns / 1e9 : cpu_seconds(profile);
	if (!(seconds > 0)) {
		snprintf(reason->text, sizeof(reason->text), "%.200s %s: choose another --per",
			 input->name,
			 per == DIFF_PER_SECONDS ? "does not say how long was recorded"
						 : "holds no CPU time");
		return DIFF_REFUSED;
	}
	*ret = value / seconds;
	return 0;
}

static int measure_run(struct merge *merge, uint32_t index, double *ret_scale,
		       struct diff_reason *reason)
{
	struct diff_run *run = &merge->diff->runs.at[index];
	const struct call_tree *tree = merge->trees[index];
	int r = scale_of(ret_scale, &run->amount, &merge->inputs[index], tree, merge->diff->per,
			 reason);

	if (r == 0)
		r = profile_string(merge->diff->names, &run->name, merge->inputs[index].name);
	if (r != 0)
		return r;
	merge->diff->has_seconds &= merge->inputs[index].profile->meta.duration_ns > 0;
	run->value = (double)call_tree_total(tree) * *ret_scale;
	if (tree->is_counted && tree->effective_samples > 0) {
		run->samples = tree->nodes.at[0].total_count;
		run->effective = tree->effective_samples;
		run->exposure = (double)run->samples / run->value;
	} else {
		merge->diff->is_counted = false;
	}
	return 0;
}

/* ---- Functions. ---- */

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static const char *program_of(const struct profile *profile)
{
	return profile->mappings.count
		       ? file_name(profile_text(profile, profile->mappings.at[0].file))
		       : "";
}

static void agree(struct merge *merge)
{
	struct agreement *agreed = &merge->agreed;

	*agreed = (struct agreement){ .has_modules = true,
				      .has_one_process = true,
				      .is_one_program = true };
	for (uint32_t i = 0; i < merge->diff->runs.count; i++) {
		const struct call_tree *tree = merge->trees[i];
		bool has_modules = false;
		uint32_t processes = 0;

		for (uint32_t f = 0; f < tree->frames.count; f++) {
			const struct call_frame *frame = &tree->frames.at[f];

			/* The kernel is told by its name alone, also in folded text. */
			has_modules |= (frame->kind == CALL_USER || frame->kind == CALL_LIBRARY) &&
				       *profile_text(tree->profile, frame->module);
			if (frame->kind != CALL_PROCESS)
				continue;
			processes++;
			if (!i)
				agreed->process = call_frame_name(tree, frame);
		}
		agreed->has_modules &= has_modules;
		agreed->has_one_process &= processes <= 1;
		agreed->is_one_program &=
			!tree->profile->meta.of_machine && *program_of(tree->profile);
	}
	agreed->program = program_of(merge->trees[0]->profile);
}

/* The length of a thread's name without what makes it one of many: "worker (1234)". */
static size_t thread_size(const char *name)
{
	size_t size = strlen(name), digits = size;

	if (!size || name[size - 1] != ')')
		return size;
	for (digits = size - 1; digits && name[digits - 1] >= '0' && name[digits - 1] <= '9';)
		digits--;
	if (digits < 3 || digits == size - 1 || name[digits - 1] != '(' || name[digits - 2] != ' ')
		return size;
	return digits - 2;
}

static bool is_key(const void *context, uint32_t position, const void *wanted)
{
	const struct merge *merge = context;

	return memcmp(&merge->frame_keys.at[position], wanted, sizeof(struct frame_key)) == 0;
}

static int add_frame(struct merge *merge, uint32_t *ret, const struct call_tree *tree,
		     const struct call_frame *frame)
{
	const struct agreement *agreed = &merge->agreed;
	struct diff *diff = merge->diff;
	const char *name = call_frame_name(tree, frame);
	const char *module = call_frame_module(tree, frame);
	struct frame_key key = {}, *key_added;
	struct diff_frame *added;
	uint32_t name_id, module_id, file_id;
	uint64_t hash;
	int r;

	if (frame->kind == CALL_PROCESS && agreed->has_one_process && agreed->process)
		name = agreed->process;
	if (agreed->is_one_program && *module && strcmp(module, program_of(tree->profile)) == 0)
		module = agreed->program;
	r = profile_string_of(diff->names, &name_id, name,
			      frame->kind == CALL_THREAD ? thread_size(name) : strlen(name));
	if (r == 0)
		r = profile_string(diff->names, &module_id, module);
	if (r == 0)
		r = profile_string(diff->names, &file_id, call_frame_file(tree, frame));
	if (r != 0)
		return r;
	key.name = name_id;
	key.module = agreed->has_modules ? module_id : 0;
	/* Folded text begins stacks with a process that looks like a function. */
	if (agreed->has_modules || frame->kind == CALL_ALL)
		key.class = frame->kind < CALL_ALL ? 0 : frame->kind;
	hash = hash_bytes(&key, sizeof(key));
	*ret = hash_index_find(&merge->frame_index, hash, is_key, merge, &key);
	if (*ret != HASH_ABSENT) {
		added = &diff->frames.at[*ret];
		added->inlined &= frame->inlined;
		if (!added->module)
			added->module = module_id;
		return 0;
	}
	added = array_push(&diff->frames);
	key_added = array_push(&merge->frame_keys);
	if (!added || !key_added)
		return -ENOMEM;
	*key_added = key;
	*added = (struct diff_frame){ .name = name_id,
				      .module = module_id,
				      .file = file_id,
				      .line = frame->line,
				      .kind = frame->kind,
				      .inlined = frame->inlined };
	*ret = diff->frames.count - 1;
	return hash_index_add(&merge->frame_index, hash, *ret);
}

/* ---- Nodes. ---- */

static int add_node(struct merge *merge, uint32_t *ret, uint32_t parent, uint32_t frame,
		    uint32_t depth)
{
	struct diff *diff = merge->diff;
	/* Different pairs have different hashes. */
	uint64_t hash = hash_u64((uint64_t)parent << 32 | frame);
	struct diff_node *node;

	*ret = hash_index_find(&merge->node_index, hash, NULL, NULL, NULL);
	if (*ret != HASH_ABSENT)
		return 0;
	node = array_push(&diff->nodes);
	if (!node)
		return -ENOMEM;
	*node = (struct diff_node){ .frame = frame, .parent = parent, .depth = depth };
	if (depth > diff->max_depth)
		diff->max_depth = depth;
	*ret = diff->nodes.count - 1;
	return hash_index_add(&merge->node_index, hash, *ret);
}

/* Puts the node of each of the tree's nodes into `to`. */
static int merge_nodes(struct merge *merge, const struct call_tree *tree, uint32_t *to)
{
	cleanup(free) uint32_t *frames = malloc((tree->frames.count + 1ULL) * sizeof(*frames));
	int r = frames ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < tree->frames.count; i++)
		r = add_frame(merge, &frames[i], tree, &tree->frames.at[i]);
	for (uint32_t i = 0; r == 0 && i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];

		if (i) {
			r = add_node(merge, &to[i], to[node->parent], frames[node->frame],
				     node->depth);
		} else {
			to[0] = 0;
			if (!merge->diff->nodes.count) {
				struct diff_node *root = array_push(&merge->diff->nodes);

				if (!root)
					return -ENOMEM;
				root->frame = frames[node->frame];
			}
		}
	}
	return r;
}

/* ---- Order. ---- */

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

/* ---- Sums. ---- */

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

static int add_up_all(struct diff *diff)
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

/* ---- All of it. ---- */

static int merge_run(struct merge *merge, uint32_t index, struct diff_reason *reason)
{
	struct call_tree *tree = merge->trees[index];
	int r = measure_run(merge, index, &merge->scales[index], reason);

	if (r != 0)
		return r;
	merge->places[index] = malloc((tree->nodes.count + 1ULL) * sizeof(uint32_t));
	return merge->places[index] ? merge_nodes(merge, tree, merge->places[index]) : -ENOMEM;
}

/* The run's values, once it is known how many nodes there are; its tree has said everything then. */
static int take_values(struct merge *merge, uint32_t index)
{
	const struct call_tree *tree = merge->trees[index];
	struct diff_run *run = &merge->diff->runs.at[index];

	run->self = calloc(merge->diff->nodes.count + 1ULL, sizeof(*run->self));
	if (!run->self)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];
		double self = (double)node->self * merge->scales[index];

		run->self[merge->places[index][i]] += self;
		if (node->self_count > 0)
			merge->diff->squares.self[merge->places[index][i]] +=
				self * self / (double)node->self_count;
	}
	call_tree_free(merge->trees[index]);
	merge->trees[index] = NULL;
	free(merge->places[index]);
	merge->places[index] = NULL;
	return 0;
}

static int name_programs(struct diff *diff, const struct merge *merge)
{
	const char *base = program_of(merge->inputs[diff->new_count].profile);
	uint32_t ids[2];
	int r;

	if (!merge->agreed.is_one_program || !merge->agreed.has_modules ||
	    strcmp(base, merge->agreed.program) == 0)
		return 0;
	r = profile_string(diff->names, &ids[0], base);
	if (r == 0)
		r = profile_string(diff->names, &ids[1], merge->agreed.program);
	if (r == 0) {
		diff->base_program = profile_text(diff->names, ids[0]);
		diff->new_program = profile_text(diff->names, ids[1]);
	}
	return r;
}

/* The last strings: nothing moves them any more. */
static int describe(struct diff *diff, const struct merge *merge)
{
	const struct diff_input *input = &merge->inputs[0];
	bool is_cpu = strcmp(type_name(input), "cpu") == 0;
	uint32_t id;
	int r = profile_string(diff->names, &id, is_cpu ? "CPU" : type_name(input));

	if (r == 0)
		r = profile_string(diff->names, &diff->type_name, type_name(input));
	if (r == 0)
		r = profile_string(diff->names, &diff->type_unit, type_unit(input));
	diff->is_time = seconds_in(type_unit(input)) > 0;
	if (r == 0)
		r = name_programs(diff, merge);
	if (r == 0)
		diff->what = profile_text(diff->names, id);
	return r;
}

static int build(struct merge *merge, struct diff_reason *reason)
{
	struct diff *diff = merge->diff;
	int r = 0;

	merge->trees = calloc(diff->runs.count, sizeof(struct call_tree *));
	merge->places = calloc(diff->runs.count, sizeof(uint32_t *));
	merge->scales = calloc(diff->runs.count, sizeof(double));
	if (!merge->trees || !merge->places || !merge->scales)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < diff->runs.count; i++)
		r = call_tree_new(&merge->trees[i], merge->inputs[i].profile,
				  merge->inputs[i].type);
	if (r != 0)
		return r;
	agree(merge);
	for (uint32_t i = 0; r == 0 && i < diff->runs.count; i++)
		r = merge_run(merge, i, reason);
	if (r != 0)
		return r;
	diff->squares.self = calloc(diff->nodes.count + 1ULL, sizeof(*diff->squares.self));
	if (!diff->squares.self)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < diff->runs.count; i++)
		r = take_values(merge, i);
	hash_index_fini(&merge->node_index);
	if (r == 0)
		r = describe(diff, merge);
	if (r == 0)
		r = order_frames(diff);
	if (r == 0)
		r = order_nodes(diff);
	if (r == 0)
		r = add_up_all(diff);
	return r == 0 ? diff_judge(diff) : r;
}

int diff_new(struct diff **ret, const struct diff_input *base, uint32_t base_count,
	     const struct diff_input *new, uint32_t new_count, enum diff_per per,
	     struct diff_reason *reason)
{
	cleanup(diff_free) struct diff *diff = calloc(1, sizeof(*diff));
	cleanup(free) struct diff_input *inputs =
		calloc((size_t)base_count + new_count, sizeof(*inputs));
	cleanup(merge_fini) struct merge merge = { .diff = diff, .inputs = inputs };
	int r;

	if (!diff || !inputs)
		return -ENOMEM;
	diff->per = per != DIFF_PER_KIND			  ? per
		    : strcmp(type_unit(base), "bytes") == 0 ? DIFF_PER_RUN
							    : DIFF_PER_SAMPLES;
	diff->is_counted = true;
	diff->has_seconds = true;
	diff->base_count = base_count;
	diff->new_count = new_count;
	memcpy(inputs, new, new_count * sizeof(*inputs));
	memcpy(inputs + new_count, base, base_count * sizeof(*inputs));
	for (uint32_t i = 0; i < base_count + new_count; i++) {
		struct diff_run *run = array_push(&diff->runs);

		if (!run)
			return -ENOMEM;
		run->is_new = i < new_count;
	}
	r = profile_new(&diff->names);
	if (r == 0)
		r = build(&merge, reason);
	if (r == 0)
		*ret = TAKE_PTR(diff);
	return r;
}

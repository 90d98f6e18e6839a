// SPDX-License-Identifier: Apache-2.0
/*
 * Many call trees become one: functions and then nodes are found by hash, and put into the order of
 * a call tree (order.c) and added up (sums.c) at the end.
 */
#include "diff/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static int measure_run(struct merge *merge, uint32_t index, double *ret_scale,
		       struct diff_reason *reason)
{
	struct diff_run *run = &merge->diff->runs.at[index];
	const struct call_tree *tree = merge->trees[index];
	int r = diff_scale(ret_scale, &run->amount, &merge->inputs[index], tree, merge->diff->per,
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
	bool is_cpu = strcmp(diff_input_type(input), "cpu") == 0;
	uint32_t id;
	int r = profile_string(diff->names, &id, is_cpu ? "CPU" : diff_input_type(input));

	if (r == 0)
		r = profile_string(diff->names, &diff->type_name, diff_input_type(input));
	if (r == 0)
		r = profile_string(diff->names, &diff->type_unit, diff_input_unit(input));
	diff->is_time = diff_unit_seconds(diff_input_unit(input)) > 0;
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
		r = diff_order(diff);
	if (r == 0)
		r = diff_add_up(diff);
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
		    : strcmp(diff_input_unit(base), "bytes") == 0 ? DIFF_PER_RUN
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

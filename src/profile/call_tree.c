// SPDX-License-Identifier: Apache-2.0
/*
 * Building the call tree by sorting, without a hash or child lists.
 *
 * Every sample is written out as the sequence of its frame ids from the root, where ids are ranks
 * in the order siblings must have. Sorted sequences list the tree's nodes in preorder, and each
 * differs from the one before it only after their common prefix: one pass makes the final array.
 */
#include "profile/call_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/sequences.h"

/* What a sample weighs. */
struct path {
	int64_t weight, samples;
};

struct builder {
	struct call_tree *tree;
	const struct profile *profile;
	int64_t divisor; /* value → weight */
	uint32_t type;
	struct hash_index frame_index;
	ARRAY_OF(struct profile_run) locations; /* location id → run in location_frames */
	ARRAY_OF(uint32_t) location_frames;     /* outermost function first */
	ARRAY_OF(uint32_t) label_frames;        /* label set → frame id + 1 of process and thread */
	ARRAY_OF(uint32_t) sequence;
	/* Samples as runs of frame ids in `sequence`, and, at the same places, what they weigh. */
	ARRAY_OF(struct profile_run) runs;
	ARRAY_OF(struct path) paths;
};

static void builder_fini_cleanup(struct builder *builder)
{
	hash_index_fini(&builder->frame_index);
	array_fini(&builder->locations);
	array_fini(&builder->location_frames);
	array_fini(&builder->label_frames);
	array_fini(&builder->sequence);
	array_fini(&builder->runs);
	array_fini(&builder->paths);
}

void call_tree_free(struct call_tree *tree)
{
	if (!tree)
		return;
	strtab_fini(&tree->strings);
	array_fini(&tree->frames);
	array_fini(&tree->nodes);
	free(tree);
}

static bool frame_equal(const void *context, uint32_t position, const void *key_)
{
	const struct call_tree *tree = context;
	const struct call_frame *frame = &tree->frames.at[position], *key = key_;

	return frame->name == key->name && frame->module == key->module &&
	       frame->kind == key->kind;
}

static int intern_frame(struct builder *builder, uint32_t *ret, const char *name,
			const char *module, enum call_kind kind, bool inlined)
{
	struct call_tree *tree = builder->tree;
	struct call_frame key = { .kind = kind, .inlined = inlined };
	uint64_t hash;
	uint32_t id;

	/* A box or a line must show something. */
	if (!name[strspn(name, " ")])
		name = "[unknown]";
	if (strtab_add_str(&tree->strings, &key.name, name) < 0 ||
	    strtab_add_str(&tree->strings, &key.module, module) < 0)
		return -ENOMEM;
	hash = hash_pair((uint64_t)key.name << 32 | key.module, kind);
	id = hash_index_find(&builder->frame_index, hash, frame_equal, tree, &key);
	if (id == HASH_ABSENT) {
		id = tree->frames.count;
		if (!array_reserve(&tree->frames, id + 1ULL) ||
		    hash_index_add(&builder->frame_index, hash, id) < 0)
			return -ENOMEM;
		*array_push(&tree->frames) = key;
	} else {
		tree->frames.at[id].inlined &= inlined;
	}
	*ret = id;
	return 0;
}

/* Where the source of a function is: see struct call_frame. */
static int add_place(struct builder *builder, uint32_t id, const struct profile_line *line)
{
	const struct profile *profile = builder->profile;
	const struct profile_function *function = &profile->functions.at[line->function];
	struct call_frame *frame = &builder->tree->frames.at[id];
	uint32_t begin = function->start_line ? function->start_line : line->line;

	if (!function->file)
		return 0;
	if (!frame->file && strtab_add_str(&builder->tree->strings, &frame->file,
					   profile_text(profile, function->file)) < 0)
		return -ENOMEM;
	if (begin && (!frame->line || begin < frame->line))
		frame->line = begin;
	return 0;
}

static int intern_locations(struct builder *builder)
{
	const struct profile *profile = builder->profile;

	if (!array_reserve(&builder->locations, profile->locations.count) ||
	    !array_reserve(&builder->location_frames, profile->lines.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->locations.count; i++) {
		const struct profile_location *location = &profile->locations.at[i];
		const char *module =
			profile_text(profile, profile->mappings.at[location->mapping].file);

		*array_push(&builder->locations) = (struct profile_run){
			builder->location_frames.count, location->line_count
		};
		for (uint32_t k = location->line_count; k-- > 0;) {
			const struct profile_line *line =
				&profile->lines.at[location->first_line + k];
			const char *name = profile_text(
				profile, profile->functions.at[line->function].name);
			uint32_t *frame = array_push(&builder->location_frames);
			int r;

			if (!frame)
				return -ENOMEM;
			r = intern_frame(builder, frame, name, module,
					 (enum call_kind)location->kind,
					 k + 1 < location->line_count);
			if (r < 0)
				return r;
			r = add_place(builder, *frame, line);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* "name (tid)", or what there is of it. Returns an owned text; NULL: out of memory. */
static char *thread_text(const struct profile *profile, const struct profile_label *name,
			 const struct profile_label *tid)
{
	const char *text = name && !name->is_number ? profile_text(profile, name->text) : "thread";
	char *ret;
	int r;

	if (!tid)
		return strdup(text);
	if (tid->is_number)
		r = asprintf(&ret, "%s (%" PRId64 ")", text, tid->number);
	else
		r = asprintf(&ret, "%s (%s)", text, profile_text(profile, tid->text));
	return r < 0 ? NULL : ret;
}

static int intern_labels(struct builder *builder)
{
	const struct profile *profile = builder->profile;

	if (!array_reserve(&builder->label_frames, 2ULL * profile->label_sets.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->label_sets.count; i++) {
		const struct profile_label *comm = profile_label_find(profile, i, "comm");
		const struct profile_label *name = profile_label_find(profile, i, "thread_name");
		const struct profile_label *tid = profile_label_find(profile, i, "tid");
		uint32_t *process = array_push(&builder->label_frames);
		uint32_t *thread = array_push(&builder->label_frames);
		int r;

		if (comm && !comm->is_number) {
			r = intern_frame(builder, process, profile_text(profile, comm->text), "",
					 CALL_PROCESS, false);
			if (r < 0)
				return r;
			++*process;
		}
		if (name || tid) {
			cleanup(free) char *text = thread_text(profile, name, tid);

			if (!text)
				return -ENOMEM;
			r = intern_frame(builder, thread, text, "", CALL_THREAD, false);
			if (r < 0)
				return r;
			++*thread;
		}
	}
	return 0;
}

static int compare_frames(const void *a_, const void *b_, void *context)
{
	const struct call_tree *tree = context;
	const struct call_frame *a = &tree->frames.at[*(const uint32_t *)a_];
	const struct call_frame *b = &tree->frames.at[*(const uint32_t *)b_];
	int order;

	if (a->name != b->name) {
		order = strcmp(strtab_get(&tree->strings, a->name),
			       strtab_get(&tree->strings, b->name));
		if (order)
			return order;
	}
	if (a->module != b->module)
		return strcmp(strtab_get(&tree->strings, a->module),
			      strtab_get(&tree->strings, b->module));
	return (int)a->kind - (int)b->kind;
}

/* Sorts the frames, and renumbers them wherever they are used. */
static int rank_frames(struct builder *builder)
{
	struct call_tree *tree = builder->tree;
	uint32_t count = tree->frames.count;
	cleanup(free) uint32_t *order = malloc((count + 1ULL) * sizeof(*order));
	cleanup(free) uint32_t *rank = malloc((count + 1ULL) * sizeof(*rank));
	struct call_frame *sorted;

	if (!order || !rank)
		return -ENOMEM;
	sorted = reallocarray(NULL, count + 1ULL, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare_frames, tree);
	for (uint32_t i = 0; i < count; i++) {
		sorted[i] = tree->frames.at[order[i]];
		rank[order[i]] = i;
	}
	free(tree->frames.at);
	tree->frames.at = sorted;
	tree->frames.capacity = count + 1;
	for (uint32_t i = 0; i < builder->location_frames.count; i++)
		builder->location_frames.at[i] = rank[builder->location_frames.at[i]];
	for (uint32_t i = 0; i < builder->label_frames.count; i++)
		if (builder->label_frames.at[i])
			builder->label_frames.at[i] = rank[builder->label_frames.at[i] - 1] + 1;
	return 0;
}

/* The value as a weight: whole periods, at least one where there was anything. */
static int64_t weight_of(const struct builder *builder, int64_t value)
{
	int64_t whole;

	if (value <= 0)
		return 0;
	if (builder->divisor == 1)
		return value;
	whole = value / builder->divisor;
	whole += value % builder->divisor >= builder->divisor - builder->divisor / 2;
	return whole ? whole : 1;
}

static int write_paths(struct builder *builder)
{
	const struct profile *profile = builder->profile;
	uint64_t need = 0;

	for (uint32_t i = 0; i < profile->samples.count; i++)
		need += profile->stacks.at[profile->samples.at[i].stack].count + 2ULL;
	if (!array_reserve(&builder->paths, profile->samples.count) ||
	    !array_reserve(&builder->runs, profile->samples.count) ||
	    !array_reserve(&builder->sequence, need))
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		const struct profile_sample *sample = &profile->samples.at[i];
		struct profile_run stack = profile->stacks.at[sample->stack];
		uint32_t first = builder->sequence.count;
		struct path path = {};

		path.weight = weight_of(builder, profile_value(profile, i, builder->type));
		path.samples = profile_value(profile, i, profile->meta.count_type);
		if (path.samples < 0)
			path.samples = 0;
		if (!path.weight)
			continue;
		for (unsigned k = 0; k < 2; k++) {
			uint32_t frame = builder->label_frames.at[2 * sample->labels + k];

			if (frame)
				*array_push(&builder->sequence) = frame - 1;
		}
		for (uint32_t k = stack.count; k-- > 0;) {
			uint32_t id = profile->stack_locations.at[stack.first + k];
			struct profile_run run = builder->locations.at[id];

			if (!array_reserve(&builder->sequence,
					   (uint64_t)builder->sequence.count + run.count))
				return -ENOMEM;
			for (uint32_t n = 0; n < run.count; n++)
				builder->sequence.at[builder->sequence.count++] =
					builder->location_frames.at[run.first + n];
		}
		*array_push(&builder->runs) =
			(struct profile_run){ first, builder->sequence.count - first };
		*array_push(&builder->paths) = path;
	}
	return 0;
}

static uint32_t common_prefix(const struct builder *builder, const struct profile_run *a,
			      const struct profile_run *b)
{
	const uint32_t *x = builder->sequence.at + a->first, *y = builder->sequence.at + b->first;
	uint32_t shorter = a->count < b->count ? a->count : b->count, i = 0;

	while (i < shorter && x[i] == y[i])
		i++;
	return i;
}

/* The paths in the order of their frames. NULL: out of memory. */
static uint32_t *sort_paths(const struct builder *builder)
{
	const struct sequences sequences = { builder->sequence.at, builder->runs.at, false };
	uint32_t count = builder->paths.count, *order = malloc((count + 1ULL) * sizeof(*order));

	for (uint32_t i = 0; order && i < count; i++)
		order[i] = i;
	if (order && sequences_sort(&sequences, order, count) < 0) {
		free(order);
		return NULL;
	}
	return order;
}

/* One pass over the sorted paths; `trunk` holds the node of each depth of the path at hand. */
static int make_nodes(struct builder *builder)
{
	struct call_tree *tree = builder->tree;
	cleanup(free) uint32_t *order = sort_paths(builder);
	struct profile_run before = {};
	ARRAY_OF(uint32_t) trunk = {};
	int r = -ENOMEM;

	if (!order || !array_push(&trunk)) /* node 0 */
		goto end;
	for (uint32_t i = 0; i < builder->paths.count; i++) {
		const struct profile_run *run = &builder->runs.at[order[i]];
		const struct path *path = &builder->paths.at[order[i]];
		uint32_t same = i ? common_prefix(builder, &before, run) : 0;
		struct call_node *leaf;

		if (!array_reserve(&trunk, run->count + 1ULL))
			goto end;
		for (uint32_t depth = same + 1; depth <= run->count; depth++) {
			struct call_node *node = array_push(&tree->nodes);

			if (!node)
				goto end;
			node->frame = builder->sequence.at[run->first + depth - 1];
			node->parent = trunk.at[depth - 1];
			node->depth = depth;
			trunk.at[depth] = tree->nodes.count - 1;
		}
		leaf = &tree->nodes.at[trunk.at[run->count]];
		leaf->self = profile_sum(leaf->self, path->weight);
		leaf->self_count = profile_sum(leaf->self_count, path->samples);
		if (run->count > tree->max_depth)
			tree->max_depth = run->count;
		before = *run;
	}
	r = 0;
end:
	array_fini(&trunk);
	return r;
}

/* Children follow their parents, so one walk from the end adds everything up. */
static void add_up(struct call_tree *tree)
{
	for (uint32_t i = tree->nodes.count; i-- > 0;) {
		struct call_node *node = &tree->nodes.at[i], *parent = &tree->nodes.at[node->parent];

		node->total = profile_sum(node->total, node->self);
		node->total_count = profile_sum(node->total_count, node->self_count);
		if (node->end <= i)
			node->end = i + 1;
		if (!i)
			break;
		parent->total = profile_sum(parent->total, node->total);
		parent->total_count = profile_sum(parent->total_count, node->total_count);
		if (parent->end < node->end)
			parent->end = node->end;
	}
}

/* Self and total of every function; total only where no caller is the same function. */
static int add_up_frames(struct call_tree *tree)
{
	/* How often each frame stands on the path from node 0 to the node at hand. */
	cleanup(free) uint32_t *active = calloc(tree->frames.count + 1ULL, sizeof(*active));

	if (!active)
		return -ENOMEM;
	for (uint32_t i = 0, previous = 0; i < tree->nodes.count; previous = i++) {
		const struct call_node *node = &tree->nodes.at[i];
		struct call_frame *frame = &tree->frames.at[node->frame];

		/* Leave the path of the previous node up to this one's parent. */
		for (uint32_t at = previous; i && at != node->parent;
		     at = tree->nodes.at[at].parent)
			active[tree->nodes.at[at].frame]--;
		frame->self = profile_sum(frame->self, node->self);
		if (!active[node->frame]++)
			frame->total = profile_sum(frame->total, node->total);
	}
	return 0;
}

/* See effective_samples in the header. Within one stack the weights are taken as equal. */
static double effective_samples(const struct call_tree *tree)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < tree->nodes.count; i++) {
		double self = (double)tree->nodes.at[i].self;
		int64_t count = tree->nodes.at[i].self_count;

		sum += self;
		squares += self * self / (double)(count > 0 ? count : 1);
	}
	return squares > 0 ? sum * sum / squares : 0;
}

static int build(struct builder *builder)
{
	struct call_tree *tree = builder->tree;
	uint32_t all;
	int r = strtab_init(&tree->strings);

	if (r < 0)
		return r;
	r = intern_frame(builder, &all, "all", "", CALL_ALL, false);
	if (r < 0)
		return r;
	r = intern_locations(builder);
	if (r < 0)
		return r;
	r = intern_labels(builder);
	if (r < 0)
		return r;
	r = rank_frames(builder);
	if (r < 0)
		return r;
	r = write_paths(builder);
	if (r < 0)
		return r;
	if (!array_push(&tree->nodes))
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++)
		if (tree->frames.at[i].kind == CALL_ALL)
			tree->nodes.at[0].frame = i;
	r = make_nodes(builder);
	if (r < 0)
		return r;
	add_up(tree);
	tree->effective_samples = effective_samples(tree);
	return add_up_frames(tree);
}

int call_tree_new(struct call_tree **ret, const struct profile *profile, uint32_t type)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	cleanup(builder_fini) struct builder builder = { .profile = profile, .type = type };
	int r;

	if (type >= profile->types.count)
		return -EINVAL;
	tree = calloc(1, sizeof(*tree));
	if (!tree)
		return -ENOMEM;
	builder.tree = tree;
	builder.divisor = 1;
	tree->unit = profile_text(profile, profile->types.at[type].unit);
	if (type == profile->meta.count_type)
		tree->unit = "samples";
	if (type == profile->meta.period_type && profile->meta.period > 1) {
		builder.divisor = profile->meta.period;
		tree->unit = "samples";
	}
	r = build(&builder);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(tree);
	return 0;
}

struct share call_tree_share(const struct call_tree *tree, int64_t weight)
{
	return share_of((double)weight, (double)call_tree_total(tree), tree->effective_samples);
}

const char *call_frame_module(const struct call_tree *tree, const struct call_frame *frame)
{
	const char *path = strtab_get(&tree->strings, frame->module);
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

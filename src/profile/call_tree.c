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

#include "profile/drop_frames.h"
#include "profile/order.h"
#include "profile/sequences.h"
#include "profile/weights.h"

/* What a sample weighs. */
struct path {
	int64_t weight, samples;
};

/* A frame as a location or a label wants it: many are of one function. */
struct use {
	uint32_t name, module; /* as of struct call_frame */
	uint32_t line;	       /* in the profile's lines, + 1; 0: none */
	enum call_kind kind : 8;
	bool inlined;
};

struct builder {
	struct call_tree *tree;
	const struct profile *profile;
	struct weights weights;
	ARRAY_OF(struct use) uses;
	uint64_t *text_keys;			/* for sorting, of the tree's own texts */
	ARRAY_OF(struct profile_run) locations; /* location id → run in location_frames */
	/* Uses, then frames: outermost function first; of label sets, + 1, process and thread. */
	ARRAY_OF(uint32_t) location_frames, label_frames;
	bool *dropped; /* by frame, see drop_frames of struct profile_meta; NULL: none are */
	ARRAY_OF(uint32_t) sequence;
	/* Samples as runs of frame ids in `sequence`, and, at the same places, what they weigh. */
	ARRAY_OF(struct profile_run) runs;
	ARRAY_OF(struct path) paths;
};

static void builder_fini_cleanup(struct builder *builder)
{
	array_fini(&builder->uses);
	free(builder->text_keys);
	free(builder->dropped);
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
	strtab_fini(&tree->texts);
	array_fini(&tree->frames);
	array_fini(&tree->nodes);
	free(tree);
}

/* The string of a frozen profile that the text is, or the first one behind it in their order. */
static uint32_t find_string(const struct profile *profile, const char *text)
{
	uint32_t low = 0, high = profile->strings.offsets.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (strcmp(profile_text(profile, middle), text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Puts what call_tree_text wants for the text into *ret. */
static int find_text(struct builder *builder, uint32_t *ret, const char *text)
{
	const struct profile *profile = builder->profile;
	uint32_t count = profile->strings.offsets.count, id = find_string(profile, text);
	int r = 0;

	if (id == count || strcmp(profile_text(profile, id), text) != 0) {
		r = strtab_add_str(&builder->tree->texts, &id, text);
		id += count;
	}
	*ret = id;
	return r;
}

/* Puts the id of one more use into *ret. line: in the profile's lines, + 1; 0: none. */
static int add_use(struct builder *builder, uint32_t *ret, struct use use)
{
	const char *name = call_tree_text(builder->tree, use.name);
	struct use *added = array_push(&builder->uses);
	int r = 0;

	if (!added)
		return -ENOMEM;
	/* A box or a line must show something. */
	if (!name[strspn(name, " ")])
		r = find_text(builder, &use.name, "[unknown]");
	*added = use;
	*ret = builder->uses.count - 1;
	return r;
}

static int intern_locations(struct builder *builder)
{
	const struct profile *profile = builder->profile;

	if (!array_reserve(&builder->locations, profile->locations.count) ||
	    !array_reserve(&builder->location_frames, profile->lines.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->locations.count; i++) {
		const struct profile_location *location = &profile->locations.at[i];
		uint32_t module = profile->mappings.at[location->mapping].file;

		*array_push(&builder->locations) =
			(struct profile_run){ builder->location_frames.count,
					      location->line_count };
		for (uint32_t k = location->line_count; k-- > 0;) {
			uint32_t line = location->first_line + k, *use;
			uint32_t function = profile->lines.at[line].function;
			int r;

			use = array_push(&builder->location_frames);
			if (!use)
				return -ENOMEM;
			r = add_use(builder, use,
				    (struct use){ .name = profile->functions.at[function].name,
						  .module = module,
						  .line = line + 1,
						  .kind = (enum call_kind)location->kind,
						  .inlined = k + 1 < location->line_count });
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
			r = add_use(builder, process,
				    (struct use){ .name = comm->text, .kind = CALL_PROCESS });
			if (r < 0)
				return r;
			++*process;
		}
		if (name || tid) {
			cleanup(free) char *text = thread_text(profile, name, tid);
			struct use use = { .kind = CALL_THREAD };

			if (!text)
				return -ENOMEM;
			r = find_text(builder, &use.name, text);
			if (r == 0)
				r = add_use(builder, thread, use);
			if (r < 0)
				return r;
			++*thread;
		}
	}
	return 0;
}

static int compare_texts(const void *a, const void *b, void *context)
{
	const struct strtab *texts = context;

	return strcmp(strtab_get(texts, *(const uint32_t *)a),
		      strtab_get(texts, *(const uint32_t *)b));
}

/* The places of the tree's own texts between the profile's strings. */
static int place_texts(struct builder *builder)
{
	struct strtab *texts = &builder->tree->texts;
	uint32_t count = texts->offsets.count;
	cleanup(free) uint32_t *order = malloc((count + 1ULL) * sizeof(*order));

	builder->text_keys = malloc((count + 1ULL) * sizeof(*builder->text_keys));
	if (!order || !builder->text_keys)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare_texts, texts);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t next = find_string(builder->profile, strtab_get(texts, order[i]));

		builder->text_keys[order[i]] = 2 * next << 32 | (i + 1);
	}
	return 0;
}

/* By name, then by module and kind. Strings of a frozen profile are in order. */
static void read_uses(const void *context, struct order_entry *entries, uint32_t count,
		      uint32_t depth)
{
	const struct builder *builder = context;
	uint32_t of_profile = builder->profile->strings.offsets.count;

	for (uint32_t i = 0; i < count; i++) {
		const struct use *use = &builder->uses.at[entries[i].position];

		if (depth)
			entries[i].key = depth == 1 ? (uint64_t)use->module << 32 | use->kind : 0;
		else if (use->name < of_profile)
			entries[i].key = (2ULL * use->name + 1) << 32 | 1;
		else
			entries[i].key = builder->text_keys[use->name - of_profile];
	}
}

/* Where the source of a function is: see struct call_frame. */
static void add_place(struct call_frame *frame, const struct profile *profile,
		      const struct profile_line *line)
{
	const struct profile_function *function = &profile->functions.at[line->function];
	uint32_t begin = function->start_line ? function->start_line : line->line;

	if (!function->file)
		return;
	if (!frame->file)
		frame->file = function->file;
	if (begin && (!frame->line || begin < frame->line))
		frame->line = begin;
}

/* Makes one frame of all uses of a function, in order. rank: use → frame. */
static int make_frames(struct builder *builder, const uint32_t *order, uint32_t *rank)
{
	struct call_tree *tree = builder->tree;
	struct call_frame *frame = NULL;

	for (uint32_t i = 0; i < builder->uses.count; i++) {
		const struct use *use = &builder->uses.at[order[i]];

		if (!frame || frame->name != use->name || frame->module != use->module ||
		    frame->kind != use->kind) {
			frame = array_push(&tree->frames);
			if (!frame)
				return -ENOMEM;
			*frame = (struct call_frame){ .name = use->name,
						      .module = use->module,
						      .kind = use->kind,
						      .inlined = true };
		}
		frame->inlined &= use->inlined;
		rank[order[i]] = tree->frames.count - 1;
	}
	/* Which file is taken does not depend on how equal ones were sorted. */
	for (uint32_t i = 0; i < builder->uses.count; i++)
		if (builder->uses.at[i].line)
			add_place(&tree->frames.at[rank[i]], builder->profile,
				  &builder->profile->lines.at[builder->uses.at[i].line - 1]);
	return 0;
}

/* Turns uses into frames, and puts these in wherever those are named. */
static int rank_frames(struct builder *builder)
{
	uint32_t count = builder->uses.count;
	cleanup(free) uint32_t *order = malloc((count + 1ULL) * sizeof(*order));
	cleanup(free) uint32_t *rank = malloc((count + 1ULL) * sizeof(*rank));
	int r = order && rank ? place_texts(builder) : -ENOMEM;

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	r = order_sort(order, count, read_uses, builder);
	if (r == 0)
		r = make_frames(builder, order, rank);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < builder->location_frames.count; i++)
		builder->location_frames.at[i] = rank[builder->location_frames.at[i]];
	for (uint32_t i = 0; i < builder->label_frames.count; i++)
		if (builder->label_frames.at[i])
			builder->label_frames.at[i] = rank[builder->label_frames.at[i] - 1] + 1;
	array_fini(&builder->uses);
	return 0;
}

/* Adds the frames of one location. False: it ends before one of them. */
static bool add_frames(struct builder *builder, struct profile_run run, bool *begun)
{
	for (uint32_t n = 0; n < run.count; n++) {
		uint32_t frame = builder->location_frames.at[run.first + n];

		if (builder->dropped && builder->dropped[frame] && *begun)
			return false;
		*begun |= !builder->dropped || !builder->dropped[frame];
		builder->sequence.at[builder->sequence.count++] = frame;
	}
	return true;
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
		bool begun = false, goes_on = true;

		path.weight = weights_get(&builder->weights, i);
		if (!path.weight)
			continue;
		path.samples = weights_samples(&builder->weights, i, path.weight);
		if (path.samples <= 0) {
			path.samples = 0;
			builder->tree->is_counted = false;
		}
		for (unsigned k = 0; k < 2; k++) {
			uint32_t frame = builder->label_frames.at[2 * sample->labels + k];

			if (frame)
				*array_push(&builder->sequence) = frame - 1;
		}
		for (uint32_t k = stack.count; goes_on && k-- > 0;) {
			uint32_t id = profile->stack_locations.at[stack.first + k];
			struct profile_run run = builder->locations.at[id];

			if (!array_reserve(&builder->sequence,
					   (uint64_t)builder->sequence.count + run.count))
				return -ENOMEM;
			goes_on = add_frames(builder, run, &begun);
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

static bool is_before(const struct builder *builder, const struct profile_run *a,
		      const struct profile_run *b)
{
	uint32_t same = common_prefix(builder, a, b);

	return same == a->count ||
	       (same < b->count &&
		builder->sequence.at[a->first + same] < builder->sequence.at[b->first + same]);
}

/* The paths in the order of their frames. NULL: out of memory. */
static uint32_t *sort_paths(const struct builder *builder)
{
	const struct sequences sequences = { builder->sequence.at, builder->runs.at, false };
	uint32_t count = builder->paths.count, *order = malloc((count + 1ULL) * sizeof(*order));
	bool sorted = true;

	for (uint32_t i = 0; order && i < count; i++) {
		order[i] = i;
		sorted = sorted &&
			 (!i || is_before(builder, &builder->runs.at[i - 1], &builder->runs.at[i]));
	}
	if (order && !sorted && sequences_sort(&sequences, order, count) < 0) {
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
		struct call_node *node = &tree->nodes.at[i],
				 *parent = &tree->nodes.at[node->parent];

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
	struct use all = { .kind = CALL_ALL };
	uint32_t use;
	int r = strtab_init(&tree->texts);

	if (r == 0)
		r = find_text(builder, &all.name, "all");
	if (r == 0)
		r = add_use(builder, &use, all);
	if (r < 0)
		return r;
	r = intern_locations(builder);
	if (r < 0)
		return r;
	r = intern_labels(builder);
	if (r < 0)
		return r;
	r = rank_frames(builder);
	if (r == 0)
		r = drop_frames_find(&builder->dropped, builder->tree);
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
	if (tree->is_counted)
		tree->effective_samples =
			weights_limit_effective(builder->profile, effective_samples(tree),
						tree->nodes.at[0].total_count);
	return add_up_frames(tree);
}

static bool is_told_in_cores(const struct profile *profile, uint32_t type)
{
	const struct profile_type *of = &profile->types.at[type];

	return profile->meta.of_machine && profile->meta.duration_ns > 0 &&
	       strcmp(profile_text(profile, of->name), "cpu") == 0 &&
	       strcmp(profile_text(profile, of->unit), "nanoseconds") == 0;
}

int call_tree_new(struct call_tree **ret, const struct profile *profile, uint32_t type)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	cleanup(builder_fini) struct builder builder = { .profile = profile };
	int r = weights_of(&builder.weights, profile, type);

	if (r < 0)
		return r;
	tree = calloc(1, sizeof(*tree));
	if (!tree)
		return -ENOMEM;
	tree->profile = profile;
	builder.tree = tree;
	tree->is_counted = true;
	tree->unit = builder.weights.unit;
	if (is_told_in_cores(profile, type))
		tree->core_weight =
			(double)profile->meta.duration_ns / (double)builder.weights.divisor;
	r = build(&builder);
	if (r < 0)
		return r;
	tree->whole = call_tree_total(tree);
	*ret = TAKE_PTR(tree);
	return 0;
}

void call_tree_set_whole(struct call_tree *tree, const struct whole *whole)
{
	tree->whole = whole->weight;
	tree->is_counted = whole->is_counted;
	tree->effective_samples = whole->effective_samples;
}

struct share call_tree_share(const struct call_tree *tree, int64_t weight)
{
	double total = (double)tree->whole;

	if (tree->is_counted)
		return share_of((double)weight, total, tree->effective_samples);
	return (struct share){ total > 0 ? (double)weight / total : 0, 0, 1, 1 };
}

const char *call_frame_module(const struct call_tree *tree, const struct call_frame *frame)
{
	const char *path = profile_text(tree->profile, frame->module);
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

// SPDX-License-Identifier: Apache-2.0
#include "store/fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/thin.h"

/* At least so many samples are left. */
enum { MARKS_MIN = 256 };

/* Windows that are farther apart do not become one. */
#define GAP_NS 1000000000LL

int fold_init(struct fold *fold, const struct alike *alike, int64_t step_ns, uint64_t random)
{
	*fold = (struct fold){ .alike = alike, .step_ns = step_ns, .random = random };
	return array_push(&fold->nodes) ? 0 : -ENOMEM;
}

static void free_texts(struct fold *fold)
{
	for (uint32_t i = 0; i < fold->windows.count; i++) {
		bytes_fini(&fold->windows.at[i].entries);
		bytes_fini(&fold->windows.at[i].thinned);
	}
	bytes_fini(&fold->frames);
	bytes_fini(&fold->processes_text);
	bytes_fini(&fold->paths);
}

void fold_fini(struct fold *fold)
{
	free_texts(fold);
	array_fini(&fold->nodes);
	array_fini(&fold->processes);
	array_fini(&fold->windows);
	array_fini(&fold->values);
	array_fini(&fold->node_map);
	array_fini(&fold->process_map);
	hash_index_fini(&fold->node_index);
	hash_index_fini(&fold->process_index);
	free(fold->ranks);
	free(fold->order);
}

/* ---- Reading. ---- */

static int take_node(struct fold *fold, const struct tree *tree, uint32_t node)
{
	uint32_t parent = fold->node_map.at[tree->nodes.at[node].parent] - 1;
	uint32_t frame = alike_first(fold->alike, tree->frames.at[tree->nodes.at[node].frame]);
	uint64_t hash = hash_u64((uint64_t)parent << 32 | frame);
	uint32_t *mapped = array_push(&fold->node_map);
	uint32_t id = hash_index_find(&fold->node_index, hash, NULL, NULL, NULL);
	struct tree_node *added;

	if (!mapped)
		return -ENOMEM;
	if (id == HASH_ABSENT) {
		id = fold->nodes.count;
		added = array_push(&fold->nodes);
		if (!added || hash_index_add(&fold->node_index, hash, id) < 0)
			return -ENOMEM;
		*added = (struct tree_node){ parent, frame };
	}
	*mapped = id + 1;
	return 0;
}

static bool is_process(const void *context, uint32_t position, const void *key_)
{
	const struct fold_process *a = &((const struct fold *)context)->processes.at[position];
	const struct fold_process *key = key_;

	return a->pid == key->pid && a->program == key->program;
}

static int find_process(struct fold *fold, int64_t pid, uint32_t program, uint32_t *ret)
{
	struct fold_process key = { pid, program, FOLD_NONE }, *added;
	uint64_t hash = hash_pair((uint64_t)pid, program);

	*ret = hash_index_find(&fold->process_index, hash, is_process, fold, &key);
	if (*ret != HASH_ABSENT)
		return 0;
	*ret = fold->processes.count;
	added = array_push(&fold->processes);
	if (!added)
		return -ENOMEM;
	*added = key;
	return hash_index_add(&fold->process_index, hash, *ret);
}

/* What the segment's lists have since the last slice. */
static int follow(struct fold *fold, const struct tree *tree)
{
	int r = 0;

	while (r == 0 && fold->process_map.count < tree->processes.count) {
		const struct tree_process *process = &tree->processes.at[fold->process_map.count];
		uint32_t id = 0, *mapped = array_push(&fold->process_map);

		r = mapped ? find_process(fold, process->pid, process->program, &id) : -ENOMEM;
		if (r == 0)
			*mapped = id + 1;
	}
	while (r == 0 && fold->node_map.count < tree->nodes.count)
		r = take_node(fold, tree, fold->node_map.count);
	return r;
}

static int64_t step_of(const struct fold *fold, int64_t ns)
{
	return ns / fold->step_ns - (ns % fold->step_ns < 0);
}

/* The new window of a slice: the last one, or another. */
static int take_window(struct fold *fold, const struct read_slice *slice)
{
	struct fold_window *last =
		fold->windows.count ? &fold->windows.at[fold->windows.count - 1] : NULL;
	int64_t end_ns = slice->begin_ns + slice->duration_ns;
	int64_t gap_ns;

	if (!last || last->period_ns != slice->period_ns ||
	    step_of(fold, last->begin_ns) != step_of(fold, slice->begin_ns) ||
	    __builtin_sub_overflow(slice->begin_ns, last->end_ns, &gap_ns) || gap_ns >= GAP_NS ||
	    gap_ns < -GAP_NS) {
		last = array_push(&fold->windows);
		if (!last)
			return -ENOMEM;
		last->begin_ns = slice->begin_ns;
		last->end_ns = end_ns;
		last->period_ns = slice->period_ns;
	}
	if (end_ns > last->end_ns)
		last->end_ns = end_ns;
	last->samples = profile_sum(last->samples, slice->samples);
	last->cpu_ns = profile_sum(last->cpu_ns, slice->cpu_ns);
	last->lost = profile_sum(last->lost, slice->lost);
	if (slice->cpus > last->cpus)
		last->cpus = slice->cpus;
	if (slice->period_ns > fold->unit_ns)
		fold->unit_ns = slice->period_ns;
	return 0;
}

static int take_value(void *context, const struct entry *entry)
{
	struct fold *fold = context;
	struct fold_value *added = array_push(&fold->values);
	struct fold_process *process;

	if (!added)
		return -ENOMEM;
	*added = (struct fold_value){
		.window = fold->windows.count - 1,
		.process = fold->process_map.at[entry->process] - 1,
		.path = fold->node_map.at[entry->path] - 1,
		.samples = entry->samples,
		.ns = entry->ns,
	};
	process = &fold->processes.at[added->process];
	if (process->window == FOLD_NONE)
		process->window = added->window;
	else if (process->window != added->window)
		process->window = FOLD_SEVERAL;
	return 0;
}

static int take_slice(void *context, const struct tree *tree, const struct read_slice *slice)
{
	struct fold *fold = context;
	int r = follow(fold, tree);

	if (r == 0)
		r = take_window(fold, slice);
	if (r == 0)
		r = entries_decode(tree, slice->entries, slice->entries_size, slice->period_ns,
				   take_value, fold);
	if (r == 0)
		r = entries_decode(tree, slice->thinned, slice->thinned_size, slice->thin_ns,
				   take_value, fold);
	return r;
}

int fold_add_segment(struct fold *fold, struct store_reader *reader, int64_t id, int64_t thin_ns)
{
	const struct walk walk = { take_slice, NULL, fold };
	uint32_t *root;

	fold->node_map.count = fold->process_map.count = 0;
	root = array_push(&fold->node_map);
	if (!root)
		return -ENOMEM;
	*root = 1;
	if (thin_ns > fold->thin_ns)
		fold->thin_ns = thin_ns;
	return reader_walk_segment(reader, id, thin_ns, &walk);
}

/* ---- Order. ---- */

/*
 * Gives each node its place in the tree from the root down. Children come after their parent among
 * the nodes, so that they can be chained by going backwards.
 */
static int rank_nodes(struct fold *fold)
{
	uint32_t count = fold->nodes.count, place = 0, node = 0;
	cleanup(free) uint32_t *first_child = calloc(count, sizeof(*first_child));
	cleanup(free) uint32_t *next_sibling = calloc(count, sizeof(*next_sibling));

	fold->ranks = calloc(count, sizeof(*fold->ranks));
	fold->order = calloc(count, sizeof(*fold->order));
	if (!first_child || !next_sibling || !fold->ranks || !fold->order)
		return -ENOMEM;
	for (uint32_t i = count; i-- > 1;) {
		next_sibling[i] = first_child[fold->nodes.at[i].parent];
		first_child[fold->nodes.at[i].parent] = i;
	}
	for (;;) {
		fold->order[place] = node;
		fold->ranks[node] = place++;
		if (first_child[node]) {
			node = first_child[node];
			continue;
		}
		while (node && !next_sibling[node])
			node = fold->nodes.at[node].parent;
		if (!node)
			return 0;
		node = next_sibling[node];
	}
}

#define COMPARE(a, b)                                                                              \
	do {                                                                                       \
		if ((a) != (b))                                                                    \
			return (a) < (b) ? -1 : 1;                                                 \
	} while (0)

/* By what they are values of, then by time. Paths are ranks from here on. */
static int compare_series(const void *a_, const void *b_)
{
	const struct fold_value *a = a_, *b = b_;

	COMPARE(a->process, b->process);
	COMPARE(a->path, b->path);
	COMPARE(a->window, b->window);
	return 0;
}

static int compare_in_window(const void *a_, const void *b_)
{
	const struct fold_value *a = a_, *b = b_;

	COMPARE(a->window, b->window);
	COMPARE(a->process, b->process);
	COMPARE(a->path, b->path);
	return 0;
}

struct values {
	struct fold_value *at;
	uint32_t count;
};

static struct values merge_sorted(struct values values, int (*compare)(const void *, const void *))
{
	struct fold_value *at = values.at;
	uint32_t kept = 0;

	if (!values.count)
		return values;
	qsort(at, values.count, sizeof(*at), compare);
	for (uint32_t i = 1; i < values.count; i++) {
		if (compare(&at[kept], &at[i]) != 0) {
			at[++kept] = at[i];
			continue;
		}
		at[kept].samples = profile_sum(at[kept].samples, at[i].samples);
		at[kept].ns = profile_sum(at[kept].ns, at[i].ns);
	}
	values.count = kept + 1;
	return values;
}

/* Processes that were seen in only one window become one of their program. */
static int forget_pids(struct fold *fold)
{
	uint32_t count = fold->processes.count;
	cleanup(free) uint32_t *to = calloc(count + 1ULL, sizeof(*to));

	if (!to)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct fold_process process = fold->processes.at[i];

		to[i] = i;
		if (process.pid >= 0 && process.window != FOLD_SEVERAL &&
		    find_process(fold, -1, process.program, &to[i]) < 0)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < fold->values.count; i++) {
		struct fold_value *value = &fold->values.at[i];

		value->process = to[value->process];
		value->path = fold->ranks[value->path];
	}
	return 0;
}

/* ---- Thinning and writing. ---- */

/*
 * Fills `kept` (room for all values): those of series of thin_ns or more as they are, of the others
 * some, weighing thin_ns each.
 */
static int thin(const struct fold *fold, int64_t thin_ns, struct values *kept)
{
	const struct fold_value *at = fold->values.at;
	struct values rare = { .at = malloc((fold->values.count + 1ULL) * sizeof(*at)) };
	struct thinner thinner;

	kept->count = 0;
	if (!rare.at)
		return -ENOMEM;
	for (uint32_t i = 0, end; i < fold->values.count; i = end) {
		int64_t total = 0;

		for (end = i; end < fold->values.count && at[end].process == at[i].process &&
			      at[end].path == at[i].path;
		     end++)
			total = profile_sum(total, at[end].ns);
		for (uint32_t k = i; k < end; k++)
			if (total < thin_ns)
				rare.at[rare.count++] = at[k];
			else
				kept->at[kept->count++] = at[k];
	}
	if (rare.count)
		qsort(rare.at, rare.count, sizeof(*at), compare_in_window);
	thinner = thinner_of(thin_ns ? thin_ns : 1, fold->random);
	for (uint32_t i = 0; i < rare.count; i++) {
		int64_t units = thinner_take(&thinner, rare.at[i].ns);

		if (!units)
			continue;
		kept->at[kept->count] = rare.at[i];
		kept->at[kept->count].samples = units;
		kept->at[kept->count++].ns = units * thin_ns;
	}
	free(rare.at);
	return 0;
}

/* Numbers of what is used: by old one, the new one + 1. */
struct numbers {
	uint32_t *of;
	uint32_t count;
};

static int compare_u32(const void *a_, const void *b_)
{
	const uint32_t *a = a_, *b = b_;

	COMPARE(*a, *b);
	return 0;
}

/* Frames of the nodes that are used, ascending by row, which makes the differences small. */
static int write_frames(struct fold *fold, const struct numbers *nodes, struct hash_index *ret)
{
	struct frames_encoder encoder = { .bytes = &fold->frames };
	cleanup(free) uint32_t *frames = malloc((nodes->count + 1ULL) * sizeof(*frames));
	uint32_t count = 0;

	if (!frames)
		return -ENOMEM;
	fold->frame_count = 0;
	for (uint32_t rank = 1; rank < fold->nodes.count; rank++)
		if (nodes->of[rank])
			frames[count++] = fold->nodes.at[fold->order[rank]].frame;
	if (count)
		qsort(frames, count, sizeof(*frames), compare_u32);
	for (uint32_t i = 0; i < count; i++) {
		if (i && frames[i] == frames[i - 1])
			continue;
		frames_encode(&encoder, frames[i]);
		if (hash_index_add(ret, hash_u64(frames[i]), fold->frame_count++) < 0)
			return -ENOMEM;
	}
	frames_end(&encoder);
	return 0;
}

/* Nodes that a value ends in, and all above them; *nodes is by rank. */
static int write_tree(struct fold *fold, struct values kept, struct numbers *nodes)
{
	struct paths_encoder encoder = { .bytes = &fold->paths, .next = 1 };
	struct hash_index frames = {};
	int r;

	nodes->count = 0;
	memset(nodes->of, 0, fold->nodes.count * sizeof(*nodes->of));
	for (uint32_t i = 0; i < kept.count; i++)
		for (uint32_t rank = kept.at[i].path; rank && !nodes->of[rank];
		     rank = fold->ranks[fold->nodes.at[fold->order[rank]].parent])
			nodes->of[rank] = 1;
	nodes->of[0] = 1;
	for (uint32_t rank = 0; rank < fold->nodes.count; rank++)
		if (nodes->of[rank])
			nodes->of[rank] = ++nodes->count;
	r = write_frames(fold, nodes, &frames);
	for (uint32_t rank = 1; r == 0 && rank < fold->nodes.count; rank++) {
		const struct tree_node *node = &fold->nodes.at[fold->order[rank]];

		if (nodes->of[rank])
			paths_encode(&encoder, nodes->of[fold->ranks[node->parent]] - 1,
				     hash_index_find(&frames, hash_u64(node->frame), NULL, NULL,
						     NULL));
	}
	paths_end(&encoder);
	fold->node_count = nodes->count;
	hash_index_fini(&frames);
	return r;
}

static void write_processes(struct fold *fold, struct values kept, struct numbers *processes)
{
	memset(processes->of, 0, fold->processes.count * sizeof(*processes->of));
	processes->count = 0;
	for (uint32_t i = 0; i < kept.count; i++)
		processes->of[kept.at[i].process] = 1;
	for (uint32_t i = 0; i < fold->processes.count; i++) {
		if (!processes->of[i])
			continue;
		processes->of[i] = ++processes->count;
		process_encode(&fold->processes_text, fold->processes.at[i].pid,
			       fold->processes.at[i].program);
	}
	processes_end(&fold->processes_text);
	fold->process_count = processes->count;
}

/* Whether each of its samples weighs so much. */
static bool weighs(const struct fold_value *value, int64_t sample_ns)
{
	int64_t ns;

	return !__builtin_mul_overflow(value->samples, sample_ns, &ns) && ns == value->ns;
}

/* One list of a window: of what weighs a thinned sample (or not). */
static int write_entries(struct bytes *bytes, struct values of, const struct numbers *nodes,
			 const struct numbers *processes, int64_t period_ns, int64_t thin_ns,
			 bool thinned)
{
	struct entry *entries = malloc((of.count + 1ULL) * sizeof(*entries));
	uint32_t count = 0;

	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < of.count; i++) {
		const struct fold_value *value = &of.at[i];
		bool is_thinned = thin_ns && !weighs(value, period_ns) && weighs(value, thin_ns);

		if (is_thinned == thinned)
			entries[count++] = (struct entry){
				.process = processes->of[value->process] - 1,
				.path = nodes->of[value->path] - 1,
				.samples = value->samples,
				.ns = value->ns,
			};
	}
	entries_encode(bytes, entries, count, thinned ? thin_ns : period_ns);
	free(entries);
	return bytes->failed ? -ENOMEM : 0;
}

/* kept is sorted in here. */
static int write_all(struct fold *fold, struct values *kept, struct numbers *nodes,
		     struct numbers *processes)
{
	uint32_t end, i = 0;
	int r;

	free_texts(fold);
	*kept = merge_sorted(*kept, compare_in_window);
	r = write_tree(fold, *kept, nodes);
	write_processes(fold, *kept, processes);
	for (uint32_t window = 0; r == 0 && window < fold->windows.count; window++, i = end) {
		struct fold_window *to = &fold->windows.at[window];
		struct values of;

		for (end = i; end < kept->count && kept->at[end].window == window;)
			end++;
		of = (struct values){ kept->at + i, end - i };
		r = write_entries(&to->entries, of, nodes, processes, to->period_ns, fold->thin_ns,
				  false);
		if (r == 0)
			r = write_entries(&to->thinned, of, nodes, processes, to->period_ns,
					  fold->thin_ns, true);
	}
	return r < 0 || fold->frames.failed || fold->paths.failed || fold->processes_text.failed
		       ? -ENOMEM
		       : 0;
}

uint64_t fold_bytes(const struct fold *fold)
{
	uint64_t bytes = fold->frames.size + fold->paths.size + fold->processes_text.size;

	for (uint32_t i = 0; i < fold->windows.count; i++)
		bytes += fold->windows.at[i].entries.size + fold->windows.at[i].thinned.size;
	return bytes;
}

/* 2, 3, 4, 5, 7, 9, 12, 16 ... samples. */
static int64_t next_thin(const struct fold *fold)
{
	int64_t unit_ns = fold->unit_ns > 0 ? fold->unit_ns : 1, units = fold->thin_ns / unit_ns;

	return (units < 2 ? 2 : units + (units + 1) / 3) * unit_ns;
}

int fold_finish(struct fold *fold, uint64_t budget_bytes)
{
	cleanup(free) struct fold_value *kept_values = NULL;
	cleanup(free) uint32_t *node_numbers = NULL, *process_numbers = NULL;
	struct values all, kept;
	struct numbers nodes, processes;
	int64_t total_ns = 0, next_ns;
	int r = rank_nodes(fold);

	if (r == 0)
		r = forget_pids(fold);
	if (r != 0)
		return r;
	all = merge_sorted((struct values){ fold->values.at, fold->values.count }, compare_series);
	fold->values.count = all.count;
	for (uint32_t i = 0; i < all.count; i++)
		total_ns = profile_sum(total_ns, all.at[i].ns);
	kept_values = malloc((all.count + 1ULL) * sizeof(*kept_values));
	node_numbers = malloc((fold->nodes.count + 1ULL) * sizeof(*node_numbers));
	process_numbers = malloc((fold->processes.count + 1ULL) * sizeof(*process_numbers));
	if (!kept_values || !node_numbers || !process_numbers)
		return -ENOMEM;
	kept.at = kept_values;
	nodes.of = node_numbers;
	processes.of = process_numbers;
	for (;;) {
		r = thin(fold, fold->thin_ns, &kept);
		if (r == 0)
			r = write_all(fold, &kept, &nodes, &processes);
		if (r != 0 || fold_bytes(fold) <= budget_bytes)
			return r;
		next_ns = next_thin(fold);
		/* Shares are to stay worth reading, whatever that takes. */
		if (next_ns > total_ns / MARKS_MIN)
			return 0;
		fold->thin_ns = next_ns;
	}
}

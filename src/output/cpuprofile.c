// SPDX-License-Identifier: Apache-2.0
/*
 * .cpuprofile: Profiler.Profile of the Chrome DevTools Protocol (v8/inspector, js_protocol), as V8
 * writes it, and as Chrome's DevTools and VS Code open it.
 *
 * A tree of calls below "(root)": process, thread where that was asked for, then the functions. A
 * profile knows how much, not when: so each node that used something itself is one sample that
 * lasts as long as that is, in the order of the tree. A sample lasts until the next one begins, for
 * which a last one of "(idle)" stands. hitCount, from which DevTools computes its times, is the number
 * of periods where the values have one. Values that are no time are written as microseconds, which
 * is all there is here. positionTicks, with lines counted from 1, tell the lines of a function that
 * used something itself; lines of call frames are counted from 0.
 */
#include "output/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output/escape.h"
#include "output/viewed.h"

#define NONE UINT32_MAX

struct node {
	uint32_t parent, first_child, last_child, next; /* siblings in order; NONE */
	uint32_t frame;					/* of viewed, or behind them: see names */
	uint32_t number;				/* in the file */
	int64_t value;					/* used by itself */
};

struct tick {
	uint32_t node, line;
	int64_t value;
};

struct tree {
	struct viewed viewed;
	ARRAY_OF(struct node) nodes; /* 0 is the root */
	ARRAY_OF(struct tick) ticks; /* sorted by node and line */
	ARRAY_OF(uint32_t) order;    /* of nodes in the file: each before what is below it */
	/* Names of processes and threads: frames from viewed.frames.count on. */
	struct strtab names;
	struct hash_index index; /* parent and frame → node */
	struct bytes scratch;
};

static void tree_fini_cleanup(struct tree *tree)
{
	viewed_fini(&tree->viewed);
	array_fini(&tree->nodes);
	array_fini(&tree->ticks);
	array_fini(&tree->order);
	strtab_fini(&tree->names);
	hash_index_fini(&tree->index);
	bytes_fini(&tree->scratch);
}

static int add_node(struct tree *tree, uint32_t *ret, uint32_t parent, uint32_t frame)
{
	/* Different pairs have different hashes. */
	uint64_t hash = hash_u64((uint64_t)parent << 32 | frame);
	struct node *node;

	*ret = hash_index_find(&tree->index, hash, NULL, NULL, NULL);
	if (*ret != HASH_ABSENT)
		return 0;
	*ret = tree->nodes.count;
	node = array_push(&tree->nodes);
	if (!node)
		return -ENOMEM;
	*node = (struct node){ parent, NONE, NONE, NONE, frame, 0, 0 };
	if (*ret) {
		struct node *above = &tree->nodes.at[parent];

		if (above->last_child == NONE)
			above->first_child = *ret;
		else
			tree->nodes.at[above->last_child].next = *ret;
		above->last_child = *ret;
	}
	return hash_index_add(&tree->index, hash, *ret);
}

/* A node for a name that is no function's; "" adds none. */
static int add_named(struct tree *tree, uint32_t *node, const char *name)
{
	uint32_t id;
	int r;

	if (!*name)
		return 0;
	r = strtab_add_str(&tree->names, &id, name);
	return r ? r : add_node(tree, node, *node, tree->viewed.frames.count + id);
}

/* The nodes of process and thread, where they are told. */
static int add_thread(struct tree *tree, uint32_t *node, const struct viewed_thread *thread)
{
	const char *text = profile_text(tree->viewed.profile, thread->comm);
	struct viewed_thread alone = *thread;
	int r = add_named(tree, node, text);

	if (r < 0 || (!thread->thread_name && !thread->tid))
		return r;
	alone.comm = 0;
	alone.pid = 0;
	tree->scratch.size = 0;
	viewed_add_thread(&tree->scratch, &tree->viewed, &alone);
	text = bytes_str(&tree->scratch);
	return text ? add_named(tree, node, text) : -ENOMEM;
}

static int add_sample(struct tree *tree, uint32_t node, uint32_t sample, int64_t value)
{
	const struct profile *profile = tree->viewed.profile;
	struct profile_run run = profile->stacks.at[profile->samples.at[sample].stack];
	uint32_t line = 0;
	struct tick *tick;

	for (uint32_t i = run.count; i-- > 0;) {
		uint32_t id = profile->stack_locations.at[run.first + i];
		const struct profile_location *location = &profile->locations.at[id];

		for (uint32_t k = location->line_count; k-- > 0;) {
			uint32_t at = location->first_line + k;
			int r = add_node(tree, &node, node, tree->viewed.frame_of_line[at]);

			if (r < 0)
				return r;
			line = profile->lines.at[at].line;
		}
	}
	tree->nodes.at[node].value = profile_sum(tree->nodes.at[node].value, value);
	if (!line)
		return 0;
	tick = array_push(&tree->ticks);
	if (!tick)
		return -ENOMEM;
	*tick = (struct tick){ node, line, value };
	return 0;
}

static int compare_ticks(const void *a, const void *b)
{
	const struct tick *one = a, *other = b;

	if (one->node != other->node)
		return one->node < other->node ? -1 : 1;
	return one->line < other->line ? -1 : one->line > other->line;
}

static void merge_ticks(struct tree *tree)
{
	uint32_t count = 0;

	if (!tree->ticks.count)
		return;
	qsort(tree->ticks.at, tree->ticks.count, sizeof(*tree->ticks.at), compare_ticks);
	for (uint32_t i = 1; i < tree->ticks.count; i++) {
		struct tick *last = &tree->ticks.at[count], *tick = &tree->ticks.at[i];

		if (compare_ticks(last, tick) == 0)
			last->value = profile_sum(last->value, tick->value);
		else
			tree->ticks.at[++count] = *tick;
	}
	tree->ticks.count = count + 1;
}

/* Numbers the nodes as they come in the file: 1 is the root, 2 is "(idle)". */
static int order_nodes(struct tree *tree)
{
	uint32_t at = 0;

	if (!array_reserve(&tree->order, tree->nodes.count))
		return -ENOMEM;
	while (at != NONE) {
		struct node *node = &tree->nodes.at[at];

		node->number = at ? tree->order.count + 2 : 1;
		*array_push(&tree->order) = at;
		if (node->first_child != NONE) {
			at = node->first_child;
			continue;
		}
		while (at && tree->nodes.at[at].next == NONE)
			at = tree->nodes.at[at].parent;
		at = at ? tree->nodes.at[at].next : NONE;
	}
	return 0;
}

static int make_tree(struct tree *tree, const struct profile *profile)
{
	uint32_t root;
	int r = viewed_init(&tree->viewed, profile, false);

	if (r == 0)
		r = strtab_init(&tree->names);
	if (r == 0)
		r = add_node(tree, &root, NONE, NONE);
	for (uint32_t i = 0; r == 0 && i < tree->viewed.threads.count; i++) {
		const struct viewed_thread *thread = &tree->viewed.threads.at[i];
		uint32_t node = root;

		if (!thread->weight)
			continue;
		r = add_thread(tree, &node, thread);
		for (uint32_t k = 0; r == 0 && k < thread->samples.count; k++) {
			uint32_t sample = tree->viewed.samples[thread->samples.first + k];
			int64_t value = profile_value(profile, sample, profile->meta.main_type);

			if (value > 0)
				r = add_sample(tree, node, sample, value);
		}
	}
	if (r == 0)
		merge_ticks(tree);
	return r ? r : order_nodes(tree);
}

/* ---- the file ---- */

/* A path as a URL, which is what sources of scripts have. */
static void add_url(struct viewed_page *page, const char *path)
{
	struct bytes *url = &page->scratch;

	url->size = 0;
	if (*path != '/') {
		viewed_page_text(page, "url", path);
		return;
	}
	bytes_add_str(url, "file://");
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (c > 0x20 && c < 0x7f && !strchr("\"#%<>?[\\]^`{|}", c))
			bytes_add_char(url, *path);
		else
			bytes_add_format(url, "%%%02X", c);
	}
	json_string(&page->json, "url", bytes_str(url));
}

/*
 * script: another number for each path, "" having 0. DevTools tells functions of one name apart by it,
 * not by the URL.
 */
static void begin_node(struct viewed_page *page, uint32_t number, const char *name,
		       const char *path, uint32_t script, uint32_t line)
{
	struct json *json = &page->json;
	char text[12];

	json_object(json, NULL);
	json_u64(json, "id", number);
	json_object(json, "callFrame");
	viewed_page_text(page, "functionName", name);
	snprintf(text, sizeof(text), "%" PRIu32, script);
	json_string(json, "scriptId", text);
	add_url(page, path);
	json_i64(json, "lineNumber", (int64_t)line - 1);
	json_i64(json, "columnNumber", line ? 0 : -1);
	json_end(json);
}

static void add_idle(struct viewed_page *page)
{
	begin_node(page, 2, "(idle)", "", 0, 0);
	json_u64(&page->json, "hitCount", 0);
	json_end(&page->json);
}

/* How often something was hit: periods, where the values have one. */
static int64_t hits(const struct profile *profile, int64_t value)
{
	const struct profile_meta *meta = &profile->meta;

	return meta->period_type == meta->main_type && meta->period > 0 ? value / meta->period
									: value;
}

/* tick: the first one of the node, if it has any. */
static void add_ticks(struct viewed_page *page, const struct tree *tree, uint32_t at, uint32_t tick)
{
	struct json *json = &page->json;

	if (tick >= tree->ticks.count)
		return;
	json_array(json, "positionTicks");
	for (; tick < tree->ticks.count && tree->ticks.at[tick].node == at; tick++) {
		json_object(json, NULL);
		json_u64(json, "line", tree->ticks.at[tick].line);
		json_i64(json, "ticks", hits(tree->viewed.profile, tree->ticks.at[tick].value));
		json_end(json);
	}
	json_end(json);
}

static void add_node_text(struct viewed_page *page, const struct tree *tree, uint32_t at,
			  uint32_t tick)
{
	const struct viewed *viewed = &tree->viewed;
	const struct node *node = &tree->nodes.at[at];
	struct json *json = &page->json;

	if (!at) {
		begin_node(page, 1, "(root)", "", 0, 0);
	} else if (node->frame >= viewed->frames.count) {
		begin_node(page, node->number,
			   strtab_get(&tree->names, node->frame - viewed->frames.count), "", 0, 0);
	} else {
		const struct viewed_frame *frame = &viewed->frames.at[node->frame];
		const struct profile_function *function =
			&viewed->profile->functions.at[frame->function];
		uint32_t path = function->file ? function->file : frame->module;

		begin_node(page, node->number, viewed_name(viewed, frame),
			   profile_text(viewed->profile, path), path,
			   function->file ? function->start_line : 0);
	}
	json_i64(json, "hitCount", hits(viewed->profile, node->value));
	if (!at || node->first_child != NONE) {
		json_array(json, "children");
		if (!at)
			json_u64(json, NULL, 2);
		for (uint32_t i = node->first_child; i != NONE; i = tree->nodes.at[i].next)
			json_u64(json, NULL, tree->nodes.at[i].number);
		json_end(json);
	}
	add_ticks(page, tree, at, tick);
	json_end(json);
	viewed_page_flush(page);
}

/* Where ticks of each node begin: nodes do not come in the order of their ids. */
static int find_ticks(const struct tree *tree, uint32_t **ret)
{
	uint32_t *first = malloc((tree->nodes.count + 1ULL) * sizeof(*first));

	if (!first)
		return -ENOMEM;
	memset(first, 0xff, (tree->nodes.count + 1ULL) * sizeof(*first));
	for (uint32_t i = tree->ticks.count; i-- > 0;)
		first[tree->ticks.at[i].node] = i;
	*ret = first;
	return 0;
}

/* Microseconds from the start to the sum of values. */
static uint64_t time_at(const struct profile *profile, int64_t value)
{
	const struct profile_type *type = &profile->types.at[profile->meta.main_type];
	double nanoseconds = viewed_nanoseconds(profile_text(profile, type->unit));

	if (nanoseconds == 1)
		return (uint64_t)value / 1000;
	if (nanoseconds > 0)
		return (uint64_t)llround(fmin((double)value * nanoseconds / 1e3, 0x1p62));
	return (uint64_t)value;
}

static void add_samples(struct viewed_page *page, const struct tree *tree)
{
	const struct profile *profile = tree->viewed.profile;
	uint64_t start = profile->meta.time_ns > 0 ? (uint64_t)profile->meta.time_ns / 1000 : 0;
	struct json *json = &page->json;
	int64_t sum = 0;
	uint64_t at = 0;

	json_array(json, "samples");
	for (uint32_t i = 0; i < tree->order.count; i++) {
		const struct node *node = &tree->nodes.at[tree->order.at[i]];

		if (node->value)
			json_u64(json, NULL, node->number);
		viewed_page_flush(page);
	}
	json_u64(json, NULL, 2);
	json_end(json);
	json_array(json, "timeDeltas");
	json_u64(json, NULL, 0);
	for (uint32_t i = 0; i < tree->order.count; i++) {
		const struct node *node = &tree->nodes.at[tree->order.at[i]];
		uint64_t before = at;

		if (!node->value)
			continue;
		sum = profile_sum(sum, node->value);
		at = time_at(profile, sum);
		json_u64(json, NULL, at - before);
		viewed_page_flush(page);
	}
	json_end(json);
	json_u64(json, "startTime", start);
	json_u64(json, "endTime", start + at);
}

static int cpuprofile_write(const struct profile *profile, struct stream *stream)
{
	cleanup(tree_fini) struct tree tree = {};
	cleanup(free) uint32_t *first_ticks = NULL;
	struct viewed_page page;
	int r = make_tree(&tree, profile);

	if (r == 0)
		r = find_ticks(&tree, &first_ticks);
	if (r < 0)
		return r;
	viewed_page_init(&page, stream);
	json_object(&page.json, NULL);
	json_array(&page.json, "nodes");
	for (uint32_t i = 0; i < tree.order.count; i++) {
		add_node_text(&page, &tree, tree.order.at[i], first_ticks[tree.order.at[i]]);
		if (!i)
			add_idle(&page);
	}
	json_end(&page.json);
	add_samples(&page, &tree);
	json_end(&page.json);
	return viewed_page_finish(&page);
}

const struct writer writer_cpuprofile = {
	.name = "cpuprofile",
	.aliases = { NULL },
	.extensions = { ".cpuprofile" },
	.description = "for Chrome's DevTools and VS Code",
	.write = cpuprofile_write,
};

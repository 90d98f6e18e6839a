// SPDX-License-Identifier: Apache-2.0
/*
 * The lists of a slice: frames, processes, paths, entries, inlined functions; a line each. What was
 * read is written again, and then reads as the same.
 */
#include "store/codec.h"

#include <errno.h>
#include <string.h>

#include "fuzz.h"

enum { LINES = 5, MAX_VALUES = 1 << 16 };

/* One sample's weight. */
enum { WEIGHT_NS = 52631578 };

struct line {
	const char *at;
	size_t size;
};

struct values {
	const struct tree *tree;
	ARRAY_OF(struct entry) entries;
	bool ascends; /* as entries_encode asks */
};

static int take(void *context, const struct entry *entry)
{
	struct values *values = context;
	const struct entry *last =
		values->entries.count ? &values->entries.at[values->entries.count - 1] : NULL;
	struct entry *added;

	FUZZ_CHECK(entry->process < values->tree->processes.count);
	FUZZ_CHECK(entry->path < values->tree->nodes.count);
	FUZZ_CHECK(entry->samples >= 0 && entry->ns >= 0);
	if (last && (entry->process < last->process ||
		     (entry->process == last->process && entry->path <= last->path)))
		values->ascends = false;
	if (values->entries.count >= MAX_VALUES)
		return -E2BIG;
	added = array_push(&values->entries);
	FUZZ_CHECK(added);
	*added = *entry;
	return 0;
}

static void check_tree(const struct tree *tree)
{
	FUZZ_CHECK(tree->nodes.count >= 1 && tree->nodes.count == tree->depths.count);
	for (uint32_t i = 1; i < tree->nodes.count; i++) {
		const struct tree_node *node = &tree->nodes.at[i];

		FUZZ_CHECK(node->parent < i && node->frame < tree->frames.count);
		FUZZ_CHECK(tree->depths.at[i] == tree->depths.at[node->parent] + 1);
		FUZZ_CHECK(tree->depths.at[i] <= STORE_MAX_DEPTH);
	}
}

static void write_tree(const struct tree *tree, struct bytes texts[3])
{
	struct frames_encoder frames = { .bytes = &texts[0] };
	struct paths_encoder paths = { .bytes = &texts[2], .next = 1 };

	for (uint32_t i = 0; i < tree->frames.count; i++)
		frames_encode(&frames, tree->frames.at[i]);
	frames_end(&frames);
	for (uint32_t i = 0; i < tree->processes.count; i++)
		process_encode(&texts[1], tree->processes.at[i].pid, tree->processes.at[i].program);
	processes_end(&texts[1]);
	for (uint32_t i = 1; i < tree->nodes.count; i++)
		paths_encode(&paths, tree->nodes.at[i].parent, tree->nodes.at[i].frame);
	paths_end(&paths);
}

#define CHECK_EQUAL(a, b)                                                                          \
	do {                                                                                       \
		FUZZ_CHECK((a)->count == (b)->count);                                              \
		FUZZ_CHECK(!(a)->count ||                                                          \
			   memcmp((a)->at, (b)->at, (a)->count * sizeof(*(a)->at)) == 0);          \
	} while (0)

static void check_round_trip(const struct tree *tree, const struct values *values)
{
	struct bytes texts[4] = {};
	struct values again = {};
	struct tree copy;

	FUZZ_CHECK(tree_init(&copy) == 0);
	write_tree(tree, texts);
	entries_encode(&texts[3], values->entries.at, values->entries.count, WEIGHT_NS);
	FUZZ_CHECK(frames_decode(&copy, texts[0].at, texts[0].size) == 0);
	FUZZ_CHECK(processes_decode(&copy, texts[1].at, texts[1].size) == 0);
	FUZZ_CHECK(paths_decode(&copy, texts[2].at, texts[2].size) == 0);
	CHECK_EQUAL(&copy.frames, &tree->frames);
	FUZZ_CHECK(copy.processes.count == tree->processes.count);
	for (uint32_t i = 0; i < copy.processes.count; i++)
		FUZZ_CHECK(copy.processes.at[i].pid == tree->processes.at[i].pid &&
			   copy.processes.at[i].program == tree->processes.at[i].program);
	CHECK_EQUAL(&copy.nodes, &tree->nodes);
	again.tree = &copy;
	if (values->ascends) {
		FUZZ_CHECK(entries_decode(&copy, texts[3].at, texts[3].size, WEIGHT_NS, take,
					  &again) == 0);
		CHECK_EQUAL(&again.entries, &values->entries);
	}
	for (size_t i = 0; i < 4; i++)
		bytes_fini(&texts[i]);
	array_fini(&again.entries);
	tree_fini(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line lines[LINES] = {};
	const char *at = (const char *)data, *end = at + size;
	struct values values = { .ascends = true };
	struct inlined inlined = {};
	struct tree tree;
	int r;

	for (size_t i = 0; size && i < LINES && at < end; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		lines[i].at = at;
		lines[i].size = (size_t)((newline ? newline : end) - at);
		at = newline ? newline + 1 : end;
	}
	FUZZ_CHECK(tree_init(&tree) == 0);
	r = frames_decode(&tree, lines[0].at, lines[0].size);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r == 0)
		r = processes_decode(&tree, lines[1].at, lines[1].size);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r == 0)
		r = paths_decode(&tree, lines[2].at, lines[2].size);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	check_tree(&tree);
	values.tree = &tree;
	if (r == 0)
		r = entries_decode(&tree, lines[3].at, lines[3].size, WEIGHT_NS, take, &values);
	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -E2BIG);
	if (r == 0)
		check_round_trip(&tree, &values);
	r = inlined_decode(&inlined, lines[4].at, lines[4].size);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	FUZZ_CHECK(r != 0 || inlined.numbers.count % 2 == 0);
	array_fini(&inlined.numbers);
	array_fini(&values.entries);
	tree_fini(&tree);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/codec.h"
#include "store/thin.h"

static void lists_are_short(void **state)
{
	struct bytes frames = {}, processes = {}, paths = {}, entries = {};
	struct frames_encoder frame = { .bytes = &frames };
	struct paths_encoder path = { .bytes = &paths, .next = 1 };
	const struct entry values[] = {
		{ 0, 2, 1, 100 }, { 0, 3, 7, 700 }, { 0, 9, 3, 5 }, { 4, 1, 2, 200 }
	};

	(void)state;
	frames_encode(&frame, 10);
	frames_encode(&frame, 12);
	frames_encode(&frame, 7);
	frames_end(&frame);
	assert_string_equal(bytes_str(&frames), "[10,2,-5]");
	process_encode(&processes, 42, 3);
	process_encode(&processes, -1, 4);
	processes_end(&processes);
	assert_string_equal(bytes_str(&processes), "[42,3,null,4]");
	/* 1 below the root, 2 below 1, 3 below 1, 4 below the root. */
	paths_encode(&path, 0, 0);
	paths_encode(&path, 1, 1);
	paths_encode(&path, 1, 2);
	paths_encode(&path, 0, 2);
	paths_end(&path);
	assert_string_equal(bytes_str(&paths), "[0,1,-2,2,-4,2]");
	entries_encode(&entries, values, 4, 100);
	assert_string_equal(bytes_str(&entries), "[[0,2,1,-7,6,[3,5]],[4,1,-2]]");
	bytes_fini(&frames);
	bytes_fini(&processes);
	bytes_fini(&paths);
	bytes_fini(&entries);
}

static void nothing_is_no_list(void **state)
{
	struct bytes text = {};
	struct frames_encoder frames = { .bytes = &text };
	struct paths_encoder paths = { .bytes = &text };

	(void)state;
	frames_end(&frames);
	paths_end(&paths);
	processes_end(&text);
	entries_encode(&text, NULL, 0, 1);
	assert_int_equal(text.size, 0);
}

static int take(void *context, const struct entry *entry)
{
	*(int64_t *)context += entry->ns;
	return 0;
}

static int decode(const char *frames, const char *processes, const char *paths, const char *entries)
{
	struct tree tree;
	int64_t sum = 0;
	int r;

	assert_ok(tree_init(&tree));
	r = frames_decode(&tree, frames, strlen(frames));
	if (r == 0)
		r = processes_decode(&tree, processes, strlen(processes));
	if (r == 0)
		r = paths_decode(&tree, paths, strlen(paths));
	if (r == 0)
		r = entries_decode(&tree, entries, strlen(entries), 10, take, &sum);
	tree_fini(&tree);
	return r == 0 ? (int)sum : r;
}

static void only_what_fits_is_read(void **state)
{
	static const struct {
		const char *frames, *processes, *paths, *entries;
	} bad[] = {
		{ "[1", "", "", "" },
		{ "[1]]", "", "", "" },
		{ "[1,]", "", "", "" },
		{ "[ 1]", "", "", "" },
		{ "[-1]", "", "", "" },
		{ "[4294967296]", "", "", "" },
		{ "[99999999999999999999]", "", "", "" },
		{ "[1.5]", "", "", "" },
		{ "[null]", "", "", "" },
		{ "[[1]]", "", "", "" },
		{ "[1]", "[1]", "", "" },
		{ "[1]", "[-1,2]", "", "" },
		{ "[1]", "[1,-2]", "", "" },
		{ "[1]", "[1,2]", "[1]", "" },
		{ "[1]", "[1,2]", "[-2,0]", "" },
		{ "[1]", "[1,2]", "[0,-1]", "" },
		{ "[1]", "[1,2]", "[-1,-1,0]", "" },
		{ "[1]", "[1,2]", "[0]", "[[1,1]]" },
		{ "[1]", "[1,2]", "[0]", "[[0,2]]" },
		{ "[1]", "[1,2]", "[0]", "[[0,-1]]" },
		{ "[1]", "[1,2]", "[0]", "[[0,1,0]]" },
		{ "[1]", "[1,2]", "[0]", "[[0,1,-2,-2]]" },
		{ "[1]", "[1,2]", "[0]", "[[0,1,[1]]]" },
		{ "[1]", "[1,2]", "[0]", "[[0,1,[1,2,3]]]" },
		{ "[1]", "[1,2]", "[0]", "[[0,1,[-1,2]]]" },
		{ "[1]", "[1,2]", "[0]", "[0,1]" },
		{ "[1]", "[1,2]", "[0]", "[[0,1]" },
		{ "[1]", "[1,2]", "[0]", "[[]]" },
		{ "[1]", "[1,2]", "[0]", "[[0,1,-9223372036854775807]]" },
	};

	(void)state;
	assert_int_equal(decode("[1]", "[1,2]", "[0]", "[[0,1]]"), 10);
	assert_int_equal(decode("[1]", "[1,2]", "[0]", "[[0,0,-3,1,[9,7]]]"), 37);
	assert_int_equal(decode("", "", "", ""), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (decode(bad[i].frames, bad[i].processes, bad[i].paths, bad[i].entries) !=
		    -EBADMSG)
			fail_msg("%zu was read", i);
}

/* Chains without end are refused before they cost anything. */
static void trees_are_not_too_deep(void **state)
{
	struct bytes text = {};
	struct tree tree;

	(void)state;
	assert_ok(tree_init(&tree));
	assert_ok(frames_decode(&tree, "[1]", 3));
	for (int i = 0; i < STORE_MAX_DEPTH; i++)
		bytes_add_str(&text, i ? ",0" : "[0");
	bytes_add_char(&text, ']');
	assert_ok(paths_decode(&tree, text.at, text.size));
	assert_errno(paths_decode(&tree, "[0]", 3), EBADMSG);
	tree_fini(&tree);
	bytes_fini(&text);
}

/* Whatever the start: a run of values keeps its sum to less than a unit, and the mean is exact. */
static void thinning_keeps_sums(void **state)
{
	enum { UNIT = 7, VALUES = 50 };
	int64_t weights[VALUES], sums[VALUES] = {}, total = 0;

	(void)state;
	for (int i = 0; i < VALUES; i++) {
		weights[i] = i * i % 11;
		total += weights[i];
	}
	for (uint64_t start = 0; start < UNIT; start++) {
		struct thinner thinner = thinner_of(UNIT, start + 3 * UNIT);
		int64_t units = 0;

		for (int i = 0; i < VALUES; i++) {
			int64_t now = thinner_take(&thinner, weights[i]);

			assert_true(now >= weights[i] / UNIT && now <= weights[i] / UNIT + 1);
			sums[i] += now;
			units += now;
		}
		assert_true(llabs(units * UNIT - total) < UNIT);
	}
	/* Over all starts each has had as many units as it weighs. */
	for (int i = 0; i < VALUES; i++)
		assert_int_equal(sums[i], weights[i]);
}

static void inlined_functions_have_a_limit(void **state)
{
	struct inlined inlined = {};
	struct bytes text = {};

	(void)state;
	bytes_add_str(&text, "[1,2");
	for (uint32_t i = 1; i <= INLINED_MAX; i++) {
		size_t size = text.size;

		bytes_add_char(&text, ']');
		assert_int_equal(inlined_decode(&inlined, text.at, text.size), 0);
		assert_int_equal(inlined.numbers.count, 2 * i);
		array_fini(&inlined.numbers);
		inlined = (struct inlined){};
		text.size = size;
		bytes_add_str(&text, ",1,2");
	}
	bytes_add_char(&text, ']');
	assert_int_equal(inlined_decode(&inlined, text.at, text.size), -EBADMSG);
	array_fini(&inlined.numbers);
	bytes_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inlined_functions_have_a_limit),
		cmocka_unit_test(lists_are_short),
		cmocka_unit_test(nothing_is_no_list),
		cmocka_unit_test(only_what_fits_is_read),
		cmocka_unit_test(trees_are_not_too_deep),
		cmocka_unit_test(thinning_keeps_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

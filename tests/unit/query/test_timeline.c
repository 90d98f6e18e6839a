// SPDX-License-Identifier: Apache-2.0
#include "query/timeline.h"

#include <yajl/yajl_tree.h>

#include "store/folder.h"

static yajl_val at(yajl_val tree, const char *key)
{
	yajl_val found = yajl_tree_get(tree, (const char *[]){ key, NULL }, yajl_t_any);

	assert_non_null(found);
	return found;
}

/* expected: below 0: null. */
static void assert_numbers(yajl_val list, const double *expected, size_t count)
{
	assert_int_equal(list->u.array.len, count);
	for (size_t i = 0; i < count; i++) {
		yajl_val value = list->u.array.values[i];

		if (expected[i] < 0)
			assert_true(YAJL_IS_NULL(value));
		else
			assert_true(value->u.number.d > expected[i] - 1e-9 &&
				    value->u.number.d < expected[i] + 1e-9);
	}
}

static yajl_val timeline_of(const struct history *history, const struct store_query *query,
			    enum store_key key, int64_t step_ns, uint32_t limit)
{
	cleanup(store_reader_close) struct store_reader *reader = NULL;
	cleanup(bytes_fini) struct bytes text = {};
	cleanup(bytes_fini) struct bytes why = {};
	struct answer_reason reason = {};
	unsigned list = 0;
	yajl_val tree;

	while (listings[list].key != key)
		list++;
	assert_ok(store_reader_open(&reader, history->folder, &why));
	assert_ok(timeline_json(&text, reader, query, 1U << list, step_ns, limit,
				T0 + 3600 * SECOND, &reason));
	tree = yajl_tree_parse(bytes_str(&text), NULL, 0);
	assert_non_null(tree);
	return tree;
}

/* 10 ms of CPU time a sample: 1000 of them in a window of 10 s are a core. */
static void steps_add_up(void **state)
{
	const struct store_query query = { .from_ns = T0, .until_ns = T0 + 55 * SECOND };
	struct history history;
	struct profile *window;
	yajl_val tree, series;

	(void)state;
	history_begin(&history);
	for (int i = 0; i < 6; i++) {
		if (i == 2 || i == 3) /* profd was not there */
			continue;
		window = window_at(T0 + i * 10 * SECOND);
		window_sample(window, "steady", 1, "a.service", "u:main", 500);
		if (i == 1)
			window_sample(window, "burst", 2, "b.service", "u:main", 2000);
		window_sample(window, "small", 3, NULL, "u:main", 10);
		history_add(&history, window);
	}
	tree = timeline_of(&history, &query, STORE_BY_COMM, 10 * SECOND, 2);
	assert_int_equal(at(tree, "steps")->u.number.i, 6);
	series = at(tree, "series");
	assert_int_equal(series->u.array.len, 2);
	/* Nearly as much as the steady one, whose last window is only half in it. */
	assert_string_equal(at(series->u.array.values[0], "name")->u.string, "burst");
	assert_numbers(at(series->u.array.values[0], "cores"), (double[]){ 0, 2, -1, -1, 0, 0 }, 6);
	assert_string_equal(at(series->u.array.values[1], "name")->u.string, "steady");
	assert_numbers(at(series->u.array.values[1], "cores"),
		       (double[]){ 0.5, 0.5, -1, -1, 0.5, 0.5 }, 6);
	assert_numbers(at(tree, "others"), (double[]){ 0.01, 0.01, -1, -1, 0.01, 0.01 }, 6);
	yajl_tree_free(tree);

	/* What has no label is a series, too; steps across a gap count what was recorded. */
	tree = timeline_of(&history, &query, STORE_BY_UNIT, 25 * SECOND, 0);
	assert_int_equal(at(tree, "steps")->u.number.i, 3);
	series = at(tree, "series");
	assert_int_equal(series->u.array.len, 3);
	assert_true(YAJL_IS_NULL(at(series->u.array.values[2], "name")));
	assert_numbers(at(series->u.array.values[0], "cores"), (double[]){ 1, 0, 0 }, 3);
	assert_numbers(at(series->u.array.values[1], "cores"), (double[]){ 0.5, 0.5, 0.5 }, 3);
	assert_numbers(at(tree, "others"), (double[]){ 0, 0, 0 }, 3);
	yajl_tree_free(tree);
	history_end(&history);
}

static void nothing_is_said(void **state)
{
	const struct store_query query = { .from_ns = T0 + 3600 * SECOND,
					   .until_ns = T0 + 3700 * SECOND };
	cleanup(store_reader_close) struct store_reader *reader = NULL;
	struct answer_reason reason = {};
	struct history history;
	struct bytes text = {};

	(void)state;
	history_begin(&history);
	history_add(&history, window_at(T0));
	assert_ok(store_reader_open(&reader, history.folder, &text));
	assert_true(timeline_json(&text, reader, &query, 1, SECOND, 0, T0 + 3700 * SECOND,
				  &reason) > 0);
	assert_non_null(strstr(reason.text, "othing was recorded"));
	bytes_fini(&text);
	history_end(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_add_up),
		cmocka_unit_test(nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

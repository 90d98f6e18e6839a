// SPDX-License-Identifier: Apache-2.0
#include "store/folder.h"

static void what_is_written_is_read(void **state)
{
	const struct store_query all = ALL_TIME;
	struct history history;
	struct profile *window;

	(void)state;
	history_begin(&history);
	window = window_at(T0);
	window_sample(window, "prog", 42, "a.service", "u:main|u:work~leaf|k:read", 3);
	window_sample(window, "prog", 42, "a.service", "u:main|u:work~leaf", 1);
	window_sample(window, "prog", 43, "a.service", "u:main|u:work~leaf", 7);
	window_sample(window, "kthread", -1, NULL, "k:loop", 2);
	window_sample(window, "other", 9, NULL, "U:401234|j:jitted|n:[unknown]", 1);
	history_add(&history, window);
	window = window_at(T0 + 10 * SECOND);
	window_sample(window, "prog", 42, "a.service", "u:main|u:work~leaf|k:read", 2);
	window_sample(window, "prog", 42, "a.service", "u:main|u:more", 1);
	history_add(&history, window);
	assert_history(&history, &all,
		       "kthread/-1/ loop 2 20000000\n"
		       "other/9/ 0x401234;jitted;[unknown] 1 10000000\n"
		       "prog/42/a.service main;more 1 10000000\n"
		       "prog/42/a.service main;work~leaf 1 10000000\n"
		       "prog/42/a.service main;work~leaf;read 5 50000000\n"
		       "prog/43/a.service main;work~leaf 7 70000000\n");
	/* After the writer has gone, and come again. */
	store_close(history.store);
	history.store = NULL;
	assert_ok(history_open(&history));
	window = window_at(T0 + 20 * SECOND);
	window_sample(window, "prog", 42, "a.service", "u:main|u:more", 1);
	history_add(&history, window);
	assert_history(&history,
		       &(struct store_query){ .from_ns = T0 + 10 * SECOND,
					      .until_ns = T0 + 30 * SECOND },
		       "prog/42/a.service main;more 2 20000000\n"
		       "prog/42/a.service main;work~leaf;read 2 20000000\n");
	history_end(&history);
}

static void filters_choose_processes(void **state)
{
	static const int32_t pids[] = { 7, 43 };
	struct store_query query = ALL_TIME;
	struct history history;
	struct profile *window;

	(void)state;
	history_begin(&history);
	window = window_at(T0);
	window_sample(window, "one", 42, "a.service", "u:main", 1);
	window_sample(window, "two", 43, "b.service", "u:main", 2);
	history_add(&history, window);
	query.pids = pids;
	query.pid_count = 2;
	assert_history(&history, &query, "two/43/b.service main 2 20000000\n");
	query.pid_count = 0;
	query.unit = "a*";
	assert_history(&history, &query, "one/42/a.service main 1 10000000\n");
	query.unit = NULL;
	query.comm = "x,tw?";
	assert_history(&history, &query, "two/43/b.service main 2 20000000\n");
	query.container = "0123456789abcdef";
	assert_history(&history, &query, "");
	history_end(&history);
}

/* Half of a window holds half of its samples; of many it is half of each kind. */
static void windows_are_cut_at_the_edges(void **state)
{
	struct store_query query = { .from_ns = T0 + 5 * SECOND, .until_ns = T0 + 20 * SECOND };
	struct store_answer answer;
	struct history history;
	struct profile *window, *read;

	(void)state;
	history_begin(&history);
	window = window_at(T0);
	window_sample(window, "a", 1, NULL, "u:main", 400);
	window_sample(window, "b", 2, NULL, "u:main", 100);
	history_add(&history, window);
	window = window_at(T0 + 10 * SECOND);
	window_sample(window, "a", 1, NULL, "u:main", 8);
	history_add(&history, window);
	assert_history(&history, &query,
		       "a/1/ main 208 2080000000\n"
		       "b/2/ main 50 500000000\n");
	read = history_read(&history, &query, &answer);
	assert_int_equal(answer.windows, 2);
	assert_int_equal(answer.covered_ns, 15 * SECOND);
	assert_int_equal(answer.gaps, 0);
	assert_int_equal(answer.samples, 258);
	assert_int_equal(answer.all_cpu_ns, 2580000000);
	assert_int_equal(read->meta.time_ns, T0 + 5 * SECOND);
	assert_int_equal(read->meta.duration_ns, 15 * SECOND);
	assert_int_equal(read->meta.period, BUILDER_PERIOD);
	profile_free(read);
	history_end(&history);
}

/* A name comes later than its location, gets better, and is kept for who comes without one. */
static void names_come_later_and_get_better(void **state)
{
	const struct store_query all = ALL_TIME;
	struct history history;
	struct profile *window;
	struct profile_line lines[2] = {};
	uint32_t location;

	(void)state;
	history_begin(&history);
	window = window_at(T0);
	window_sample(window, "a", 1, NULL, "U:401000", 1);
	history_add(&history, window);
	assert_history(&history, &all, "a/1/ 0x401000 1 10000000\n");

	window = window_at(T0 + 10 * SECOND);
	window_sample(window, "a", 1, NULL, "U:401000", 1);
	location = build_location(window, "U:401000");
	lines[0].function = build_function(window, "named");
	assert_ok(profile_location_name(window, location, lines, 1, true));
	history_add(&history, window);
	assert_history(&history, &all, "a/1/ named 2 20000000\n");

	/* Another writer, whose recorder does not say the name again. */
	store_close(history.store);
	assert_ok(history_open(&history));
	window = window_at(T0 + 20 * SECOND);
	window_sample(window, "a", 1, NULL, "U:401000", 1);
	history_add(&history, window);
	assert_history(&history, &all, "a/1/ named 3 30000000\n");

	window = window_at(T0 + 30 * SECOND);
	window_sample(window, "a", 1, NULL, "U:401000", 1);
	location = build_location(window, "U:401000");
	lines[0].function = build_function(window, "inner");
	lines[0].line = 12;
	lines[1].function = build_function(window, "named");
	lines[1].line = 30;
	assert_ok(profile_location_name(window, location, lines, 2, true));
	history_add(&history, window);
	assert_history(&history, &all, "a/1/ named~inner 4 40000000\n");
	history_end(&history);
}

/* The same address of generated code is something else later: what was stays what it was. */
static void generated_code_is_renamed(void **state)
{
	const struct store_query all = ALL_TIME;
	struct history history;
	struct profile *window;

	(void)state;
	history_begin(&history);
	for (int i = 0; i < 3; i++) {
		struct profile_line line = {};
		uint32_t location, stack;
		int64_t values[2] = { 1, BUILDER_PERIOD };

		window = window_at(T0 + i * 10 * SECOND);
		assert_ok(profile_location_add(window, &location,
					       build_mapping(window, "[jit:7]", 0), 0x7000,
					       LOCATION_JIT));
		line.function = build_function(window, i == 0 ? "before" : "after");
		if (i < 2)
			assert_ok(profile_location_name(window, location, &line, 1, true));
		assert_ok(profile_stack_add(window, &stack, &location, 1));
		assert_ok(profile_sample_add(window, stack, 0, values));
		history_add(&history, window);
	}
	assert_history(&history, &all, "/-1/ after 2 20000000\n/-1/ before 1 10000000\n");
	history_end(&history);
}

static void weights_may_differ(void **state)
{
	const struct store_query all = ALL_TIME;
	struct history history;
	struct profile *window;
	uint32_t stack;
	int64_t values[2] = { 5, 7 };

	(void)state;
	history_begin(&history);
	window = window_at(T0);
	window_sample(window, "a", 1, NULL, "u:main", 2);
	assert_ok(profile_stack_add(window, &stack, NULL, 0));
	assert_ok(profile_sample_add(window, stack, 0, values));
	history_add(&history, window);
	assert_history(&history, &all, "/-1/  5 7\na/1/ main 2 20000000\n");
	history_end(&history);
}

static void lists_by_label(void **state)
{
	cleanup(store_reader_close) struct store_reader *reader = NULL;
	cleanup(store_rows_fini) struct store_rows rows = {};
	const struct store_query all = ALL_TIME;
	struct store_answer answer;
	struct history history;
	struct profile *window;

	(void)state;
	history_begin(&history);
	window = window_at(T0);
	window_sample(window, "one", 42, "a.service", "u:main", 1);
	window_sample(window, "two", 43, "b.service", "u:main", 2);
	window_sample(window, "three", 44, "b.service", "u:main", 3);
	window_sample(window, "four", 45, NULL, "u:main", 4);
	history_add(&history, window);
	assert_ok(store_reader_open(&reader, history.folder, &history.why));
	assert_ok(store_list(reader, &all, STORE_BY_UNIT, &rows, &answer));
	assert_int_equal(rows.rows.count, 3);
	assert_string_equal(rows.rows.at[0].text, "b.service");
	assert_int_equal(rows.rows.at[0].cpu_ns, 50000000);
	assert_string_equal(rows.rows.at[1].text, "");
	assert_int_equal(rows.rows.at[1].samples, 4);
	assert_int_equal(rows.rows.at[0].first_ns, T0);
	assert_int_equal(rows.rows.at[0].last_ns, T0 + 10 * SECOND);
	store_rows_fini(&rows);
	assert_ok(store_list(reader, &all, STORE_BY_PID, &rows, &answer));
	assert_int_equal(rows.rows.count, 4);
	assert_string_equal(rows.rows.at[0].text, "45");
	history_end(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(filters_choose_processes),
		cmocka_unit_test(windows_are_cut_at_the_edges),
		cmocka_unit_test(names_come_later_and_get_better),
		cmocka_unit_test(generated_code_is_renamed),
		cmocka_unit_test(weights_may_differ),
		cmocka_unit_test(lists_by_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

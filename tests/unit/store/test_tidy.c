// SPDX-License-Identifier: Apache-2.0
#include "store/folder.h"

#include "store/tidy.h"

#define HOUR (3600 * SECOND)

static int tidy_with(struct history *history, const struct store_options *options, int64_t now_ns)
{
	history->why.size = 0;
	return store_tidy(options, now_ns, &history->why);
}

static void tidy(struct history *history, int64_t now_ns)
{
	struct store_options options = history_options(history);

	if (tidy_with(history, &options, now_ns) != 0)
		fail_msg("%s", bytes_str(&history->why));
}

/* A window with nothing of note, that makes a segment of its own. */
static void add_marker(struct history *history, int64_t begin_ns)
{
	struct profile *window = window_at(begin_ns);

	window_sample(window, "marker", 1, NULL, "u:main", 1);
	history_add(history, window);
}

static int64_t longest(const struct history *history, int64_t from_ns, int64_t until_ns,
		       struct store_answer *answer)
{
	const struct store_query query = { .from_ns = from_ns, .until_ns = until_ns };
	struct profile *profile = history_read(history, &query, answer);

	profile_free(profile);
	return answer->longest_window_ns;
}

/* Few stacks: nothing is thinned, all sums stay, and windows become longer. */
static void sums_stay_when_folded(void **state)
{
	const struct store_query hour = { .from_ns = T0, .until_ns = T0 + HOUR };
	static const char expected[] = "long/7/x.service main;hot 2160 21600000000\n"
				       "long/7/x.service main;rare 2 20000000\n"
				       "once/-1/ main 1 10000000\n"
				       "once/-1/ other 1 10000000\n";
	struct store_answer answer;
	struct history history;

	(void)state;
	history_begin(&history);
	for (int i = 0; i < 360; i++) {
		struct profile *window = window_at(T0 + i * 10 * SECOND);

		window_sample(window, "long", 7, "x.service", "u:main|l:hot", 6);
		if (i == 3 || i == 200)
			window_sample(window, "long", 7, "x.service", "u:main|l:rare", 1);
		/* Two short processes of one program: without their pids they are one. */
		if (i == 5)
			window_sample(window, "once", 100, NULL, "u:main", 1);
		if (i == 50)
			window_sample(window, "once", 101, NULL, "u:other", 1);
		history_add(&history, window);
	}
	add_marker(&history, T0 + HOUR);
	tidy(&history, T0 + 2 * HOUR - SECOND);
	assert_int_equal(longest(&history, T0, T0 + HOUR, &answer), 10 * SECOND);
	tidy(&history, T0 + 2 * HOUR);
	assert_int_equal(longest(&history, T0, T0 + HOUR, &answer), 60 * SECOND);
	assert_int_equal(answer.windows, 60);
	assert_int_equal(answer.covered_ns, HOUR);
	assert_int_equal(answer.thinned_ns, 0);
	assert_history(&history, &hour, expected);
	/* And again, which changes nothing. */
	tidy(&history, T0 + 2 * HOUR);
	assert_history(&history, &hour, expected);
	/* To ten minutes, when all of the six hours is a day old. */
	tidy(&history, T0 + 40 * HOUR);
	assert_int_equal(longest(&history, T0, T0 + HOUR, &answer), 600 * SECOND);
	assert_int_equal(answer.windows, 6);
	assert_history(&history, &hour, expected);
	history_end(&history);
}

/* A stack of its own for each number: "u:fN|u:gM". */
static void add_stack(struct profile *window, uint32_t number, int64_t count)
{
	char frames[64];

	snprintf(frames, sizeof(frames), "u:f%u|u:g%u|u:h%u", number % 50, number / 50 % 100,
		 number / 5000);
	window_sample(window, number % 2 ? "odd" : "even", 10 + number % 2, NULL, frames, count);
}

/*
 * More than the budget allows: rare stacks are thinned. What is read of groups of functions is
 * compared with what was written, over many histories: the mean is that, within six of its
 * standard errors.
 */
static void thinning_has_no_bias(void **state)
{
	enum { HISTORIES = 24, STACKS = 9000, GROUPS = 50 };
	const struct store_query hour = { .from_ns = T0, .until_ns = T0 + HOUR };
	double sum[GROUPS] = {}, squares[GROUPS] = {}, truth[GROUPS] = {};
	int64_t written = 0;
	uint32_t thinned = 0;

	(void)state;
	for (int round = 0; round < HISTORIES; round++) {
		struct store_answer answer;
		struct history history;
		struct profile *read;
		double now[GROUPS] = {};

		history_begin(&history);
		written = 0;
		for (int i = 0; i < 30; i++) {
			struct profile *window = window_at(T0 + i * 120 * SECOND);

			/* One stack for many samples, many for one or two each. */
			add_stack(window, 49, 40);
			written += 40;
			for (uint32_t k = i; k < STACKS; k += 30) {
				add_stack(window, k, 1 + k % 2);
				written += 1 + k % 2;
			}
			history_add(&history, window);
		}
		memset(truth, 0, sizeof(truth));
		for (uint32_t k = 0; k < STACKS; k++)
			truth[k % GROUPS] += (double)(1 + k % 2) * BUILDER_PERIOD;
		truth[49] += 30.0 * 40 * BUILDER_PERIOD;
		add_marker(&history, T0 + HOUR);
		tidy(&history, T0 + 2 * HOUR);
		read = history_read(&history, &hour, &answer);
		thinned += answer.thinned_ns > 0;
		assert_true(answer.thin_ns >= 2 * BUILDER_PERIOD);
		/* The sum of all stays, to less than what one sample weighs. */
		assert_true(llabs(answer.cpu_ns - written * BUILDER_PERIOD) <= answer.thin_ns);
		assert_int_equal(answer.all_cpu_ns, written * BUILDER_PERIOD);
		assert_true(answer.samples < written);
		for (uint32_t i = 0; i < read->samples.count; i++) {
			struct profile_run run = read->stacks.at[read->samples.at[i].stack];
			const struct profile_location *root =
				&read->locations
					 .at[read->stack_locations.at[run.first + run.count - 1]];
			uint32_t function = read->lines.at[root->first_line].function;
			const char *name = profile_text(read, read->functions.at[function].name);

			now[atoi(name + 1)] += (double)profile_value(read, i, 1);
			/* What is not rare is told exactly. */
			if (profile_value(read, i, 0) >= 1200)
				assert_int_equal(profile_value(read, i, 1),
						 profile_value(read, i, 0) * BUILDER_PERIOD);
		}
		for (int g = 0; g < GROUPS; g++) {
			sum[g] += now[g];
			squares[g] += now[g] * now[g];
		}
		profile_free(read);
		history_end(&history);
	}
	assert_int_equal(thinned, HISTORIES);
	for (int g = 0; g < GROUPS; g++) {
		double mean = sum[g] / HISTORIES;
		double variance = (squares[g] / HISTORIES - mean * mean) / (HISTORIES - 1);
		double distance = (mean - truth[g]) * (mean - truth[g]);

		/* One sample of 10 ms more or less is no bias. */
		if (distance > 36 * variance + 1e14)
			fail_msg("f%d: %.0f instead of %.0f", g, mean, truth[g]);
	}
}

static void the_oldest_goes_by_age(void **state)
{
	struct store_options options;
	struct store_answer answer;
	struct history history;

	(void)state;
	history_begin(&history);
	options = history_options(&history);
	options.max_age_ns = 5 * HOUR;
	add_marker(&history, T0);
	/* The clock was ahead for a moment, which says nothing of age. */
	add_marker(&history, T0 + 100 * HOUR);
	add_marker(&history, T0 + HOUR);
	assert_ok(tidy_with(&history, &options, T0 + 100 * HOUR));
	longest(&history, T0, T0 + 200 * HOUR, &answer);
	assert_int_equal(answer.windows, 3);
	/* An hour of windows after the first one's time was over. */
	for (int i = 0; i < 361; i++)
		add_marker(&history, T0 + 6 * HOUR + i * 10 * SECOND);
	assert_ok(tidy_with(&history, &options, T0 + 8 * HOUR));
	longest(&history, T0, T0 + HOUR / 2, &answer);
	assert_int_equal(answer.windows, 0);
	longest(&history, T0 + 100 * HOUR, T0 + 101 * HOUR, &answer);
	assert_int_equal(answer.windows, 1);
	history_end(&history);
}

static void the_oldest_goes_by_size(void **state)
{
	const struct store_query all = ALL_TIME;
	struct store_options options;
	struct store_answer answer;
	struct history history;
	struct profile *read;
	uint64_t bytes = 0;

	(void)state;
	history_begin(&history);
	options = history_options(&history);
	options.max_bytes = 256 << 10;
	for (uint32_t hour = 0; hour < 40; hour++) {
		for (int i = 0; i < 4; i++) {
			struct profile *window = window_at(T0 + hour * HOUR + i * 600 * SECOND);

			for (uint32_t k = 0; k < 400; k++)
				add_stack(window, (hour * 4 + (uint32_t)i) * 400 + k, 3);
			history_add(&history, window);
		}
		assert_ok(tidy_with(&history, &options, T0 + (hour + 1) * HOUR));
		bytes = store_bytes(history.store) > bytes ? store_bytes(history.store) : bytes;
	}
	/* What was written since, and what is not merged into the file yet. */
	assert_true(bytes < 3 << 20);
	read = history_read(&history, &all, &answer);
	assert_true(answer.first_ns > T0);
	assert_int_equal(answer.last_ns, T0 + 39 * HOUR + 1810 * SECOND);
	/* Names of what is gone are gone: g0 was only in the first hours. */
	for (uint32_t i = 0; i < read->functions.count; i++)
		assert_string_not_equal(profile_text(read, read->functions.at[i].name), "h0");
	profile_free(read);
	history_end(&history);
}

/* Windows from a time to come do not keep the present from being folded, nor are they lost. */
static void the_clock_may_jump(void **state)
{
	const struct store_query now = { .from_ns = T0, .until_ns = T0 + 2 * HOUR };
	const struct store_query then = { .from_ns = T0 + 1000 * HOUR,
					  .until_ns = T0 + 1001 * HOUR };
	struct store_answer answer;
	struct history history;

	(void)state;
	history_begin(&history);
	add_marker(&history, T0);
	add_marker(&history, T0 + 1000 * HOUR);
	/* Back, twice over the same time. */
	add_marker(&history, T0 + 5 * SECOND);
	add_marker(&history, T0 + 20 * SECOND);
	assert_history(&history, &now, "marker/1/ main 3 30000000\n");
	longest(&history, T0, T0 + HOUR, &answer);
	assert_int_equal(answer.covered_ns, 25 * SECOND);
	assert_int_equal(answer.gaps, 1);
	add_marker(&history, T0 + 3 * HOUR);
	tidy(&history, T0 + 4 * HOUR);
	assert_history(&history, &now, "marker/-1/ main 1 10000000\nmarker/1/ main 2 20000000\n");
	assert_history(&history, &then, "marker/-1/ main 1 10000000\n");
	history_end(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_stay_when_folded),  cmocka_unit_test(thinning_has_no_bias),
		cmocka_unit_test(the_oldest_goes_by_age), cmocka_unit_test(the_oldest_goes_by_size),
		cmocka_unit_test(the_clock_may_jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

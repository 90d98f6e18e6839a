// SPDX-License-Identifier: Apache-2.0
/* The quality line, word for word: scripts read it. And its JSON. */
#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "session/health.h"
#include "worker/workers.h"

static struct health a_recording(void)
{
	return (struct health){
		.samples = 2970,
		.duration_s = 30.01,
		.frequency_hz = 99.00000099,
		.outcomes = { [WALK_COMPLETE] = 2965, [WALK_NO_ROW] = 4, [WALK_NOT_PRESENT] = 1 },
		.frames = 10000,
		.frames_named = 9890,
		.bpf_ns = 20000000,
		.user_ns = 13011000,
		.rss_bytes = 38 << 20,
	};
}

static void assert_line(const struct health *health, const char *expected)
{
	cleanup(bytes_fini) struct bytes line = {};

	health_line(health, &line);
	assert_string_equal(bytes_str(&line), expected);
}

static void the_line_is_the_one_in_the_manual(void **state)
{
	struct health health = a_recording();

	(void)state;
	assert_line(&health, "2970 samples in 30.0 s (99 Hz), 0 lost; stacks 99.8% complete "
			     "(5 truncated: no unwind row 4, page not present 1); 98.9% of frames "
			     "named; cost 0.11% of one CPU, 38 MiB");
}

static void a_perfect_one_is_short(void **state)
{
	struct health health = a_recording();

	(void)state;
	memset(health.outcomes, 0, sizeof(health.outcomes));
	health.outcomes[WALK_COMPLETE] = 2970;
	health.frames_named = health.frames;
	assert_line(&health, "2970 samples in 30.0 s (99 Hz), 0 lost; stacks 100.0% complete; "
			     "100.0% of frames named; cost 0.11% of one CPU, 38 MiB");
}

static void trust_in_generated_code_is_told(void **state)
{
	struct health health = a_recording();
	cleanup(bytes_fini) struct bytes json = {};

	(void)state;
	health.through_generated_code = 1;
	health.outcomes[WALK_COMPLETE] -= 3;
	health.outcomes[WALK_GUESSED] = 3;
	assert_line(&health, "2970 samples in 30.0 s (99 Hz), 0 lost; stacks 99.7% complete "
			     "(0.1% through generated code, trusting its frame pointers; "
			     "3 guessed, 5 truncated: no unwind row 4, page not present 1); "
			     "98.9% of frames named; cost 0.11% of one CPU, 38 MiB");
	health_json(&health, &json);
	assert_non_null(strstr(bytes_str(&json), "\"through_generated_code\":1"));
	memset(health.outcomes, 0, sizeof(health.outcomes));
	health.outcomes[WALK_COMPLETE] = health.samples;
	health.through_generated_code = health.samples / 2;
	assert_line(&health, "2970 samples in 30.0 s (99 Hz), 0 lost; stacks 100.0% complete "
			     "(50.0% through generated code, trusting its frame pointers); "
			     "98.9% of frames named; cost 0.11% of one CPU, 38 MiB");
}

static void nothing_is_rounded_up_to_all(void **state)
{
	struct health health = a_recording();

	(void)state;
	health.samples = 1000000;
	health.outcomes[WALK_COMPLETE] = 999999;
	health.outcomes[WALK_NO_ROW] = 0;
	health.frames = 1000000;
	health.frames_named = 999999;
	assert_line(&health, "1000000 samples in 30.0 s (99 Hz), 0 lost; stacks 99.9% complete "
			     "(1 truncated: page not present 1); 99.9% of frames named; "
			     "cost 0.11% of one CPU, 38 MiB");
}

static void files_that_are_given_up_are_named(void **state)
{
	struct workers workers = {};
	struct health health = { .frequency_hz = 99, .workers = &workers };
	cleanup(bytes_fini) struct bytes json = {};

	(void)state;
	workers_init(&workers);
	workers_give_up(&workers, "/a", "crashed the reader");
	workers_give_up(&workers, "/a", "crashed the reader");
	assert_line(&health, "0 samples in 0.0 s (99 Hz), 0 lost; cost 0.00% of one CPU, 0 MiB; "
			     "gave up on 1 file (/a: crashed the reader)");
	workers.more_given_up = true;
	assert_line(&health, "0 samples in 0.0 s (99 Hz), 0 lost; cost 0.00% of one CPU, 0 MiB; "
			     "gave up on more than 1 file (/a: crashed the reader)");
	health_json(&health, &json);
	assert_non_null(strstr(bytes_str(&json), "\"files_given_up\":1"));
	assert_non_null(strstr(bytes_str(&json), "\"more_files_given_up\":true"));
	workers_fini(&workers);
}

static void nothing_recorded_is_no_division(void **state)
{
	struct health health = { .frequency_hz = 99 };

	(void)state;
	assert_line(&health, "0 samples in 0.0 s (99 Hz), 0 lost; cost 0.00% of one CPU, 0 MiB");
}

static void rates_are_written_out(void **state)
{
	static const struct {
		double hz;
		const char *text;
	} cases[] = { { 1, "(1 Hz)" },
		      { 0.5, "(0.5 Hz)" },
		      { 997.0089, "(997 Hz)" },
		      { 4999.00019, "(4999 Hz)" },
		      { 10000, "(10000 Hz)" },
		      { 1000000, "(1000000 Hz)" },
		      { 999.999999, "(1000 Hz)" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(bytes_fini) struct bytes line = {};
		struct health health = { .frequency_hz = cases[i].hz };

		health_line(&health, &line);
		if (!strstr(bytes_str(&line), cases[i].text))
			fail_msg("no %s in %s", cases[i].text, bytes_str(&line));
	}
}

static void losses_are_named(void **state)
{
	struct health health = a_recording();
	cleanup(bytes_fini) struct bytes line = {};

	(void)state;
	health.lost_ring = 3;
	health.lost_ticks = 4;
	health.lost_lifecycle = 5;
	health.evictions = 6;
	health.outside = 8;
	health.processes_refused = 7;
	assert_int_equal(health_lost(&health), 7);
	health_line(&health, &line);
	assert_non_null(strstr(bytes_str(&line), ", 7 lost;"));
	assert_non_null(strstr(bytes_str(&line), "; 5 process events lost"));
	assert_non_null(strstr(bytes_str(&line), "; 6 unwind tables evicted"));
	assert_non_null(strstr(bytes_str(&line),
			       "; left out: 8 samples of what is outside of this pid namespace"));
	assert_non_null(strstr(bytes_str(&line), "; 7 times no room for a process's mappings"));
}

static void the_json_says_the_same(void **state)
{
	static const char *const parts[] = {
		"\"schema_version\":1",
		"\"samples\":2970",
		"\"expected_samples\":2973",
		"\"lost\":3",
		"\"ring\":3",
		"\"complete\":2965",
		"\"no unwind row\":4",
		"\"page not present\":1",
		"\"frames\":10000",
		"\"frames_named\":9890",
		"\"names_refused\":12",
		"\"bpf_ns\":20000000",
		"\"user_ns\":13011000",
		"\"kernel_names\":\"a \\\"reason\\\"\"",
	};
	struct health health = a_recording();
	cleanup(bytes_fini) struct bytes text = {}, packed = {};
	int depth = 0;

	(void)state;
	health.lost_ring = 3;
	health.names_refused = 12;
	health.kernel_trouble = "a \"reason\"";
	health_json(&health, &text);
	assert_false(text.failed);
	/* Blanks between the parts are a matter of taste. */
	for (size_t i = 0; i < text.size; i++) {
		bool between = i && (text.at[i - 1] == ':' || text.at[i - 1] == ',');

		if (text.at[i] != '\n' && !(between && text.at[i] == ' '))
			bytes_add_char(&packed, text.at[i]);
		depth += (text.at[i] == '{') - (text.at[i] == '}');
	}
	assert_int_equal(depth, 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!strstr(bytes_str(&packed), parts[i]))
			fail_msg("no %s in %s", parts[i], bytes_str(&packed));
	/* Outcomes that did not happen are not there. */
	assert_null(strstr(bytes_str(&packed), "32-bit"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_is_the_one_in_the_manual),
		cmocka_unit_test(a_perfect_one_is_short),
		cmocka_unit_test(trust_in_generated_code_is_told),
		cmocka_unit_test(nothing_is_rounded_up_to_all),
		cmocka_unit_test(nothing_recorded_is_no_division),
		cmocka_unit_test(rates_are_written_out),
		cmocka_unit_test(losses_are_named),
		cmocka_unit_test(files_that_are_given_up_are_named),
		cmocka_unit_test(the_json_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

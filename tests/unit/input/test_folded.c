// SPDX-License-Identifier: Apache-2.0
#include "input/read.h"

#include <unistd.h>

static void stacks_are_added_up(void **state)
{
	(void)state;
	assert_written(&writer_folded,
		       "main;b 3\r\n"
		       "main;a;x 2\n"
		       "\n"
		       "# a comment 7\n"
		       "main;a 5\n"
		       "main;b 4\n"
		       "main;ab 1\n"
		       "main 1\n"
		       "main;zero 0\n"
		       "main;tab\t6  \n"
		       "main;with blanks (int, long) 8", /* no newline */
		       "main 1\n"
		       "main;a 5\n"
		       "main;a;x 2\n"
		       "main;ab 1\n"
		       "main;b 7\n"
		       "main;tab 6\n"
		       "main;with blanks (int, long) 8\n");
	assert_written(&writer_folded, "\xef\xbb\xbfmain 1\n", "main 1\n");
	/* Frames without a name are frames. */
	assert_written(&writer_folded, "a;;b 1\n;a 2\n 3\n",
		       "[unknown] 3\n[unknown];a 2\na;[unknown];b 1\n");
}

static void suffixes_are_kinds(void **state)
{
	static const struct {
		const char *name;
		enum location_kind kind;
		uint32_t lines;
	} want[] = {
		/* functions that stay in no sample's stack alone are gone */
		{ "[unknown]", LOCATION_NOTE, 1 }, { "f", LOCATION_USER, 1 },
		{ "tiny", LOCATION_USER, 3 },	   { "gen", LOCATION_JIT, 1 },
		{ "deep", LOCATION_KERNEL, 2 },	   { "f", LOCATION_KERNEL, 1 },
	};
	struct profile *profile = read_text("f;small_[i];tiny_[i];f_[k];deep_[i] 4\n"
					    "[unknown];gen_[j] 1\n"
					    "f;[unknown];f_[k] 1\n");
	uint32_t found = 0;

	(void)state;
	assert_ok(profile_freeze(profile));
	assert_int_equal(profile->locations.count, ARRAY_SIZE(want));
	for (uint32_t i = 0; i < profile->locations.count; i++) {
		const struct profile_location *location = &profile->locations.at[i];
		const struct profile_line *line = &profile->lines.at[location->first_line];
		const char *name =
			profile_text(profile, profile->functions.at[line->function].name);

		assert_int_equal(location->address, 0);
		for (size_t k = 0; k < ARRAY_SIZE(want); k++)
			found += strcmp(name, want[k].name) == 0 &&
				 location->kind == want[k].kind &&
				 location->line_count == want[k].lines;
	}
	assert_int_equal(found, ARRAY_SIZE(want));
	profile_free(profile);
	/* Without a caller it is inlined into nothing; a suffix alone is a name. */
	assert_written(&writer_folded, "a_[i];b_[i] 1\n_[k];x_[k]_[j] 2\n",
		       "_[k];x_[k]_[j] 2\na;b_[i] 1\n");
}

/* Roots that look like the beginning of something else. */
static void any_root_can_be_read_again(void **state)
{
	(void)state;
	assert_written(&writer_folded, "{main};f 1\n{}:closure 2\n", "{main};f 1\n{}:closure 2\n");
	assert_written(&writer_folded, " # x;f 1\n#;f 2\n#x 3\n", "_#;f 2\n_# x;f 1\n#x 3\n");
	assert_written(&writer_folded, "_#;f 2\n_# x;f 1\n", "_#;f 2\n_# x;f 1\n");
}

/* What only looks like a suffix is none when it is read again. */
static void names_end_in_no_suffix(void **state)
{
	(void)state;
	assert_written(&writer_folded, "a_[i]_[i];b 1\n", "a_(i);b 1\n");
	assert_written(&writer_folded, "a_(i);b_[k]_[j] 1\n", "a_(i);b_[k]_[j] 1\n");
}

static void inlined_frames_are_told_apart_from_called_ones(void **state)
{
	static const char text[] = "p;a;in_[i];leaf 1\n"
				   "p;a;in_[i];other_[i] 2\n"
				   "p;a;in_[i];other_[i];leaf 3\n"
				   "p;b;in_[i] 4\n";

	(void)state;
	assert_written(&writer_folded, text, text);
	/* One that is also seen as a function of its own is one. */
	assert_written(&writer_folded, "p;a;in_[i] 1\np;in 2\n", "p;a;in 1\np;in 2\n");
}

/* More functions in one place than are kept there are functions of their own. */
static void inlining_has_an_end(void **state)
{
	struct bytes text = {};
	struct profile *profile;

	(void)state;
	bytes_add_str(&text, "f");
	for (int i = 0; i < 1000; i++)
		bytes_add_format(&text, ";g%d_[i]", i);
	bytes_add_str(&text, " 1\n");
	assert_non_null(bytes_str(&text));
	profile = read_text(text.at);
	assert_int_equal(profile->stacks.at[1].count, 1001 / 64 + 1);
	for (uint32_t i = 0; i < profile->locations.count; i++)
		assert_true(profile->locations.at[i].line_count <= 64);
	profile_free(profile);
	bytes_fini(&text);
}

static void counts_are_numbers(void **state)
{
	(void)state;
	assert_written(&writer_folded, "a 9223372036854775807\n", "a 9223372036854775807\n");
	/* Sums stay at the end. */
	assert_written(&writer_folded, "a 9223372036854775807\na 9223372036854775807\n",
		       "a 9223372036854775807\n");
	assert_written(&writer_folded, "a 1.4\nb 1.5\nc 0.4\nd 2.\nworker 3 4\n",
		       "a 1\nb 2\nd 2\nworker_3 4\n");
#define REFUSED(text, reason) assert_refused(text, sizeof(text) - 1, reason)
	REFUSED("a 1\na 9223372036854775808\n", ":2: the count is larger than 2^63");
	REFUSED("a 18446744073709551615\n", ":1: the count is larger than 2^63");
	REFUSED("a 99999999999999999999999999\n", ":1: the count is larger than 2^63");
	REFUSED("a 9223372036854775807.9\n", ":1: the count is larger than 2^63");
	REFUSED("a 1\n\na -1\n", ":3: no count at its end, which folded stacks have");
	REFUSED("a 1e3\n", ":1: no count at its end, which folded stacks have");
	REFUSED("a .5\n", ":1: no count at its end, which folded stacks have");
	REFUSED("a 1.5.2\n", ":1: no count at its end, which folded stacks have");
	REFUSED("a;b\n", ":1: no count at its end, which folded stacks have");
	REFUSED("12\n", ":1: no stack before the count");
}

static void what_is_no_text_is_refused(void **state)
{
	struct bytes text = {};

	(void)state;
	REFUSED("", ": it is empty");
	REFUSED("\n\r\n  \n# nothing\n", ": it holds no stacks");
	REFUSED("a 0\n", ": it holds no stacks");
	REFUSED("{\n \"shared\": 1}\n",
		": JSON, but no profile of speedscope: it has no frames");
	REFUSED("{\"shared\": 1}\n", ": JSON, but no profile of speedscope: it has no frames");
	REFUSED("a\0b 1\n", ": not in a format that can be read: folded stacks, perf script, speedscope or pprof");
	for (int i = 0; i < 2000; i++)
		bytes_add_str(&text, "a;b 1\n");
	bytes_add(&text, "a\0b 1\n", 6);
	assert_refused(text.at, text.size, ":2001: a zero byte, which text has not");
	text.size = 4;
	for (int i = 0; i < LINES_MAX_BYTES / 8 + 1; i++)
		bytes_add_str(&text, "abcdefg;");
	assert_refused(text.at, text.size, ":1: longer than 16 MiB");
	bytes_fini(&text);
}

static void deep_stacks_lose_their_leaves(void **state)
{
	struct input_report report;
	struct profile *profile;
	struct bytes text = {}, got;

	(void)state;
	for (int i = 0; i < 5000; i++)
		bytes_add_format(&text, "f%d;", i);
	bytes_add_str(&text, "leaf 1\na 1\n");
	assert_ok(read_bytes(&profile, text.at, text.size, READ_LIMIT, &report));
	assert_int_equal(report.cut_stacks, 1);
	got = written(&writer_folded, profile);
	assert_memory_equal(got.at, "a 1\nf0;f1;", 10);
	assert_non_null(strstr(got.at, ";f4094;f4095;[truncated: too deep] 1\n"));
	bytes_fini(&got);
	profile_free(profile);
	bytes_fini(&text);
}

/* What is there is counted on, the rest under one name: no sample is lost. */
static void memory_has_an_end(void **state)
{
	struct input_report report;
	struct profile *profile;
	struct bytes text = {}, got;
	char *full;

	(void)state;
	for (int i = 0; i < 100000; i++)
		bytes_add_format(&text, "main;f%d;g%d 2\nmain;same 1\n", i % 1000, i);
	assert_ok(read_bytes(&profile, text.at, text.size, 1 << 20, &report));
	assert_true(report.left_out > 50000 && report.left_out < 99000);
	assert_true(profile_bytes(profile) < 2 << 20);
	assert_int_equal(profile_total(profile, 0), 300000);
	got = written(&writer_folded, profile);
	full = strstr(got.at, INPUT_FULL_NAME " ");
	assert_non_null(full);
	assert_int_equal(strtoull(full + strlen(INPUT_FULL_NAME), NULL, 10), 2 * report.left_out);
	assert_non_null(strstr(got.at, "main;same 100000\n"));
	bytes_fini(&got);
	profile_free(profile);
	bytes_fini(&text);
}

/* Every format is the same whatever the order of the lines. */
static void order_does_not_matter(void **state)
{
	static const char *const orders[] = {
		"a;b;x_[i] 1\na;c_[k] 2\nd;a 3\na;b 4\nb 5\n",
		"b 5\na;b 2\nd;a 3\na;c_[k] 2\na;b;x_[i] 1\na;b 2\n",
	};

	(void)state;
	for (size_t i = 0; i < writer_count; i++) {
		struct profile *one = read_text(orders[0]), *other = read_text(orders[1]);
		struct bytes x = written(writers[i], one), y = written(writers[i], other);

		assert_int_equal(x.size, y.size);
		assert_memory_equal(x.at, y.at, x.size);
		bytes_fini(&x);
		bytes_fini(&y);
		profile_free(one);
		profile_free(other);
	}
}

/* What profd writes it reads; of names that say what the format means, as it has written them. */
static void what_is_written_comes_back(void **state)
{
	struct profile *profile = build_profile();
	struct bytes first, second, third;

	(void)state;
	build_sample(profile, "prog", NULL, 0, "l:start|u:main~tiny|k:read|k:vfs_read", 3);
	build_sample(profile, "prog", NULL, 0, "l:start|u:main~tiny", 2);
	build_sample(profile, "prog", NULL, 0, "l:start|u:main|j:lambda|u:f(int, 3) const", 5);
	build_sample(profile, "my prog", "worker 3", 12, "n:[truncated]|U:0x401234", 3);
	first = written(&writer_folded, profile);
	profile_free(profile);
	assert_written(&writer_folded, first.at, first.at);
	bytes_fini(&first);

	profile = hostile_profile();
	first = written(&writer_folded, profile);
	profile_free(profile);
	profile = read_text(first.at);
	second = written(&writer_folded, profile);
	assert_int_equal(profile_total(profile, 0), 186);
	profile_free(profile);
	profile = read_text(second.at);
	third = written(&writer_folded, profile);
	profile_free(profile);
	assert_string_equal(third.at, second.at);
	bytes_fini(&first);
	bytes_fini(&second);
	bytes_fini(&third);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_are_added_up),
		cmocka_unit_test(suffixes_are_kinds),
		cmocka_unit_test(any_root_can_be_read_again),
		cmocka_unit_test(names_end_in_no_suffix),
		cmocka_unit_test(inlined_frames_are_told_apart_from_called_ones),
		cmocka_unit_test(inlining_has_an_end),
		cmocka_unit_test(counts_are_numbers),
		cmocka_unit_test(what_is_no_text_is_refused),
		cmocka_unit_test(deep_stacks_lose_their_leaves),
		cmocka_unit_test(memory_has_an_end),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(what_is_written_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

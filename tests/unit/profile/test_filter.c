// SPDX-License-Identifier: Apache-2.0
#include "profile/builder.h"

#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "profile/filter.h"

/* Four stacks of 1, 2, 4 and 8 samples, in two threads. */
static struct profile *usual(void)
{
	struct profile *profile = build_profile();

	build_sample(profile, "prog", "worker", 11, "u:main|u:run~tiny|l:malloc", 1);
	build_sample(profile, "prog", "worker", 12, "u:main|u:run~tiny", 2);
	build_sample(profile, "prog", "other", 13, "u:main|l:malloc|k:brk", 4);
	build_sample(profile, "prog", NULL, 0, "u:main", 8);
	assert_ok(profile_freeze(profile));
	return profile;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same lines, whatever their order: that of stacks goes by addresses. */
static void assert_lines(const char *got, const char *want)
{
	const char *texts[] = { got, want };
	char *copies[2], *lines[2][16] = {};
	size_t counts[2] = {};

	for (size_t i = 0; i < 2; i++) {
		char *save = NULL;

		copies[i] = strdup(texts[i]);
		for (char *at = strtok_r(copies[i], "\n", &save); at;
		     at = strtok_r(NULL, "\n", &save))
			lines[i][counts[i]++] = at;
		qsort(lines[i], counts[i], sizeof(lines[i][0]), compare_lines);
	}
	assert_int_equal(counts[0], counts[1]);
	for (size_t k = 0; k < counts[0]; k++)
		assert_string_equal(lines[0][k], lines[1][k]);
	free(copies[0]);
	free(copies[1]);
}

/* Stacks from their roots, inlined functions expanded: "main;run;tiny 2". */
static void assert_left(struct profile *profile, const struct filter *filter, const char *want)
{
	cleanup(profile_free) struct profile *left = NULL;
	cleanup(bytes_fini) struct bytes got = {};
	bool matched[FILTER_KINDS];

	assert_ok(profile_filter(&left, profile, filter, matched));
	assert_true(left->frozen);
	for (uint32_t i = 0; i < left->samples.count; i++) {
		struct profile_run run = left->stacks.at[left->samples.at[i].stack];

		for (uint32_t k = run.count; k-- > 0;) {
			const struct profile_location *location =
				&left->locations.at[left->stack_locations.at[run.first + k]];

			for (uint32_t n = location->line_count; n-- > 0;) {
				const struct profile_line *line =
					&left->lines.at[location->first_line + n];
				uint32_t name = left->functions.at[line->function].name;

				bytes_add_format(&got, "%s;", profile_text(left, name));
			}
		}
		bytes_add_format(&got, " %" PRId64 "\n", profile_value(left, i, 0));
	}
	assert_lines(bytes_str(&got), want);
	for (unsigned i = 0; i < FILTER_KINDS; i++)
		assert_true(matched[i]);
}

struct expectation {
	const char *want;
	const char *expressions[FILTER_KINDS];
};

static void choices_are_those_of_pprof(void **state)
{
	static const struct expectation expectations[] = {
		{ "main; 8\nmain;malloc;brk; 4\nmain;run;tiny; 2\nmain;run;tiny;malloc; 1\n", {} },
		{ "main;run;tiny; 2\nmain;run;tiny;malloc; 1\n", { [FILTER_FOCUS] = "^tiny$" } },
		/* A module matches as a name does. */
		{ "main;malloc;brk; 4\nmain;run;tiny;malloc; 1\n", { [FILTER_FOCUS] = "libc" } },
		{ "main; 8\nmain;run;tiny; 2\n", { [FILTER_IGNORE] = "malloc" } },
		{ "main;run;tiny; 2\n", { [FILTER_FOCUS] = "run", [FILTER_IGNORE] = "malloc" } },
		/* What is ignored is not in focus, be it the same frame. */
		{ "main;run;tiny; 2\n",
		  { [FILTER_FOCUS] = "m|tiny",
		    [FILTER_IGNORE] = "^ma(in)?l|^x",
		    [FILTER_SHOW_FROM] = "main",
		    [FILTER_TAG_FOCUS] = "tid" } },
		/* Equal stacks become one; of an inlined function its caller stays. */
		{ "main; 8\nmain;malloc;brk; 4\nmain;run; 2\nmain;run;malloc; 1\n",
		  { [FILTER_HIDE] = "tiny" } },
		{ "brk; 4\n", { [FILTER_HIDE] = "main|run|tiny|malloc" } },
		{ "malloc; 4\nmalloc; 1\n", { [FILTER_SHOW] = "malloc" } },
		{ "run; 2\nrun;malloc; 1\nmalloc; 4\n",
		  { [FILTER_SHOW] = "run|malloc", [FILTER_HIDE] = "tiny" } },
		/* From the outermost one that matches; a caller within the same place goes. */
		{ "malloc;brk; 4\ntiny; 2\ntiny;malloc; 1\n",
		  { [FILTER_SHOW_FROM] = "tiny|malloc" } },
		/* Nothing begins at what is hidden. */
		{ "run; 2\nrun;malloc; 1\n",
		  { [FILTER_SHOW_FROM] = "main|run", [FILTER_HIDE] = "main|tiny" } },
		{ "main;run;tiny;malloc; 1\n", { [FILTER_TAG_FOCUS] = "tid=11" } },
		{ "main;run;tiny; 2\nmain;run;tiny;malloc; 1\n",
		  { [FILTER_TAG_FOCUS] = "thread_name=^w" } },
		{ "main;run;tiny; 2\nmain;run;tiny;malloc; 1\n",
		  { [FILTER_TAG_FOCUS] = "^thread_name:worker$" } },
		{ "main; 8\nmain;malloc;brk; 4\n", { [FILTER_TAG_IGNORE] = "thread_name=worker" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
		cleanup(profile_free) struct profile *profile = usual();
		cleanup(filter_fini) struct filter filter = {};
		struct pattern_reason reason;

		for (unsigned kind = 0; kind < FILTER_KINDS; kind++)
			if (expectations[i].expressions[kind])
				assert_ok(filter_set(&filter, kind,
						     expectations[i].expressions[kind], &reason));
		assert_left(profile, &filter, expectations[i].want);
	}
}

static void what_matches_nothing_is_told(void **state)
{
	cleanup(profile_free) struct profile *profile = usual();
	cleanup(profile_free) struct profile *left = NULL;
	cleanup(filter_fini) struct filter filter = {};
	struct pattern_reason reason;
	bool matched[FILTER_KINDS];

	(void)state;
	assert_true(filter_is_empty(&filter));
	assert_ok(filter_set(&filter, FILTER_FOCUS, "nosuch", &reason));
	assert_false(filter_is_empty(&filter));
	assert_ok(filter_set(&filter, FILTER_HIDE, "malloc", &reason));
	assert_ok(profile_filter(&left, profile, &filter, matched));
	assert_int_equal(left->samples.count, 0);
	assert_false(matched[FILTER_FOCUS]);
	assert_true(matched[FILTER_HIDE]);
	assert_true(matched[FILTER_IGNORE]);
	assert_errno(filter_set(&filter, FILTER_SHOW, "(", &reason), EINVAL);
	assert_true(strlen(reason.text) > 0);
}

static void original_stays_as_it_is(void **state)
{
	cleanup(profile_free) struct profile *profile = usual();
	cleanup(filter_fini) struct filter filter = {};
	struct filter none = {};
	struct pattern_reason reason;

	(void)state;
	assert_ok(filter_set(&filter, FILTER_SHOW, "tiny", &reason));
	assert_left(profile, &filter, "tiny; 2\ntiny; 1\n");
	assert_left(profile, &none,
		    "main; 8\nmain;malloc;brk; 4\nmain;run;tiny; 2\nmain;run;tiny;malloc; 1\n");
}

static void what_is_not_frozen_is_refused(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	struct profile *left = NULL;
	struct filter none = {};
	bool matched[FILTER_KINDS];

	(void)state;
	assert_errno(profile_filter(&left, profile, &none, matched), EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choices_are_those_of_pprof),
		cmocka_unit_test(what_matches_nothing_is_told),
		cmocka_unit_test(original_stays_as_it_is),
		cmocka_unit_test(what_is_not_frozen_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Reading pprof: what profd writes comes back; tests/convert/pprof.py has what others write. */
#include "input/read.h"
#include "output/golden.h"

#include "profile/call_tree.h"

/* What is read of what is written. Frees the profile. */
static struct profile *through_pprof(struct profile *profile, uint64_t limit,
				     struct input_report *report)
{
	struct bytes bytes = written(&writer_pprof, profile);
	struct profile *again;

	assert_ok(read_bytes(&again, bytes.at, bytes.size, limit, report));
	bytes_fini(&bytes);
	profile_free(profile);
	return again;
}

static void kinds_and_numbers_come_back(void **state)
{
	static const char *const formats[] = { "folded", "text" };
	struct input_report report;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct writer *writer = writer_by_name(formats[i]);
		struct profile *profile = build_profile(), *again = build_profile();
		struct bytes want, got;

		for (int n = 0; n < 2; n++) {
			struct profile *into = n ? again : profile;

			build_sample(into, "prog", "thread", 7, "u:main|l:memcpy|n:[unknown]", 4);
			build_sample(into, "prog", NULL, 0, "u:main~tiny|k:read|U:0x401234", 3);
			build_sample(into, NULL, NULL, 0, "u:main|j:gen", 2);
			build_sample(into, "prog", NULL, 0, "", 1);
		}
		again = through_pprof(again, READ_LIMIT, &report);
		want = written(writer, profile);
		got = written(writer, again);
		assert_string_equal(got.at, want.at);
		assert_int_equal(again->meta.period, BUILDER_PERIOD);
		assert_int_equal(again->meta.period_type, 1);
		assert_int_equal(again->meta.main_type, 1);
		assert_int_equal(again->meta.count_type, 0);
		assert_true(again->meta.time_ns == profile->meta.time_ns);
		assert_true(again->meta.duration_ns == profile->meta.duration_ns);
		bytes_fini(&want);
		bytes_fini(&got);
		profile_free(profile);
		profile_free(again);
	}
}

/* Written again it is the same file, hostile names and all: pprof of pprof has nothing new. */
static void written_again_it_is_the_same(void **state)
{
	struct profile *profile = hostile_profile(), *again;
	struct input_report report;
	struct bytes first = written(&writer_pprof, profile), second;

	(void)state;
	profile_free(profile);
	assert_ok(read_bytes(&again, first.at, first.size, READ_LIMIT, &report));
	second = written(&writer_pprof, again);
	profile_free(again);
	assert_ok(read_bytes(&again, second.at, second.size, READ_LIMIT, &report));
	bytes_fini(&first);
	first = written(&writer_pprof, again);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.at, second.at, first.size);
	bytes_fini(&first);
	bytes_fini(&second);
	profile_free(again);
}

static void texts_of_a_recording_come_back(void **state)
{
	struct profile *profile = build_profile();
	struct input_report report;

	(void)state;
	build_sample(profile, NULL, NULL, 0, "u:main", 1);
	assert_ok(profile_comment_add(profile, "prog, pid 7"));
	assert_ok(profile_comment_add(profile, "./prog · host"));
	assert_ok(profile_comment_add(profile, "1 sample, 0 lost"));
	assert_ok(profile_comment_add(profile, "profd 1.0 on Linux"));
	profile = through_pprof(profile, READ_LIMIT, &report);
	assert_string_equal(profile->meta.title, "prog, pid 7");
	assert_string_equal(profile->meta.subtitle, "./prog · host");
	assert_string_equal(profile->meta.quality, "1 sample, 0 lost");
	assert_int_equal(profile->comments.count, 4);
	profile_free(profile);
}

/* Stacks for which there is no room are counted as one; tables without room are refused. */
static void memory_has_a_limit(void **state)
{
	struct profile *profile = build_profile(), *again = NULL;
	struct input_report report;
	struct bytes bytes;
	uint64_t needed;
	char stack[32];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(stack, sizeof(stack), "u:f%d|u:g%d|u:h%d", i % 10, i / 10 % 10, i / 100);
		build_sample(profile, NULL, NULL, 0, stack, 1);
	}
	bytes = written(&writer_pprof, profile);
	profile_free(profile);
	assert_ok(read_bytes(&again, bytes.at, bytes.size, READ_LIMIT, &report));
	assert_int_equal(report.left_out, 0);
	needed = profile_bytes(again);
	profile_free(again);
	again = NULL;
	assert_ok(read_bytes(&again, bytes.at, bytes.size, needed, &report));
	assert_true(report.left_out > 0 && report.left_out < 20000);
	assert_string_equal(report.items, "samples");
	assert_int_equal(profile_total(again, 0), 20000);
	assert_ok(profile_freeze(again));
	profile_free(again);
	again = NULL;
	assert_int_equal(read_bytes(&again, bytes.at, bytes.size, 1 << 16, &report), INPUT_REFUSED);
	assert_null(again);
	assert_non_null(strstr(report.reason, "unpacked it is larger than it may be"));
	bytes_fini(&bytes);
}

/* A few bytes of a file may be millions of functions: of those that are inlined. */
static void inlined_functions_have_a_limit(void **state)
{
	enum { FUNCTIONS = 1024, DEPTH = 4000, SAMPLES = 32 };
	struct profile *profile = build_profile();
	struct profile_line lines[FUNCTIONS] = {};
	const int64_t values[] = { 1, 1 };
	uint32_t location, stack, locations[DEPTH + SAMPLES];
	struct input_report report;

	(void)state;
	build_sample(profile, NULL, NULL, 0, "u:main", 1);
	assert_ok(profile_location_append(profile, &location, 0, 0x1234, LOCATION_USER));
	assert_ok(profile_location_name(profile, location, lines, FUNCTIONS, true));
	for (uint32_t i = 0; i < ARRAY_SIZE(locations); i++)
		locations[i] = location;
	for (uint32_t i = 0; i < SAMPLES; i++) {
		assert_ok(profile_stack_add(profile, &stack, locations, DEPTH + i));
		assert_ok(profile_sample_add(profile, stack, 0, values));
	}
	profile = through_pprof(profile, 256 << 20, &report);
	assert_true(report.left_out > SAMPLES / 2 && report.left_out < SAMPLES);
	assert_int_equal(profile_total(profile, 0), 1 + SAMPLES);
	profile_free(profile);
}

/* As of a heap: nothing says how many samples there were. */
static struct profile *uncounted_profile(void)
{
	struct input_report report;
	struct profile *profile = build_profile();

	build_sample(profile, NULL, NULL, 0, "u:main|u:keep", 3);
	build_sample(profile, NULL, NULL, 0, "u:main|u:lose|l:malloc", 1);
	profile->types.at[0].name = build_string(profile, "inuse_objects");
	profile->types.at[1].name = build_string(profile, "inuse_space");
	profile->types.at[1].unit = build_string(profile, "bytes");
	profile->meta.period_type = PROFILE_NO_TYPE;
	profile->meta.period_of = (struct profile_type){ build_string(profile, "space"),
							 build_string(profile, "bytes") };
	profile->meta.period = 524288;
	return through_pprof(profile, READ_LIMIT, &report);
}

static void without_a_count_there_are_no_intervals(void **state)
{
	struct profile *profile = uncounted_profile();
	cleanup(call_tree_free) struct call_tree *tree = NULL;

	(void)state;
	assert_int_equal(profile->meta.count_type, PROFILE_NO_TYPE);
	assert_int_equal(profile->meta.period_type, PROFILE_NO_TYPE);
	assert_int_equal(profile->meta.period, 524288);
	assert_ok(profile_freeze(profile));
	assert_string_equal(profile_text(profile, profile->meta.period_of.name), "space");
	assert_ok(call_tree_new(&tree, profile, profile->meta.main_type));
	assert_false(tree->is_counted);
	assert_string_equal(tree->unit, "bytes");
	assert_true(call_tree_share(tree, 3LL * BUILDER_PERIOD).share == 0.75);
	for (size_t i = 0; i < writer_count; i++) {
		struct profile *copy = uncounted_profile();

		copy->meta.title = strdup("heap");
		compare(writers[i], "uncounted", copy);
	}
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_and_numbers_come_back),
		cmocka_unit_test(written_again_it_is_the_same),
		cmocka_unit_test(texts_of_a_recording_come_back),
		cmocka_unit_test(memory_has_a_limit),
		cmocka_unit_test(inlined_functions_have_a_limit),
		cmocka_unit_test(without_a_count_there_are_no_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

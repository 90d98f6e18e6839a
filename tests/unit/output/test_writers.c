// SPDX-License-Identifier: Apache-2.0
#include "output/written.h"

static void by_name_and_alias(void **state)
{
	(void)state;
	assert_ptr_equal(writer_by_name("flamegraph"), &writer_flamegraph);
	assert_ptr_equal(writer_by_name("svg"), &writer_flamegraph);
	assert_ptr_equal(writer_by_name("raw"), &writer_folded);
	assert_ptr_equal(writer_by_name("collapsed"), &writer_folded);
	assert_ptr_equal(writer_by_name("folded"), &writer_folded);
	assert_ptr_equal(writer_by_name("pprof"), &writer_pprof);
	assert_ptr_equal(writer_by_name("text"), &writer_text);
	assert_null(writer_by_name(""));
	assert_null(writer_by_name("SVG?"));
}

static void by_the_end_of_the_name(void **state)
{
	(void)state;
	assert_ptr_equal(writer_by_path("out.svg"), &writer_flamegraph);
	assert_ptr_equal(writer_by_path("a/b.c/out.pb.gz"), &writer_pprof);
	assert_ptr_equal(writer_by_path("out.pprof"), &writer_pprof);
	assert_ptr_equal(writer_by_path("x.folded"), &writer_folded);
	assert_ptr_equal(writer_by_path("x.collapsed"), &writer_folded);
	assert_ptr_equal(writer_by_path("x.svg.txt"), &writer_text);
	assert_ptr_equal(writer_by_path("x.html"), &writer_html);
	assert_ptr_equal(writer_by_path("x.speedscope.json"), &writer_speedscope);
	assert_ptr_equal(writer_by_path("x.firefox.json"), &writer_firefox);
	assert_ptr_equal(writer_by_path("x.cpuprofile"), &writer_cpuprofile);
	assert_null(writer_by_path("x.json"));
	assert_null(writer_by_path("out"));
	assert_null(writer_by_path("x.svg/out"));
	assert_null(writer_by_path(""));
	assert_null(writer_by_path("out.gz"));
}

/* Equal recordings, in whatever order the samples came, are equal files in every format. */
static void equal_profiles_are_equal_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < writer_count; i++) {
		struct profile *one = build_profile(), *two = build_profile();
		struct bytes a, b;

		build_sample(one, "p", NULL, 0, "u:main|u:f", 1);
		build_sample(one, "q", NULL, 7, "u:main|l:g", 2);
		build_sample(two, "q", NULL, 7, "u:main|l:g", 2);
		build_sample(two, "p", NULL, 0, "u:main|u:f", 1);
		a = written(writers[i], one);
		b = written(writers[i], two);
		assert_int_equal(a.size, b.size);
		assert_memory_equal(a.at, b.at, a.size);
		bytes_fini(&a);
		bytes_fini(&b);
		profile_free(one);
		profile_free(two);
	}
}

static void nothing_recorded_is_still_a_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < writer_count; i++) {
		struct profile *profile = build_profile();
		struct bytes file = written(writers[i], profile);

		/* Folded text has nothing to say; everything else says so. */
		assert_true(file.size > 0 || writers[i] == &writer_folded);
		bytes_fini(&file);
		profile_free(profile);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name_and_alias),
		cmocka_unit_test(by_the_end_of_the_name),
		cmocka_unit_test(equal_profiles_are_equal_bytes),
		cmocka_unit_test(nothing_recorded_is_still_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

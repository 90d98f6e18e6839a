// SPDX-License-Identifier: Apache-2.0
#include "output/written.h"

#include "output/escape.h"

static void shares_have_their_interval(void **state)
{
	struct profile *profile = build_profile();
	struct bytes got;

	(void)state;
	profile->meta.title = strdup("prog, pid 7");
	profile->meta.quality = strdup("400 samples, 0 lost");
	assert_ok(profile_comment_add(profile, "400 samples, 0 lost")); /* said once is enough */
	build_sample(profile, "prog", NULL, 0, "u:main|u:hot", 300);
	build_sample(profile, "prog", NULL, 0, "u:main|l:warm", 90);
	build_sample(profile, "prog", NULL, 0, "u:main", 10);
	got = written(&writer_text, profile);
	assert_non_null(strstr(got.at, "prog, pid 7\n400 samples, 0 lost\n\n"));
	assert_non_null(strstr(got.at, "400 samples of cpu: 4.00 s"));
	assert_non_null(strstr(got.at, " 75.0 % ± 4.5   75.0 %   75.0 % ± 4.5  hot  [prog]\n"));
	assert_non_null(strstr(got.at, " 22.5 % ± 4.3   97.5 %   22.5 % ± 4.3  warm  [libc.so.6]\n"));
	assert_non_null(strstr(got.at, "  2.5 % ± 2.0  100.0 %  100.0 % ± 1.0  main  [prog]\n"));
	assert_non_null(strstr(got.at, "3 of 3"));
	assert_non_null(strstr(got.at, "(300 samples)\n    hot  [prog]\n    main  [prog]\n    prog\n"));
	bytes_fini(&got);
	profile_free(profile);
}

/* 400 samples at 100 Hz are 4 s of CPU time, here in two seconds. */
static void shares_of_a_machine_have_cores(void **state)
{
	struct profile *profile = build_profile();
	char *save = NULL;
	struct bytes got;

	(void)state;
	profile->meta.of_machine = true;
	profile->meta.duration_ns = 2000000000;
	build_sample(profile, "prog", NULL, 0, "u:main|u:hot", 300);
	build_sample(profile, "prog", NULL, 0, "u:main|l:warm", 90);
	build_sample(profile, "prog", NULL, 0, "u:a_function_whose_name_is_as_long_as_a_line", 10);
	got = written(&writer_text, profile);
	assert_non_null(strstr(got.at, "400 samples of cpu: 4.00 s, 2.00 cores on average; ±"));
	assert_non_null(strstr(got.at, "\n    SELF        CORES       SUM      TOTAL         FUNCTION\n"));
	assert_non_null(strstr(got.at,
			       "\n 75.0 % ± 4.5    1.50   75.0 %   75.0 % ± 4.5  hot  [prog]\n"));
	assert_non_null(strstr(got.at, "\n 97.5 % ± 2.0    1.95    0.0 % ± 1.0  main  [prog]\n"));
	assert_non_null(strstr(got.at, "\n 75.0 % ± 4.5  1.50 cores  (300 samples)\n"));
	for (char *line = strtok_r(got.at, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		assert_true(text_columns(line) <= 80);
	bytes_fini(&got);
	profile_free(profile);
}

static void deep_stacks_are_cut_in_the_middle(void **state)
{
	struct profile *profile = build_profile();
	char frames[1024] = "u:root";
	struct bytes got;

	(void)state;
	for (unsigned i = 1; i < 64; i++)
		snprintf(frames + strlen(frames), sizeof(frames) - strlen(frames), "|u:f%u", i);
	build_sample(profile, NULL, NULL, 0, frames, 1);
	got = written(&writer_text, profile);
	assert_non_null(strstr(got.at, "    f24  [prog]\n    (14 more frames)\n    f9  [prog]\n"));
	bytes_fini(&got);
	profile_free(profile);
}

static void hostile_names_stay_within_their_line(void **state)
{
	struct profile *profile = hostile_profile();
	struct bytes got = written(&writer_text, profile);
	char *save = NULL;

	(void)state;
	for (size_t i = 0; i < got.size; i++)
		assert_true(got.at[i] == '\n' || (unsigned char)got.at[i] >= 0x20);
	assert_null(strstr(got.at, HOSTILE_BIDI));
	for (char *line = strtok_r(got.at, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (text_columns(line) > 80)
			fail_msg("%zu columns: %s", text_columns(line), line);
	bytes_fini(&got);
	profile_free(profile);
}

/* Of a C++ name longer than its column the end is what tells it from its neighbours. */
static void long_names_keep_their_end(void **state)
{
	struct profile *profile = build_profile();
	struct bytes got;

	(void)state;
	build_sample(profile, NULL, NULL, 0,
		     "u:void app::Pipeline<std::map<int, std::string>, app::Traits<int> >::run(int)"
		     "|u:app::storage::Engine::Transaction::Impl::commit_and_notify(unsigned long)", 1);
	got = written(&writer_text, profile);
	assert_non_null(strstr(got.at, "100.0 % ±79.3  …Transaction::Impl::commit_and_notify\n"));
	assert_non_null(strstr(got.at, "100.0 % ±79.3    0.0 % ±79.3  void app::Pipeline<>::run  [prog]\n"));
	/* There is more room in a stack. */
	assert_non_null(strstr(got.at, "    app::storage::Engine::Transaction::Impl::commit_and_notify("
				       "unsigned long)\n    void app::Pipeline<std::map<int, "));
	bytes_fini(&got);
	profile_free(profile);
}

/* "libfoo.so+0x1234  [libfoo.so]" would say it twice. */
static void a_module_is_named_once(void **state)
{
	struct profile *profile = build_profile();
	struct bytes got;

	(void)state;
	build_sample(profile, NULL, NULL, 0, "U:0x401234", 1);
	got = written(&writer_text, profile);
	assert_non_null(strstr(got.at, "  prog+0x401234\n"));
	assert_null(strstr(got.at, "[prog]"));
	bytes_fini(&got);
	profile_free(profile);
}

static void no_samples_is_said(void **state)
{
	struct profile *profile = build_profile();
	struct bytes got = written(&writer_text, profile);

	(void)state;
	assert_non_null(strstr(got.at, "No samples"));
	bytes_fini(&got);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_have_their_interval),
		cmocka_unit_test(shares_of_a_machine_have_cores),
		cmocka_unit_test(deep_stacks_are_cut_in_the_middle),
		cmocka_unit_test(hostile_names_stay_within_their_line),
		cmocka_unit_test(long_names_keep_their_end),
		cmocka_unit_test(a_module_is_named_once),
		cmocka_unit_test(no_samples_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

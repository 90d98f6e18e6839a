// SPDX-License-Identifier: Apache-2.0
#include "output/written.h"

static void assert_folded(struct profile *profile, const char *want)
{
	struct bytes got = written(&writer_folded, profile);

	assert_string_equal(got.at, want);
	bytes_fini(&got);
	profile_free(profile);
}

static void kinds_have_suffixes(void **state)
{
	struct profile *profile = build_profile();

	(void)state;
	build_sample(profile, "prog", NULL, 0, "l:start|u:main~tiny|k:read", 3);
	build_sample(profile, "prog", NULL, 0, "j:lambda|i:loop", 2);
	assert_folded(profile, "prog;lambda_[j];loop_[j] 2\n"
			       "prog;start;main;tiny_[i];read_[k] 3\n");
}

static void threads_follow_the_process(void **state)
{
	struct profile *profile = build_profile();

	(void)state;
	build_sample(profile, "my prog", "worker 3", 12, "u:main", 3);
	assert_folded(profile, "my_prog;worker 3 (12);main 3\n");
}

static void names_lose_what_the_format_means(void **state)
{
	struct profile *profile = build_profile();

	(void)state;
	build_sample(profile, NULL, NULL, 0, "u:a;b|u:line\nbreak|u:\"q\"'r'", 1);
	build_sample(profile, NULL, NULL, 0, "u:worker 3", 2);    /* would be two counts */
	build_sample(profile, NULL, NULL, 0, "u:pool 1.5", 3);    /* flamegraph.pl reads floats */
	build_sample(profile, NULL, NULL, 0, "u:f(int, 3) const", 4); /* which is none */
	build_sample(profile, NULL, NULL, 0, "u:trailing ", 5);
	assert_folded(profile, "a:b;line break;qr 1\n"
			       "f(int, 3) const 4\n"
			       "pool_1.5 3\n"
			       "trailing_ 5\n"
			       "worker_3 2\n");
}

/* As a reader would: the count after the last space, the frames between semicolons. */
static void every_line_of_hostile_names_parses(void **state)
{
	struct profile *profile = hostile_profile();
	struct bytes got = written(&writer_folded, profile);
	char *save = NULL;
	long total = 0;

	(void)state;
	for (char *line = strtok_r(got.at, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strrchr(line, ' '), *end;

		assert_non_null(space);
		total += strtol(space + 1, &end, 10);
		assert_true(end > space + 1 && !*end);
		for (const char *c = line; c < space; c++)
			assert_true((unsigned char)*c >= 0x20 && *c != '"' && *c != '\'');
		assert_true(line[0] != ';' && space[-1] != ';' && !strstr(line, ";;"));
	}
	assert_int_equal(total, profile_total(profile, 0));
	bytes_fini(&got);
	profile_free(profile);
}

static void assert_within(uint64_t bytes, const char *want)
{
	char name[256];
	struct profile *profile = build_profile();
	struct stream stream;

	snprintf(name, sizeof(name), "u:first::%0*d::end", 200, 0);
	memcpy(name + 62, "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", 9);
	build_sample(profile, NULL, NULL, 0, name, 1);
	build_sample(profile, NULL, NULL, 0, "u:short|u:second", 2);
	assert_ok(profile_freeze(profile));
	stream_init(&stream, -1);
	assert_ok(folded_write_within(profile, &stream, bytes));
	assert_ok(stream_finish(&stream));
	assert_non_null(bytes_str(&stream.buffer));
	if (want)
		assert_string_equal(stream.buffer.at, want);
	else
		assert_true(stream.buffer.size > 200);
	bytes_fini(&stream.buffer);
	profile_free(profile);
}

static void long_names_lose_their_middle_when_all_is_too_much(void **state)
{
	char want[1024];

	(void)state;
	assert_within(300, NULL);
	/* Not the middle of a character, where the half of 125 bytes ends. */
	snprintf(want, sizeof(want), "first::%0*d...%0*d::end 1\nshort;second 2\n", 53, 0, 57, 0);
	assert_within(200, want);
	assert_within(1, want); /* no shorter */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_have_suffixes),
		cmocka_unit_test(threads_follow_the_process),
		cmocka_unit_test(names_lose_what_the_format_means),
		cmocka_unit_test(every_line_of_hostile_names_parses),
		cmocka_unit_test(long_names_lose_their_middle_when_all_is_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

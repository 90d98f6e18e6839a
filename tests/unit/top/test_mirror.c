// SPDX-License-Identifier: Apache-2.0
/* A copy that is brought up to date again and again holds what the profile holds. */
#include "test.h"

#include "../profile/builder.h"
#include "top/mirror.h"

static void check_equal(const struct profile *a, const struct profile *b)
{
	assert_int_equal(a->samples.count, b->samples.count);
	for (uint32_t i = 0; i < a->samples.count; i++) {
		struct profile_run x = a->stacks.at[a->samples.at[i].stack];
		struct profile_run y = b->stacks.at[b->samples.at[i].stack];

		assert_int_equal(profile_value(a, i, 0), profile_value(b, i, 0));
		assert_int_equal(profile_value(a, i, 1), profile_value(b, i, 1));
		assert_int_equal(x.count, y.count);
		for (uint32_t k = 0; k < x.count; k++) {
			const struct profile_location *p =
				&a->locations.at[a->stack_locations.at[x.first + k]];
			const struct profile_location *q =
				&b->locations.at[b->stack_locations.at[y.first + k]];

			assert_int_equal(p->line_count, q->line_count);
			assert_int_equal(p->named, q->named);
			for (uint32_t n = 0; n < p->line_count; n++)
				assert_string_equal(
					profile_text(
						a,
						a->functions
							.at[a->lines.at[p->first_line + n].function]
							.name),
					profile_text(
						b,
						b->functions
							.at[b->lines.at[q->first_line + n].function]
							.name));
		}
		assert_string_equal(
			profile_text(a,
				     profile_label_find(a, a->samples.at[i].labels, "comm")->text),
			profile_text(b,
				     profile_label_find(b, b->samples.at[i].labels, "comm")->text));
	}
}

static void a_copy_follows(void **state)
{
	struct profile *profile = build_profile();
	struct mirror mirror;
	char frames[64];

	(void)state;
	assert_ok(mirror_init(&mirror));
	assert_ok(mirror_update(&mirror, profile));
	for (unsigned round = 0; round < 50; round++) {
		snprintf(frames, sizeof(frames), "u:main|u:f%u|l:g%u", round % 7, round);
		build_sample(profile, round % 2 ? "odd" : "even", NULL, 0, frames, 1 + round);
		build_sample(profile, "even", NULL, 0, "u:main|u:f0|l:g0", 1);
		assert_ok(mirror_update(&mirror, profile));
		check_equal(mirror.profile, profile);
	}
	mirror_fini(&mirror);
	profile_free(profile);
}

/* A location is named after it was copied. */
static void names_that_come_later(void **state)
{
	struct profile *profile = build_profile();
	struct profile_line line = {};
	struct mirror mirror;

	(void)state;
	build_sample(profile, "a", NULL, 0, "u:main|U:401234", 1);
	assert_ok(mirror_init(&mirror));
	assert_ok(mirror_update(&mirror, profile));
	check_equal(mirror.profile, profile);
	line.function = build_function(profile, "found");
	assert_ok(profile_location_name(profile, 1, &line, 1, true));
	assert_ok(mirror_update(&mirror, profile));
	assert_true(mirror.profile->locations.at[1].named);
	check_equal(mirror.profile, profile);
	mirror_fini(&mirror);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_follows),
		cmocka_unit_test(names_that_come_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include "profile/append.h"

#include <errno.h>

#include "profile/builder.h"

static void add(struct profile *profile, const char *leaf, const char *comm, int64_t samples)
{
	uint32_t locations[] = { build_location(profile, leaf), build_location(profile, "u:main") };
	struct profile_label label = { .key = build_string(profile, "comm"),
				       .text = build_string(profile, comm) };
	int64_t values[2] = { samples, samples * BUILDER_PERIOD };
	uint32_t stack, labels;

	assert_ok(profile_stack_add(profile, &stack, locations, 2));
	assert_ok(profile_labels_add(profile, &labels, &label, 1));
	assert_ok(profile_sample_add(profile, stack, labels, values));
}

static int64_t of_comm(const struct profile *profile, const char *comm)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < profile->samples.count; i++) {
		const struct profile_label *label =
			profile_label_find(profile, profile->samples.at[i].labels, "comm");

		if (strcmp(profile_text(profile, label->text), comm) == 0)
			sum += profile_value(profile, i, 0);
	}
	return sum;
}

static void equal_stacks_are_added_up(void **state)
{
	cleanup(profile_free) struct profile *to = build_profile(), *from = build_profile();
	uint32_t before;

	(void)state;
	add(to, "u:left", "one", 3);
	add(from, "u:right", "one", 5); /* other ids for the same names */
	add(from, "u:left", "one", 4);
	add(from, "u:left", "two", 1);
	assert_ok(profile_append(to, from));
	assert_int_equal(to->samples.count, 3);
	assert_int_equal(to->stacks.count, 2);
	assert_int_equal(of_comm(to, "one"), 12);
	assert_int_equal(of_comm(to, "two"), 1);
	assert_int_equal(profile_total(to, 1), 13 * BUILDER_PERIOD);
	before = to->locations.count;
	assert_ok(profile_append(to, from));
	assert_int_equal(to->locations.count, before);
	assert_int_equal(profile_total(to, 0), 23);
	assert_ok(profile_freeze(to));
}

/* What one window had no name for yet has it from the next one. */
static void names_are_taken(void **state)
{
	cleanup(profile_free) struct profile *to = build_profile(), *from = build_profile();
	struct profile *both[] = { to, from };
	struct profile_line line;
	int64_t values[2] = { 1, BUILDER_PERIOD };
	uint32_t location, stack;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t in = build_mapping(both[i], "/usr/bin/prog", 0x400000);

		assert_ok(profile_location_add(both[i], &location, in, 0x4711, LOCATION_USER));
		assert_ok(profile_stack_add(both[i], &stack, &location, 1));
		assert_ok(profile_sample_add(both[i], stack, 0, values));
	}
	line = (struct profile_line){ .function = build_function(from, "late"), .line = 7 };
	assert_ok(profile_location_name(from, location, &line, 1, true));
	assert_ok(profile_append(to, from));
	assert_int_equal(to->locations.count, 1);
	assert_true(to->locations.at[0].named);
	assert_int_equal(to->lines.at[to->locations.at[0].first_line].line, 7);
	/* And nobody takes it away again. */
	assert_ok(profile_append(to, both[0]));
	assert_true(to->locations.at[0].named);
}

static void other_types_are_refused(void **state)
{
	cleanup(profile_free) struct profile *to = build_profile(), *from = NULL;
	uint32_t type;

	(void)state;
	assert_ok(profile_new(&from));
	assert_int_equal(profile_append(to, from), -EINVAL);
	assert_ok(profile_type_add(from, &type, "samples", "count"));
	assert_ok(profile_type_add(from, &type, "cpu", "cycles"));
	assert_int_equal(profile_append(to, from), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_stacks_are_added_up),
		cmocka_unit_test(names_are_taken),
		cmocka_unit_test(other_types_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include "profile/builder.h"

#include <errno.h>

static void equal_things_have_equal_ids(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	uint32_t a = build_location(profile, "u:main"), b = build_location(profile, "l:malloc");
	uint32_t ab[] = { b, a }, first, second;

	(void)state;
	assert_int_equal(build_location(profile, "u:main"), a);
	assert_int_not_equal(a, b);
	assert_ok(profile_stack_add(profile, &first, ab, 2));
	assert_ok(profile_stack_add(profile, &second, ab, 2));
	assert_int_equal(first, second);
	assert_ok(profile_stack_add(profile, &second, ab, 1));
	assert_int_not_equal(first, second);
	assert_int_equal(build_string(profile, ""), 0);
	/* The same address in two mappings is two locations. */
	assert_ok(profile_location_add(profile, &first, 0, 1, LOCATION_USER));
	assert_ok(profile_location_add(profile, &second, 1, 1, LOCATION_USER));
	assert_int_not_equal(first, second);
}

/* Two containers' programs: one path, one size, no build ID, other code. */
static void files_of_one_name_stay_apart(void **state)
{
	static const char *const names[] = { "left", "right" };
	cleanup(profile_free) struct profile *profile = build_profile();
	struct profile_mapping mapping = { .start = 0x1000, .limit = 0x2000 };
	int64_t values[2] = { 1, BUILDER_PERIOD };

	(void)state;
	mapping.file = build_string(profile, "/app/server");
	for (uint32_t i = 0; i < 2; i++) {
		struct profile_line line = { .function = build_function(profile, names[i]) };
		uint32_t in, location, stack;

		mapping.identity = i + 1;
		assert_ok(profile_mapping_add(profile, &in, &mapping));
		assert_ok(profile_location_add(profile, &location, in, 0x1234, LOCATION_USER));
		assert_ok(profile_location_name(profile, location, &line, 1, true));
		assert_ok(profile_stack_add(profile, &stack, &location, 1));
		assert_ok(profile_sample_add(profile, stack, 0, values));
	}
	assert_ok(profile_freeze(profile));
	assert_int_equal(profile->mappings.count, 2);
	assert_int_equal(profile->locations.count, 2);
	assert_int_equal(profile->samples.count, 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct profile_location *location = &profile->locations.at[i];
		uint32_t function = profile->lines.at[location->first_line].function;

		assert_int_equal(profile->mappings.at[location->mapping].identity, i + 1);
		assert_string_equal(profile_text(profile, profile->functions.at[function].name),
				    names[i]);
	}
}

static void samples_add_up(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();

	(void)state;
	build_sample(profile, "prog", NULL, 0, "u:main|u:work", 3);
	build_sample(profile, "prog", NULL, 0, "u:main|u:work", 4);
	build_sample(profile, "other", NULL, 0, "u:main|u:work", 5);
	assert_int_equal(profile->samples.count, 2);
	assert_int_equal(profile_value(profile, 0, 0), 7);
	assert_int_equal(profile_total(profile, 0), 12);
	assert_int_equal(profile_total(profile, 1), 12LL * BUILDER_PERIOD);
	assert_string_equal(profile_text(profile, profile_label_find(profile, 2, "comm")->text),
			    "other");
	assert_null(profile_label_find(profile, 2, "pid"));
	assert_null(profile_label_find(profile, 99, "comm"));
}

static void sums_stay_in_range(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	int64_t most[] = { INT64_MAX, INT64_MIN };
	uint32_t stack;

	(void)state;
	assert_ok(profile_stack_add(profile, &stack, NULL, 0));
	assert_ok(profile_sample_add(profile, stack, 0, most));
	assert_ok(profile_sample_add(profile, stack, 0, most));
	assert_int_equal(profile_total(profile, 0), INT64_MAX);
	assert_int_equal(profile_total(profile, 1), INT64_MIN);
}

static void a_closed_one_takes_nothing_new(void **state)
{
	struct profile *profile = build_profile();
	const int64_t values[] = { 1, 1 };
	uint32_t string, mapping, location, stack, labels, other;
	struct profile_label label = { .is_number = true, .number = 7 };
	uint64_t before;

	(void)state;
	assert_ok(profile_string(profile, &string, "pid"));
	label.key = string;
	mapping = build_mapping(profile, "/a", 0);
	assert_ok(profile_location_add(profile, &location, mapping, 1, LOCATION_USER));
	assert_ok(profile_stack_add(profile, &stack, &location, 1));
	assert_ok(profile_labels_add(profile, &labels, &label, 1));
	assert_ok(profile_sample_add(profile, stack, labels, values));
	before = profile_bytes(profile);
	assert_true(before > 0);
	profile->closed = true;
	assert_int_equal(profile_string(profile, &other, "new"), PROFILE_FULL);
	assert_int_equal(profile_location_add(profile, &other, mapping, 2, LOCATION_USER),
			 PROFILE_FULL);
	assert_int_equal(profile_stack_add(profile, &other, NULL, 0), PROFILE_FULL);
	label.number = 8;
	assert_int_equal(profile_labels_add(profile, &other, &label, 1), PROFILE_FULL);
	assert_int_equal(profile_sample_add(profile, stack, 0, values), PROFILE_FULL);
	label.number = 7;
	/* What is there is found. */
	assert_ok(profile_string(profile, &other, "pid"));
	assert_int_equal(other, string);
	assert_ok(profile_location_add(profile, &other, mapping, 1, LOCATION_USER));
	assert_int_equal(other, location);
	assert_ok(profile_stack_add(profile, &other, &location, 1));
	assert_int_equal(other, stack);
	assert_ok(profile_labels_add(profile, &other, &label, 1));
	assert_int_equal(other, labels);
	assert_ok(profile_sample_add(profile, stack, labels, values));
	assert_int_equal(profile_value(profile, 0, 0), 2);
	assert_int_equal(profile_bytes(profile), before);
	profile->closed = false;
	assert_ok(profile_string(profile, &other, "new"));
	assert_true(profile_bytes(profile) > before);
	profile_free(profile);
}

static void wrong_ids_are_refused(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	struct profile_mapping mapping = { .file = 99999 };
	struct profile_function function = { .name = 99999 };
	struct profile_line line = { .function = 99999 };
	struct profile_label label = { .key = 99999 };
	uint32_t id, location = build_location(profile, "u:main"), bad = 99999;
	int64_t values[2] = {};

	(void)state;
	assert_errno(profile_mapping_add(profile, &id, &mapping), EINVAL);
	assert_errno(profile_function_add(profile, &id, &function), EINVAL);
	assert_errno(profile_function_append(profile, &id, &function), EINVAL);
	assert_errno(profile_location_add(profile, &id, 99999, 0, LOCATION_USER), EINVAL);
	assert_errno(profile_location_append(profile, &id, 99999, 0, LOCATION_USER), EINVAL);
	assert_errno(profile_location_name(profile, location, &line, 1, true), EINVAL);
	assert_errno(profile_location_name(profile, 99999, &line, 0, true), EINVAL);
	assert_errno(profile_stack_add(profile, &id, &bad, 1), EINVAL);
	assert_errno(profile_labels_add(profile, &id, &label, 1), EINVAL);
	assert_errno(profile_sample_add(profile, 99999, 0, values), EINVAL);
	build_sample(profile, NULL, NULL, 0, "u:main", 1);
	assert_errno(profile_type_add(profile, &id, "late", "count"), EINVAL);
	assert_ok(profile_freeze(profile));
	assert_errno(profile_string(profile, &id, "late"), EINVAL);
	assert_errno(profile_sample_add(profile, 0, 0, values), EINVAL);
}

/* Every table of two profiles, which must be equal to the byte. */
static void assert_same(const struct profile *a, const struct profile *b)
{
#define SAME(table)                                                                                \
	do {                                                                                       \
		assert_int_equal(a->table.count, b->table.count);                                  \
		if (a->table.count)                                                                \
			assert_memory_equal(a->table.at, b->table.at,                              \
					    a->table.count * sizeof(*a->table.at));                \
	} while (0)
	SAME(strings.bytes);
	SAME(types);
	SAME(mappings);
	SAME(functions);
	SAME(lines);
	SAME(stack_locations);
	SAME(stacks);
	SAME(label_sets);
	SAME(samples);
	SAME(values);
#undef SAME
	assert_int_equal(a->locations.count, b->locations.count);
	for (uint32_t i = 0; i < a->locations.count; i++) {
		assert_int_equal(a->locations.at[i].address, b->locations.at[i].address);
		assert_int_equal(a->locations.at[i].mapping, b->locations.at[i].mapping);
		assert_int_equal(a->locations.at[i].first_line, b->locations.at[i].first_line);
	}
}

static void order_does_not_matter(void **state)
{
	static const char *const stacks[] = { "k:read|k:copy", "u:main|u:a~b|l:malloc",
					      "u:main|l:malloc|k:read", "j:lambda", "U:0x401234" };
	struct profile *profiles[2];

	(void)state;
	for (unsigned p = 0; p < 2; p++) {
		profiles[p] = build_profile();
		if (p) /* what no sample uses leaves no trace */
			build_location(profiles[p], "l:unused");
		for (unsigned i = 0; i < 10; i++) {
			unsigned k = p ? 9 - i : i;

			build_sample(profiles[p], k % 2 ? "prog" : "zsh", NULL, 100 + k % 3,
				     stacks[k / 2], k + 1);
		}
		assert_ok(profile_freeze(profiles[p]));
	}
	assert_same(profiles[0], profiles[1]);
	profile_free(profiles[0]);
	profile_free(profiles[1]);
}

static void equal_label_sets_meet_when_frozen(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	struct profile_label labels[2] = {
		{ .key = build_string(profile, "zone"), .text = build_string(profile, "a") },
		{ .key = build_string(profile, "pid"), .number = 7, .is_number = true },
	};
	struct profile_label swapped[2] = { labels[1], labels[0] };
	uint32_t stack, one, other;
	int64_t values[2] = { 1, 1 };

	(void)state;
	assert_ok(profile_stack_add(profile, &stack, NULL, 0));
	assert_ok(profile_labels_add(profile, &one, labels, 2));
	assert_ok(profile_labels_add(profile, &other, swapped, 2));
	assert_int_not_equal(one, other);
	assert_ok(profile_sample_add(profile, stack, one, values));
	assert_ok(profile_sample_add(profile, stack, other, values));
	assert_ok(profile_freeze(profile));
	assert_int_equal(profile->samples.count, 1);
	assert_int_equal(profile_value(profile, 0, 0), 2);
	assert_int_equal(profile->label_sets.at[0].count, 0);
}

static void the_main_binary_is_first(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();

	(void)state;
	build_sample(profile, "prog", NULL, 0, "k:idle", 100);
	build_sample(profile, "prog", NULL, 0, "l:start|u:main|l:malloc", 2);
	assert_ok(profile_freeze(profile));
	assert_string_equal(profile_text(profile, profile->mappings.at[0].file), "/usr/bin/prog");
}

static void unnamed_locations_get_a_name(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	const struct profile_location *location;

	(void)state;
	build_sample(profile, "prog", NULL, 0, "U:0x401234", 1);
	assert_ok(profile_freeze(profile));
	location = &profile->locations.at[0];
	assert_int_equal(location->line_count, 1);
	assert_false(location->named);
	assert_string_equal(
		profile_text(profile, profile->functions.at[profile->lines.at[0].function].name),
		"prog+0x401234");
	/* Go's tool may look the address up itself where nothing was named. */
	assert_false(profile->mappings.at[0].has_functions);
}

/* A stack that many threads have: each has one sample, whatever came between. */
static void samples_of_a_stack_are_told_apart_by_labels(void **state)
{
	struct profile *profile = build_profile();

	(void)state;
	for (int round = 1; round <= 3; round++)
		for (int tid = 0; tid < 50; tid++) {
			build_sample(profile, "prog", NULL, tid, "u:main|u:work", round);
			build_sample(profile, "prog", NULL, tid, "u:main", 1);
		}
	assert_int_equal(profile->samples.count, 100);
	for (uint32_t i = 0; i < profile->samples.count; i++)
		assert_int_equal(profile_value(profile, i, 0), i % 2 ? 3 : 6);
	assert_ok(profile_freeze(profile));
	assert_int_equal(profile->samples.count, 100);
	assert_int_equal(profile_total(profile, 0), 450);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_of_a_stack_are_told_apart_by_labels),
		cmocka_unit_test(equal_things_have_equal_ids),
		cmocka_unit_test(files_of_one_name_stay_apart),
		cmocka_unit_test(samples_add_up),
		cmocka_unit_test(sums_stay_in_range),
		cmocka_unit_test(a_closed_one_takes_nothing_new),
		cmocka_unit_test(wrong_ids_are_refused),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(equal_label_sets_meet_when_frozen),
		cmocka_unit_test(the_main_binary_is_first),
		cmocka_unit_test(unnamed_locations_get_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

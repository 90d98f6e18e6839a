// SPDX-License-Identifier: Apache-2.0
#include "daemon/unit_times.h"

#include "profile/builder.h"

static void add(struct profile *profile, const char *unit, int64_t samples)
{
	struct profile_label label = { .key = build_string(profile, "unit"),
				       .text = build_string(profile, unit) };
	uint32_t location = build_location(profile, "u:main"), stack, labels;
	int64_t values[2] = { samples, samples * BUILDER_PERIOD };

	assert_ok(profile_stack_add(profile, &stack, &location, 1));
	assert_ok(profile_labels_add(profile, &labels, &label, *unit ? 1 : 0));
	assert_ok(profile_sample_add(profile, stack, labels, values));
}

static uint64_t of(const struct unit_times *times, const char *unit)
{
	for (uint32_t i = 0; i < times->units.count; i++)
		if (strcmp(times->units.at[i].unit, unit) == 0)
			return times->units.at[i].cpu_ns;
	return 0;
}

static void windows_add_up(void **state)
{
	struct unit_times times = {};

	(void)state;
	for (int i = 0; i < 2; i++) {
		cleanup(profile_free) struct profile *window = build_profile();

		add(window, "a.service", 3);
		add(window, "b.service", 1);
		add(window, "", 2);
		unit_times_add(&times, window);
	}
	assert_int_equal(times.units.count, 3);
	assert_int_equal(of(&times, "a.service"), 6 * BUILDER_PERIOD);
	assert_int_equal(of(&times, "b.service"), 2 * BUILDER_PERIOD);
	assert_int_equal(of(&times, ""), 4 * BUILDER_PERIOD);
	unit_times_fini(&times);
}

/* Units that come and go with numbers in their names do not fill the memory; nothing gets lost. */
static void of_very_many_the_rest_is_one(void **state)
{
	cleanup(profile_free) struct profile *window = build_profile();
	struct unit_times times = {};
	uint64_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < 3 * UNIT_TIMES_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "run-%u.scope", i);
		add(window, name, 1);
	}
	unit_times_add(&times, window);
	assert_in_range(times.units.count, UNIT_TIMES_MAX, UNIT_TIMES_MAX + 1);
	for (uint32_t i = 0; i < times.units.count; i++)
		sum += times.units.at[i].cpu_ns;
	assert_int_equal(sum, 3 * UNIT_TIMES_MAX * (uint64_t)BUILDER_PERIOD);
	assert_true(of(&times, "other") >= (uint64_t)UNIT_TIMES_MAX * BUILDER_PERIOD);
	unit_times_fini(&times);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_add_up),
		cmocka_unit_test(of_very_many_the_rest_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include "base/clock.h"

static void offsets_are_found(void **state)
{
	(void)state;
	assert_int_equal(clock_monotonic_offset("monotonic           0         0\n"
						"boottime            0         0\n"),
			 0);
	assert_int_equal(clock_monotonic_offset("monotonic       86400       500\n"
						"boottime           -7         0\n"),
			 86400000000500);
	/* A second and a half before: nanoseconds go forward. */
	assert_int_equal(clock_monotonic_offset("monotonic          -2 500000000\n"), -1500000000);
}

static void nonsense_is_no_offset(void **state)
{
	(void)state;
	assert_int_equal(clock_monotonic_offset(""), 0);
	assert_int_equal(clock_monotonic_offset("boottime 86400 0\n"), 0);
	assert_int_equal(clock_monotonic_offset("monotonic"), 0);
	assert_int_equal(clock_monotonic_offset("monotonic 5"), 0);
	assert_int_equal(clock_monotonic_offset("monotonic 9223372036854775807 0\n"), 0);
}

static void time_goes_on(void **state)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC), after = clock_ns(CLOCK_MONOTONIC);

	(void)state;
	assert_true(before > 0 && after >= before && after - before < 60000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_found),
		cmocka_unit_test(nonsense_is_no_offset),
		cmocka_unit_test(time_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

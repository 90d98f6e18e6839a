// SPDX-License-Identifier: Apache-2.0
#include "daemon/governor.h"

#include "test.h"

#define SECOND 1000000000ULL

/* A window of ten seconds of a machine with two CPUs, in which this share of it went into sampling. */
static uint32_t look(struct governor *governor, double percent)
{
	const struct governor_figures figures = {
		.wall_ns = 10 * SECOND,
		.cpu_ns = (uint64_t)(percent / 100 * 2 * 10 * (double)SECOND),
		.cpus = 2,
	};

	return governor_look(governor, &figures);
}

static void below_the_limit_nothing_changes(void **state)
{
	struct governor governor;

	(void)state;
	governor_init(&governor, 19, 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(look(&governor, 0.99), 19);
	assert_int_equal(look(&governor, 0), 19);
	assert_int_equal(governor.lowered + governor.raised, 0);
}

/* What costs in proportion to the rate comes below the limit at once, and stays there. */
static void the_rate_falls_below_the_limit(void **state)
{
	struct governor governor;
	uint32_t rate = 400;

	(void)state;
	governor_init(&governor, 400, 1);
	for (int i = 0; i < 20; i++) {
		uint32_t next = look(&governor, 0.01 * rate);

		if (i > 0)
			assert_int_equal(next, rate);
		rate = next;
	}
	assert_in_range(rate, 60, 100);
	assert_int_equal(governor.lowered, 1);
}

static void it_comes_back_step_by_step(void **state)
{
	struct governor governor;
	uint32_t rate, before;

	(void)state;
	governor_init(&governor, 100, 1);
	rate = look(&governor, 50);
	assert_int_equal(rate, 1);
	for (int i = 0; rate < 100; i++) {
		before = rate;
		rate = look(&governor, 0.001 * rate);
		assert_true(rate > before && rate <= 2 * before);
		assert_true(i < 20);
	}
	assert_int_equal(look(&governor, 0.1), 100);
}

static void it_never_stops_altogether(void **state)
{
	struct governor governor;

	(void)state;
	governor_init(&governor, 19, 0.001);
	for (int i = 0; i < 10; i++)
		assert_true(look(&governor, 90) >= 1);
	assert_int_equal(governor.rate_hz, 1);
}

static void a_window_without_time_says_nothing(void **state)
{
	const struct governor_figures none = { .cpu_ns = SECOND };
	struct governor governor;

	(void)state;
	governor_init(&governor, 19, 1);
	assert_int_equal(governor_look(&governor, &none), 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(below_the_limit_nothing_changes),
		cmocka_unit_test(the_rate_falls_below_the_limit),
		cmocka_unit_test(it_comes_back_step_by_step),
		cmocka_unit_test(it_never_stops_altogether),
		cmocka_unit_test(a_window_without_time_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

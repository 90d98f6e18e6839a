// SPDX-License-Identifier: Apache-2.0
/* Growth that is there is told, and none that is not. */
#include "test.h"

#include <math.h>

#include "memory/trend.h"

#define SECOND 1000000000ULL

static uint64_t seed;

/* Between -1 and 1. */
static double chance(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(int64_t)seed / 9223372036854775808.0;
}

static struct trend_judgement judge(int points, double (*at)(int))
{
	struct trend_judgement ret;
	struct trend trend;

	trend_init(&trend, SECOND);
	for (int i = 0; i < points; i++)
		assert_ok(trend_add(&trend, (uint64_t)(i + 1) * SECOND, (uint64_t)(1e9 + at(i))));
	ret = trend_judge(&trend);
	trend_fini(&trend);
	return ret;
}

static double flat(int i)
{
	(void)i;
	return 0;
}

static double leak(int i)
{
	return 1e6 * i + 2e5 * chance();
}

static double noise(int i)
{
	(void)i;
	return 3e7 * chance();
}

static double walked;

/* Steps that follow one another: what is high stays high for a while. */
static double wander(int i)
{
	static double step;

	step = i ? 0.8 * step + 1e5 * chance() : 0;
	return walked = (i ? walked : 0) + step;
}

static double sawtooth(int i)
{
	return i % 10 * 1e6;
}

static double warm_up(int i)
{
	return i < 5 ? i * 2e7 : 1e8;
}

static double shrinking(int i)
{
	return -1e6 * i;
}

static void no_growth(void **state)
{
	struct trend_judgement judged = judge(30, flat);

	(void)state;
	assert_int_equal(judged.verdict, TREND_FLAT);
	assert_true(judged.per_minute == 0 && judged.half == 0 && judged.grew == 0);
	assert_int_equal(judge(40, sawtooth).verdict, TREND_FLAT);
	assert_int_equal(judge(60, warm_up).verdict, TREND_FLAT);
	assert_int_equal(judge(30, shrinking).verdict, TREND_SHRINKS);
}

static void a_leak_is_measured(void **state)
{
	(void)state;
	for (seed = 1; seed < 100; seed++) {
		uint64_t kept = seed;
		struct trend_judgement judged = judge(30, leak);

		seed = kept;
		assert_int_equal(judged.verdict, TREND_GROWS);
		assert_true(fabs(judged.per_minute - 60e6) <= judged.half);
		assert_true(judged.half < 10e6);
		assert_true(judged.grew == 1);
	}
}

/* By chance once in forty times, and less, as it has to grow more often than not, too. */
static void chance_is_not_taken_for_growth(void **state)
{
	int grows = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		seed = i * 7919;
		grows += judge(60, noise).verdict == TREND_GROWS;
		grows += judge(60, wander).verdict == TREND_GROWS;
	}
	assert_in_range(grows, 0, 90);
}

static void few_points_say_nothing(void **state)
{
	(void)state;
	assert_int_equal(judge(0, leak).verdict, TREND_TOO_SHORT);
	assert_int_equal(judge(1, leak).verdict, TREND_TOO_SHORT);
	assert_int_equal(judge(5, leak).verdict, TREND_TOO_SHORT);
	assert_int_equal(judge(6, leak).verdict, TREND_GROWS);
}

/* Days of it take no more room, and say the same. */
static void long_ones_are_thinned(void **state)
{
	struct trend_judgement judged;
	struct trend trend;

	(void)state;
	trend_init(&trend, SECOND);
	for (uint64_t i = 0; i < 100000; i++)
		assert_ok(trend_add(&trend, i * SECOND, 1000 * i));
	assert_true(trend.points.count <= 1024);
	judged = trend_judge(&trend);
	assert_int_equal(judged.verdict, TREND_GROWS);
	assert_true(fabs(judged.per_minute - 60000) < 1);
	/* One that comes too soon is left out. */
	judged.intervals = trend.points.count;
	assert_ok(trend_add(&trend, 100000 * SECOND, 5));
	assert_int_equal(trend.points.count, judged.intervals);
	trend_fini(&trend);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_growth),
		cmocka_unit_test(a_leak_is_measured),
		cmocka_unit_test(chance_is_not_taken_for_growth),
		cmocka_unit_test(few_points_say_nothing),
		cmocka_unit_test(long_ones_are_thinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

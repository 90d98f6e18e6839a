// SPDX-License-Identifier: Apache-2.0
/* Against values that were computed in other ways: exact fractions, integration, published examples. */
#include "test.h"

#include <math.h>

#include "diff/significance.h"

#define assert_near(got, want, off) assert_true(fabs((got) - (want)) <= (off))

static void students_t(void **state)
{
	(void)state;
	assert_near(student_two_sided(2.306, 8), 0.05000032276, 1e-9);
	assert_near(student_two_sided(1, 1), 0.5, 1e-12);
	assert_near(student_two_sided(-4.5, 4), 0.01082255046, 1e-9);
	assert_near(student_two_sided(2, 30), 0.05462504496, 1e-9);
	assert_near(student_two_sided(1.959963984540054, INFINITY), 0.05, 1e-12);
	assert_near(student_two_sided(0, 5), 1, 1e-12);
	assert_near(student_two_sided(INFINITY, 5), 0, 0);
	assert_near(student_above(2, 30), 0.05462504496 / 2, 1e-9);
	assert_near(student_above(-2, 30), 1 - 0.05462504496 / 2, 1e-9);
	/* Tables of t. */
	assert_near(student_critical(0.05, 8), 2.306004, 1e-6);
	assert_near(student_critical(0.05, 2), 4.302653, 1e-6);
	assert_near(student_critical(0.05, SIGNIFICANCE_MANY), SIGNIFICANCE_Z, 1e-6);
	/* Far out: the density of 2 degrees of freedom has a closed integral. */
	assert_near(student_two_sided(1000, 2), 1 - 1000 / sqrt(1000.0 * 1000 + 2), 1e-12);
}

static void counts_of_shares(void **state)
{
	(void)state;
	assert_near(counts_share_p(3, 100, 12, 100), 0.017060934910433378, 1e-9);
	assert_near(counts_share_p(12, 100, 3, 100), 0.017060934910433378, 1e-9);
	assert_near(counts_share_p(0, 1000, 6, 1000), 0.015507929980894002, 1e-9);
	assert_near(counts_share_p(30, 1000, 60, 1000), 0.0011809501924487575, 1e-9);
	assert_near(counts_share_p(10, 10000, 3, 100), 0.00025667784998033045, 1e-9);
	/* Equal shares, nothing seen, nothing there. */
	assert_near(counts_share_p(50, 100, 50, 100), 1, 1e-9);
	assert_near(counts_share_p(0, 100, 0, 100), 1, 0);
	assert_near(counts_share_p(0, 0, 5, 100), 1, 0);
	assert_near(counts_share_p(100, 100, 100, 100), 1, 0);
	/* So large that it is the normal approximation: z = 100000 / sqrt(2 * 4e6 * 0.6 ...). */
	assert_true(counts_share_p(4e6, 1e7, 4.01e6, 1e7) < 0.001);
	assert_true(counts_share_p(4e6, 1e7, 4.001e6, 1e7) > 0.1);
}

static void counts_of_rates(void **state)
{
	(void)state;
	assert_near(counts_rate_p(5, 1, 15, 1), 0.02660369873046875, 1e-9);
	assert_near(counts_rate_p(4, 2, 9, 1), 0.010470902069405008, 1e-9);
	assert_near(counts_rate_p(7, 3, 7, 3), 1, 1e-9);
}

static void intervals(void **state)
{
	double low, high;

	(void)state;
	/* Newcombe's example (a): 56/70 - 48/80. */
	counts_share_interval(48.0 / 80, 80, 56.0 / 70, 70, &low, &high);
	assert_near(low, 0.0524, 5e-5);
	assert_near(high, 0.3339, 5e-5);
	/* His example (c), 10/10 - 0/10: never quite certain. */
	counts_share_interval(0, 10, 1, 10, &low, &high);
	assert_near(low, 0.6075, 5e-5);
	assert_near(high, 1, 5e-5);
	counts_share_interval(0, 0, 0.5, 10, &low, &high);
	assert_true(low == -1 && high == 1);
	/* A rate of 9 in 1: score interval of a Poisson count, 4.735 to 17.106. */
	counts_rate_interval(0, 1e12, 9, 1, &low, &high);
	assert_near(low, 4.735, 0.001);
	assert_near(high, 17.106, 0.001);
}

static void gamma_functions(void **state)
{
	const double pi = 3.14159265358979323846;

	(void)state;
	assert_near(digamma(1), -0.57721566490153286, 1e-12);
	assert_near(digamma(0.5), -1.9635100260214235, 1e-12);
	assert_near(trigamma(1), pi * pi / 6, 1e-12);
	assert_near(trigamma(0.5), pi * pi / 2, 1e-12);
	for (double x = 0.01; x < 1e5; x *= 3)
		assert_near(trigamma_inverse(trigamma(x)) / x, 1, 1e-9);
}

static void false_discoveries(void **state)
{
	/* m = 4, 1 + 1/2 + 1/3 + 1/4 = 25/12: limits 0.006, 0.012, 0.018, 0.024. */
	double some[] = { 0.5, 0.017, 0.005, 0.0125 };
	double step[] = { 0.0119, 0.9, 0.007, 0.8 };
	double none[] = { 0.007, 0.013, 0.02, 0.03 };

	(void)state;
	assert_near(false_discovery_limit(some, 4, 0.05), 0.017, 0);
	assert_near(false_discovery_limit(step, 4, 0.05), 0.0119, 0);
	assert_true(false_discovery_limit(none, 4, 0.05) < 0);
	assert_true(false_discovery_limit(NULL, 0, 0.05) < 0);
}

static void hopeless_tests_are_left_out(void **state)
{
	/* At 0.05 / (2 * 1.5) = 0.0167 there are two, and three at 0.05 / 1. */
	double some[] = { 0.9, 0.001, 0.04, 0.0166, 0.5 };
	double all[] = { 0, 0, 0, 0 };

	(void)state;
	assert_near(attainable_limit(some, 5, 0.05), 0.05 / 3, 1e-12);
	assert_near(attainable_limit(all, 4, 0.05), 0.05 / 4 / (25.0 / 12), 1e-12);
	assert_true(attainable_limit(NULL, 0, 0.05) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(students_t),
		cmocka_unit_test(counts_of_shares),
		cmocka_unit_test(counts_of_rates),
		cmocka_unit_test(intervals),
		cmocka_unit_test(gamma_functions),
		cmocka_unit_test(false_discoveries),
		cmocka_unit_test(hopeless_tests_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

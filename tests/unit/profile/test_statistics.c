// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <math.h>

#include "profile/statistics.h"

static void near(double got, double want)
{
	if (fabs(got - want) > 0.00005)
		fail_msg("got %.6f, want %.6f", got, want);
}

/* Figures of Wilson's interval from Newcombe, Statistics in Medicine 17, 1998, table I, method 3. */
static void published_figures(void **state)
{
	struct share share = share_of(81, 263, 263);

	(void)state;
	near(share.low, 0.2553);
	near(share.high, 0.3662);
	share = share_of(15, 148, 148);
	near(share.low, 0.0624);
	near(share.high, 0.1605);
	share = share_of(0, 20, 20);
	near(share.low, 0);
	near(share.high, 0.1611);
	share = share_of(1, 29, 29);
	near(share.low, 0.0061);
	near(share.high, 0.1718);
}

static void half_covers_both_sides(void **state)
{
	(void)state;
	for (int n = 1; n < 200; n += 7)
		for (int k = 0; k <= n; k++) {
			struct share share = share_of(k, n, n);

			assert_true(share.low >= 0 && share.high <= 1);
			assert_true(share.low <= share.share && share.share <= share.high);
			assert_true(share.share - share.half <= share.low + 1e-12);
			assert_true(share.share + share.half >= share.high - 1e-12);
			/* However small the count, a sampled share is never certain. */
			assert_true(share.half > 0.001);
		}
}

/* The real reason for Wilson: of all binomial outcomes about 95 % must cover the truth. */
static void covers_the_truth(void **state)
{
	static const double truths[] = { 0.01, 0.1, 0.3, 0.5, 0.9 };

	(void)state;
	for (unsigned t = 0; t < 5; t++)
		for (int n = 50; n <= 3000; n *= 4) {
			double p = truths[t], covered = 0;

			for (int k = 0; k <= n; k++) {
				struct share share = share_of(k, n, n);
				double chance = exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) +
						    k * log(p) + (n - k) * log(1 - p));

				if (fabs(share.share - p) <= share.half)
					covered += chance;
			}
			assert_true(covered > 0.93);
		}
}

static void nothing_is_known_of_nothing(void **state)
{
	struct share share = share_of(0, 0, 0);

	(void)state;
	near(share.share, 0);
	near(share.high, 1);
	near(share.half, 1);
	/* Rounding elsewhere must not give shares above 1. */
	near(share_of(11, 10, 10).share, 1);
	near(share_of(-1, 10, 10).share, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_figures),
		cmocka_unit_test(half_covers_both_sides),
		cmocka_unit_test(covers_the_truth),
		cmocka_unit_test(nothing_is_known_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

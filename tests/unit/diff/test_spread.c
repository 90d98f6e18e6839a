// SPDX-License-Identifier: Apache-2.0
/* Runs are made with a known spread, which must be found again. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "diff/significance.h"
#include "diff/spread.h"

enum { ITEMS = 200, RUNS = 5 };

static uint64_t chance;

static double uniform(void)
{
	chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
	return ((double)(chance >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

/* Two sides of RUNS runs of each item, all of one mean; wild: what its spread is multiplied by. */
static void make(struct spread_item *items, const struct spread *truth, uint32_t wild_item,
		 double wild)
{
	memset(items, 0, ITEMS * sizeof(*items));
	for (uint32_t i = 0; i < ITEMS; i++) {
		double value = 0.2 / (i + 2),
		       sd = sqrt(spread_expected(truth, value, truth->exposure));

		items[i].value = value;
		items[i].heaviness = 1;
		for (int side = 0; side < 2; side++) {
			double runs[RUNS], mean = 0;

			for (int k = 0; k < RUNS; k++) {
				runs[k] = value + sd * normal() * (i == wild_item ? wild : 1);
				mean += runs[k] / RUNS;
			}
			for (int k = 0; k < RUNS; k++)
				items[i].squares += (runs[k] - mean) * (runs[k] - mean);
		}
	}
}

static void common_spread_is_found(void **state)
{
	struct spread truth = { .kind = SPREAD_OF_SHARES, .exposure = 20000, .common = 0.1 };
	struct spread_item items[ITEMS];
	double freedom, moderated;

	(void)state;
	for (chance = 1; chance <= 20; chance++) {
		struct spread spread = { .kind = SPREAD_OF_SHARES,
					 .freedom = 2 * RUNS - 2,
					 .exposure = truth.exposure };
		uint64_t seed = chance;

		make(items, &truth, 7, 10);
		spread_fit(&spread, items, ITEMS);
		assert_true(fabs(spread.common - 0.1) < 0.02);
		assert_true(fabs(spread.prior - 1) < 0.2);
		/* All are alike: the others' opinion is worth more than their own. */
		assert_true(spread.prior_freedom > 3 * spread.freedom);
		moderated = spread_moderated(&spread, &items[3], &freedom);
		assert_true(moderated > 0.6 && moderated < 1.8);
		assert_true(freedom > 4 * spread.freedom);
		/* But for the one that is not alike. */
		assert_true(items[7].is_wild);
		moderated = spread_moderated(&spread, &items[7], &freedom);
		assert_true(moderated > 20 && freedom == spread.freedom);
		chance = seed;
	}
}

static void without_any_there_is_only_sampling(void **state)
{
	struct spread truth = { .kind = SPREAD_OF_SHARES, .exposure = 20000 };
	struct spread spread = { .kind = SPREAD_OF_SHARES, .freedom = 8, .exposure = 20000 };
	struct spread_item items[ITEMS];

	(void)state;
	chance = 99;
	make(items, &truth, ITEMS, 1);
	spread_fit(&spread, items, ITEMS);
	assert_true(spread.common < 0.03);
	assert_true(fabs(spread.prior - 1) < 0.2);
}

static void nothing_to_learn_from(void **state)
{
	struct spread spread = { .kind = SPREAD_OF_RATES, .freedom = 0, .exposure = 100 };
	struct spread_item items[2] = { { .value = 0, .heaviness = 1 },
					{ .value = 5, .squares = 0, .heaviness = 1 } };
	double freedom;

	(void)state;
	spread_fit(&spread, items, 0);
	assert_true(spread.common == 0 && spread.prior == 1);
	spread.freedom = 4;
	spread_fit(&spread, items, 2);
	assert_true(isfinite(spread.prior) && spread.prior_freedom == 0);
	assert_true(spread_moderated(&spread, &items[0], &freedom) == 0 && freedom == 4);
	/* Without any samples to count, and everything equal. */
	spread.exposure = 0;
	spread_fit(&spread, items, 2);
	assert_true(spread_moderated(&spread, &items[1], &freedom) == 0 && freedom == 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(common_spread_is_found),
		cmocka_unit_test(without_any_there_is_only_sampling),
		cmocka_unit_test(nothing_to_learn_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

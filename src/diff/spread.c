// SPDX-License-Identifier: Apache-2.0
#include "diff/spread.h"

#include <math.h>

#include "diff/significance.h"

enum {
	ENOUGH_SAMPLES =
		5, /* that an item has in a run, on average, for its spread to be looked at */
	ENOUGH_ITEMS = 3, /* for a common opinion */
	STEPS = 160,
	ROUNDS = 5,
};

/* `common` is looked for from 0.1 % of a value up to three times it. */
static const double smallest = 0.001, factor = 1.0513;

double spread_expected(const struct spread *spread, double value, double exposure)
{
	double rest = spread->kind == SPREAD_OF_SHARES ? 1 - value : 1;
	double between = spread->common * value * rest;
	double sampling = exposure > 0 ? value * rest / exposure : 0;

	return sampling + between * between;
}

static double expected_of(const struct spread *spread, const struct spread_item *item)
{
	return spread_expected(spread, item->value, spread->exposure / item->heaviness);
}

/* Whether the item has something to say: it varies at all, and not by single samples. */
static bool is_telling(const struct spread *spread, const struct spread_item *item)
{
	double rest = spread->kind == SPREAD_OF_SHARES ? 1 - item->value : 1;
	double exposure = spread->exposure / item->heaviness;

	if (item->is_wild || !(item->value > 0) || !(rest > 0))
		return false;
	if (!(spread->exposure > 0))
		return item->squares > 0;
	return item->value * exposure >= ENOUGH_SAMPLES && rest * exposure >= ENOUGH_SAMPLES;
}

/* The log likelihood of the squares, but for what is the same for all `common`. */
static double likelihood(const struct spread *spread, const struct spread_item *items,
			 uint32_t count)
{
	double sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		double expected;

		if (!is_telling(spread, &items[i]))
			continue;
		expected = expected_of(spread, &items[i]);
		if (!(expected > 0))
			return -INFINITY;
		sum -= spread->freedom * log(expected) + items[i].squares / expected;
	}
	return sum;
}

static void fit_common(struct spread *spread, const struct spread_item *items, uint32_t count)
{
	double best = -INFINITY, common = 0, at = smallest;

	for (int i = -1; i < STEPS; i++, at *= factor) {
		double value;

		spread->common = i < 0 ? 0 : at;
		at = i < 0 ? smallest / factor : at;
		value = likelihood(spread, items, count);
		if (value > best) {
			best = value;
			common = spread->common;
		}
	}
	spread->common = common;
}

/*
 * What the ratio of squares to their expectation exceeds once in a hundred (E. B. Wilson and
 * M. M. Hilferty, PNAS 17, 1931, p. 684).
 */
static double wild_ratio(double freedom)
{
	double part = 2 / (9 * freedom), root = 1 - part + 2.3263478740408408 * sqrt(part);

	return root * root * root;
}

/* Finds those that do not go with the others; those make `common` larger than it is, so again. */
static void leave_out_wild(struct spread *spread, struct spread_item *items, uint32_t count)
{
	double limit = wild_ratio(spread->freedom) * spread->freedom;

	for (int round = 0; round < ROUNDS; round++) {
		bool has_changed = false;

		fit_common(spread, items, count);
		for (uint32_t i = 0; i < count; i++) {
			struct spread_item *item = &items[i];
			bool is_wild;

			item->expected = expected_of(spread, item);
			is_wild = item->squares > limit * item->expected;
			has_changed |= is_wild != item->is_wild;
			item->is_wild = is_wild;
		}
		if (!has_changed)
			return;
	}
}

void spread_fit(struct spread *spread, struct spread_item *items, uint32_t count)
{
	double sum = 0, squares = 0, telling = 0, mean, excess;

	spread->prior = 1;
	spread->prior_freedom = 0;
	spread->common = 0;
	if (!(spread->freedom > 0))
		return;
	leave_out_wild(spread, items, count);
	for (uint32_t i = 0; i < count; i++) {
		struct spread_item *item = &items[i];
		double log_ratio, ratio;

		if (!is_telling(spread, item) || !(item->expected > 0))
			continue;
		/* Equal to the last digit happens by rounding; it must not outweigh all others. */
		ratio = fmax(item->squares / spread->freedom / item->expected, 1e-5);
		log_ratio = log(ratio) - digamma(spread->freedom / 2) + log(spread->freedom / 2);
		sum += log_ratio;
		squares += log_ratio * log_ratio;
		telling++;
	}
	if (telling < ENOUGH_ITEMS)
		return;
	mean = sum / telling;
	excess = (squares - sum * mean) / (telling - 1) - trigamma(spread->freedom / 2);
	/* They differ by no more than chance: all have the same. */
	spread->prior_freedom = SIGNIFICANCE_MANY;
	spread->prior = exp(mean);
	if (excess <= 2 / SIGNIFICANCE_MANY)
		return;
	spread->prior_freedom = 2 * trigamma_inverse(excess);
	spread->prior =
		exp(mean + digamma(spread->prior_freedom / 2) - log(spread->prior_freedom / 2));
}

double spread_moderated(const struct spread *spread, const struct spread_item *item,
			double *ret_freedom)
{
	double own = item->expected > 0 ? item->squares / item->expected : 0;

	if (item->is_wild) {
		*ret_freedom = spread->freedom;
		return own / spread->freedom;
	}
	*ret_freedom = spread->freedom + spread->prior_freedom;
	return (spread->prior_freedom * spread->prior + own) / *ret_freedom;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * What of all differences is more than noise.
 *
 * Two kinds of noise can make a difference, and neither alone may explain it: that of sampling, by
 * the exact test of all samples of either side, and, where a side has several runs, that between
 * runs, by a t-test of the runs' values with a moderated variance (spread.h). The larger p of the
 * two counts, and the wider interval. Of all p of the functions (self and total), and of all those
 * of the stacks, those are marked that false_discovery_limit believes.
 */
#include "diff/diff.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "diff/significance.h"

/* So many samples, both sides together, can say anything. */
enum { ENOUGH_SAMPLES = 60 };

/* A list of things to compare: where its values are in a run, and where what is found goes. */
struct family {
	struct diff *diff;
	struct spread spread;
	/* By item. */
	ARRAY_OF(struct spread_item) items;
	ARRAY_OF(struct diff_value *) values;
	ARRAY_OF(double) all_p, smallest;
};

static void family_fini_cleanup(struct family *family)
{
	array_fini(&family->items);
	array_fini(&family->values);
	array_fini(&family->all_p);
	array_fini(&family->smallest);
}

/* What a column of the runs says of one thing: index of a run → its value. */
typedef double (*value_fn)(const struct diff_run *run, uint32_t index);

static double self_of_function(const struct diff_run *run, uint32_t index)
{
	return run->function_self[index];
}

static double total_of_function(const struct diff_run *run, uint32_t index)
{
	return run->function_total[index];
}

static double total_of_node(const struct diff_run *run, uint32_t index)
{
	return run->total[index];
}

/* Of either side: sums over its runs. */
struct sides {
	double exposure[2], inverse[2]; /* of exposures: sum of 1 / exposure */
	double count[2];
};

static struct sides sides_of(const struct diff *diff)
{
	struct sides sides = {};

	for (uint32_t i = 0; i < diff->runs.count; i++) {
		const struct diff_run *run = &diff->runs.at[i];

		sides.count[run->is_new]++;
		sides.exposure[run->is_new] += run->exposure;
		sides.inverse[run->is_new] += run->exposure > 0 ? 1 / run->exposure : 0;
	}
	return sides;
}

static double max(double a, double b)
{
	return a > b ? a : b;
}

/*
 * By how much more than equal samples an item's value varies, as what few heavy samples make up does;
 * at least 1. Known of all runs together, for what weighs much may be on one side only by chance.
 */
static double heaviness_of(const struct diff *diff, const struct sides *sides, value_fn of,
			   uint32_t index)
{
	double squares = of(&diff->squares, index), value = 0, inverse, factor;

	if (!diff->is_counted)
		return 1;
	for (uint32_t i = 0; i < diff->runs.count; i++)
		value += of(&diff->runs.at[i], index) / diff->runs.count;
	inverse = sides->inverse[0] + sides->inverse[1];
	if (diff->per != DIFF_PER_SAMPLES)
		factor = squares / (value * inverse);
	else
		factor = weighted_share_variance(value, squares, diff->squares.total[0]) /
			 (value * (1 - value) * inverse);
	/* What is beyond 1 by rounding only must not move counts; nor what is 0 / 0. */
	return factor > 1 + 1e-9 && isfinite(factor) ? factor : 1;
}

/* Means, squares and samples; the rest is for whoever knows all items. */
static int add_item(struct family *family, struct diff_value *value, value_fn of, uint32_t index)
{
	const struct diff *diff = family->diff;
	struct sides sides = sides_of(diff);
	struct spread_item *item = array_push(&family->items);
	struct diff_value **to = array_push(&family->values);

	if (!item || !to)
		return -ENOMEM;
	*to = value;
	item->heaviness = heaviness_of(diff, &sides, of, index);
	for (uint32_t i = 0; i < diff->runs.count; i++) {
		const struct diff_run *run = &diff->runs.at[i];
		double samples = of(run, index) * run->exposure / item->heaviness;

		*(run->is_new ? &value->new : &value->base) +=
			of(run, index) / sides.count[run->is_new];
		*(run->is_new ? &value->new_samples : &value->base_samples) += samples;
	}
	item->value = (value->base + value->new) / 2;
	for (uint32_t i = 0; i < diff->runs.count; i++) {
		const struct diff_run *run = &diff->runs.at[i];
		double off = of(run, index) - (run->is_new ? value->new : value->base);

		item->squares += off * off;
	}
	value->low = -INFINITY;
	value->high = INFINITY;
	value->p = 1;
	return 0;
}

static double z_or_t(double freedom)
{
	return freedom < SIGNIFICANCE_MANY ? student_critical(0.05, freedom) : SIGNIFICANCE_Z;
}

/*
 * The variance of the mean of one side's runs for a mean of `value`; with one more sample than there
 * were, so that none at all does not mean none ever.
 */
static double variance_of_mean(const struct spread *spread, double value, double exposure,
			       double inverse, double count)
{
	double rest = spread->kind == SPREAD_OF_SHARES ? max(1 - value, 0) : 1;
	double between = spread->common * value * rest, sampling = 0;

	if (exposure > 0) {
		double seen = value + 1 / exposure;

		sampling = seen *
			   (spread->kind == SPREAD_OF_SHARES ? max(1 - value, 1 / exposure) : 1) *
			   inverse / count;
	}
	return (sampling + between * between) / count;
}

static void judge_sampling(const struct family *family, const struct spread_item *item,
			   struct diff_value *value, const struct sides *sides)
{
	double a = sides->exposure[0] / item->heaviness, b = sides->exposure[1] / item->heaviness;
	bool is_share = family->diff->per == DIFF_PER_SAMPLES;

	if (!(a > 0) || !(b > 0))
		return;
	value->p = is_share ? counts_share_p(value->base_samples, a, value->new_samples, b)
			    : counts_rate_p(value->base_samples, a, value->new_samples, b);
	if (is_share)
		counts_share_interval(value->base, a, value->new, b, &value->low, &value->high);
	else
		counts_rate_interval(value->base, a, value->new, b, &value->low, &value->high);
	value->error = (value->high - value->low) / 2 / SIGNIFICANCE_Z;
	value->freedom = SIGNIFICANCE_MANY;
}

static void judge_runs(const struct family *family, const struct spread_item *item,
		       struct diff_value *value, const struct sides *sides)
{
	const struct spread *spread = &family->spread;
	double change = diff_change(value), error, freedom, reach, p;
	/* If nothing has changed, all runs vary alike. */
	double same = item->expected * (1 / sides->count[0] + 1 / sides->count[1]);
	double moderated = spread_moderated(spread, item, &freedom);
	double heavy = item->heaviness;
	double own = variance_of_mean(spread, value->base, sides->exposure[0] / heavy,
				      sides->inverse[0] * heavy, sides->count[0]) +
		     variance_of_mean(spread, value->new, sides->exposure[1] / heavy,
				      sides->inverse[1] * heavy, sides->count[1]);

	error = sqrt(moderated * same);
	p = error > 0 ? student_two_sided(change / error, freedom) : change != 0 ? 0 : 1;
	error = sqrt(moderated * own);
	reach = z_or_t(freedom) * error;
	if (isinf(value->low)) {
		value->p = p;
		value->low = change - reach;
		value->high = change + reach;
	} else {
		value->p = max(value->p, p);
		value->low = fmin(value->low, change - reach);
		value->high = max(value->high, change + reach);
	}
	if (family->diff->per == DIFF_PER_SAMPLES) {
		value->low = max(value->low, -1);
		value->high = fmin(value->high, 1);
	}
	/* Of two errors the one that reaches further: few degrees of freedom make it more. */
	if (reach > SIGNIFICANCE_Z * value->error) {
		value->error = error;
		value->freedom = freedom;
	}
}

static void mark(struct family *family)
{
	double limit =
		false_discovery_limit(family->all_p.at, family->all_p.count, DIFF_FALSE_RATE);

	for (uint32_t i = 0; i < family->values.count; i++) {
		struct diff_value *value = family->values.at[i];

		if (value->p <= limit)
			value->mark = diff_change(value) > 0   ? DIFF_DEARER
				      : diff_change(value) < 0 ? DIFF_CHEAPER
							       : DIFF_NOTHING;
	}
}

/* The p if all of the samples, however many there are, were of one side. */
static double smallest_p(const struct family *family, uint32_t index, const struct sides *sides)
{
	const struct diff *diff = family->diff;
	const struct diff_value *value = family->values.at[index];
	double samples = value->base_samples + value->new_samples;
	double a = sides->exposure[0] / family->items.at[index].heaviness;
	double b = sides->exposure[1] / family->items.at[index].heaviness;

	if (!diff->is_counted || samples > ENOUGH_SAMPLES)
		return 0;
	if (diff->per == DIFF_PER_SAMPLES)
		return fmin(counts_share_p(samples, a, 0, b), counts_share_p(0, a, samples, b));
	return fmin(counts_rate_p(samples, a, 0, b), counts_rate_p(0, a, samples, b));
}

/* Leaves only those to be asked that can be believed at all. */
static int choose_tests(struct family *family, const struct sides *sides)
{
	double limit;

	if (!array_reserve(&family->smallest, family->values.count) ||
	    !array_reserve(&family->all_p, family->values.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < family->values.count; i++)
		*array_push(&family->smallest) = smallest_p(family, i, sides);
	limit = attainable_limit(family->smallest.at, family->smallest.count, DIFF_FALSE_RATE);
	for (uint32_t i = 0; i < family->values.count; i++) {
		struct diff_value *value = family->values.at[i];

		if (smallest_p(family, i, sides) <= limit)
			*array_push(&family->all_p) = value->p;
		else
			value->p = 1;
	}
	return 0;
}

static int judge_family(struct family *family, uint32_t *ret_tests)
{
	struct diff *diff = family->diff;
	struct sides sides = sides_of(diff);
	struct spread *spread = &family->spread;

	spread->kind = diff->per == DIFF_PER_SAMPLES ? SPREAD_OF_SHARES : SPREAD_OF_RATES;
	spread->freedom = (double)diff->runs.count - 2;
	if (diff->is_counted)
		spread->exposure = diff->runs.count / (sides.inverse[0] + sides.inverse[1]);
	spread_fit(spread, family->items.at, family->items.count);
	for (uint32_t i = 0; i < family->items.count; i++) {
		struct diff_value *value = family->values.at[i];

		if (diff->is_counted)
			judge_sampling(family, &family->items.at[i], value, &sides);
		if (diff->has_run_noise)
			judge_runs(family, &family->items.at[i], value, &sides);
	}
	if ((diff->is_counted || diff->has_run_noise) && choose_tests(family, &sides) < 0)
		return -ENOMEM;
	*ret_tests = family->all_p.count;
	mark(family);
	return 0;
}

static int judge_functions(struct diff *diff)
{
	cleanup(family_fini) struct family family = { .diff = diff };
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < diff->frames.count; i++) {
		if (!diff_is_function(&diff->frames.at[i]))
			continue;
		r = add_item(&family, &diff->function_self[i], self_of_function, i);
		if (r == 0 && !diff->frames.at[i].is_leaf)
			r = add_item(&family, &diff->function_total[i], total_of_function, i);
	}
	if (r == 0)
		r = judge_family(&family, &diff->function_tests);
	for (uint32_t i = 0; r == 0 && i < diff->frames.count; i++)
		if (diff->frames.at[i].is_leaf)
			diff->function_total[i] = diff->function_self[i];
	diff->function_spread = family.spread;
	return r;
}

static int judge_nodes(struct diff *diff)
{
	cleanup(family_fini) struct family family = { .diff = diff };
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < diff->nodes.count; i++)
		r = add_item(&family, &diff->node_total[i], total_of_node, i);
	if (r == 0)
		r = judge_family(&family, &diff->node_tests);
	diff->node_spread = family.spread;
	return r;
}

int diff_judge(struct diff *diff)
{
	int r;

	diff->has_run_noise = diff->runs.count > 2;
	diff->function_self = calloc(diff->frames.count + 1ULL, sizeof(*diff->function_self));
	diff->function_total = calloc(diff->frames.count + 1ULL, sizeof(*diff->function_total));
	diff->node_total = calloc(diff->nodes.count + 1ULL, sizeof(*diff->node_total));
	if (!diff->function_self || !diff->function_total || !diff->node_total)
		return -ENOMEM;
	r = judge_functions(diff);
	return r == 0 ? judge_nodes(diff) : r;
}

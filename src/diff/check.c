// SPDX-License-Identifier: Apache-2.0
#include "diff/check.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/significance.h"

void verdicts_fini(struct verdicts *verdicts)
{
	for (uint32_t i = 0; i < verdicts->list.count; i++)
		free(verdicts->list.at[i].function);
	array_fini(&verdicts->list);
}

static struct verdict *add(struct verdicts *verdicts, const struct verdict *verdict)
{
	struct verdict *added = array_push(&verdicts->list);

	if (!added)
		return NULL;
	*added = *verdict;
	verdicts->broken += verdict->kind == VERDICT_BROKEN;
	verdicts->undecided += verdict->kind == VERDICT_UNDECIDED;
	return added;
}

/* ---- Shares. ---- */

/* One run's share, and what it was seen in. */
struct seen {
	double share, samples; /* effective; 0: not known */
	int64_t count;
};

/*
 * The share of stacks with a match, of each its outermost one on, for what is above are the same
 * samples; and how many samples of equal weight would say as much of it.
 */
static struct seen matched(const struct call_tree *tree, const bool *matches, bool is_self)
{
	double whole = (double)call_tree_total(tree), squares = 0, all_squares = 0;
	struct seen ret = { .samples = tree->effective_samples };
	int64_t sum = 0;

	for (uint32_t i = 0, inside = 0; i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];
		double share = (double)node->self / whole;
		double square = node->self_count > 0 ? share * share / (double)node->self_count : 0;

		if (matches[node->frame])
			inside = node->end > inside ? node->end : inside;
		all_squares += square;
		if (is_self ? !matches[node->frame] : i >= inside)
			continue;
		sum = profile_sum(sum, node->self);
		squares += square;
	}
	ret.share = (double)sum / whole;
	if (!tree->is_counted)
		ret.samples = 0;
	else if (sum > 0 && sum < call_tree_total(tree))
		ret.samples =
			fmin((double)tree->nodes.at[0].total_count,
			     ret.share * (1 - ret.share) /
				     weighted_share_variance(ret.share, squares, all_squares));
	return ret;
}

static int refuse_uncounted(struct diff_reason *reason, const char *name)
{
	snprintf(reason->text, sizeof(reason->text),
		 "nothing in %.160s says how many samples there were: give several recordings",
		 name);
	return DIFF_REFUSED;
}

static int see(struct seen *ret, bool *ret_is_known, const struct budget_rule *rule,
	       const struct diff_input *input, struct diff_reason *reason)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	cleanup(free) bool *matches = NULL;
	int r = call_tree_new(&tree, input->profile, input->type);

	if (r < 0)
		return r;
	if (call_tree_total(tree) <= 0) {
		snprintf(reason->text, sizeof(reason->text), "%.200s holds no samples",
			 input->name);
		return DIFF_REFUSED;
	}
	matches = calloc(tree->frames.count + 1ULL, sizeof(*matches));
	if (!matches)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++) {
		const struct call_frame *frame = &tree->frames.at[i];

		matches[i] = frame->kind < CALL_ALL &&
			     pattern_matches(rule->pattern, call_frame_name(tree, frame));
		*ret_is_known |= matches[i];
	}
	*ret = matched(tree, matches, rule->is_self);
	ret->count = tree->nodes.at[0].total_count;
	return 0;
}

/*
 * How many samples of equal weight it takes until the interval of this share ends at the limit: the
 * score test says so by (share - limit)² = z² limit (1 - limit) / n, and what whole samples make of it
 * is added (the continuity correction of J. L. Fleiss, Statistical Methods for Rates and Proportions).
 */
static double samples_needed(double share, double limit)
{
	const double z = SIGNIFICANCE_Z;
	double off = fabs(share - limit), count, root;

	if (!(off > 0))
		return INFINITY;
	/* None of n, or all of them, are seen by chance so often: (1 - limit)^n, limit^n. */
	if (!(share > 0))
		return log(0.025) / log1p(-limit);
	if (!(share < 1))
		return log(0.025) / log(limit);
	count = z * z * limit * (1 - limit) / (off * off);
	root = 1 + sqrt(1 + 2 / (count * off));
	return count * root * root / 4;
}

static void widen_by_runs(struct verdict *verdict, const struct seen *seen, uint32_t count)
{
	double squares = 0, reach, error, off = verdict->share - verdict->rule->limit;

	for (uint32_t i = 0; i < count; i++)
		squares += (seen[i].share - verdict->share) * (seen[i].share - verdict->share);
	error = sqrt(squares / (count - 1) / count);
	reach = student_critical(0.05, count - 1) * error;
	verdict->low = fmax(0, fmin(verdict->low, verdict->share - reach));
	verdict->high = fmin(1, fmax(verdict->high, verdict->share + reach));
	/* With more runs t falls, too; this is what the normal distribution's would take, at least 5. */
	if (fabs(off) <= reach)
		verdict->runs_needed =
			off != 0 ? fmax(fmax(5, count + 1), ceil(count * pow(2.2 * error / off, 2)))
				 : INFINITY;
}

static void decide(struct verdict *verdict, double limit)
{
	verdict->kind = verdict->low > limit	 ? VERDICT_BROKEN
			: verdict->high <= limit ? VERDICT_WITHIN
						 : VERDICT_UNDECIDED;
	if (verdict->kind != VERDICT_UNDECIDED)
		verdict->samples_needed = verdict->runs_needed = 0;
}

int check_share(struct verdicts *verdicts, const struct budget_rule *rule,
		const struct diff_input *inputs, uint32_t count, struct diff_reason *reason)
{
	cleanup(free) struct seen *seen = calloc(count, sizeof(*seen));
	struct verdict verdict = { .rule = rule };
	double samples = 0, count_of_all = 0;
	bool is_counted = true;

	if (!seen)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		int r = see(&seen[i], &verdict.is_known, rule, &inputs[i], reason);

		if (r != 0)
			return r;
		verdict.share += seen[i].share / count;
		samples += seen[i].samples;
		count_of_all += (double)seen[i].count;
		is_counted &= seen[i].samples > 0;
	}
	if (!is_counted && count == 1)
		return refuse_uncounted(reason, inputs[0].name);
	verdict.low = verdict.high = verdict.share;
	if (is_counted) {
		counts_exact_interval(fmin(verdict.share, 1), samples, &verdict.low, &verdict.high);
		if (verdict.low <= rule->limit && rule->limit < verdict.high)
			verdict.samples_needed =
				fmax(count_of_all + 1,
				     ceil(samples_needed(verdict.share, rule->limit) *
					  count_of_all / samples));
	}
	if (count > 1)
		widen_by_runs(&verdict, seen, count);
	decide(&verdict, rule->limit);
	return add(verdicts, &verdict) ? 0 : -ENOMEM;
}

/* ---- Growth. ---- */

static double p_of(const struct diff_value *value, double limit)
{
	double beyond = diff_change(value) - limit;

	if (!(value->error > 0))
		return beyond > 0 ? 0 : 1;
	return student_above(beyond / value->error, value->freedom);
}

/* Whether it is more than the limit for sure: by its own interval, and among so many others. */
static bool is_believed(const struct diff_value *value, double limit, double believed)
{
	return value->low > limit && p_of(value, limit) <= believed;
}

static bool is_asked(const struct budget_rule *rule, const struct diff *diff, uint32_t index)
{
	const struct diff_frame *frame = &diff->frames.at[index];

	return diff_is_function(frame) &&
	       (!rule->pattern || pattern_matches(rule->pattern, diff_name(diff, frame)));
}

/*
 * Whether it can have grown by more than the limit at all: what has less than half of that on average
 * of both sides cannot. The average says nothing of how it is divided, so this choice favours no
 * answer, and there are fewer tests to be right about.
 */
static bool is_tested(const struct budget_rule *rule, const struct diff *diff, uint32_t index)
{
	const struct diff_value *value =
		rule->is_self ? &diff->function_self[index] : &diff->function_total[index];

	return is_asked(rule, diff, index) && (value->base + value->new) / 2 >= rule->limit / 2;
}

/* A side; and the degrees of freedom that those of both leave. */
enum { ENOUGH_RUNS = 5, ENOUGH_FREEDOM = 2 * ENOUGH_RUNS - 2 };

/*
 * What would make the interval so narrow that it leaves out the limit, and growth so sure that it is
 * believed among so many functions.
 */
static void find_need(struct verdict *verdict, const struct diff *diff,
		      const struct diff_value *value, uint32_t tested)
{
	double off = diff_change(value) - verdict->rule->limit, reach;
	double freedom = fmax(value->freedom, ENOUGH_FREEDOM);
	double harmonic = 0, samples = 0, times;

	for (uint32_t i = 1; i <= tested; i++)
		harmonic += 1.0 / i;
	/* Towards the limit; of more runs than there are, t reaches less far. */
	if (diff->has_run_noise)
		reach = value->error * student_critical(0.05, freedom);
	else
		reach = off > 0 ? diff_change(value) - value->low
				: value->high - diff_change(value);
	if (off > 0 && tested)
		reach = fmax(reach, value->error * student_critical(2 * DIFF_FALSE_RATE /
									    (tested * harmonic),
								    freedom));
	times = off != 0 ? pow(reach / off, 2) : INFINITY;
	for (uint32_t i = 0; i < diff->runs.count; i++)
		samples += (double)diff->runs.at[i].samples;
	if (diff->has_run_noise)
		verdict->runs_needed =
			fmax(fmax(ceil(times * diff->runs.count / 2), ENOUGH_RUNS),
			     1 + (diff->new_count > diff->base_count ? diff->new_count
								     : diff->base_count));
	else
		verdict->samples_needed = ceil(times * samples / 2);
}

static int add_function(struct verdicts *verdicts, const struct budget_rule *rule,
			const struct diff *diff, uint32_t index, enum verdict_kind kind,
			uint32_t tested)
{
	const struct diff_value *value =
		rule->is_self ? &diff->function_self[index] : &diff->function_total[index];
	struct verdict verdict = { .rule = rule,
				   .kind = kind,
				   .share = value->new,
				   .base = value->base,
				   .low = value->low,
				   .high = value->high,
				   .is_known = true };

	if (kind == VERDICT_UNDECIDED)
		find_need(&verdict, diff, value, tested);
	verdict.function = strdup(diff_name(diff, &diff->frames.at[index]));
	if (!verdict.function || !add(verdicts, &verdict)) {
		free(verdict.function);
		return -ENOMEM;
	}
	return 0;
}

static const char *name_of_uncounted(const struct diff *diff)
{
	uint32_t i = 0;

	while (i + 1 < diff->runs.count && diff->runs.at[i].samples)
		i++;
	return profile_text(diff->names, diff->runs.at[i].name);
}

int check_growth(struct verdicts *verdicts, const struct budget_rule *rule, const struct diff *diff,
		 struct diff_reason *reason)
{
	const struct diff_value *values =
		rule->is_self ? diff->function_self : diff->function_total;
	cleanup(free) double *all_p = malloc((diff->frames.count + 1ULL) * sizeof(*all_p));
	struct verdict whole = { .rule = rule, .kind = VERDICT_WITHIN };
	uint32_t tested = 0, before = verdicts->list.count;
	double believed;
	int r = all_p ? 0 : -ENOMEM;

	if (r == 0 && !diff->is_counted && !diff->has_run_noise)
		return refuse_uncounted(reason, name_of_uncounted(diff));
	for (uint32_t i = 0; r == 0 && i < diff->frames.count; i++)
		if (is_tested(rule, diff, i))
			all_p[tested++] = p_of(&values[i], rule->limit);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < diff->frames.count; i++)
		whole.is_known |= is_asked(rule, diff, i);
	believed = false_discovery_limit(all_p, tested, DIFF_FALSE_RATE);
	for (uint32_t i = 0; r == 0 && i < diff->frames.count; i++)
		if (is_tested(rule, diff, i) && is_believed(&values[i], rule->limit, believed))
			r = add_function(verdicts, rule, diff, i, VERDICT_BROKEN, tested);
	for (uint32_t i = 0; r == 0 && i < diff->frames.count; i++)
		if (is_asked(rule, diff, i) && values[i].high > rule->limit &&
		    !(is_tested(rule, diff, i) && is_believed(&values[i], rule->limit, believed)))
			r = add_function(verdicts, rule, diff, i, VERDICT_UNDECIDED, tested);
	if (r == 0 && verdicts->list.count == before && !add(verdicts, &whole))
		r = -ENOMEM;
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/* Normalisation: what makes runs of different lengths comparable. */
#include "diff/merge.h"

#include <stdio.h>
#include <string.h>

double diff_unit_seconds(const char *unit)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "nanoseconds", 1e-9 },
		      { "microseconds", 1e-6 },
		      { "milliseconds", 1e-3 },
		      { "seconds", 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(units[i].name, unit) == 0)
			return units[i].seconds;
	return 0;
}

static double cpu_seconds(const struct profile *profile)
{
	for (uint32_t i = 0; i < profile->types.count; i++) {
		double one = diff_unit_seconds(profile_text(profile, profile->types.at[i].unit));

		if (one > 0 && strcmp(profile_text(profile, profile->types.at[i].name), "cpu") == 0)
			return (double)profile_total(profile, i) * one;
	}
	return 0;
}

int diff_scale(double *ret, double *ret_amount, const struct diff_input *input,
	       const struct call_tree *tree, enum diff_per per, struct diff_reason *reason)
{
	const struct profile *profile = input->profile;
	const struct profile_meta *meta = &profile->meta;
	bool is_periods = input->type == meta->period_type && meta->period > 1;
	double value = is_periods ? (double)meta->period : 1, seconds;

	*ret_amount = (double)call_tree_total(tree) * value;

	if (diff_unit_seconds(diff_input_unit(input)) > 0)
		value *= diff_unit_seconds(diff_input_unit(input));
	if (call_tree_total(tree) <= 0) {
		snprintf(reason->text, sizeof(reason->text), "%.200s holds no samples of %.40s",
			 input->name, diff_input_type(input));
		return DIFF_REFUSED;
	}
	if (per == DIFF_PER_SAMPLES) {
		*ret = 1 / (double)call_tree_total(tree);
		return 0;
	}
	if (per == DIFF_PER_RUN) {
		*ret = value;
		return 0;
	}
	seconds = per == DIFF_PER_SECONDS ? (double)meta->duration_ns / 1e9 : cpu_seconds(profile);
	if (!(seconds > 0)) {
		snprintf(reason->text, sizeof(reason->text), "%.200s %s: choose another --per",
			 input->name,
			 per == DIFF_PER_SECONDS ? "does not say how long was recorded"
						 : "holds no CPU time");
		return DIFF_REFUSED;
	}
	*ret = value / seconds;
	return 0;
}

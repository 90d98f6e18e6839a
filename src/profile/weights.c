// SPDX-License-Identifier: Apache-2.0
#include "profile/weights.h"

#include <errno.h>
#include <string.h>

int weights_of(struct weights *ret, const struct profile *profile, uint32_t type)
{
	const struct profile_meta *meta = &profile->meta;

	if (type >= profile->types.count)
		return -EINVAL;
	*ret = (struct weights){
		.profile = profile,
		.type = type,
		.divisor = 1,
		.unit = profile_text(profile, profile->types.at[type].unit),
	};
	if (strcmp(ret->unit, "count") == 0)
		ret->unit = profile_text(profile, profile->types.at[type].name);
	if (type == meta->count_type)
		ret->unit = "samples";
	if (type == meta->period_type && meta->period > 1) {
		ret->divisor = meta->period;
		ret->unit = "samples";
	}
	return 0;
}

/* At least one whole period where there was anything. */
int64_t weights_get(const struct weights *weights, uint32_t sample)
{
	int64_t value = profile_value(weights->profile, sample, weights->type), whole;

	if (value <= 0)
		return 0;
	if (weights->divisor == 1)
		return value;
	whole = value / weights->divisor;
	whole += value % weights->divisor >= weights->divisor - weights->divisor / 2;
	return whole ? whole : 1;
}

int64_t weights_samples(const struct weights *weights, uint32_t sample, int64_t weight)
{
	uint32_t type = weights->profile->meta.count_type;

	if (type != PROFILE_NO_TYPE)
		return profile_value(weights->profile, sample, type);
	/* Each took one period. */
	return weights->divisor > 1 ? weight : 0;
}

struct whole weights_add_up(const struct weights *weights)
{
	struct whole ret = { .is_counted = true };
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < weights->profile->samples.count; i++) {
		int64_t weight = weights_get(weights, i), samples;

		if (!weight)
			continue;
		samples = weights_samples(weights, i, weight);
		if (samples <= 0)
			ret.is_counted = false;
		else
			ret.samples = profile_sum(ret.samples, samples);
		ret.weight = profile_sum(ret.weight, weight);
		sum += (double)weight;
		squares += (double)weight * (double)weight / (double)(samples > 0 ? samples : 1);
	}
	if (ret.is_counted && squares > 0)
		ret.effective_samples = weights_limit_effective(
			weights->profile, sum * sum / squares, ret.samples);
	return ret;
}

double weights_limit_effective(const struct profile *profile, double effective, int64_t samples)
{
	double limit = profile->meta.evenness * (double)samples;

	return limit > 0 && limit < effective ? limit : effective;
}

int64_t weights_values(const struct profile *profile, uint32_t type, uint64_t *ret_below)
{
	int64_t ret = 0;

	*ret_below = 0;
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		int64_t value = profile_value(profile, i, type);

		if (value > 0)
			ret = profile_sum(ret, value);
		else
			*ret_below += value < 0;
	}
	return ret;
}

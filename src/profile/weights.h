/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the samples of a profile weigh: whole periods ("samples") where the type counts what the period
 * counts, as cpu time sampled by time does; otherwise plain values of the type. Values below 0 weigh
 * nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "profile/profile.h"

struct weights {
	const struct profile *profile; /* borrowed */
	uint32_t type;
	int64_t divisor; /* value → weight */
	/* Of weights: "samples", "nanoseconds", "bytes"; what is counted, as "goroutine"; borrowed. */
	const char *unit;
};

/* All samples together. */
struct whole {
	int64_t weight;
	int64_t samples;
	/*
	 * How many samples of equal weight would say as much as these: (sum of weights)² / sum of
	 * squares (Kish, Survey Sampling, 1965). Equal to their number when all weigh the same.
	 */
	double effective_samples;
	bool is_counted; /* how many samples there were is known: see struct call_tree */
};

/* type: index into profile->types. Returns 0 or -EINVAL: there is no such type. */
int weights_of(struct weights *ret, const struct profile *profile, uint32_t type);
/* Of one sample. */
int64_t weights_get(const struct weights *weights, uint32_t sample);
/* How many samples this weight of it comes from; 0: that is not known. */
int64_t weights_samples(const struct weights *weights, uint32_t sample, int64_t weight);
/* Effective samples can be no more than the profile's evenness says of so many. */
double weights_limit_effective(const struct profile *profile, double effective, int64_t samples);
struct whole weights_add_up(const struct weights *weights);

/*
 * All values of a type that weigh anything, added up. *ret_below: how many are below 0, as in a
 * difference of two profiles.
 */
int64_t weights_values(const struct profile *profile, uint32_t type, uint64_t *ret_below);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which stretch of time is looked at: the last seconds, all since a moment, or all with what is older
 * counting for less. What each sample of a growing profile has gained is noted interval by interval;
 * the profile itself is not touched.
 *
 * Values of a sample are two: how many, and what it stands for, as CPU time.
 */
#pragma once

#include "base/array.h"
#include "profile/profile.h"

/* Which of the profile's types these are. */
struct span_types {
	uint32_t count, value;
};

enum span { SPAN_RECENT, SPAN_RESET, SPAN_DECAY, SPAN_COUNT };

enum {
	SPAN_RECENT_S = 5,
	SPAN_HALF_LIFE_S = 10, /* of SPAN_DECAY */
	SPAN_INTERVALS = 128, /* that are kept at most: the last seconds, however often is looked */
};

struct span_change {
	uint32_t sample;
	int64_t count, value; /* value: less than 0 where memory was given back */
};

struct span_interval {
	uint64_t begin_ns, end_ns;
	ARRAY_OF(struct span_change) changes;
};

struct span_decayed {
	double count, value;
};

struct spans {
	struct span_types types;
	uint32_t samples;	      /* that were there when it was looked last */
	ARRAY_OF(int64_t) last, base; /* two values a sample: now, and at the reset */
	ARRAY_OF(struct span_decayed) decayed;
	double decayed_s;		     /* the time that the decayed values stand for */
	double decayed_sum, decayed_squares; /* of all samples' weights, and of their squares */
	struct span_interval intervals[SPAN_INTERVALS]; /* a ring */
	uint32_t newest, used;
	uint64_t began_ns, reset_ns, now_ns;
};

/* What a span holds. */
struct span_weights {
	ARRAY_OF(struct span_change) samples; /* that have any */
	double seconds;
	uint64_t end_ns; /* CLOCK_MONOTONIC */
	/*
	 * How many samples of equal weight would say as much, see call_tree.h; 0: as many as there are.
	 */
	double effective;
};

/* began_ns: when the values were all 0 (CLOCK_MONOTONIC). */
void spans_init(struct spans *spans, uint64_t began_ns, struct span_types types);
void spans_fini(struct spans *spans);
/* Takes over what the profile holds at this time. Returns 0 or -ENOMEM. */
int spans_look(struct spans *spans, const struct profile *profile, uint64_t now_ns);
/* From now on SPAN_RESET and the others begin here. Returns 0 or -ENOMEM. */
int spans_reset(struct spans *spans);
/* *ret must be empty. Returns 0 or -ENOMEM. */
int spans_select(const struct spans *spans, enum span span, struct span_weights *ret);
void span_weights_fini(struct span_weights *weights);
static inline void span_weights_fini_cleanup(struct span_weights *weights)
{
	span_weights_fini(weights);
}

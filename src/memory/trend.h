/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does memory grow, and how fast? What was resident at times about equally far apart, judged as a random
 * walk with a drift: the slope is the mean of the steps between them, its interval that of a mean, with
 * what neighbouring steps have in common taken into account (W. Newey, K. West, Econometrica 55, 1987,
 * p. 703; never narrower than without). A line fitted to the levels would take each swing for a trend.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"

struct trend_point {
	uint64_t time_ns, bytes;
};

struct trend {
	ARRAY_OF(struct trend_point) points;
	uint64_t spacing_ns; /* between two; doubles when there are too many */
};

enum trend_verdict {
	TREND_TOO_SHORT, /* to say anything */
	TREND_GROWS,
	TREND_SHRINKS,
	TREND_FLAT, /* or what it does cannot be told from chance */
	TREND_VERDICTS
};

/* "too short to tell", "grows", "shrinks", "no growth" */
extern const char *const trend_verdict_names[TREND_VERDICTS];

struct trend_judgement {
	enum trend_verdict verdict;
	double per_minute, half; /* bytes, ± half is the 95 % interval; not for TREND_TOO_SHORT */
	double grew;		 /* share of the intervals in which it grew */
	uint32_t intervals;
};

void trend_init(struct trend *trend, uint64_t spacing_ns);
void trend_fini(struct trend *trend);
/* Left out when it comes too soon after the one before. Returns 0 or -ENOMEM. */
int trend_add(struct trend *trend, uint64_t time_ns, uint64_t bytes);
struct trend_judgement trend_judge(const struct trend *trend);

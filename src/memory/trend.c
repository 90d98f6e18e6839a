// SPDX-License-Identifier: Apache-2.0
#include "memory/trend.h"

#include <errno.h>
#include <math.h>

#include "diff/significance.h"

enum {
	POINTS_MAX = 1024,
	STEPS_MIN = 5, /* fewer say nothing of how they scatter */
};

const char *const trend_verdict_names[TREND_VERDICTS] = {
	[TREND_TOO_SHORT] = "too short to tell",
	[TREND_GROWS] = "grows",
	[TREND_SHRINKS] = "shrinks",
	[TREND_FLAT] = "no growth",
};

void trend_init(struct trend *trend, uint64_t spacing_ns)
{
	*trend = (struct trend){ .spacing_ns = spacing_ns };
}

void trend_fini(struct trend *trend)
{
	array_fini(&trend->points);
}

/* Every other one stays. */
static void thin(struct trend *trend)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < trend->points.count; i += 2)
		trend->points.at[kept++] = trend->points.at[i];
	trend->points.count = kept;
	trend->spacing_ns *= 2;
}

int trend_add(struct trend *trend, uint64_t time_ns, uint64_t bytes)
{
	uint32_t count = trend->points.count;
	struct trend_point *point;

	/* A turn of the loop is never exactly on time. */
	if (count && time_ns < trend->points.at[count - 1].time_ns + trend->spacing_ns * 7 / 8)
		return 0;
	if (count >= POINTS_MAX)
		thin(trend);
	point = array_push(&trend->points);
	if (!point)
		return -ENOMEM;
	*point = (struct trend_point){ time_ns, bytes };
	return 0;
}

static double step(const struct trend *trend, uint32_t i)
{
	return (double)trend->points.at[i + 1].bytes - (double)trend->points.at[i].bytes;
}

/* How many steps that follow are taken into account (E. Lazarus and others, JBES 36, 2018, p. 541). */
static uint32_t lags_of(uint32_t steps)
{
	uint32_t lags = (uint32_t)ceil(1.3 * sqrt(steps));

	return lags < steps / 2 ? lags : steps / 2;
}

/*
 * So many lags cost certainty: by how much the interval of a mean gets wider (N. Kiefer, T. Vogelsang,
 * Econometric Theory 21, 2005, p. 1130, for the weights of Bartlett).
 */
static double widening(uint32_t steps)
{
	double b = (lags_of(steps) + 1.0) / steps;

	return (1.96 + 2.9694 * b + 0.416 * b * b - 0.5324 * b * b * b) / 1.96;
}

/* Of one step in the long run: its variance, and what it has in common with those that follow. */
static double long_run_variance(const struct trend *trend, uint32_t steps, double mean)
{
	uint32_t lags = lags_of(steps);
	double alone = 0, all;

	for (uint32_t i = 0; i < steps; i++)
		alone += (step(trend, i) - mean) * (step(trend, i) - mean);
	alone /= steps - 1;
	all = alone;
	for (uint32_t lag = 1; lag <= lags; lag++) {
		double common = 0;

		for (uint32_t i = lag; i < steps; i++)
			common += (step(trend, i) - mean) * (step(trend, i - lag) - mean);
		all += 2 * (1 - lag / (lags + 1.0)) * common / (steps - 1);
	}
	return fmax(alone, all);
}

struct trend_judgement trend_judge(const struct trend *trend)
{
	uint32_t steps = trend->points.count ? trend->points.count - 1 : 0, grew = 0;
	const struct trend_point *first = trend->points.at, *last = first + steps;
	struct trend_judgement ret = { .intervals = steps };
	double minutes, mean;

	if (steps < STEPS_MIN || last->time_ns <= first->time_ns)
		return ret;
	for (uint32_t i = 0; i < steps; i++)
		grew += step(trend, i) > 0;
	minutes = (double)(last->time_ns - first->time_ns) / 60e9 / steps;
	mean = ((double)last->bytes - (double)first->bytes) / steps;
	ret.per_minute = mean / minutes;
	ret.half = student_critical(0.05, steps - 1) * widening(steps) *
		   sqrt(long_run_variance(trend, steps, mean) / steps) / minutes;
	ret.grew = (double)grew / steps;
	/* Once in a while chance alone leaves the interval: growth shows more often than not, too. */
	if (ret.per_minute > ret.half && ret.grew >= 0.5)
		ret.verdict = TREND_GROWS;
	else if (ret.per_minute < -ret.half)
		ret.verdict = TREND_SHRINKS;
	else
		ret.verdict = TREND_FLAT;
	return ret;
}

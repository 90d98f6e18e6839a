// SPDX-License-Identifier: Apache-2.0
#include "daemon/governor.h"

/* A little below the limit, so that it does not go up and down around it. */
#define AIM 0.8
/* Upwards only when there is clearly room, and by no more than this at once. */
#define ROOM 0.6
#define RAISE_MAX 2.0

void governor_init(struct governor *g, uint32_t asked_hz, double limit_percent)
{
	*g = (struct governor){ .asked_hz = asked_hz,
				.limit = limit_percent / 100,
				.rate_hz = asked_hz };
}

uint32_t governor_look(struct governor *g, const struct governor_figures *f)
{
	double factor, rate;

	if (!f->wall_ns || !f->cpus)
		return g->rate_hz;
	g->cost = (double)f->cpu_ns / ((double)f->wall_ns * f->cpus);
	if (g->limit <= 0)
		return g->rate_hz;
	if (g->cost > g->limit) {
		factor = AIM * g->limit / g->cost;
	} else if (g->cost < ROOM * g->limit && g->rate_hz < g->asked_hz) {
		factor = g->cost > 0 ? AIM * g->limit / g->cost : RAISE_MAX;
		if (factor > RAISE_MAX)
			factor = RAISE_MAX;
	} else {
		return g->rate_hz;
	}
	rate = (double)g->rate_hz * factor;
	/* Upwards at least by one, or a low rate would stay for ever. */
	if (factor > 1 && rate < g->rate_hz + 1)
		rate = g->rate_hz + 1;
	if (rate > g->asked_hz)
		rate = g->asked_hz;
	if (rate < 1)
		rate = 1;
	g->lowered += (uint32_t)rate < g->rate_hz;
	g->raised += (uint32_t)rate > g->rate_hz;
	g->rate_hz = (uint32_t)rate;
	return g->rate_hz;
}

// SPDX-License-Identifier: Apache-2.0
#include "session/heap_rate.h"

#include <math.h>

#define SECOND 1e9
/*
 * Who uses less CPU time than this share of one is treated as if it were so much: nobody minds half a
 * percent of it, and else no quiet program could be followed.
 */
#define CPU_MIN 0.1
/* So much may be spent at once, in seconds of what is allowed on one CPU. */
#define BURST_S 5.0
/* To measure: of these, and how many times what is allowed by then. */
#define MEASURE_S 1.5
#define MEASURE_TIMES 3
/* It is counted for so long, or until there are so many calls. */
#define SHORT_S 0.25
#define LONG_S 1.0
#define LONGEST_S 2.0
#define ENOUGH_HITS 2000
#define RECENT_S 2.0
/* So near the limit it is worth to count for longer. */
#define NEAR 1.5
/* Of its CPU time a process has at least so much for itself, whatever the figures say. */
#define OWN_MIN 0.02

void heap_rate_init(struct heap_rate *rate, double cap, double trap_ns)
{
	*rate = (struct heap_rate){ .cap = cap,
				    .trap_ns = trap_ns,
				    .credit_ns = cap * BURST_S * SECOND };
}

static double cost_of(const struct heap_rate *rate, const struct heap_rate_step *step)
{
	return (double)step->hits * rate->trap_ns + (double)step->sample_ns;
}

/* CPU time without what the probes took of it. */
static double own(double cpu_ns, double cost_ns, double wall_ns)
{
	return fmax(fmax(cpu_ns - cost_ns, OWN_MIN * cpu_ns), CPU_MIN * wall_ns);
}

static void add(struct heap_rate *rate, const struct heap_rate_step *step)
{
	rate->hits += (double)step->hits;
	rate->cost_ns += cost_of(rate, step);
	rate->cpu_ns += (double)step->cpu_ns;
	rate->wall_ns += (double)step->wall_ns;
}

double heap_rate_per_second(const struct heap_rate *rate)
{
	return rate->wall_ns > 0 ? rate->hits / rate->wall_ns * SECOND : 0;
}

double heap_rate_cost(const struct heap_rate *rate)
{
	double cpu = own(rate->cpu_ns, rate->cost_ns, rate->wall_ns);

	return cpu > 0 ? rate->cost_ns / cpu : 0;
}

enum heap_verdict heap_rate_measure(struct heap_rate *rate, const struct heap_rate_step *step)
{
	double share;

	add(rate, step);
	if (rate->cost_ns >
	    rate->cap * (MEASURE_S * SECOND +
			 MEASURE_TIMES * own(rate->cpu_ns, rate->cost_ns, rate->wall_ns)))
		return HEAP_RATE_TOO_DEAR;
	if (rate->wall_ns < SHORT_S * SECOND ||
	    (rate->wall_ns < LONG_S * SECOND && rate->hits < ENOUGH_HITS))
		return HEAP_RATE_OPEN;
	share = heap_rate_cost(rate);
	if (rate->wall_ns < LONGEST_S * SECOND && share > rate->cap / NEAR &&
	    share < rate->cap * NEAR)
		return HEAP_RATE_OPEN;
	if (share > rate->cap)
		return HEAP_RATE_TOO_DEAR;
	heap_rate_init(rate, rate->cap, rate->trap_ns);
	return HEAP_RATE_FITS;
}

/* So that the figures are those of the last seconds. */
static void forget_slowly(struct heap_rate *rate, double wall_ns)
{
	double keep = exp(-wall_ns / (RECENT_S * SECOND));

	rate->hits *= keep;
	rate->cost_ns *= keep;
	rate->cpu_ns *= keep;
	rate->wall_ns *= keep;
}

enum heap_verdict heap_rate_watch(struct heap_rate *rate, const struct heap_rate_step *step)
{
	double cost = cost_of(rate, step);
	double more = rate->cap * own((double)step->cpu_ns, cost, (double)step->wall_ns);

	forget_slowly(rate, (double)step->wall_ns);
	add(rate, step);
	rate->credit_ns = fmin(rate->credit_ns + more, rate->cap * BURST_S * SECOND) - cost;
	return rate->credit_ns < 0 ? HEAP_RATE_TOO_DEAR : HEAP_RATE_FITS;
}

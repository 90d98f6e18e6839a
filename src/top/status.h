/* SPDX-License-Identifier: Apache-2.0 */
/* What the head of the view says: what the target uses now, how sampling goes, what profd costs. */
#pragma once

#include "top/feed.h"
#include "top/usage.h"

enum {
	STATUS_HISTORY_S = 300, /* that the line of the last minutes shows */
	STATUS_HISTORY = 1024,	/* moments that are kept */
	STATUS_SLOPE_S = 30,	/* over which memory's growth is told */
};

struct status_moment {
	uint64_t ns;
	float percent; /* of one CPU; below 0: not known */
	uint64_t resident_bytes;
};

struct status {
	struct usage usage;
	uint64_t taken_ns, began_ns, own_cpu_ns;
	uint64_t counters[COUNT_COUNTERS];
	uint64_t own_began_ns,
		counters_began_ns; /* own CPU time when it was looked first, and when */
	double samples_per_s;	   /* since the last look */
	double cost_percent_all;   /* since the first */
	uint64_t lost, lost_now;   /* since the start; since the last look */
	struct status_moment history[STATUS_HISTORY]; /* a ring */
	uint32_t newest, used;
};

void status_fini(struct status *status);
/* Takes over what was just taken from the feed, and reads what the target uses. */
void status_look(struct status *status, const struct feed *feed);
/* Percent of one CPU; below 0: not known. */
double status_percent(const struct status *status);
/* Bytes per second over the last half minute. False: it is too early to say. */
bool status_slope(const struct status *status, double *ret);
/*
 * The CPU use of the last STATUS_HISTORY_S seconds in `columns` values, the newest last; those from before
 * it was looked are below 0. Returns the largest one.
 */
double status_history(const struct status *status, float *ret, uint32_t columns);

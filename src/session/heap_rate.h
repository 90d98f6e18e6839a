/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a process may have its heap followed: whether the probes cost less than a share of its CPU time,
 * first as measured by counting for a while, then all the time.
 */
#pragma once

#include <stdint.h>

struct heap_rate {
	double cap;	/* share of the process's CPU time */
	double trap_ns; /* of a call that runs into a probe */
	/* Since it began; while it is watched of the last seconds. */
	double hits, cost_ns, cpu_ns, wall_ns;
	double credit_ns; /* that may be spent */
};

enum heap_verdict { HEAP_RATE_OPEN, HEAP_RATE_FITS, HEAP_RATE_TOO_DEAR };

/* What happened since the last time. */
struct heap_rate_step {
	uint64_t hits, sample_ns; /* of the probes */
	uint64_t cpu_ns, wall_ns; /* CPU time of the process, and time */
};

/* cap: 0.005 is half a percent. */
void heap_rate_init(struct heap_rate *rate, double cap, double trap_ns);
/* While calls are only counted. Ends with another verdict than HEAP_RATE_OPEN within some seconds. */
enum heap_verdict heap_rate_measure(struct heap_rate *rate, const struct heap_rate_step *step);
/* While objects are followed: HEAP_RATE_FITS or HEAP_RATE_TOO_DEAR. */
enum heap_verdict heap_rate_watch(struct heap_rate *rate, const struct heap_rate_step *step);
/* Calls in a second, and what the probes take of the CPU time that the process itself uses, a share. */
double heap_rate_per_second(const struct heap_rate *rate);
double heap_rate_cost(const struct heap_rate *rate);

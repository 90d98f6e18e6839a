/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps what sampling costs below a share of the machine's CPU time, by the rate. Samples weigh what
 * they stand for, so nothing is biased by it. Pure: figures in, a rate out.
 *
 * Only what grows with the rate counts: reading a new program's tables and names costs once, at any
 * rate, and comes back in each window only if programs do.
 */
#pragma once

#include <stdint.h>

struct governor {
	uint32_t asked_hz;
	double limit; /* share of all CPUs' time, 0.01: a hundredth */
	uint32_t rate_hz;
	double cost; /* share, as of late */
	uint32_t lowered, raised; /* how often */
};

struct governor_figures {
	uint64_t wall_ns, cpu_ns; /* of a window: its length; CPU time of profd, BPF programs with it */
	uint32_t cpus;
};

void governor_init(struct governor *governor, uint32_t asked_hz, double limit_percent);
/* The rate from here on, 1 to asked_hz. */
uint32_t governor_look(struct governor *governor, const struct governor_figures *figures);

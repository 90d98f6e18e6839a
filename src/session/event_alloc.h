/* SPDX-License-Identifier: Apache-2.0 */
/* What the event `alloc` has cost those who were probed. */
#pragma once

#include <stdint.h>

/* A probe that takes longer has its instruction single-stepped (elf/allocator.h). */
#define TRAP_NS_MAX 2000

struct event_alloc;

struct alloc_cost {
	uint64_t hits;		   /* calls that ran into a probe */
	double probe_ns;	   /* what that took them, samples included */
	uint64_t target_ns;	   /* CPU time of the processes meanwhile */
	uint64_t open_ns, windows; /* CPU time of theirs that was looked at, in how many windows */
};

struct alloc_cost event_alloc_cost(struct event_alloc *alloc);

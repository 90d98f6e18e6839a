/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of what counters count (source/counted_event.h), walked in the kernel: for each event one BPF
 * program of bpf/counted.bpf.c and one counter per CPU. They write into the ring of the source of time on
 * a CPU, which has to be there, with or without its timers.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "source/counted_event.h"
#include "source/cpu.h"

struct counted_source_options {
	uint32_t events;       /* a bit for each, as wire.h numbers them */
	uint32_t frequency_hz; /* samples per second */
	uint64_t period;       /* events between two samples; 0: as frequency_hz asks for */
	const struct cpu_list *cpus;
};

struct counted_source;

/* base: borrowed. Returns 0 or a negative errno. */
int counted_source_open(struct counted_source **ret, struct cpu_source *base,
			const struct counted_source_options *options, struct source_failure *failure);
void counted_source_close(struct counted_source *source);
DEFINE_CLEANUP(struct counted_source, counted_source_close);

int counted_source_start(struct counted_source *source);
void counted_source_stop(struct counted_source *source);
/* Takes in how often counters were stopped by the kernel, to be called now and then. Returns 0 or -errno. */
int counted_source_turn(struct counted_source *source);
/*
 * Opens counters of CPUs that came online, and anew those that went with their CPU: to be called with
 * those that are online, no more than once a second. Returns 0 or a negative errno.
 */
int counted_source_follow(struct counted_source *source, const struct cpu_list *online);
/* All zero for an event that is not measured. */
void counted_source_figures(struct counted_source *source, uint32_t event,
			    struct counted_figures *ret);

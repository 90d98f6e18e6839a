/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How good a recording is, and what it cost: gathered once at the end, then told as one line
 * (profd(1), "The closing line") and as JSON.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "bpf/outcomes.h"
#include "session/growth.h"
#include "session/heap.h"
#include "source/counted_event.h"

struct alloc_cost;
struct pipeline;
struct recording;
struct profile;
struct fetches;
struct workers;

struct health {
	bool has_heap;
	struct heap_summary heap; /* if has_heap */
	int64_t began_wall_ns; /* CLOCK_REALTIME; 0: when the recording began */
	uint64_t samples;
	double duration_s;
	double frequency_hz; /* 0: the timers did not run */
	uint64_t lost_ring;      /* the ring was full */
	uint64_t lost_ticks;     /* ticks of busy CPUs that did not reach the program */
	uint64_t lost_lifecycle; /* process events that the kernel dropped */
	uint64_t outside; /* of the whole machine: ticks outside of our pid namespace, left out */
	uint64_t outcomes[WALK_OUTCOME_COUNT];
	uint64_t through_generated_code; /* of WALK_COMPLETE: if frame pointers there are right */
	uint64_t frames, frames_named; /* of all samples */
	uint64_t counters[COUNT_COUNTERS];
	uint64_t finished;
	uint64_t bpf_ns;         /* in our BPF programs */
	uint64_t user_ns;        /* CPU time of profd while recording, without the next two */
	uint64_t build_ns;       /* compiling unwind tables */
	uint64_t naming_ns;      /* building name tables and naming */
	double probe_ns;	 /* that probes have cost those who ran into them */
	uint64_t probe_hits, probed_ns; /* how often they did; their CPU time; 0: nobody was probed */
	uint64_t probe_windows, probe_open_ns; /* in how many windows, and for how long, it was looked */
	uint64_t start_ns;       /* CPU time of profd before sampling began, without the same two */
	uint64_t rss_bytes;      /* the most it was, of all our processes */
	uint64_t kernel_bytes;   /* BPF maps and programs */
	uint64_t table_bytes;    /* of it, unwind tables in use */
	uint32_t tables, evictions, processes_refused;
	uint64_t names_refused;  /* functions without names because there are too many */
	const struct workers *workers; /* borrowed; NULL: none */
	const struct fetches *fetches; /* borrowed; NULL: debug files were not downloaded */
	bool has_growth;
	struct growth_summary growth; /* of EVENT_GROWTH */
	const char *unwind;	/* how stacks were walked: as --unwind has it */
	const char *why_copies; /* why not in the kernel; NULL: it was, or nobody wanted that */
	uint64_t libunwind_stacks; /* that it walked whole */
	uint64_t libunwind_failures; /* walks that it crashed on, or did not come to an end with */
	uint32_t unreadable; /* processes whose mappings we may not read */
	uint32_t copy_bytes;	/* of a stack, at most; 0: none was copied */
	uint32_t copies_grown;	/* threads that needed larger ones than the others */
	bool user_only;		/* time in the kernel was not sampled */
	uint64_t throttled;	/* how often the kernel has stopped sampling for a moment */
	uint32_t counted_events; /* EVENT_BIT of those that counters count */
	struct counted_figures counted[EVENTS_COUNTED];
	uint64_t lost_counted;	/* of their samples, those of the targets */
	uint64_t rate_limit_hz, lowest_rate_limit_hz; /* at the beginning, and ever; 0: not known */
	const char *kernel_trouble; /* why kernel frames have no names; NULL: they have */
};

/* CPU times of profd itself at two moments. */
struct health_clock {
	uint64_t cpu_ns, build_ns, naming_ns;
};

void health_clock_read(struct health_clock *ret, const struct pipeline *pipeline);

/*
 * Fills in everything but duration_s and frequency_hz. began: when the command started to set
 * itself up (all zero); started, stopped: when sampling began and ended.
 */
void health_gather(struct health *ret, const struct recording *recording,
		   const struct health_clock *started, const struct health_clock *stopped);
/* Adds what probes have cost the targets. */
void health_add_probes(struct health *health, const struct alloc_cost *cost);
/* Fills in `frames` and `frames_named` from what is in the profile, instead of what there was. */
void health_count_frames(struct health *health, const struct profile *profile,
			 uint32_t samples_type);
uint64_t health_lost(const struct health *health);
/* Share of one CPU that profd used, BPF programs included, in percent. */
double health_cost_percent(const struct health *health);
/* The quality line, without "profd: " and newline. */
void health_line(const struct health *health, struct bytes *ret);
void health_json(const struct health *health, struct bytes *ret);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What counters of perf count, by the names that perf has for it: hardware's generalized events and the
 * kernel's own (perf_event_open(2), PERF_TYPE_HARDWARE and PERF_TYPE_SOFTWARE). A counter is read as well as
 * sampled, for what the samples do not tell: on which part of the time it counted, and what was lost.
 */
#pragma once

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire.h"

struct counted_event {
	const char *name, *other_name; /* other_name: as perf has it, too; NULL: there is none */
	uint32_t type;		       /* PERF_TYPE_* */
	uint64_t config;
	bool in_kernel; /* happens there only: who may not look there has none of it */
};

/* By event, from EVENT_COUNTED_FIRST on. */
extern const struct counted_event counted_events[EVENTS_COUNTED];

static inline const struct counted_event *counted_event_of(uint32_t event)
{
	return &counted_events[event - EVENT_COUNTED_FIRST];
}

/*
 * One sample each `period` events, or (period 0) as many as make `frequency_hz` samples a second, for which
 * the kernel adapts the period; fewer where it allows no more now. The event is stopped, and can be read by counted_read.
 */
struct perf_event_attr counted_event_attr(uint32_t event, uint32_t frequency_hz, uint64_t period);

/* Whether an event of its type can be opened at all, on ourselves. Returns 0 or a negative errno. */
int counted_event_try(uint32_t event);
/*
 * Why it cannot be recorded (r: what opening it has returned), and what to do, for one line that begins with
 * what was wanted. Writes into `ret`.
 */
void counted_event_trouble(char *ret, size_t size, uint32_t event, int r);

/* What a counter says of itself; all but ever grow while it is open. */
struct counted_reading {
	uint64_t count;
	uint64_t enabled_ns, running_ns; /* less than enabled: others had the counter meanwhile */
};

/* Returns 0 or a negative errno. */
int counted_read(struct counted_reading *ret, int fd);

/* How long the kernel has stopped a counter because it came too often. */
struct counted_throttle {
	uint64_t since_ns; /* 0: it runs */
	uint64_t total_ns, times;
};

/* time_ns: of a record PERF_RECORD_THROTTLE (stops), or PERF_RECORD_UNTHROTTLE. */
void counted_throttle_note(struct counted_throttle *throttle, bool stops, uint64_t time_ns);
/* Its total when nothing came until then. */
uint64_t counted_throttle_ns(const struct counted_throttle *throttle, uint64_t now_ns);

/* Of an event, all counters of it together. */
struct counted_figures {
	struct counted_reading reading;
	struct wire_counted seen; /* what came to us of it */
	uint64_t lost;		  /* samples that did not come, see counted_lost; without those of full rings */
	uint64_t throttled, throttled_ns;
};

/*
 * How many samples of one counter are missing: what it has counted beyond the periods that were seen,
 * but for the one under way; and what would have come at the same rate while it was stopped.
 */
uint64_t counted_lost(const struct counted_reading *reading, const struct wire_counted *seen,
		      uint64_t throttled_ns);

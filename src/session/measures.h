/* SPDX-License-Identifier: Apache-2.0 */
/* Which values a recording has for each stack, by what is measured. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "bpf/wire.h"
#include "profile/profile.h"

/* The bit of an event in a set of them. */
#define EVENT_BIT(event) (1U << (event))

/* What people call an event: "cpu". */
const char *event_name(enum wire_event event);
/* The event that is called so, or the like of it that perf takes, too: "faults". EVENTS: there is none. */
enum wire_event event_find(const char *name, size_t size);

enum measure {
	MEASURE_SAMPLES,
	MEASURE_CPU,	 /* nanoseconds */
	MEASURE_TOUCHED, /* bytes that became resident */
	MEASURE_GROWTH,	 /* and are still */
	MEASURE_ALLOC_OBJECTS,
	MEASURE_ALLOC_SPACE, /* bytes */
	MEASURE_INUSE_OBJECTS,
	MEASURE_INUSE_SPACE,
	MEASURE_COUNTED, /* how many of EVENT_COUNTED_FIRST; those that follow it come next */
	MEASURES = MEASURE_COUNTED + EVENTS_COUNTED
};

/* All events that counters count. */
#define EVENTS_COUNTED_BITS (EVENT_BIT(EVENTS) - EVENT_BIT(EVENT_COUNTED_FIRST))

/* Indexes in the profile's types; PROFILE_NO_TYPE: not measured. */
struct measures {
	uint32_t types[MEASURES];
	uint32_t main; /* what a picture shows */
};

/*
 * What gives memory out, for profile_meta.drop_frames of a profile of it: the C library's allocator and
 * the known ones in its place, C++'s operators, CPython's own, what libprofd-heap.so puts before those; and what fills it in a caller's name. NULL: CPU time is measured, too, which is
 * their own.
 */
const char *measures_drop_frames(uint32_t events);
/* How many values a set of events has. */
unsigned measures_count(uint32_t events);
/*
 * The profile's types for a set of events (EVENT_BIT), in the order of the measures, but with Go's four of
 * a heap first (runtime/pprof: what tools expect of one). Returns 0 or what profile_type_add returns.
 */
int measures_add(struct measures *ret, struct profile *profile, uint32_t events);
/* The index in the profile's types of what a sample of `cpu`, or of an event that is counted, weighs. */
static inline uint32_t measures_weight_type(const struct measures *measures, uint32_t event)
{
	return measures->types[event < EVENT_COUNTED_FIRST
				       ? MEASURE_CPU
				       : MEASURE_COUNTED + (event - EVENT_COUNTED_FIRST)];
}

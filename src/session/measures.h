/* SPDX-License-Identifier: Apache-2.0 */
/* Which values a recording has for each stack, by what is measured. */
#pragma once

#include <stdint.h>

#include "bpf/wire.h"
#include "profile/profile.h"

/* The bit of an event in a set of them. */
#define EVENT_BIT(event) (1U << (event))

/* What people call an event: "cpu". */
extern const char *const event_names[EVENTS];

enum measure {
	MEASURE_SAMPLES,
	MEASURE_CPU,	 /* nanoseconds */
	MEASURE_TOUCHED, /* bytes that became resident */
	MEASURE_GROWTH,	 /* and are still */
	MEASURE_ALLOC_OBJECTS,
	MEASURE_ALLOC_SPACE, /* bytes */
	MEASURE_INUSE_OBJECTS,
	MEASURE_INUSE_SPACE,
	MEASURES
};

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
/*
 * The profile's types for a set of events (EVENT_BIT), in the order of the measures, but with Go's four of
 * a heap first (runtime/pprof: what tools expect of one). Returns 0 or what profile_type_add returns.
 */
int measures_add(struct measures *ret, struct profile *profile, uint32_t events);

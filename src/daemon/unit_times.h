/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU time by systemd unit since the start, for counters that only grow. Bounded: what comes when
 * there are very many goes to one called "other".
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"
#include "profile/profile.h"

enum { UNIT_TIMES_MAX = 512 };

struct unit_time {
	char *unit; /* "": of none */
	uint64_t cpu_ns;
};

struct unit_times {
	ARRAY_OF(struct unit_time) units;
	struct hash_index index;
};

void unit_times_fini(struct unit_times *times);
/* Adds what a window holds: types 0 samples, 1 CPU time. Without memory it is left out. */
void unit_times_add(struct unit_times *times, const struct profile *window);

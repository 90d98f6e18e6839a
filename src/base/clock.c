// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"

/* Lines of a clock's name, seconds and nanoseconds; the latter are never below 0. */
int64_t clock_monotonic_offset(const char *offsets)
{
	const char *line = strstr(offsets, "monotonic");
	int64_t seconds, nanoseconds, offset;

	if (!line || sscanf(line, "monotonic %" SCNd64 " %" SCNd64, &seconds, &nanoseconds) != 2 ||
	    __builtin_mul_overflow(seconds, INT64_C(1000000000), &offset) ||
	    __builtin_add_overflow(offset, nanoseconds, &offset))
		return 0;
	return offset;
}

/* A process keeps its time namespace for its life. */
static int64_t own_offset(void)
{
	cleanup(bytes_fini) struct bytes text = {};
	static int64_t offset;
	static bool known;

	if (!known) {
		/* Absent without CONFIG_TIME_NS. */
		if (fs_read(&text, AT_FDCWD, "/proc/self/timens_offsets", 4096) == 0 &&
		    bytes_str(&text))
			offset = clock_monotonic_offset(bytes_str(&text));
		known = true;
	}
	return offset;
}

uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = {};
	uint64_t ns;

	clock_gettime(clock, &t);
	ns = (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
	return clock == CLOCK_MONOTONIC ? ns - (uint64_t)own_offset() : ns;
}

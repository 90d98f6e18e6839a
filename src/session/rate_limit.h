/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's limit on samples of a CPU, kernel.perf_event_max_sample_rate, which it lowers by itself when
 * an interrupt took too long (Documentation/admin-guide/sysctl/kernel.rst, perf_cpu_time_max_percent):
 * events that come more often are stopped for the rest of a tick from then on.
 */
#pragma once

#include <stdint.h>

struct rate_limit {
	int fd; /* -1: cannot be read */
	uint64_t first_hz, lowest_hz; /* when it was opened, and ever since; 0: not known */
};

#define RATE_LIMIT_NULL { .fd = -1 }

void rate_limit_open(struct rate_limit *limit);
/* Some microseconds. */
void rate_limit_look(struct rate_limit *limit);
void rate_limit_close(struct rate_limit *limit);

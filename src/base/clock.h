/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <time.h>

/*
 * Nanoseconds. CLOCK_MONOTONIC is the kernel's own, by which its events are stamped: without what
 * the time namespace that we are in adds to it (time_namespaces(7)).
 */
uint64_t clock_ns(clockid_t clock);
/*
 * What a time namespace adds to CLOCK_MONOTONIC, in nanoseconds. offsets: /proc/PID/timens_offsets,
 * NUL-terminated. 0 when it does not say. Pure.
 */
int64_t clock_monotonic_offset(const char *offsets);

/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the file in which a process's JIT names its code: /tmp/perf-PID.map. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/*
 * Opens the file of a process: in the process's own root, by its pid there, owned by its user or
 * root. start_time: in clock ticks since boot, 0 when not known.
 * Returns a descriptor, -ESRCH when the process is gone, or another negative errno.
 */
int perf_map_file_open(pid_t pid, uint64_t start_time);

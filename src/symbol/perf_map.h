/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of generated code: the lines "START SIZE name" (hexadecimal) that a JIT appends to
 * /tmp/perf-PID.map (tools/perf/Documentation/jit-interface.txt in the kernel).
 *
 * The lines carry no time, so a later one stands for what is at its addresses now. What was read
 * stays after the process and its file are gone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct perf_map;

struct perf_map *perf_map_new(void);
void perf_map_free(struct perf_map *map);
DEFINE_CLEANUP(struct perf_map, perf_map_free);

/*
 * Takes the whole lines at the beginning of `text`; *ret_taken bytes of it. Lines of another form
 * are passed over. Returns 0, -ENOMEM, or -E2BIG when the map has become too large to take more.
 */
int perf_map_add(struct perf_map *map, const char *text, size_t size, size_t *ret_taken);
/*
 * Reads what was appended to the file of a process since the last call; finds and opens it first:
 * in the process's own root, by its pid there, owned by its user or root.
 * start_time: in clock ticks since boot, 0 when not known. A process or a file that is not there
 * (any more) is no error. Returns 0 or a negative errno.
 */
int perf_map_update(struct perf_map *map, pid_t pid, uint64_t start_time);
/*
 * The name of the code at an address, borrowed until the next add or update.
 * Returns 0, -ENOENT or -ENOMEM.
 */
int perf_map_find(struct perf_map *map, uint64_t address, const char **ret);

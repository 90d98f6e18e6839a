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
/* About the memory that it takes. */
uint64_t perf_map_bytes(const struct perf_map *map);
/*
 * The name of the code at an address, borrowed until the next add.
 * Returns 0, -ENOENT or -ENOMEM.
 */
int perf_map_find(struct perf_map *map, uint64_t address, const char **ret);

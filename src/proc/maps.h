/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses /proc/PID/maps (proc(5)). A line:
 *
 *     7f0c2a628000-7f0c2a7bd000 r-xp 00028000 fd:01 1048602                /usr/lib/libc.so.6
 *     start        end          perm offset   dev   inode                  path
 *
 * The path is the rest of the line; newlines in it are written \012. Pure; hostile input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maps_line {
	uint64_t start, end, file_offset, inode;
	uint32_t device_major, device_minor;
	bool executable;
	bool shared;      /* MAP_SHARED */
	bool untouchable; /* neither to be read, written nor executed: a guard */
	const char *path; /* not terminated; "" for anonymous memory */
	size_t path_size;
};

/*
 * Calls `handle` for each line of the text; a line that is not understood is skipped and counted.
 * Returns the number of skipped lines, or the first negative result of `handle`.
 */
int maps_parse(const char *text, size_t size,
	       int (*handle)(void *context, const struct maps_line *line), void *context);

/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of memory a process has where: out of its /proc/PID/maps. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"

enum memory_kind {
	MEMORY_HEAP, /* brk */
	MEMORY_MMAP, /* anonymous mappings, also where allocators put large blocks and arenas */
	MEMORY_STACK,
	MEMORY_FILE,   /* private mappings of files: programs, libraries, their data */
	MEMORY_SHARED, /* whatever it is mapped of */
	MEMORY_UNKNOWN,
	MEMORY_KINDS
};

/* "heap", "mmap", "stack", "file", "shared", "unknown" */
extern const char *const memory_kind_names[MEMORY_KINDS];

struct memory_area {
	uint64_t start, end;
	enum memory_kind kind;
	bool guarded; /* nothing can be touched right below it: so stacks are made */
};

struct memory_map {
	ARRAY_OF(struct memory_area) areas; /* ascending, apart */
};

/* text: of the file; lines that are not understood or not in order are left out. 0 or -ENOMEM. */
int memory_map_parse(struct memory_map *map, const char *text, size_t size);
void memory_map_fini(struct memory_map *map);
/* The area that an address lies in, or NULL. */
const struct memory_area *memory_map_find(const struct memory_map *map, uint64_t address);
/*
 * The kind of memory at an address, which a thread has touched whose stack pointer is or was at `sp`:
 * the stacks of all threads but the first are mappings like any others.
 */
enum memory_kind memory_map_kind(const struct memory_map *map, uint64_t address, uint64_t sp);

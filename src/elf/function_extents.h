/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where functions begin and end in code that neither symbols nor exception tables tell of, as
 * decoding it has found (elf/synthesis.h): for names.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "elf/object.h"

/* A part of a function; between parts lies code of which nothing is known. */
struct function_extent {
	uint64_t start, end; /* ELF addresses */
	uint64_t function;   /* where it begins */
};

struct function_extents {
	ARRAY_OF(struct function_extent) list; /* ascending, none overlapping */
};

/*
 * From the rows of an object (elf/rows.h). Returns 0 (also when there are none) or a negative
 * errno. Free with function_extents_fini.
 */
int function_extents_read(struct function_extents *ret, const struct object *object);
void function_extents_fini(struct function_extents *extents);
/* The function that holds an ELF address: its first address. Returns 0 or -ENOENT. */
int function_extents_find(const struct function_extents *extents, uint64_t address,
			  uint64_t *ret_start);

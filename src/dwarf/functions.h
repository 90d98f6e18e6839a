/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of a unit, and those that were inlined into them, by address (DWARF 5 sections 3.3.1
 * and 3.3.8). Only places are kept; names are read when somebody asks for them.
 */
#pragma once

#include "dwarf/dwarf_file.h"
#include "elf/object.h"

#define FUNCTION_NONE UINT32_MAX

/* A function, or one place where it was inlined. */
struct function_place {
	uint64_t entry;	 /* offset in .debug_info of what has its name, or leads there */
	uint32_t parent; /* into which it was inlined; FUNCTION_NONE: it stands by itself */
	uint32_t call_file, call_line; /* from where, as the unit's line table numbers files */
};

/* From `address` to the next range. */
struct function_range {
	uint64_t address; /* ELF address */
	uint32_t place;	  /* the innermost; FUNCTION_NONE: no function */
};

struct functions {
	ARRAY_OF(struct function_place) places;
	ARRAY_OF(struct function_range) ranges; /* ascending */
};

/*
 * Reads all of a unit. object: whose code it is; what lies outside of its code is left out. Returns 0,
 * -EBADMSG (what was read up to the trouble is good), -EFBIG or -ENOMEM. Free with functions_fini.
 */
int functions_read(struct functions *ret, struct dwarf_file *file, const struct dwarf_unit *unit,
		   const struct object *object);
void functions_fini(struct functions *functions);
/*
 * The code around an address that is of the same outermost function. Returns whether there is one.
 */
bool functions_around(const struct functions *functions, uint64_t address, uint64_t *ret_start,
		      uint64_t *ret_end);
/* The next range's address above this one; UINT64_MAX: there is none. */
uint64_t functions_next(const struct functions *functions, uint64_t address);
/* The innermost place that holds an address, or FUNCTION_NONE. */
uint32_t functions_find(const struct functions *functions, uint64_t address);

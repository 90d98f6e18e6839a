/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object's code as far as no rows cover it: where it lies, and its bytes.
 *
 * Read from the file in blocks when they are asked for, and kept; never more than a limit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "elf/cfi.h"
#include "elf/object.h"
#include "elf/sections.h"

/* ELF addresses that the file has bytes for. */
struct code_range {
	uint64_t start, end;
	uint64_t file_offset; /* of start */
	uint32_t first_block;
	uint32_t first_byte; /* of all ranges put one behind the other */
};

/* A part of the file that is executable code in memory, covered or not. */
struct code_extent {
	uint64_t start, end; /* ELF addresses */
	uint64_t file_offset;
};

struct code {
	const struct object *object;	      /* borrowed */
	ARRAY_OF(struct code_extent) extents; /* ascending, none overlapping */
	ARRAY_OF(struct code_range) ranges;   /* ascending, none overlapping */
	ARRAY_OF(unsigned char *) blocks;     /* of all ranges; NULL: not read yet */
	uint64_t loaded_bytes;
	uint64_t bytes;	     /* in all ranges */
	uint32_t last_range; /* the one asked for last */
};

/*
 * The parts of the executable sections (of the executable segments, where there are no section
 * headers) that lie in gaps of `covered`; what is short enough to be padding is left out.
 * object must outlive *ret. Returns 0 or a negative errno. Free with code_fini.
 */
int code_init(struct code *ret, const struct object *object, const struct section_table *sections,
	      const struct cfi_table *covered);
void code_fini(struct code *code);
static inline void code_fini_cleanup(struct code *code)
{
	code_fini(code);
}

/* The range that holds the ELF address, or NULL. */
const struct code_range *code_range_of(struct code *code, uint64_t address);
/*
 * The bytes at an ELF address: *size of them, at least as many as an instruction can have where
 * the range goes on so far. Borrowed. NULL outside of every range, past the limit, and where the
 * file cannot be read (any more).
 */
const unsigned char *code_bytes(struct code *code, uint64_t address, size_t *size);

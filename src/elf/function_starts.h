/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where functions without a symbol begin and end, as the exception tables tell.
 *
 * Even a stripped file has .eh_frame_hdr, a sorted table of all its functions (Linux Standard Base,
 * "Exception Frames"). It stays in the file: a look-up reads a few blocks, and only addresses that
 * have no symbol are looked up.
 */
#pragma once

#include <stdint.h>

#include "elf/object.h"

struct function_starts {
	const struct object *object; /* borrowed */
	uint64_t header_address;     /* ELF address of .eh_frame_hdr: what its entries count from */
	uint64_t table_offset;	     /* of the search table in the file */
	uint32_t count;		     /* entries; 0: no table, nothing is found */
};

/* Finds the table of an object, which must outlive *ret. Returns 0 (also without one) or -errno. */
int function_starts_init(struct function_starts *ret, const struct object *object);
/*
 * The function that holds an ELF address: its first address and its size in bytes.
 * Returns 0, -ENOENT when no function holds it, or another negative errno.
 */
int function_starts_find(const struct function_starts *starts, uint64_t address,
			 uint64_t *ret_start, uint64_t *ret_size);

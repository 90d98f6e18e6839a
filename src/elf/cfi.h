/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call frame information as rows: for each range of addresses, how to find the caller.
 *
 * Read from .eh_frame, and from .debug_frame for what .eh_frame does not cover (DWARF 5 section
 * 6.4; Linux Standard Base, "Exception Frames"). libdw finds and decodes the entries
 * (dwarf_next_cfi), the row programs are run here: dwarf_cfi_addrframe is several times slower.
 */
#pragma once

#include "elf/cfi_table.h"
#include "elf/object.h"

/* Returns 0 (also without any CFI: no rows) or a negative errno. Free with cfi_table_fini. */
int cfi_read(struct cfi_table *ret, const struct object *object);

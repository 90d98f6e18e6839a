/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call frame information as rows: for each range of addresses, how to find the caller.
 *
 * Read from .eh_frame, and from .debug_frame for what .eh_frame does not cover (DWARF 5 section
 * 6.4; Linux Standard Base, "Exception Frames"). libdw finds and decodes the entries
 * (dwarf_next_cfi), the row programs are run here: dwarf_cfi_addrframe is several times slower.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "bpf/wire.h"
#include "elf/object.h"

/* From `address` to the next row. The rule has no steps yet (struct wire_rule, bpf/wire.h). */
struct cfi_row {
	uint64_t address; /* ELF address */
	struct wire_rule rule; /* RULE_NONE: see enum cfi_none */
};

/* The cfa_words of RULE_NONE: why there is no rule. Padding may be bridged, the other must not. */
enum cfi_none {
	CFI_GAP,     /* no entry covers these addresses: padding, or code without CFI */
	CFI_UNKNOWN, /* an entry does, but what it says cannot be told by a rule, or is nonsense */
};

struct cfi_table {
	ARRAY_OF(struct cfi_row) rows; /* ascending, neighbours differ, the last one is RULE_NONE */
	/* Start address of each FDE, or of a function without rows; ascending, distinct. */
	ARRAY_OF(uint64_t) functions;
	uint32_t unsupported; /* rows that are CFI_UNKNOWN */
	uint32_t broken;      /* entries left out, or cut, because they contradict themselves or
				 another entry */
};

/* Returns 0 (also without any CFI: no rows) or a negative errno. Free with cfi_table_fini. */
int cfi_read(struct cfi_table *ret, const struct object *object);
void cfi_table_fini(struct cfi_table *table);

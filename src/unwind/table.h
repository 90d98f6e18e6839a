/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object's unwind table in the form that the walker searches (bpf/wire.h, "Unwind tables"),
 * before it has a place: page blocks and a rule dictionary shared by all tables.
 *
 * Runs of push or pop rows become one row with steps; padding gaps of fewer than 16 bytes are
 * given to the row before them.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"
#include "bpf/wire.h"
#include "elf/cfi.h"

/* The distinct rules of all tables. Rule 0 is RULE_NONE. Append-only; a quota per table. */
struct rule_dictionary {
	ARRAY_OF(struct wire_rule) rules;
	struct hash_index index;
};

int rule_dictionary_init(struct rule_dictionary *dictionary);
void rule_dictionary_fini(struct rule_dictionary *dictionary);

struct unwind_table {
	uint64_t first_page;            /* ELF address >> WIRE_PAGE_SHIFT */
	ARRAY_OF(uint32_t) block_offset; /* per page: offset of its block in `blocks`, or UINT32_MAX */
	ARRAY_OF(uint32_t) block_size;   /* per page, in bytes, a multiple of 4 */
	ARRAY_OF(unsigned char) blocks;
	uint32_t row_count;
	uint32_t dropped_rules; /* rows that became RULE_NONE because a quota was used up */
};

enum { RULES_PER_TABLE = 8192 };

/*
 * Packs rows into page blocks, adding what rules are new. Returns 0 or a negative errno
 * (-E2BIG: text spans more than 4 GiB). Free with unwind_table_fini.
 */
int unwind_table_build(struct unwind_table *ret, struct rule_dictionary *dictionary,
		       const struct cfi_table *rows);
void unwind_table_fini(struct unwind_table *table);

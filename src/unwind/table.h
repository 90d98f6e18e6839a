/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object's unwind table in the form that the walker searches (bpf/wire.h, "Unwind tables"),
 * before it has a place: page blocks, whose rows count in a list of rules of their own.
 *
 * Runs of push or pop rows become one row with steps; padding gaps of fewer than 16 bytes are
 * given to the row before them.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "bpf/wire.h"
#include "elf/cfi.h"

struct unwind_table {
	uint64_t first_page;            /* ELF address >> WIRE_PAGE_SHIFT */
	ARRAY_OF(uint32_t) block_offset; /* per page: offset of its block in `blocks`, or UINT32_MAX */
	ARRAY_OF(uint32_t) block_size;   /* per page, in bytes, a multiple of 4 */
	ARRAY_OF(unsigned char) blocks;
	ARRAY_OF(struct wire_rule) rules; /* what rows name by index; the first one is RULE_NONE */
	uint32_t row_count;
	uint64_t origin; /* who has made the file, for table_store.h; unwind_table_build says 0 */
	uint32_t dropped_rules; /* rows that became RULE_NONE because a quota was used up */
};

enum {
	/* Of distinct rules. The richest of common files have some three thousand. */
	RULES_PER_TABLE = 8192,
	/* 4 GiB of text; the directory of so many still fits in a chunk. */
	PAGES_PER_TABLE = 1 << 16,
};

/*
 * Packs rows into page blocks. Returns 0 or a negative errno (-E2BIG: text spans more than 4 GiB).
 * Free with unwind_table_fini.
 */
int unwind_table_build(struct unwind_table *ret, const struct cfi_table *rows);
/*
 * Whether a table that somebody else built is what unwind_table_build makes: every offset, row and
 * rule. Returns 0 or -EBADMSG.
 */
int unwind_table_check(const struct unwind_table *table);
void unwind_table_fini(struct unwind_table *table);

/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in the order of their addresses, wherever they come from. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/array.h"
#include "bpf/wire.h"

/* From `address` to the next row. The rule has no steps yet (struct wire_rule, bpf/wire.h). */
struct cfi_row {
	uint64_t address;      /* ELF address */
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

static inline bool cfi_rule_same(const struct wire_rule *a, const struct wire_rule *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool cfi_rule_is(const struct wire_rule *rule, enum cfi_none none)
{
	return rule->kind_and_step == RULE_NONE && rule->cfa_words == (int32_t)none;
}

/*
 * Appends a row, unless the rule is in force already (before the first one, a gap is); counts those that are CFI_UNKNOWN. address: not
 * below the last row's. Returns 0, -ENOMEM, or -EFBIG: more rows than profd holds.
 */
int cfi_table_add(struct cfi_table *table, uint64_t address, const struct wire_rule *rule);
/* Makes room for so many more rows. Returns as cfi_table_add. */
int cfi_table_reserve(struct cfi_table *table, uint32_t more);
/*
 * Appends rows of which no two neighbours say the same, at least one. They may lie in the room of the table
 * itself, where that is enough, behind its rows. Returns as cfi_table_add.
 */
int cfi_table_add_rows(struct cfi_table *table, const struct cfi_row *rows, uint32_t count);
void cfi_table_fini(struct cfi_table *table);
static inline void cfi_table_fini_cleanup(struct cfi_table *table)
{
	cfi_table_fini(table);
}

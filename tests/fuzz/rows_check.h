/* SPDX-License-Identifier: Apache-2.0 */
/* What elf/cfi.h and unwind/table.h promise of rows and of the table made of them. */
#pragma once

#include "elf/cfi.h"
#include "fuzz.h"
#include "tests/unit/unwind/packed_rule.h"

static inline bool is_gap_row(const struct cfi_row *row)
{
	return row->rule.kind_and_step == RULE_NONE && row->rule.cfa_words == CFI_GAP;
}

static inline void check_rows(const struct cfi_table *table)
{
	uint32_t count = table->rows.count, unknown = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct cfi_row *row = &table->rows.at[i];

		FUZZ_CHECK((row->rule.kind_and_step & ~RULE_NEXT_EXACT) < RULE_KIND_COUNT);
		if (row->rule.kind_and_step == RULE_NONE)
			FUZZ_CHECK(row->rule.cfa_words == CFI_GAP ||
				   row->rule.cfa_words == CFI_UNKNOWN);
		unknown += row->rule.kind_and_step == RULE_NONE && !is_gap_row(row);
		if (i + 1 == count)
			FUZZ_CHECK(is_gap_row(row));
		else
			FUZZ_CHECK(row->address < row[1].address &&
				   memcmp(&row->rule, &row[1].rule, sizeof(row->rule)) != 0);
	}
	FUZZ_CHECK(table->unsupported == unknown);
	for (uint32_t i = 1; i < table->functions.count; i++)
		FUZZ_CHECK(table->functions.at[i - 1] < table->functions.at[i]);
}

static inline void check_packed_rule(const struct unwind_table *table, uint64_t address,
				     struct wire_rule want)
{
	struct wire_rule got;

	FUZZ_CHECK(packed_rule(&got, table, address));
	if (want.kind_and_step == RULE_NONE)
		want = (struct wire_rule){ .kind_and_step = RULE_NONE };
	/* When a quota is used up, what is lost has no rule. */
	FUZZ_CHECK(memcmp(&got, &want, sizeof(got)) == 0 ||
		   (table->dropped_rules && got.kind_and_step == RULE_NONE));
}

/* The packed table says at the ends of each row, and in its middle, what the row says. */
static inline void check_packed_table(const struct unwind_table *table,
				      const struct cfi_table *rows)
{
	uint32_t count = rows->rows.count;
	struct wire_rule want = { .kind_and_step = RULE_NONE };

	FUZZ_CHECK(unwind_table_check(table) == 0);
	if (count)
		check_packed_rule(table, rows->rows.at[0].address - 1, want);
	for (uint32_t i = 0; i < count; i++) {
		const struct cfi_row *row = &rows->rows.at[i];
		uint64_t size = i + 1 < count ? row[1].address - row->address : 1 << 20;

		/* Padding has the rule of what lies before it. */
		if (!is_gap_row(row) || i + 1 == count || size >= 16)
			want = row->rule;
		check_packed_rule(table, row->address, want);
		check_packed_rule(table, row->address + size / 2, want);
		check_packed_rule(table, row->address + size - 1, want);
	}
}

/* Packs the rows and compares. */
static inline void check_packing(const struct cfi_table *rows)
{
	struct unwind_table table = {};

	if (unwind_table_build(&table, rows) == 0)
		check_packed_table(&table, rows);
	unwind_table_fini(&table);
}

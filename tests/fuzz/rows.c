// SPDX-License-Identifier: Apache-2.0
/*
 * Two tables of rows, one of which fills the gaps of the other: every address has what the first
 * says, else what the second says; and what is packed says the same. Four bytes a row.
 */
#include "elf/rows.h"

#include "base/bytes.h"
#include "rows_check.h"

enum { BASE = 0x1fff00, MAX_ROWS = 48 };

/* Runs of pushes and pops, saved registers below and above the stack pointer, and all the rest. */
static struct wire_rule take_rule(struct reader *reader)
{
	uint8_t kind = reader_u8(reader), words = reader_u8(reader), slots = reader_u8(reader);
	struct wire_rule rule = { .cfa_words = words,
				  .bp_slot = slots & 15,
				  .bx_slot = slots >> 4 == 15 ? RULE_BX_LOST : slots >> 4,
				  .kind_and_step = RULE_SP };

	if (kind >= 128)
		rule.kind_and_step = kind % RULE_KIND_COUNT;
	/* What lies below the stack pointer is not saved: cfi_rule_of says so. */
	if (rule.kind_and_step == RULE_SP && rule.bp_slot > words)
		rule.bp_slot = 0;
	if (rule.kind_and_step == RULE_SP && rule.bx_slot > words && rule.bx_slot != RULE_BX_LOST)
		rule.bx_slot = 0;
	if (rule.kind_and_step == RULE_NONE)
		return (struct wire_rule){ .cfa_words = words % 2 ? CFI_GAP : CFI_UNKNOWN };
	if (rule.kind_and_step >= RULE_PLT)
		rule.steps = slots;
	if (kind >= 240)
		rule.kind_and_step |= RULE_NEXT_EXACT;
	return rule;
}

static bool is_gap(const struct wire_rule *rule)
{
	return rule->kind_and_step == RULE_NONE && rule->cfa_words == CFI_GAP;
}

static void add_row(struct cfi_table *table, uint64_t address, const struct wire_rule *rule)
{
	struct cfi_row *row;

	if (table->rows.count
		    ? memcmp(&table->rows.at[table->rows.count - 1].rule, rule, sizeof(*rule)) == 0
		    : is_gap(rule))
		return;
	row = array_push(&table->rows);
	FUZZ_CHECK(row);
	*row = (struct cfi_row){ address, *rule };
	table->unsupported += rule->kind_and_step == RULE_NONE && !is_gap(rule);
}

/* As cfi_read gives them. */
static void take_rows(struct cfi_table *ret, struct reader *reader, uint32_t count)
{
	const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };
	uint64_t address = BASE;

	for (uint32_t i = 0; i < count && reader_left(reader); i++) {
		uint8_t delta = reader_u8(reader);
		struct wire_rule rule = take_rule(reader);

		address += delta < 128 ? 1 + delta % 32 : (delta & 127) << 8 | 1;
		add_row(ret, address, &rule);
		if (delta % 4 == 3 && ret->rows.count) {
			uint64_t *function = array_push(&ret->functions);

			FUZZ_CHECK(function);
			*function = address;
		}
	}
	if (ret->rows.count)
		add_row(ret, address + 20, &gap);
}

static struct wire_rule rule_at(const struct cfi_table *table, uint64_t address)
{
	const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };
	uint32_t low = 0, high = table->rows.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (table->rows.at[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? table->rows.at[low - 1].rule : gap;
}

static bool has_function(const struct cfi_table *table, uint64_t address)
{
	for (uint32_t i = 0; i < table->functions.count; i++)
		if (table->functions.at[i] == address)
			return true;
	return false;
}

static void check_filled_at(const struct cfi_table *filled, const struct cfi_table *first,
			    const struct cfi_table *second, uint64_t address)
{
	struct wire_rule got = rule_at(filled, address), want = rule_at(first, address);

	if (is_gap(&want))
		want = rule_at(second, address);
	FUZZ_CHECK(memcmp(&got, &want, sizeof(got)) == 0);
}

static void check_filled(const struct cfi_table *filled, const struct cfi_table *first,
			 const struct cfi_table *second)
{
	const struct cfi_table *const both[] = { first, second };

	for (unsigned i = 0; i < 2; i++) {
		for (uint32_t k = 0; k < both[i]->rows.count; k++) {
			uint64_t address = both[i]->rows.at[k].address;

			check_filled_at(filled, first, second, address - 1);
			check_filled_at(filled, first, second, address);
		}
		for (uint32_t k = 0; k < both[i]->functions.count; k++) {
			uint64_t address = both[i]->functions.at[k];
			struct wire_rule there = rule_at(first, address);

			FUZZ_CHECK(has_function(filled, address) ==
				   (has_function(first, address) || (i == 1 && is_gap(&there))));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size), again;
	struct cfi_table first = {}, second = {}, filled = {};
	uint32_t count = reader_u8(&reader) % MAX_ROWS;

	again = reader;
	take_rows(&first, &reader, count);
	take_rows(&filled, &again, count);
	take_rows(&second, &reader, MAX_ROWS);
	first.broken = filled.broken = 1;
	second.broken = 2;
	check_rows(&first);
	check_packing(&first);
	FUZZ_CHECK(cfi_table_fill(&filled, &second) == 0);
	FUZZ_CHECK(filled.broken == 3);
	check_rows(&filled);
	check_filled(&filled, &first, &second);
	check_packing(&filled);
	cfi_table_fini(&first);
	cfi_table_fini(&second);
	cfi_table_fini(&filled);
	return 0;
}

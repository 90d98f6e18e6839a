// SPDX-License-Identifier: Apache-2.0
/* Code of a whole object file, decoded: all of it, and what its call frame information leaves. */
#include "elf/synthesis.h"

#include <string.h>

#include "elf/object_file.h"
#include "elf/rows.h"
#include "memory_file.h"

static void check_rule(const struct wire_rule *rule, int last)
{
	int32_t words = rule->cfa_words;

	FUZZ_CHECK(rule->kind_and_step < RULE_KIND_COUNT);
	if (rule->kind_and_step == RULE_NONE)
		FUZZ_CHECK(words == CFI_UNKNOWN || words == CFI_GAP);
	if (rule->kind_and_step == RULE_SP)
		FUZZ_CHECK(words > 0);
	if (rule->kind_and_step == RULE_TEMPORARY || rule->kind_and_step == RULE_LINK)
		FUZZ_CHECK(rule->steps < WIRE_TEMPORARIES);
	FUZZ_CHECK(rule->kind_and_step != RULE_PLT);
	if (last)
		FUZZ_CHECK(rule->kind_and_step == RULE_NONE && words == CFI_GAP);
}

static void check_rows(const struct cfi_table *table)
{
	uint32_t unknown = 0;

	for (uint32_t i = 0; i < table->rows.count; i++) {
		const struct wire_rule *rule = &table->rows.at[i].rule;

		check_rule(rule, i + 1 == table->rows.count);
		unknown += rule->kind_and_step == RULE_NONE && rule->cfa_words == CFI_UNKNOWN;
		if (i == 0)
			continue;
		FUZZ_CHECK(table->rows.at[i - 1].address < table->rows.at[i].address);
		FUZZ_CHECK(memcmp(rule, &table->rows.at[i - 1].rule, sizeof(*rule)) != 0);
	}
	FUZZ_CHECK(unknown == table->unsupported);
	for (uint32_t i = 1; i < table->functions.count; i++)
		FUZZ_CHECK(table->functions.at[i - 1] < table->functions.at[i]);
}

/* The same file gives the same rows. */
static void check_same(const struct cfi_table *a, const struct cfi_table *b)
{
	FUZZ_CHECK(a->rows.count == b->rows.count && a->functions.count == b->functions.count);
	if (a->rows.count)
		FUZZ_CHECK(memcmp(a->rows.at, b->rows.at, a->rows.count * sizeof(*a->rows.at)) ==
			   0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cfi_table none;
	int fd = memory_file_again(memory_file(data, size));
	struct cfi_table rows = {}, again = {}, filled = {};
	struct object *object;

	if (object_open(&object, fd, "/fuzz") != 0)
		return 0;
	if (synthesis_rows(&rows, object, &none) == 0) {
		check_rows(&rows);
		if (synthesis_rows(&again, object, &none) == 0)
			check_same(&rows, &again);
	}
	if (rows_read(&filled, object) == 0)
		for (uint32_t i = 1; i < filled.rows.count; i++)
			FUZZ_CHECK(filled.rows.at[i - 1].address < filled.rows.at[i].address);
	cfi_table_fini(&rows);
	cfi_table_fini(&again);
	cfi_table_fini(&filled);
	object_unref(object);
	return 0;
}

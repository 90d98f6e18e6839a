// SPDX-License-Identifier: Apache-2.0
#include "elf/cfi_table.h"

#include <errno.h>

/* 256 MiB. libLLVM has under a million rows, a browser three million. */
enum { MAX_ROWS = 16 << 20 };

int cfi_table_add(struct cfi_table *table, uint64_t address, const struct wire_rule *rule)
{
	uint32_t count = table->rows.count;
	struct cfi_row *row;

	if (count > 0 ? cfi_rule_same(&table->rows.at[count - 1].rule, rule)
		      : cfi_rule_is(rule, CFI_GAP))
		return 0;
	if (count >= MAX_ROWS)
		return -EFBIG;
	if (!array_reserve(&table->rows, count + 1ULL))
		return -ENOMEM;
	row = &table->rows.at[table->rows.count++];
	row->address = address;
	row->rule = *rule;
	table->unsupported += cfi_rule_is(rule, CFI_UNKNOWN);
	return 0;
}

int cfi_table_reserve(struct cfi_table *table, uint32_t more)
{
	uint64_t need = (uint64_t)table->rows.count + more;

	if (need > MAX_ROWS)
		return -EFBIG;
	return array_reserve(&table->rows, need) ? 0 : -ENOMEM;
}

int cfi_table_add_rows(struct cfi_table *table, const struct cfi_row *rows, uint32_t count)
{
	const struct cfi_row first = rows[0];
	uint32_t more = count - 1;
	/* What is in force may say the same as the first of them. */
	int r = cfi_table_add(table, first.address, &first.rule);

	if (r < 0)
		return r;
	if (table->rows.count + (uint64_t)more > MAX_ROWS)
		return -EFBIG;
	if (more == 0)
		return 0;
	if (!array_reserve(&table->rows, (uint64_t)table->rows.count + more))
		return -ENOMEM;
	memmove(table->rows.at + table->rows.count, rows + 1, more * sizeof(*rows));
	for (uint32_t i = 0; i < more; i++)
		table->unsupported +=
			cfi_rule_is(&table->rows.at[table->rows.count + i].rule, CFI_UNKNOWN);
	table->rows.count += more;
	return 0;
}

void cfi_table_fini(struct cfi_table *table)
{
	array_fini(&table->rows);
	array_fini(&table->functions);
	*table = (struct cfi_table){};
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Both tables are steps over all addresses: each row holds up to the next one, before the first and
 * behind the last there is a gap. Merging them is one sweep over the places where either changes.
 */
#include "elf/rows.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/gopclntab.h"
#include "elf/row_marks.h"
#include "elf/synthesis.h"

enum { MAX_ROWS = 16 << 20 }; /* as cfi_read */

static const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };

static void cfi_table_fini_cleanup(struct cfi_table *table)
{
	cfi_table_fini(table);
}

/* A sweep over the rows of one table. */
struct steps {
	const struct cfi_table *table;
	uint32_t next; /* the row that begins next */
};

static uint64_t next_address(const struct steps *steps)
{
	return steps->next < steps->table->rows.count ? steps->table->rows.at[steps->next].address
						      : UINT64_MAX;
}

static const struct wire_rule *rule_in_force(const struct steps *steps)
{
	return steps->next ? &steps->table->rows.at[steps->next - 1].rule : &gap;
}

static bool same_rule(const struct wire_rule *a, const struct wire_rule *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool is_gap(const struct wire_rule *rule)
{
	return same_rule(rule, &gap);
}

static int add_row(struct cfi_table *table, uint64_t address, const struct wire_rule *rule)
{
	uint32_t count = table->rows.count;
	struct cfi_row *row;

	if (count ? same_rule(&table->rows.at[count - 1].rule, rule) : is_gap(rule))
		return 0;
	if (count >= MAX_ROWS)
		return -EFBIG;
	row = array_push(&table->rows);
	if (!row)
		return -ENOMEM;
	*row = (struct cfi_row){ address, *rule };
	if (rule->kind_and_step == RULE_NONE && rule->cfa_words == CFI_UNKNOWN)
		table->unsupported++;
	return 0;
}

static int merge_rows(struct cfi_table *ret, const struct cfi_table *table,
		      const struct cfi_table *more)
{
	struct steps first = { table, 0 }, second = { more, 0 };

	while (first.next < table->rows.count || second.next < more->rows.count) {
		uint64_t a = next_address(&first), b = next_address(&second);
		uint64_t address = a < b ? a : b;
		const struct wire_rule *rule;
		int r;

		first.next += a == address;
		second.next += b == address;
		rule = rule_in_force(&first);
		if (is_gap(rule))
			rule = rule_in_force(&second);
		r = add_row(ret, address, rule);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_function(struct cfi_table *table, uint64_t address)
{
	uint32_t count = table->functions.count;
	uint64_t *added;

	if (count && table->functions.at[count - 1] == address)
		return 0;
	added = array_push(&table->functions);
	if (!added)
		return -ENOMEM;
	*added = address;
	return 0;
}

static int merge_functions(struct cfi_table *ret, const struct cfi_table *table,
			   const struct cfi_table *more)
{
	struct steps steps = { table, 0 };
	uint32_t at = 0;
	int r = 0;

	for (uint32_t i = 0; i < more->functions.count && r == 0; i++) {
		uint64_t address = more->functions.at[i];

		while (at < table->functions.count && table->functions.at[at] <= address && r == 0)
			r = add_function(ret, table->functions.at[at++]);
		while (next_address(&steps) <= address)
			steps.next++;
		if (r == 0 && is_gap(rule_in_force(&steps)))
			r = add_function(ret, address);
	}
	while (at < table->functions.count && r == 0)
		r = add_function(ret, table->functions.at[at++]);
	return r;
}

int cfi_table_fill(struct cfi_table *table, const struct cfi_table *more)
{
	cleanup(cfi_table_fini) struct cfi_table merged = {};
	struct cfi_table old = *table;
	int r;

	if (more->rows.count) {
		r = merge_rows(&merged, table, more);
		if (r == 0)
			r = merge_functions(&merged, table, more);
		if (r < 0)
			return r;
		merged.broken = table->broken;
		*table = merged;
		merged = old;
	}
	table->broken += more->broken;
	return 0;
}

/* Decodes what has no rows. What of it cannot be read adds none. */
static int fill_by_decoding(struct cfi_table *table, const struct object *object)
{
	cleanup(cfi_table_fini) struct cfi_table more = {};
	int r = synthesis_rows(&more, object, table);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return cfi_table_fill(table, &more);
}

int rows_read(struct cfi_table *ret, const struct object *object)
{
	cleanup(cfi_table_fini) struct cfi_table table = {}, more = {};
	int r = gopclntab_rows(&table, object);

	if (r == 0)
		r = cfi_read(&more, object);
	if (r == 0)
		r = cfi_table_fill(&table, &more);
	if (r == 0)
		r = row_marks_add(&table, object);
	if (r == 0)
		r = fill_by_decoding(&table, object);
	if (r < 0)
		return r;
	*ret = table;
	table = (struct cfi_table){};
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Both tables are steps over all addresses: each row holds up to the next one, before the first and
 * behind the last there is a gap. Merging them is one sweep over the places where either changes.
 */
#include "elf/rows.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/gopclntab.h"
#include "elf/link_code.h"
#include "elf/row_marks.h"
#include "elf/synthesis.h"

/* What the walker of this build walks. */
#if defined(WIRE_LINK_REGISTER)
#define WALK_ELF_MACHINE EM_AARCH64
#else
#define WALK_ELF_MACHINE EM_X86_64
#endif

static const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };

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

/*
 * Goes on to the first row at or behind `end`. What lies before it is appended as it is: it is what is in
 * force there.
 */
static int copy_rows(struct cfi_table *ret, struct steps *steps, uint64_t end)
{
	uint32_t first = steps->next;

	while (next_address(steps) < end)
		steps->next++;
	return steps->next == first ? 0
				    : cfi_table_add_rows(ret, steps->table->rows.at + first,
							 steps->next - first);
}

/*
 * Both, in the room of `table`: its rows are moved up by as many as there are more, so that what is written
 * stays behind what is still to be read. Returns 0, -ENOMEM or -EFBIG; then nothing has changed.
 */
static int merge_rows(struct cfi_table *table, const struct cfi_table *more)
{
	uint32_t count = table->rows.count, shift = more->rows.count;
	struct cfi_table old = {}, merged = {};
	struct steps first = { &old, 0 }, second = { more, 0 };
	int r = cfi_table_reserve(table, shift);

	if (r < 0)
		return r;
	if (count)
		memmove(table->rows.at + shift, table->rows.at, count * sizeof(*table->rows.at));
	old.rows.at = table->rows.at + shift;
	old.rows.count = count;
	merged.rows.at = table->rows.at;
	merged.rows.capacity = table->rows.capacity;
	while (r == 0 && (first.next < count || second.next < shift)) {
		uint64_t a = next_address(&first), b = next_address(&second);
		uint64_t address = a < b ? a : b;
		struct wire_rule rule;

		if (a < b && cfi_rule_is(rule_in_force(&second), CFI_GAP)) {
			r = copy_rows(&merged, &first, b);
			continue;
		}
		first.next += a == address;
		second.next += b == address;
		rule = *rule_in_force(&first);
		if (cfi_rule_is(&rule, CFI_GAP))
			rule = *rule_in_force(&second);
		r = cfi_table_add(&merged, address, &rule);
	}
	table->rows.count = merged.rows.count;
	table->unsupported = merged.unsupported;
	return r;
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
		if (r == 0 && cfi_rule_is(rule_in_force(&steps), CFI_GAP))
			r = add_function(ret, address);
	}
	while (at < table->functions.count && r == 0)
		r = add_function(ret, table->functions.at[at++]);
	return r;
}

int cfi_table_fill(struct cfi_table *table, const struct cfi_table *more)
{
	cleanup(cfi_table_fini) struct cfi_table merged = {};
	int r;

	if (more->rows.count) {
		r = merge_functions(&merged, table, more);
		if (r == 0)
			r = merge_rows(table, more);
		if (r < 0)
			return r;
		array_fini(&table->functions);
		memcpy(&table->functions, &merged.functions, sizeof(table->functions));
		memset(&merged.functions, 0, sizeof(merged.functions));
	}
	table->broken += more->broken;
	return 0;
}

/* As cfi_table_fill; without anything in the table there is nothing to merge. */
static int take_or_fill(struct cfi_table *table, struct cfi_table *more)
{
	struct cfi_table empty = *table;

	if (table->rows.count || table->functions.count)
		return cfi_table_fill(table, more);
	*table = *more;
	table->broken += empty.broken;
	*more = empty;
	return 0;
}

static int fill_by_link_code(struct cfi_table *table, const struct object *object)
{
	cleanup(cfi_table_fini) struct cfi_table more = {};
	int r = link_code_rows(&more, object);

	return r < 0 ? r : cfi_table_fill(table, &more);
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

	/* Code of another processor, under emulation: it does not run, and rules are no rules for it. */
	if (r == 0 && object->machine == WALK_ELF_MACHINE)
		r = cfi_read(&more, object);
	if (r == 0)
		r = take_or_fill(&table, &more);
	if (r == 0)
		r = link_code_mark_unwinders(&table, object);
	if (r == 0 && object->machine == EM_X86_64)
		r = row_marks_add(&table, object);
	if (r == 0 && object->machine == WALK_ELF_MACHINE)
		r = fill_by_link_code(&table, object);
	if (r == 0)
		r = fill_by_decoding(&table, object);
	if (r < 0)
		return r;
	*ret = table;
	table = (struct cfi_table){};
	return 0;
}

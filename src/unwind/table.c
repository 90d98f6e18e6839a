// SPDX-License-Identifier: Apache-2.0
/*
 * Rows become small in three steps: padding is bridged and equal neighbours become one; runs of
 * pushes or pops become one row with steps; a row that says what the row before it has come to is
 * left out. Each page is packed by itself, so that the walker needs one block only: its first row
 * repeats what is in force.
 *
 * What a rule cannot say exactly is not said: every row that is left out is implied by another.
 */
#include "unwind/table.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "bpf/table.h"
#include "unwind/rule_dictionary.h"

enum {
	PAGE_BYTES = 1 << WIRE_PAGE_SHIFT,
	/* Functions are aligned to 16 bytes. */
	MAX_PADDING_BYTES = 15,
	/* Bits of wire_rule.steps. */
	MAX_STEPS_DISTANCE = 16,
	/* What first_row can count. */
	MAX_PAGE_ROWS = UINT16_MAX,
	/* The last quarter of a quota is kept for rules without steps, which more rows share. */
	STEPS_QUOTA_DIVISOR = 4,
	CACHE_SLOTS = 1 << 10,
};

struct page_row {
	uint32_t address_low;
	struct wire_rule rule;
};

struct builder {
	struct unwind_table *table;
	struct rule_dictionary dictionary;
	ARRAY_OF(struct page_row) page; /* rows of the page under way, before folding */
	ARRAY_OF(struct wire_row) rows; /* after it */
	struct wire_rule state;		/* what the last of `rows` has come to; no steps */
	struct {
		uint64_t rule;
		uint32_t id; /* 0: unused */
	} cache[CACHE_SLOTS];
};

static bool same_rule(const struct wire_rule *a, const struct wire_rule *b)
{
	return rule_bits(a) == rule_bits(b);
}

/*
 * The number of a rule, added if need be. Returns 0, 1 (*ret untouched) when it is a new one and the
 * quota is used up, or a negative errno.
 */
static int rule_id(struct builder *b, uint32_t *ret, const struct wire_rule *rule)
{
	uint64_t bits = rule_bits(rule);
	uint32_t slot = hash_u64(bits) & (CACHE_SLOTS - 1), id;
	int r;

	if (b->cache[slot].id && b->cache[slot].rule == bits) {
		*ret = b->cache[slot].id;
		return 0;
	}
	if (rule->kind_and_step & (RULE_STEPS_PUSH | RULE_STEPS_POP) &&
	    rule_dictionary_room(&b->dictionary) <= RULES_PER_TABLE / STEPS_QUOTA_DIVISOR &&
	    rule_dictionary_find(&b->dictionary, rule) == RULE_ABSENT)
		return 1;
	r = rule_dictionary_add(&b->dictionary, &id, rule);
	if (r < 0)
		return r == -ENOSPC ? 1 : r;
	b->cache[slot].rule = bits;
	b->cache[slot].id = id;
	*ret = id;
	return 0;
}

/* ---- a page ---- */

/* Appends a row. state: what it comes to once its steps are done. Returns 0 or -ENOMEM. */
static int put_row(struct builder *b, uint32_t address_low, uint32_t id,
		   const struct wire_rule *state)
{
	struct wire_row *row = array_push(&b->rows);

	if (!row)
		return -ENOMEM;
	*row = (struct wire_row){ (uint16_t)address_low, (uint16_t)id };
	b->state = *state;
	return 0;
}

/* Appends a row without steps, unless the row before it has come to the same. */
static int put_plain(struct builder *b, const struct page_row *row)
{
	const struct wire_rule none = { .kind_and_step = RULE_NONE };
	uint32_t id;
	int r;

	if (b->rows.count > 0 && same_rule(&b->state, &row->rule))
		return 0;
	r = rule_id(b, &id, &row->rule);
	if (r == 1) {
		b->table->dropped_rules++;
		return put_row(b, row->address_low, 0, &none);
	}
	return r < 0 ? r : put_row(b, row->address_low, id, &row->rule);
}

/*
 * A rule has one slot for a register, in force where it does not lie below the stack pointer. So all
 * slots of a run must be the same, and rows without one must have a smaller CFA offset than that.
 */
struct run_slot {
	uint8_t slot;
	int32_t unsaved; /* the largest CFA offset, in words, with the register not saved */
};

static struct run_slot run_slot_begin(uint32_t slot, int32_t cfa_words)
{
	return (struct run_slot){ (uint8_t)slot, slot ? INT32_MIN : cfa_words };
}

/* Takes in one more row. Returns whether one slot can still say it; if not, *run is spoilt. */
static bool run_slot_add(struct run_slot *run, uint32_t slot, int32_t cfa_words)
{
	if (!slot && cfa_words > run->unsaved)
		run->unsaved = cfa_words;
	if (slot && run->slot && slot != run->slot)
		return false;
	if (slot)
		run->slot = (uint8_t)slot;
	/* RULE_BX_LOST is no place that may lie below anything. */
	return !run->slot ||
	       (run->slot == RULE_BX_LOST ? run->unsaved == INT32_MIN : run->slot > run->unsaved);
}

/*
 * The longest run of pushes or pops that begins with row `first` of the page and that one rule can
 * say. Returns the number of rows, 1 when there is none; then *ret is the row's own rule.
 */
static uint32_t find_run(struct wire_rule *ret, const struct page_row *rows, uint32_t count)
{
	struct wire_rule rule = rows[0].rule;
	struct run_slot bp = run_slot_begin(rule.bp_slot, rule.cfa_words);
	struct run_slot bx = run_slot_begin(rule.bx_slot, rule.cfa_words);
	int32_t step = 0;
	uint32_t run = 1;

	*ret = rule;
#if defined(WIRE_LINK_REGISTER)
	return 1; /* nothing is pushed, and `steps` says something else */
#endif
	if (rule.kind_and_step != RULE_SP)
		return 1;
	for (; run < count; run++) {
		const struct page_row *row = &rows[run];
		uint32_t distance = row->address_low - rows[0].address_low;
		int32_t change = row->rule.cfa_words - rows[run - 1].rule.cfa_words;
		struct run_slot next_bp = bp, next_bx = bx;

		if (row->rule.kind_and_step != RULE_SP || distance > MAX_STEPS_DISTANCE ||
		    (change != 1 && change != -1) || (step && change != step) ||
		    !run_slot_add(&next_bp, row->rule.bp_slot, row->rule.cfa_words) ||
		    !run_slot_add(&next_bx, row->rule.bx_slot, row->rule.cfa_words))
			break;
		step = change;
		bp = next_bp;
		bx = next_bx;
		rule.bp_slot = bp.slot;
		rule.bx_slot = bx.slot;
		rule.steps |= (uint16_t)(1u << (distance - 1));
	}
	if (run == 1)
		return 1;
	rule.kind_and_step |= step > 0 ? RULE_STEPS_PUSH : RULE_STEPS_POP;
	*ret = rule;
	return run;
}

/* Turns b->page into b->rows. */
static int fold_page(struct builder *b)
{
	uint32_t count = b->page.count;
	int r = 0;

	b->rows.count = 0;
	for (uint32_t i = 0, run; i < count && r == 0; i += run) {
		const struct page_row *rows = &b->page.at[i];
		struct wire_rule rule;
		uint32_t id;

		run = find_run(&rule, rows, count - i);
		r = run > 1 ? rule_id(b, &id, &rule) : 1;
		if (r == 0) {
			r = put_row(b, rows[0].address_low, id, &rows[run - 1].rule);
		} else if (r == 1) {
			r = 0;
			for (uint32_t k = 0; k < run && r == 0; k++)
				r = put_plain(b, &rows[k]);
		}
	}
	return r;
}

static int write_block(struct builder *b)
{
	struct unwind_table *table = b->table;
	uint16_t header[WIRE_BLOCK_HEADER_BYTES / 2] = {};
	uint32_t count = b->rows.count, *offset, *size, bytes;
	bool any = false;

	offset = array_push(&table->block_offset);
	size = array_push(&table->block_size);
	if (!offset || !size)
		return -ENOMEM;
	/* A row at every byte of a page: no compiler's work. The last one is given up. */
	if (count > MAX_PAGE_ROWS) {
		count = MAX_PAGE_ROWS;
		b->rows.at[count - 1].rule = 0;
		table->dropped_rules += 2;
	}
	for (uint32_t i = 0; i < count; i++) {
		header[(b->rows.at[i].address_low >> WIRE_BUCKET_SHIFT) + 1]++;
		any = any || b->rows.at[i].rule != 0;
	}
	*offset = UINT32_MAX;
	if (!any)
		return 0;
	for (uint32_t bucket = 0; bucket < WIRE_BUCKETS; bucket++)
		header[bucket + 1] = (uint16_t)(header[bucket + 1] + header[bucket]);
	bytes = WIRE_BLOCK_HEADER_BYTES + count * (uint32_t)sizeof(struct wire_row);
	if (!array_reserve(&table->blocks, (uint64_t)table->blocks.count + bytes))
		return -ENOMEM;
	memcpy(table->blocks.at + table->blocks.count, header, sizeof(header));
	memcpy(table->blocks.at + table->blocks.count + sizeof(header), b->rows.at,
	       count * sizeof(struct wire_row));
	*offset = table->blocks.count;
	*size = bytes;
	table->blocks.count += bytes;
	table->row_count += count;
	return 0;
}

/* ---- the whole ---- */

/* Is row `at` padding that the row before it may bridge? The last row has no end. */
static bool is_padding(const struct cfi_table *rows, uint32_t at)
{
	const struct cfi_row *row = &rows->rows.at[at];

	return row->rule.kind_and_step == RULE_NONE && row->rule.cfa_words == CFI_GAP &&
	       at + 1 < rows->rows.count && row[1].address - row->address <= MAX_PADDING_BYTES;
}

/* Adds a row to the page under way unless it says the same as the last one. */
static int add_page_row(struct builder *b, uint32_t address_low, const struct wire_rule *rule)
{
	struct page_row *row;

	if (b->page.count > 0 && same_rule(&b->page.at[b->page.count - 1].rule, rule))
		return 0;
	if (!array_reserve(&b->page, b->page.count + 1ULL))
		return -ENOMEM;
	row = &b->page.at[b->page.count++];
	row->address_low = address_low;
	row->rule = *rule;
	return 0;
}

static int build_pages(struct builder *b, const struct cfi_table *rows)
{
	const struct wire_rule none = { .kind_and_step = RULE_NONE };
	struct wire_rule in_force = none;
	uint32_t at = 0, count = rows->rows.count;
	uint64_t first, last;

	if (count == 0)
		return 0;
	first = rows->rows.at[0].address >> WIRE_PAGE_SHIFT;
	/* The last row says that nothing follows: the page before its address is the last one. */
	last = (rows->rows.at[count - 1].address - 1) >> WIRE_PAGE_SHIFT;
	if (last < first || last - first >= PAGES_PER_TABLE)
		return last < first ? 0 : -E2BIG;
	b->table->first_page = first;
	for (uint64_t page = first; page <= last; page++) {
		uint64_t start = page << WIRE_PAGE_SHIFT;
		int r;

		b->page.count = 0;
		if (at == count || rows->rows.at[at].address != start || is_padding(rows, at)) {
			r = add_page_row(b, 0, &in_force);
			if (r < 0)
				return r;
		}
		for (; at < count && rows->rows.at[at].address - start < PAGE_BYTES; at++) {
			const struct cfi_row *row = &rows->rows.at[at];

			if (is_padding(rows, at))
				continue;
			in_force = row->rule.kind_and_step == RULE_NONE ? none : row->rule;
			r = add_page_row(b, (uint32_t)(row->address - start), &in_force);
			if (r < 0)
				return r;
		}
		r = fold_page(b);
		if (r == 0)
			r = write_block(b);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Hands the rules over, without the index that is needed no more. */
static void take_rules(struct builder *b)
{
	b->table->rules.at = TAKE_PTR(b->dictionary.rules.at);
	b->table->rules.count = b->dictionary.rules.count;
	b->table->rules.capacity = b->dictionary.rules.capacity;
	b->dictionary.rules.count = b->dictionary.rules.capacity = 0;
}

int unwind_table_build(struct unwind_table *ret, const struct cfi_table *rows)
{
	struct unwind_table table = {};
	struct builder b = { .table = &table };
	/* RULE_NONE does not count. */
	int r = rule_dictionary_init(&b.dictionary, 1 + RULES_PER_TABLE);

	if (r == 0)
		r = build_pages(&b, rows);
	if (r == 0)
		take_rules(&b);
	array_fini(&b.page);
	array_fini(&b.rows);
	rule_dictionary_fini(&b.dictionary);
	if (r < 0) {
		unwind_table_fini(&table);
		return r;
	}
	*ret = table;
	return 0;
}

void unwind_table_fini(struct unwind_table *table)
{
	array_fini(&table->block_offset);
	array_fini(&table->block_size);
	array_fini(&table->blocks);
	array_fini(&table->rules);
	*table = (struct unwind_table){};
}

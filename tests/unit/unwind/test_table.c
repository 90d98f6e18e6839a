// SPDX-License-Identifier: Apache-2.0
/*
 * Packing, on rows made by hand and at random: the packed table, searched as the walker searches
 * it, says at every single address what the rows say.
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>

#include "unwind/packed_rule.h"
#include "unwind/table.h"

#define TEXT 0x400000ULL

static struct cfi_table rows;
static struct unwind_table table;

static int set_up(void **state)
{
	(void)state;
	rows = (struct cfi_table){};
	table = (struct unwind_table){};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unwind_table_fini(&table);
	cfi_table_fini(&rows);
	return 0;
}

static struct wire_rule sp_rule(int32_t cfa_offset, uint8_t bp_slot)
{
	return (struct wire_rule){ .cfa_words = cfa_offset / 8,
				   .bp_slot = bp_slot,
				   .kind_and_step = RULE_SP };
}

/* With slots for both registers. */
static struct wire_rule two_rule(int32_t cfa_offset, uint8_t bp_slot, uint8_t bx_slot)
{
	struct wire_rule rule = sp_rule(cfa_offset, bp_slot);

	rule.bx_slot = bx_slot;
	return rule;
}

static struct wire_rule bp_rule(int32_t cfa_offset, uint8_t bp_slot)
{
	return (struct wire_rule){ .cfa_words = cfa_offset / 8,
				   .bp_slot = bp_slot,
				   .kind_and_step = RULE_BP };
}

static struct wire_rule none_rule(enum cfi_none why)
{
	return (struct wire_rule){ .cfa_words = why, .kind_and_step = RULE_NONE };
}

static void add(uint64_t address, struct wire_rule rule)
{
	struct cfi_row *row = array_push(&rows.rows);

	assert_non_null(row);
	*row = (struct cfi_row){ address, rule };
}

static void build(void)
{
	unwind_table_fini(&table);
	assert_ok(unwind_table_build(&table, &rows));
	assert_ok(unwind_table_check(&table));
}

static void assert_rule(uint64_t address, struct wire_rule want)
{
	struct wire_rule got;

	assert_true(packed_rule(&got, &table, address));
	if (want.kind_and_step == RULE_NONE)
		want.cfa_words = 0;
	if (memcmp(&got, &want, sizeof(got)) != 0)
		fail_msg("%#llx: kind %u cfa %d slots %u %u, want kind %u cfa %d slots %u %u",
			 (unsigned long long)address, got.kind_and_step, 8 * got.cfa_words,
			 got.bp_slot, got.bx_slot, want.kind_and_step, 8 * want.cfa_words,
			 want.bp_slot, want.bx_slot);
}

/* The table against the rows, from before the first to behind the last one. */
static void assert_all(void)
{
	uint32_t count = rows.rows.count;
	struct wire_rule want = none_rule(CFI_GAP);

	assert_rule(rows.rows.at[0].address - 1, want);
	for (uint32_t i = 0; i < count; i++) {
		const struct cfi_row *row = &rows.rows.at[i];
		uint64_t end = i + 1 < count ? row[1].address : row->address + 100000;
		bool gap = row->rule.kind_and_step == RULE_NONE && row->rule.cfa_words == CFI_GAP;

		if (!gap || i + 1 == count || end - row->address >= 16)
			want = row->rule;
		for (uint64_t at = row->address; at < end; at++)
			assert_rule(at, want);
	}
}

/* A function as gcc makes it: all registers saved, a frame, and an epilogue in the middle. */
static void add_function(uint64_t start)
{
	static const uint8_t pushes[] = { 1, 3, 5, 7, 8, 9 };

	add(start, sp_rule(8, 0));
	for (uint8_t i = 0; i < 6; i++)
		add(start + pushes[i], sp_rule(16 + 8 * i, i < 4 ? 0 : 6));
	add(start + 13, sp_rule(96, 6));
	add(start + 100, sp_rule(56, 6));
	for (uint8_t i = 0; i < 6; i++)
		add(start + 101 + i, sp_rule(48 - 8 * i, i < 1 ? 6 : 0));
	add(start + 107, sp_rule(96, 6));
	add(start + 150, none_rule(CFI_GAP));
}

static void test_function(void **state)
{
	(void)state;
	add_function(TEXT + 0x100);
	build();
	assert_all();
	/* In force at the page's start, pushes, frame, pops, frame, end. */
	assert_int_equal(table.row_count, 6);
	assert_int_equal(table.block_size.at[0], WIRE_BLOCK_HEADER_BYTES + 6 * 4);
}

static void test_same_functions_share(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		add_function(TEXT + 0x100 + 160 * i);
	build();
	assert_all();
	/* The padding of 10 bytes is bridged, by the frame that is in force before it. */
	assert_int_equal(table.row_count, 10 * 4 + 2);
	assert_true(table.rules.count <= 6);
}

static void test_return_joins_next_function(void **state)
{
	(void)state;
	add(TEXT + 0x10, bp_rule(16, 2));
	add(TEXT + 0x20, sp_rule(8, 0)); /* leave; ret */
	add(TEXT + 0x21, none_rule(CFI_GAP));
	add(TEXT + 0x30, sp_rule(8, 0));
	add(TEXT + 0x50, none_rule(CFI_GAP));
	build();
	assert_all();
	assert_int_equal(table.row_count, 4);
}

static void test_padding(void **state)
{
	(void)state;
	add(TEXT + 0x10, sp_rule(24, 0));
	add(TEXT + 0x20, none_rule(CFI_GAP));
	add(TEXT + 0x2f, sp_rule(32, 0));
	add(TEXT + 0x40, none_rule(CFI_GAP));
	add(TEXT + 0x50, sp_rule(40, 0));
	add(TEXT + 0x60, none_rule(CFI_UNKNOWN));
	add(TEXT + 0x61, sp_rule(48, 0));
	add(TEXT + 0x70, none_rule(CFI_GAP));
	build();
	assert_rule(TEXT + 0x2e, sp_rule(24, 0));
	assert_rule(TEXT + 0x2f, sp_rule(32, 0));
	assert_rule(TEXT + 0x40, none_rule(CFI_GAP));
	assert_rule(TEXT + 0x60, none_rule(CFI_UNKNOWN));
	assert_all();
}

/* rbp saved at two places, or not saved where the rule would have it saved: not one run. */
static void test_slots_that_one_rule_cannot_say(void **state)
{
	(void)state;
	add(TEXT, sp_rule(16, 2));
	add(TEXT + 1, sp_rule(24, 3));
	add(TEXT + 2, sp_rule(32, 0));
	add(TEXT + 3, sp_rule(40, 0));
	add(TEXT + 4, sp_rule(48, 2));
	add(TEXT + 5, sp_rule(40, 5));
	add(TEXT + 6, sp_rule(32, 0));
	add(TEXT + 7, sp_rule(24, 0));
	add(TEXT + 8, sp_rule(16, 2));
	add(TEXT + 9, none_rule(CFI_GAP));
	build();
	assert_all();
}

/* The same with rbx beside rbp: a run ends where one of the two cannot be said any more. */
static void test_slots_of_two_registers(void **state)
{
	(void)state;
	add(TEXT, two_rule(8, 0, 0)); /* one run: each is saved by its push */
	add(TEXT + 1, two_rule(16, 2, 0));
	add(TEXT + 2, two_rule(24, 2, 3));
	add(TEXT + 3, two_rule(64, 2, 3));
	add(TEXT + 0x20, none_rule(CFI_GAP));
	build();
	assert_all();
	assert_int_equal(table.row_count, 1 + 1 + 1);
	add(TEXT + 0x40, two_rule(16, 2, 0));
	add(TEXT + 0x41, two_rule(24, 2, 0));
	add(TEXT + 0x42, two_rule(32, 2, 3)); /* saved before this push */
	add(TEXT + 0x43, two_rule(40, 2, 4)); /* elsewhere */
	add(TEXT + 0x44, two_rule(48, 2, RULE_BX_LOST));
	add(TEXT + 0x45, two_rule(56, 2, RULE_BX_LOST));
	add(TEXT + 0x46, two_rule(64, 2, 0));
	add(TEXT + 0x47, two_rule(72, 0, 0));
	add(TEXT + 0x48, two_rule(80, 10, 0));
	add(TEXT + 0x49, two_rule(88, 10, RULE_BX_LOST));
	add(TEXT + 0x50, none_rule(CFI_GAP));
	build();
	assert_all();
}

static void test_steps_reach_16_bytes(void **state)
{
	(void)state;
	add(TEXT, sp_rule(8, 0));
	add(TEXT + 16, sp_rule(16, 0));
	add(TEXT + 100, none_rule(CFI_GAP));
	add(TEXT + 200, sp_rule(8, 0));
	add(TEXT + 217, sp_rule(16, 0));
	add(TEXT + 300, none_rule(CFI_GAP));
	build();
	assert_all();
	assert_int_equal(table.row_count, 2 + 3);
}

static void test_pages(void **state)
{
	uint64_t page = 1 << WIRE_PAGE_SHIFT;

	(void)state;
	add(TEXT + page - 200, bp_rule(16, 2)); /* over three pages */
	add(TEXT + 3 * page - 4, sp_rule(8, 0));
	add(TEXT + 3 * page - 2, sp_rule(16, 0)); /* pushes over a border */
	add(TEXT + 3 * page + 2, sp_rule(24, 3));
	add(TEXT + 3 * page + 9, none_rule(CFI_GAP));
	add(TEXT + 6 * page - 8, sp_rule(8, 0));
	add(TEXT + 6 * page, none_rule(CFI_GAP)); /* padding at a page's first byte */
	add(TEXT + 6 * page + 8, sp_rule(16, 0));
	add(TEXT + 7 * page, none_rule(CFI_GAP)); /* ends with its page */
	build();
	assert_all();
	assert_int_equal(table.first_page, TEXT >> WIRE_PAGE_SHIFT);
	assert_int_equal(table.block_offset.count, 7);
	assert_int_equal(table.block_offset.at[4], UINT32_MAX);
	assert_int_equal(table.block_size.at[4], 0);
	assert_int_equal(table.block_size.at[1], WIRE_BLOCK_HEADER_BYTES + 4);
}

static void test_nothing_and_too_much(void **state)
{
	(void)state;
	build();
	assert_int_equal(table.block_offset.count, 0);
	add(TEXT, sp_rule(8, 0));
	add(TEXT + 1, none_rule(CFI_GAP));
	add(TEXT + (1ULL << 32), sp_rule(8, 0));
	add(TEXT + (1ULL << 32) + 1, none_rule(CFI_GAP));
	assert_errno(unwind_table_build(&table, &rows), E2BIG);
}

static void test_quota(void **state)
{
	uint32_t many = RULES_PER_TABLE + 1000;

	(void)state;
	for (uint32_t i = 0; i < many; i++)
		add(TEXT + 20 * i, sp_rule(8 + 16 * (int32_t)i, 0));
	add(TEXT + 20 * many, none_rule(CFI_GAP));
	build();
	assert_int_equal(table.rules.count, 1 + RULES_PER_TABLE);
	assert_int_equal(table.dropped_rules, 1000);
	assert_rule(TEXT + 20 * (RULES_PER_TABLE - 1), sp_rule(8 + 16 * (RULES_PER_TABLE - 1), 0));
	assert_rule(TEXT + 20 * RULES_PER_TABLE, none_rule(CFI_UNKNOWN));
}

/* Runs stop taking new rules before plain rows do: they can be said without. */
static void test_quota_of_runs(void **state)
{
	uint32_t many = RULES_PER_TABLE;

	(void)state;
	for (uint32_t i = 0; i < many; i++) {
		/* Distinct masks, common offsets. */
		uint64_t at = TEXT + 64 * i;

		add(at, sp_rule(8, 0));
		for (unsigned bit = 0, pushes = 0; bit < 13; bit++)
			if (i >> bit & 1)
				add(at + 1 + bit, sp_rule(16 + 8 * (int32_t)pushes++, 0));
		add(at + 40, none_rule(CFI_GAP));
	}
	build();
	assert_int_equal(table.dropped_rules, 0);
	assert_all();
}

/* Whatever is broken in a table of somebody else is found before it is used, or does no harm. */
static void test_check(void **state)
{
	struct wire_rule rule;
	uint32_t found = 0;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		add_function(TEXT + 0x100 + 160 * i);
	build();
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t at = (uint32_t)random() % table.blocks.count;
		unsigned char was = table.blocks.at[at];

		table.blocks.at[at] ^= (unsigned char)(1 + random() % 255);
		if (unwind_table_check(&table) == 0)
			for (uint64_t address = TEXT; address < TEXT + 0x4000; address += 61)
				assert_true(packed_rule(&rule, &table, address));
		else
			found++;
		table.blocks.at[at] = was;
	}
	assert_true(found > 10000);
	assert_ok(unwind_table_check(&table));
	table.rules.at[1].kind_and_step = RULE_KIND_COUNT;
	assert_errno(unwind_table_check(&table), EBADMSG);
	table.rules.at[1].kind_and_step = RULE_SP;
	table.block_size.at[0] += 4;
	assert_errno(unwind_table_check(&table), EBADMSG);
	table.block_size.at[0] -= 4;
	table.block_offset.at[0] = UINT32_MAX - 4;
	assert_errno(unwind_table_check(&table), EBADMSG);
	table.block_offset.at[0] = 0;
	assert_ok(unwind_table_check(&table));
	table.rules.count--;
	assert_errno(unwind_table_check(&table), EBADMSG);
}

/* As cfi_read hands them over: no slot below the stack pointer. */
static struct wire_rule without_low_slots(struct wire_rule rule)
{
	if (rule.bp_slot > rule.cfa_words)
		rule.bp_slot = 0;
	if (rule.bx_slot != RULE_BX_LOST && (int32_t)rule.bx_slot > rule.cfa_words)
		rule.bx_slot = 0;
	return rule;
}

static struct wire_rule random_rule(void)
{
	struct wire_rule rule = two_rule(8 * (int32_t)(random() % 9), (uint8_t)(random() % 5),
					 (uint8_t)(random() % 5));

	switch (random() % 10) {
	case 0:
		return none_rule(CFI_GAP);
	case 1:
		return none_rule(CFI_UNKNOWN);
	case 2:
		return bp_rule(16, (uint8_t)(random() % 3));
	case 3:
		return (struct wire_rule){ .cfa_words = 1,
					   .steps = (uint16_t)(random() % 16),
					   .kind_and_step = RULE_PLT };
	case 4:
		return (struct wire_rule){ .cfa_words = (int32_t)(random() % 40) - 1,
					   .bx_slot = (uint8_t)(random() % 9),
					   .steps = (uint16_t)random(),
					   .bp_slot = (uint8_t)(random() % 9),
					   .kind_and_step = RULE_STORED };
	case 5:
		rule.bx_slot = RULE_BX_LOST;
		/* fallthrough */
	default:
		return without_low_slots(rule);
	}
}

static void test_random(void **state)
{
	(void)state;
	srandom(7);
	for (unsigned round = 0; round < 60; round++) {
		uint64_t at = TEXT + (uint64_t)random() % 70000;
		struct wire_rule rule = { .kind_and_step = RULE_END };
		unsigned spread = round % 3 == 0 ? 3 : round % 3 == 1 ? 20 : 2000;

		rows.rows.count = 0;
		for (unsigned i = 0; i < 2000; i++) {
			struct wire_rule next = random_rule();

			/* Mostly pushes and pops, so that there are runs. */
			if (rule.kind_and_step == RULE_SP && random() % 3) {
				next = rule;
				next.cfa_words += random() % 2 ? 1 : -1;
				next = without_low_slots(next);
			}
			if (i == 0 && next.kind_and_step == RULE_NONE)
				next = sp_rule(8, 0);
			if (memcmp(&next, &rule, sizeof(next)) == 0)
				continue;
			rule = next;
			add(at, rule);
			at += 1 + (uint64_t)random() % spread;
		}
		if (rule.kind_and_step != RULE_NONE || rule.cfa_words != CFI_GAP)
			add(at, none_rule(CFI_GAP));
		build();
		assert_all();
	}
}

/* A row at every byte of two pages, none of which can be folded: more than a block can count. */
static void test_row_at_every_byte(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2 << WIRE_PAGE_SHIFT; i++)
		add(TEXT + i, sp_rule(i % 2 ? 8 : 64, 0));
	add(TEXT + (2 << WIRE_PAGE_SHIFT), none_rule(CFI_GAP));
	build();
	for (uint32_t i = 0; i < 2 << WIRE_PAGE_SHIFT; i++)
		if ((i & 0xffff) < 0xfffe)
			assert_rule(TEXT + i, sp_rule(i % 2 ? 8 : 64, 0));
	assert_rule(TEXT + 0xffff, none_rule(CFI_UNKNOWN));
	assert_int_equal(table.dropped_rules, 4);
	assert_true(table.block_size.at[0] <= WIRE_CHUNK_BYTES);
}

/* Blocks that are none: any answer, but no access outside (AddressSanitizer watches). */
static void test_search_in_garbage(void **state)
{
	enum { BYTES = 8192 };
	unsigned char *chunk = malloc(BYTES);

	(void)state;
	assert_non_null(chunk);
	srandom(8);
	for (unsigned round = 0; round < 20000; round++) {
		if (round % 100 == 0)
			for (unsigned i = 0; i < BYTES; i++)
				chunk[i] = random() % 3 ? (unsigned char)random() : 0xff;
		(void)table_block_search(chunk, BYTES, (uint32_t)random() % (2 * BYTES) & ~3u,
					 (uint16_t)random());
	}
	free(chunk);
}

static void test_steps(void **state)
{
	struct wire_rule push = { .cfa_words = 1,
				  .bx_slot = 4,
				  .steps = 0x8005,
				  .bp_slot = 3,
				  .kind_and_step = RULE_SP | RULE_STEPS_PUSH };
	struct wire_rule pop = { .cfa_words = 4,
				 .steps = 0x8005,
				 .bp_slot = 3,
				 .kind_and_step = RULE_SP | RULE_STEPS_POP };
	struct wire_rule plt = { .cfa_words = 1, .steps = 11, .kind_and_step = RULE_PLT };

	(void)state;
	assert_int_equal(rule_cfa_words(&push, 0), 1);
	assert_int_equal(rule_cfa_words(&push, 1), 2);
	assert_int_equal(rule_cfa_words(&push, 2), 2);
	assert_int_equal(rule_cfa_words(&push, 3), 3);
	assert_int_equal(rule_cfa_words(&push, 15), 3);
	assert_int_equal(rule_cfa_words(&push, 16), 4);
	assert_int_equal(rule_cfa_words(&push, 65535), 4);
	assert_int_equal(rule_cfa_words(&pop, 16), 1);
	assert_int_equal(rule_cfa_words(&plt, 16), 1);
	assert_int_equal(rule_bp_slot(&push, 2), 0);
	assert_int_equal(rule_bp_slot(&push, 3), 3);
	assert_int_equal(rule_bx_slot(&push, 3), 0);
	assert_int_equal(rule_bx_slot(&push, 4), 4);
	push.bx_slot = RULE_BX_LOST;
	assert_int_equal(rule_bx_slot(&push, 4), RULE_BX_LOST);
	push.steps = 0xffff;
	assert_int_equal(rule_cfa_words(&push, 100), 1 + 16);
	push.cfa_words = -RULE_MAX_CFA_WORDS;
	assert_int_equal(rule_cfa_words(&push, 100), 16 - RULE_MAX_CFA_WORDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_search_in_garbage),
#define TABLE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TABLE_TEST(test_function),
		TABLE_TEST(test_same_functions_share),
		TABLE_TEST(test_return_joins_next_function),
		TABLE_TEST(test_padding),
		TABLE_TEST(test_slots_that_one_rule_cannot_say),
		TABLE_TEST(test_slots_of_two_registers),
		TABLE_TEST(test_steps_reach_16_bytes),
		TABLE_TEST(test_pages),
		TABLE_TEST(test_nothing_and_too_much),
		TABLE_TEST(test_quota),
		TABLE_TEST(test_quota_of_runs),
		TABLE_TEST(test_check),
		TABLE_TEST(test_random),
		TABLE_TEST(test_row_at_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

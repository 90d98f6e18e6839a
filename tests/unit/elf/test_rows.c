// SPDX-License-Identifier: Apache-2.0
/* Tables merged: what the first says stays, its gaps get what the second says. */
#include "test.h"

#include "elf/cfi_image.h"
#include "elf/object_file.h"
#include "elf/rows.h"

static struct cfi_table first, second;

static int tear_down(void **state)
{
	(void)state;
	cfi_table_fini(&first);
	cfi_table_fini(&second);
	return 0;
}

static void add(struct cfi_table *table, uint64_t address, uint8_t kind, int32_t words)
{
	struct cfi_row *row = array_push(&table->rows);

	assert_non_null(row);
	*row = (struct cfi_row){ address, { .cfa_words = words, .kind_and_step = kind } };
	table->unsupported += kind == RULE_NONE && words == CFI_UNKNOWN;
}

static void add_function(struct cfi_table *table, uint64_t address)
{
	uint64_t *added = array_push(&table->functions);

	assert_non_null(added);
	*added = address;
}

static void assert_row(uint32_t at, uint64_t address, uint8_t kind, int32_t words)
{
	assert_true(at < first.rows.count);
	assert_int_equal(first.rows.at[at].address, address);
	assert_int_equal(first.rows.at[at].rule.kind_and_step, kind);
	assert_int_equal(first.rows.at[at].rule.cfa_words, words);
}

static void gaps_are_filled_and_nothing_else(void **state)
{
	(void)state;
	add(&first, 100, RULE_SP, 1);
	add(&first, 110, RULE_NONE, CFI_GAP);
	add(&first, 150, RULE_NONE, CFI_UNKNOWN);
	add(&first, 160, RULE_BP, 2);
	add(&first, 170, RULE_NONE, CFI_GAP);
	add(&second, 50, RULE_SP, 7);
	add(&second, 60, RULE_NONE, CFI_GAP);
	add(&second, 105, RULE_SP, 8);
	add(&second, 130, RULE_NONE, CFI_UNKNOWN);
	add(&second, 140, RULE_SP, 9);
	add(&second, 180, RULE_NONE, CFI_GAP);
	assert_ok(cfi_table_fill(&first, &second));
	assert_int_equal(first.rows.count, 10);
	assert_row(0, 50, RULE_SP, 7);
	assert_row(1, 60, RULE_NONE, CFI_GAP);
	assert_row(2, 100, RULE_SP, 1);
	assert_row(3, 110, RULE_SP, 8);
	assert_row(4, 130, RULE_NONE, CFI_UNKNOWN);
	assert_row(5, 140, RULE_SP, 9);
	assert_row(6, 150, RULE_NONE, CFI_UNKNOWN);
	assert_row(7, 160, RULE_BP, 2);
	assert_row(8, 170, RULE_SP, 9);
	assert_row(9, 180, RULE_NONE, CFI_GAP);
	assert_int_equal(first.unsupported, 2);
}

static void equal_neighbours_become_one(void **state)
{
	(void)state;
	add(&first, 100, RULE_SP, 1);
	add(&first, 110, RULE_NONE, CFI_GAP);
	add(&second, 90, RULE_SP, 1);
	add(&second, 120, RULE_NONE, CFI_GAP);
	assert_ok(cfi_table_fill(&first, &second));
	assert_int_equal(first.rows.count, 2);
	assert_row(0, 90, RULE_SP, 1);
	assert_row(1, 120, RULE_NONE, CFI_GAP);
}

static void empty_ones(void **state)
{
	(void)state;
	assert_ok(cfi_table_fill(&first, &second));
	assert_int_equal(first.rows.count, 0);
	add(&second, 90, RULE_SP, 1);
	add(&second, 120, RULE_NONE, CFI_GAP);
	add_function(&second, 90);
	assert_ok(cfi_table_fill(&first, &second));
	assert_int_equal(first.rows.count, 2);
	assert_int_equal(first.functions.count, 1);
	cfi_table_fini(&second);
	assert_ok(cfi_table_fill(&first, &second));
	assert_int_equal(first.rows.count, 2);
	assert_row(0, 90, RULE_SP, 1);
}

static void functions_in_gaps_are_taken_over(void **state)
{
	static const uint64_t want[] = { 40, 100, 120, 150, 200 };

	(void)state;
	add(&first, 100, RULE_SP, 1);
	add(&first, 110, RULE_NONE, CFI_GAP);
	add(&first, 150, RULE_SP, 1);
	add(&first, 170, RULE_NONE, CFI_GAP);
	add_function(&first, 100);
	add_function(&first, 150);
	add(&second, 40, RULE_SP, 1);
	add(&second, 210, RULE_NONE, CFI_GAP);
	add_function(&second, 40);
	add_function(&second, 104);
	add_function(&second, 120);
	add_function(&second, 160);
	add_function(&second, 200);
	second.broken = 3;
	assert_ok(cfi_table_fill(&first, &second));
	assert_int_equal(first.functions.count, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(first.functions.at[i], want[i]);
	assert_int_equal(first.broken, 3);
}

static void what_the_compiler_wrote_comes_through(void **state)
{
	struct cfi_list eh = { .eh_frame = true };
	cleanup(object_unref) struct object *object = NULL;
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, CFI_TEXT, 32, DW_CFA_advance_loc | 4, DW_CFA_def_cfa_offset, 32);
	assert_ok(object_open(&object, cfi_image_file(&eh, NULL, 0, true), "/made"));
	bytes_fini(&eh.bytes);
	assert_ok(rows_read(&first, object));
	assert_int_equal(first.rows.count, 3);
	assert_row(0, CFI_TEXT, RULE_SP, 1);
	assert_row(1, CFI_TEXT + 4, RULE_SP, 4);
	assert_row(2, CFI_TEXT + 32, RULE_NONE, CFI_GAP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(gaps_are_filled_and_nothing_else, tear_down),
		cmocka_unit_test_teardown(equal_neighbours_become_one, tear_down),
		cmocka_unit_test_teardown(empty_ones, tear_down),
		cmocka_unit_test_teardown(functions_in_gaps_are_taken_over, tear_down),
		cmocka_unit_test_teardown(what_the_compiler_wrote_comes_through, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Rows of functions of aarch64 that leave by __builtin_eh_return. */
#include "test.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/link_code.h"

enum { CODE = 0x1000, FILE_BYTES = 0x3000, ADD_SP_SP_X4 = 0x8b2463ff };

static struct object object;
static struct object_segment segment;
static struct cfi_table table;

/* The unwinder's frame: CFA = sp + 3776, both registers saved at its bottom. */
static const struct wire_rule frame = {
	.cfa_words = 472, .steps = 471, .bp_slot = 1, .kind_and_step = RULE_SP
};
static const struct wire_rule bare = { .kind_and_step = RULE_SP };

static int set_up(void **state)
{
	const uint32_t epilogue = ADD_SP_SP_X4;

	(void)state;
	segment = (struct object_segment){ .address = 0x10000 + CODE,
					   .file_offset = CODE,
					   .file_size = FILE_BYTES - CODE,
					   .executable = true };
	object = (struct object){ .fd = memfd_create("code", MFD_CLOEXEC), .machine = EM_AARCH64 };
	object.segments.at = &segment;
	object.segments.count = 1;
	assert_ok(ftruncate(object.fd, FILE_BYTES));
	assert_int_equal(pwrite(object.fd, &epilogue, 4, CODE + 0x204), 4);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(object.fd);
	cfi_table_fini(&table);
	return 0;
}

static void add(uint64_t offset, const struct wire_rule *rule)
{
	assert_ok(cfi_table_add(&table, 0x10000 + CODE + offset, rule));
}

static void assert_row(uint32_t at, uint64_t offset, uint8_t kind)
{
	assert_true(at < table.rows.count);
	assert_int_equal(table.rows.at[at].address, 0x10000 + CODE + offset);
	assert_int_equal(table.rows.at[at].rule.kind_and_step, kind);
}

static void the_end_of_an_unwinder_is_marked(void **state)
{
	const struct wire_rule other = {
		.cfa_words = 4, .steps = 4, .bp_slot = 1, .kind_and_step = RULE_SP
	};

	(void)state;
	add(0x100, &bare);
	add(0x108, &frame);
	add(0x200, &bare); /* the epilogue, and the next function's beginning */
	add(0x214, &other);
	assert_ok(link_code_mark_unwinders(&table, &object));
	assert_row(1, 0x108, RULE_SP);
	assert_row(2, 0x200 - 96, RULE_UNWINDER);
	assert_row(3, 0x200, RULE_SP);
	assert_row(4, 0x214, RULE_SP);
}

/* gcc puts what is seldom run behind the epilogue, to which it jumps back: as in _Unwind_RaiseException. */
static void so_is_what_lies_behind_its_epilogue(void **state)
{
	(void)state;
	add(0x100, &bare);
	add(0x108, &frame);
	add(0x200, &bare);
	add(0x20c, &frame);
	add(0x280, &bare);
	add(0x284, &frame);
	assert_ok(link_code_mark_unwinders(&table, &object));
	assert_row(2, 0x200 - 96, RULE_UNWINDER);
	assert_row(3, 0x200, RULE_SP);
	assert_row(4, 0x20c, RULE_UNWINDER);
	assert_int_equal(table.rows.at[4].rule.cfa_words, 472);
	assert_row(5, 0x280, RULE_SP);
	assert_row(6, 0x284, RULE_SP);
}

static void small_frames_are_no_unwinders(void **state)
{
	const struct wire_rule small = {
		.cfa_words = 40, .steps = 39, .bp_slot = 1, .kind_and_step = RULE_SP
	};

	(void)state;
	add(0x108, &small);
	add(0x200, &bare);
	add(0x20c, &small);
	assert_ok(link_code_mark_unwinders(&table, &object));
	assert_int_equal(table.rows.count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(table.rows.at[i].rule.kind_and_step, RULE_SP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define MARK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		MARK_TEST(the_end_of_an_unwinder_is_marked),
		MARK_TEST(so_is_what_lies_behind_its_epilogue),
		MARK_TEST(small_frames_are_no_unwinders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

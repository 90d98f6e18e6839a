// SPDX-License-Identifier: Apache-2.0
/* Rows of functions that are not left, or not entered, as others are. */
#include "test.h"

#include "elf/cfi_image.h"
#include "elf/object_file.h"
#include "elf/row_marks.h"
#include "elf/rows.h"

/* Code that is in the file, behind all tables. */
enum { CODE_OFFSET = 0x6000, CODE = CFI_BASE + CODE_OFFSET };

static const unsigned char start_context[] = {
	0x48, 0x89, 0xdc,		 /* mov rbx, rsp */
	0x48, 0x8b, 0x3c, 0x24,		 /* mov (rsp), rdi */
	0x48, 0x85, 0xff,		 /* test rdi, rdi */
	0x74, 0x08, 0xe8, 0,	0, 0, 0, /* and so on */
};

static struct cfi_list eh;
static struct object *object;
static struct cfi_table table;
static size_t cie;

static int set_up(void **state)
{
	(void)state;
	eh = (struct cfi_list){ .eh_frame = true };
	cie = cfi_cie(&eh, "zR");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bytes_fini(&eh.bytes);
	object_unref(object);
	object = NULL;
	cfi_table_fini(&table);
	return 0;
}

/* Reads the rows; `code` (may be NULL) is at this address, with an endbr64 before it if so asked. */
static void read_rows(uint64_t at, bool endbr64, const unsigned char *code)
{
	static const unsigned char marker[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	int fd = cfi_image_file(&eh, NULL, 0, true);
	off_t offset = (off_t)(at - CFI_BASE);

	if (endbr64) {
		assert_true(pwrite(fd, marker, sizeof(marker), offset) > 0);
		offset += sizeof(marker);
	}
	if (code)
		assert_true(pwrite(fd, code, sizeof(start_context), offset) > 0);
	assert_ok(object_open(&object, fd, "/made"));
	assert_ok(rows_read(&table, object));
}

static void assert_row(uint32_t at, uint64_t address, uint8_t kind, int32_t words)
{
	assert_true(at < table.rows.count);
	assert_int_equal(table.rows.at[at].address, address);
	assert_int_equal(table.rows.at[at].rule.kind_and_step, kind);
	assert_int_equal(table.rows.at[at].rule.cfa_words, words);
}

static void a_coroutine_begins_in_start_context(void **state)
{
	(void)state;
	CFI_FDE(&eh, cie, CODE, 25, DW_CFA_nop);
	CFI_FDE(&eh, cie, CODE + 32, 26, DW_CFA_nop);
	CFI_FDE(&eh, cie, CODE + 64, 8, DW_CFA_nop);
	read_rows(CODE + 32, false, start_context);
	assert_int_equal(table.rows.count, 6);
	assert_row(0, CODE, RULE_SP, 1);
	assert_row(1, CODE + 25, RULE_NONE, CFI_GAP);
	assert_row(2, CODE + 31, RULE_END, 0);
	assert_row(3, CODE + 58, RULE_NONE, CFI_GAP);
	assert_row(4, CODE + 64, RULE_SP, 1);
	assert_row(5, CODE + 72, RULE_NONE, CFI_GAP);
}

/* Also where the functions on both sides touch it, and the rows of all three are one. */
static void without_padding_around(void **state)
{
	(void)state;
	CFI_FDE(&eh, cie, CODE, 32, DW_CFA_nop);
	CFI_FDE(&eh, cie, CODE + 32, 32, DW_CFA_nop);
	CFI_FDE(&eh, cie, CODE + 64, 8, DW_CFA_nop);
	read_rows(CODE + 32, true, start_context);
	assert_int_equal(table.rows.count, 4);
	assert_row(0, CODE, RULE_SP, 1);
	assert_row(1, CODE + 31, RULE_END, 0);
	assert_row(2, CODE + 64, RULE_SP, 1);
	assert_row(3, CODE + 72, RULE_NONE, CFI_GAP);
}

static void only_what_begins_exactly_so(void **state)
{
	unsigned char other[sizeof(start_context)];

	(void)state;
	CFI_FDE(&eh, cie, CODE, 26, DW_CFA_nop);
	for (size_t i = 0; i < 10; i++) {
		memcpy(other, start_context, sizeof(other));
		other[i] ^= 1;
		read_rows(CODE, false, other);
		assert_row(0, CODE, RULE_SP, 1);
		object_unref(object);
		cfi_table_fini(&table);
	}
	read_rows(CODE, false, start_context);
	assert_row(0, CODE - 1, RULE_END, 0);
	/* A function with a frame is none. */
	object_unref(object);
	cfi_table_fini(&table);
	bytes_fini(&eh.bytes);
	set_up(NULL);
	CFI_FDE(&eh, cie, CODE, 26, DW_CFA_def_cfa_offset, 16);
	read_rows(CODE, false, start_context);
	assert_row(0, CODE, RULE_SP, 2);
}

/* Code that the file does not have: beyond its end, or where it is cut. */
static void what_cannot_be_read_is_left_alone(void **state)
{
	(void)state;
	CFI_FDE(&eh, cie, CFI_BASE + CFI_FILE_SIZE - 16, 16, DW_CFA_nop);
	CFI_FDE(&eh, cie, CFI_TEXT, 26, DW_CFA_nop);
	read_rows(CODE, false, NULL);
	assert_int_equal(table.rows.count, 4);
	assert_ok(ftruncate(object->fd, CODE_OFFSET));
	assert_ok(row_marks_add(&table, object));
	assert_int_equal(table.rows.count, 4);
}

/* The end of libgcc's _Unwind_Resume, and of one that has another register. */
static void an_unwinder_is_left_for_a_landing_pad(void **state)
{
#define BODY DW_CFA_def_cfa, 6, 16, DW_CFA_offset | 6, 2
#define ADVANCE(bytes) DW_CFA_advance_loc2, (bytes)&0xff, (bytes) >> 8
	(void)state;
	CFI_FDE(&eh, cie, CODE, 600, DW_CFA_advance_loc | 8, BODY, ADVANCE(500), DW_CFA_def_cfa, 2,
		8, DW_CFA_same_value, 6, DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 7,
		DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 0, DW_CFA_register, 16, 2,
		DW_CFA_advance_loc | 2, BODY, DW_CFA_offset | 16, 1);
	CFI_FDE(&eh, cie, CODE + 600, 100, BODY, ADVANCE(80), DW_CFA_def_cfa, 1, 8,
		DW_CFA_same_value, 6, DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 7,
		DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 0, DW_CFA_register, 16, 1);
	read_rows(CODE, false, NULL);
	assert_row(0, CODE, RULE_SP, 1);
	assert_row(1, CODE + 8, RULE_BP, 2);
	assert_row(2, CODE + 508 - 256, RULE_UNWINDER, 2);
	assert_int_equal(table.rows.at[2].rule.bp_slot, 2);
	assert_row(3, CODE + 508, RULE_TEMPORARY | RULE_NEXT_EXACT, 1);
	assert_row(4, CODE + 511, RULE_SP | RULE_NEXT_EXACT, 1);
	assert_row(5, CODE + 512, RULE_LINK | RULE_NEXT_EXACT, 0);
	assert_row(6, CODE + 514, RULE_BP, 2);
	assert_row(7, CODE + 680, RULE_TEMPORARY, 1);
	assert_row(8, CODE + 683, RULE_SP, 1);
	assert_row(9, CODE + 684, RULE_LINK, 0);
	assert_row(10, CODE + 700, RULE_NONE, CFI_GAP);
	assert_int_equal(table.rows.count, 11);
}

static void a_short_unwinder_is_marked_from_its_frame_on(void **state)
{
	(void)state;
	CFI_FDE(&eh, cie, CODE, 100, DW_CFA_advance_loc | 8, BODY, ADVANCE(70), DW_CFA_def_cfa, 2,
		8, DW_CFA_same_value, 6, DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 7,
		DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 0, DW_CFA_register, 16, 2);
	read_rows(CODE, false, NULL);
	assert_row(1, CODE + 8, RULE_UNWINDER, 2);
	assert_row(2, CODE + 78, RULE_TEMPORARY | RULE_NEXT_EXACT, 1);
	assert_int_equal(table.rows.count, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define MARK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		MARK_TEST(a_coroutine_begins_in_start_context),
		MARK_TEST(without_padding_around),
		MARK_TEST(only_what_begins_exactly_so),
		MARK_TEST(what_cannot_be_read_is_left_alone),
		MARK_TEST(an_unwinder_is_left_for_a_landing_pad),
		MARK_TEST(a_short_unwinder_is_marked_from_its_frame_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Call frame information written by hand, for what compilers write seldom or never. That real
 * files are read right, row by row, is tests/unit/unwind/test_table_oracle.c.
 */
#include "test.h"

#include <zlib.h>
#include <zstd.h>

#include "elf/cfi.h"
#include "elf/cfi_image.h"
#include "elf/compressed.h"
#include "elf/object_file.h"

static struct cfi_list eh, debug;
static struct cfi_table table;

static int set_up(void **state)
{
	(void)state;
	eh = (struct cfi_list){ .eh_frame = true };
	debug = (struct cfi_list){};
	table = (struct cfi_table){};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bytes_fini(&eh.bytes);
	bytes_fini(&debug.bytes);
	cfi_table_fini(&table);
	return 0;
}

static int read_file(int fd)
{
	cleanup(object_unref) struct object *object = NULL;

	assert_ok(object_open(&object, fd, "/made"));
	cfi_table_fini(&table);
	return cfi_read(&table, object);
}

static void read_lists(void)
{
	assert_ok(read_file(cfi_image_file(&eh, debug.bytes.size ? &debug.bytes : NULL, 0, true)));
}

static void assert_row(uint32_t at, uint64_t address, uint8_t kind, int32_t cfa_offset,
		       uint8_t bp_slot)
{
	const struct cfi_row *row = &table.rows.at[at];

	assert_true(at < table.rows.count);
	assert_int_equal(row->address, address);
	assert_int_equal(row->rule.kind_and_step, kind);
	assert_int_equal(kind == RULE_NONE ? row->rule.cfa_words : 8 * row->rule.cfa_words,
			 cfa_offset);
	assert_int_equal(row->rule.bp_slot, bp_slot);
}

static void assert_bx(uint32_t at, uint32_t bx_slot)
{
	assert_true(at < table.rows.count);
	assert_int_equal(table.rows.at[at].rule.bx_slot, bx_slot);
}

#define ADVANCE(bytes) (DW_CFA_advance_loc | (bytes))
#define T CFI_TEXT

static void test_frame_pointer(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 32, ADVANCE(1), DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,
		ADVANCE(3), DW_CFA_def_cfa_register, 6, ADVANCE(20), DW_CFA_def_cfa, 7, 8);
	read_lists();
	assert_int_equal(table.rows.count, 5);
	assert_row(0, T, RULE_SP, 8, 0);
	assert_row(1, T + 1, RULE_SP, 16, 2);
	assert_row(2, T + 4, RULE_BP, 16, 2);
	/* The slot is still told, but lies below the stack pointer. */
	assert_row(3, T + 24, RULE_SP, 8, 0);
	assert_row(4, T + 32, RULE_NONE, CFI_GAP, 0);
	assert_int_equal(table.functions.count, 1);
	assert_int_equal(table.functions.at[0], T);
}

/* Every instruction that moves on, and every way to say the same. */
static void test_instructions(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 0x1000, DW_CFA_advance_loc1, 2, DW_CFA_def_cfa_offset_sf,
		0x7e, /* -2 * -8 */
		DW_CFA_advance_loc2, 4, 0, DW_CFA_offset_extended, 6, 2, DW_CFA_advance_loc4, 4, 0,
		0, 0, DW_CFA_def_cfa_sf, 6, 0x7d, ADVANCE(1), DW_CFA_offset_extended_sf, 6, 3,
		ADVANCE(1), DW_CFA_restore_extended, 6, DW_CFA_GNU_args_size, 8, ADVANCE(1),
		DW_CFA_GNU_negative_offset_extended, 6, 0x7e, /* above the CFA */
		ADVANCE(1), DW_CFA_same_value, 6, DW_CFA_GNU_window_save, ADVANCE(1),
		DW_CFA_register, 6, 3, ADVANCE(1), DW_CFA_undefined, 6, DW_CFA_val_offset, 3, 1,
		DW_CFA_val_offset_sf, 3, 1, ADVANCE(1), DW_CFA_val_expression, 6, 1, DW_OP_lit0,
		ADVANCE(1), DW_CFA_restore | 6, DW_CFA_expression, 3, 2, DW_OP_breg7, 0,
		DW_CFA_set_loc, 0, 4, 2, 0, 0, 0, 0, 0, DW_CFA_def_cfa, 7, 0x80, 1,
		DW_CFA_MIPS_advance_loc8, 0, 2, 0, 0, 0, 0, 0, 0, DW_CFA_undefined, 16, ADVANCE(1),
		DW_CFA_restore | 16);
	read_lists();
	assert_int_equal(table.broken, 0);
	assert_row(0, T, RULE_SP, 8, 0);
	assert_row(1, T + 2, RULE_SP, 16, 0);
	assert_row(2, T + 6, RULE_SP, 16, 2);
	assert_row(3, T + 10, RULE_BP, 24, 2);
	assert_row(4, T + 11, RULE_BP, 24, 3);
	assert_row(5, T + 12, RULE_BP, 24, 0);
	assert_row(6, T + 13, RULE_NONE, CFI_UNKNOWN, 0);
	assert_row(7, T + 14, RULE_BP, 24, 0);
	assert_row(8, T + 15, RULE_NONE, CFI_UNKNOWN, 0);
	assert_row(9, T + 16, RULE_BP, 24, 0);
	assert_row(10, T + 17, RULE_NONE, CFI_UNKNOWN, 0);
	assert_row(11, T + 18, RULE_BP, 24, 0);
	assert_row(12, T + 0x400, RULE_SP, 128, 0);
	assert_row(13, T + 0x600, RULE_END, 0, 0);
	assert_row(14, T + 0x601, RULE_SP, 128, 0);
	assert_row(15, T + 0x1000, RULE_NONE, CFI_GAP, 0);
	assert_int_equal(table.rows.count, 16);
	assert_int_equal(table.unsupported, 3);
}

static void test_remembered_states(void **state)
{
	unsigned char deep[] = {
		DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
		DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
		DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
		DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
		DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
		DW_CFA_remember_state, DW_CFA_remember_state
	};
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 32, ADVANCE(4), DW_CFA_def_cfa_offset, 32, DW_CFA_offset | 6, 2,
		DW_CFA_remember_state, ADVANCE(4), DW_CFA_def_cfa_offset, 8, ADVANCE(4),
		DW_CFA_restore_state);
	/* Restores more than was remembered; and remembers more than anybody would. */
	CFI_FDE(&eh, cie, T + 32, 32, ADVANCE(8), DW_CFA_restore_state);
	cfi_fde(&eh, cie, T + 64, 32, deep, sizeof(deep));
	read_lists();
	assert_row(0, T, RULE_SP, 8, 0);
	assert_row(1, T + 4, RULE_SP, 32, 2);
	assert_row(2, T + 8, RULE_SP, 8, 0);
	assert_row(3, T + 12, RULE_SP, 32, 2);
	assert_row(4, T + 32, RULE_SP, 8, 0);
	assert_row(5, T + 40, RULE_NONE, CFI_UNKNOWN, 0);
	assert_row(6, T + 96, RULE_NONE, CFI_GAP, 0);
	assert_int_equal(table.rows.count, 7);
	assert_int_equal(table.broken, 2);
}

static void test_plt(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 32, DW_CFA_def_cfa_offset, 16, ADVANCE(6), DW_CFA_def_cfa_offset, 24,
		ADVANCE(10), DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0,
		DW_OP_lit15, DW_OP_and, DW_OP_lit11, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus);
	/* The same with another multiplier is not the same. */
	CFI_FDE(&eh, cie, T + 32, 32, DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16,
		0, DW_OP_lit15, DW_OP_and, DW_OP_lit11, DW_OP_ge, DW_OP_lit4, DW_OP_shl,
		DW_OP_plus);
	read_lists();
	assert_row(0, T, RULE_SP, 16, 0);
	assert_row(1, T + 6, RULE_SP, 24, 0);
	assert_row(2, T + 16, RULE_PLT, 8, 0);
	assert_int_equal(table.rows.at[2].rule.steps, 11);
	assert_row(3, T + 32, RULE_NONE, CFI_UNKNOWN, 0);
	assert_int_equal(table.unsupported, 1);
}

/* As gcc writes it. */
static void test_realigned_stack(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 100, ADVANCE(5), DW_CFA_def_cfa, 10, 0, ADVANCE(13), DW_CFA_expression,
		6, 2, DW_OP_breg6, 0, ADVANCE(10), DW_CFA_expression, 3, 2, DW_OP_breg6, 0x58,
		DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref, ADVANCE(50),
		DW_CFA_def_cfa, 10, 0, ADVANCE(5), DW_CFA_def_cfa, 7, 8);
	/* The frame pointer somewhere else: not this. */
	CFI_FDE(&eh, cie, T + 100, 20, DW_CFA_expression, 6, 2, DW_OP_breg6, 8,
		DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref);
	read_lists();
	assert_row(0, T, RULE_SP, 8, 0);
	assert_row(1, T + 5, RULE_TEMPORARY, 0, 0);
	assert_int_equal(table.rows.at[1].rule.steps, TEMPORARY_R10);
	assert_row(2, T + 18, RULE_TEMPORARY, 0, RULE_BP_IN_FRAME);
	assert_bx(2, 0);
	assert_row(3, T + 28, RULE_DRAP, -8, 0);
	assert_bx(3, 5); /* from rbp */
	assert_row(4, T + 78, RULE_TEMPORARY, 0, RULE_BP_IN_FRAME);
	assert_bx(4, RULE_BX_LOST);
	assert_row(5, T + 83, RULE_SP, 8, 0);
	assert_bx(5, 0);
	assert_row(6, T + 100, RULE_NONE, CFI_UNKNOWN, 0);
	assert_row(7, T + 120, RULE_NONE, CFI_GAP, 0);
}

#define SIGNAL_FRAME(rsp, rip, rbp)                                                                \
	DW_CFA_def_cfa_expression, 4, DW_OP_breg7, (rsp) | 0x80, 1, DW_OP_deref,                   \
		DW_CFA_expression, 16, 3, DW_OP_breg7, (rip) | 0x80, 1, DW_CFA_expression, 6, 3,   \
		DW_OP_breg7, (rbp) | 0x80, 0

static void test_signal_frame(void **state)
{
	size_t signal = cfi_cie(&eh, "zRS"), ordinary = cfi_cie(&eh, "zR");

	(void)state;
	/* glibc's __restore_rt: offsets 160, 168, 120 in SLEB128, two bytes each. */
	CFI_FDE(&eh, signal, T, 10, SIGNAL_FRAME(0x20, 0x28, 0x78));
	CFI_FDE(&eh, signal, T + 10, 10, SIGNAL_FRAME(0x28, 0x28, 0x78));
	CFI_FDE(&eh, ordinary, T + 20, 10, SIGNAL_FRAME(0x20, 0x28, 0x78));
	CFI_FDE(&eh, signal, T + 30, 10, DW_CFA_nop);
	read_lists();
	assert_row(0, T, RULE_SIGNAL, 0, 0);
	assert_row(1, T + 10, RULE_NONE, CFI_UNKNOWN, 0);
	assert_row(2, T + 40, RULE_NONE, CFI_GAP, 0);
}

/* rbx, slot by slot; where it cannot be told the frame itself still can. */
static void test_base_register(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 64, ADVANCE(1), DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,
		ADVANCE(1), DW_CFA_def_cfa_offset, 24, DW_CFA_offset | 3, 3, ADVANCE(1),
		DW_CFA_def_cfa_offset, 64, ADVANCE(1), DW_CFA_remember_state, DW_CFA_register, 3, 8,
		ADVANCE(1), DW_CFA_restore_state, ADVANCE(1), DW_CFA_def_cfa_offset, 16, ADVANCE(1),
		DW_CFA_restore | 3, DW_CFA_def_cfa_offset, 64, ADVANCE(1), DW_CFA_expression, 3, 2,
		DW_OP_breg7, 8, ADVANCE(1), DW_CFA_offset_extended, 3, 0xfe, 1,
		DW_CFA_def_cfa_offset, 0x80, 0x20, ADVANCE(1), DW_CFA_offset_extended, 3, 0xff, 1,
		ADVANCE(1), DW_CFA_expression, 3, 2, DW_OP_breg6, 0, ADVANCE(1),
		DW_CFA_def_cfa_offset, 8);
	read_lists();
	assert_row(1, T + 1, RULE_SP, 16, 2);
	assert_bx(1, 0);
	assert_row(2, T + 2, RULE_SP, 24, 2);
	assert_bx(2, 3);
	assert_row(3, T + 3, RULE_SP, 64, 2);
	assert_bx(3, 3);
	assert_row(4, T + 4, RULE_SP, 64, 2);
	assert_bx(4, RULE_BX_LOST);
	assert_bx(5, 3);
	/* Told, but below the stack pointer. */
	assert_row(6, T + 6, RULE_SP, 16, 2);
	assert_bx(6, 0);
	assert_row(7, T + 7, RULE_SP, 64, 2);
	assert_bx(7, 0);
	assert_bx(8, 7);
	assert_bx(9, 254);
	assert_row(10, T + 10, RULE_SP, 4096, 2);
	assert_bx(10, RULE_BX_LOST); /* no slot reaches so far; nor, next, from rbp */
	assert_row(11, T + 12, RULE_SP, 8, 0);
	assert_bx(11, 0);
	assert_int_equal(table.unsupported, 0);
}

/* ld.so's _dl_runtime_resolve_xsavec: the frame by rbx, which was pushed above its two arguments. */
static void test_frame_by_the_base_register(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 64, DW_CFA_def_cfa_offset, 24, ADVANCE(1), DW_CFA_def_cfa_offset, 32,
		DW_CFA_offset | 3, 4, ADVANCE(3), DW_CFA_def_cfa_register, 3, ADVANCE(40),
		DW_CFA_def_cfa_register, 7, ADVANCE(4), DW_CFA_restore | 3, DW_CFA_def_cfa_offset,
		8);
	read_lists();
	assert_row(0, T, RULE_SP, 24, 0);
	assert_row(1, T + 1, RULE_SP, 32, 0);
	assert_row(2, T + 4, RULE_BX, 32, 0);
	assert_bx(2, 4);
	assert_row(3, T + 44, RULE_SP, 32, 0);
	assert_bx(3, 4);
	assert_row(4, T + 48, RULE_SP, 8, 0);
	assert_int_equal(table.unsupported, 0);
}

/* glibc's vfork: the return address is off the stack during the system call. */
static void test_return_address_in_a_register(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 34, ADVANCE(1), DW_CFA_def_cfa_offset, 0, DW_CFA_register, 16, 5,
		ADVANCE(8), DW_CFA_def_cfa_offset, 8, ADVANCE(10), DW_CFA_restore | 16);
	read_lists();
	assert_row(0, T, RULE_SP, 8, 0);
	assert_row(1, T + 1, RULE_LINK, 0, 0);
	assert_int_equal(table.rows.at[1].rule.steps, TEMPORARY_DI);
	assert_row(2, T + 9, RULE_LINK, 8, 0);
	assert_row(3, T + 19, RULE_SP, 8, 0);
	assert_int_equal(table.unsupported, 0);
}

/* OpenSSL's assembly code: the old stack pointer is a local variable. */
static void test_stored_stack_pointer(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 64, DW_CFA_offset | 3, 2, DW_CFA_offset | 6, 3,
		DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 0x90, 1, DW_OP_deref, DW_OP_plus_uconst,
		64, ADVANCE(4), DW_CFA_def_cfa_expression, 3, DW_OP_breg7, 0x78, DW_OP_deref,
		ADVANCE(4), DW_CFA_expression, 6, 2, DW_OP_breg7, 8);
	read_lists();
	assert_row(0, T, RULE_STORED, 144, 3);
	assert_int_equal(table.rows.at[0].rule.steps, 8);
	assert_bx(0, 2);
	assert_row(1, T + 4, RULE_STORED, -8, 3);
	assert_int_equal(table.rows.at[1].rule.steps, 0);
	/* From a CFA that is not rsp + something, rsp + 8 cannot be told. */
	assert_row(2, T + 8, RULE_NONE, CFI_UNKNOWN, 0);
}

/* The same, found from rbp, or in an array of as many words as a register says. */
static void test_stored_stack_pointer_elsewhere(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 64, DW_CFA_offset | 6, 3, DW_CFA_def_cfa_expression, 6, DW_OP_breg6,
		0x98, 1, DW_OP_deref, DW_OP_plus_uconst, 8, ADVANCE(4), DW_CFA_def_cfa_expression,
		10, DW_OP_breg7, 8, DW_OP_breg9, 0, DW_OP_lit8, DW_OP_mul, DW_OP_plus, DW_OP_deref,
		DW_OP_plus_uconst, 8);
	read_lists();
	assert_row(0, T, RULE_STORED, 0x98, 3);
	assert_int_equal(table.rows.at[0].rule.steps, RULE_STORED_FROM_BP | 1);
	assert_row(1, T + 4, RULE_STORED, 8, 3);
	assert_int_equal(table.rows.at[1].rule.steps,
			 (1 + TEMPORARY_R9) << RULE_STORED_INDEX_SHIFT | 1);
	assert_int_equal(table.unsupported, 0);
}

/* Every one of these would invent a caller if it were rounded to a rule. */
static void test_what_no_rule_can_say(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");
	uint64_t at = T;

	(void)state;
#define UNKNOWN(...) CFI_FDE(&eh, cie, (at += 16), 16, __VA_ARGS__)
	UNKNOWN(DW_CFA_def_cfa, 12, 8);
	UNKNOWN(DW_CFA_def_cfa, 0x87, 2, 8); /* register 263 is not 7 */
	UNKNOWN(DW_CFA_offset | 16, 2);
	UNKNOWN(DW_CFA_same_value, 16);
	UNKNOWN(DW_CFA_register, 16, 12);
	UNKNOWN(DW_CFA_def_cfa, 6, 16, DW_CFA_offset | 6, 0);
	UNKNOWN(DW_CFA_def_cfa, 6, 16, DW_CFA_offset_extended, 6, 0x80, 2); /* slot 256 */
	UNKNOWN(DW_CFA_def_cfa, 7, 0xff, 0xff, 0xff, 0xff, 0x7f);
	UNKNOWN(DW_CFA_def_cfa_expression, 0);
	UNKNOWN(DW_CFA_def_cfa_expression, 1, DW_OP_breg7);
	UNKNOWN(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 8, DW_OP_deref, DW_OP_deref);
	UNKNOWN(DW_CFA_def_cfa, 7, 12);					/* no whole words */
	UNKNOWN(DW_CFA_def_cfa, 7, 0xf8, 0xff, 0xff, 0xff, 0xff, 0x07); /* a word too many */
	UNKNOWN(DW_CFA_def_cfa_expression, 3, DW_OP_breg3, 8, DW_OP_deref);
	UNKNOWN(DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 8, DW_OP_deref, DW_OP_plus_uconst, 4);
	UNKNOWN(DW_CFA_def_cfa_expression, 7, DW_OP_breg7, 8, DW_OP_deref, DW_OP_plus_uconst, 0x80,
		0x80, 0x20); /* 65536 words */
	UNKNOWN(DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 8, DW_OP_deref, DW_OP_plus_uconst, 8,
		DW_OP_deref);
	UNKNOWN(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 8, DW_OP_deref, DW_OP_plus_uconst);
	UNKNOWN(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 4, DW_OP_deref, DW_OP_nop);
	UNKNOWN(DW_CFA_register, 16, 5, DW_CFA_def_cfa_register, 6);
	UNKNOWN(DW_CFA_register, 16, 5, DW_CFA_def_cfa_offset, 32, DW_CFA_offset | 3, 2);
#undef UNKNOWN
	read_lists();
	assert_row(0, T + 16, RULE_NONE, CFI_UNKNOWN, 0);
	assert_row(1, at + 16, RULE_NONE, CFI_GAP, 0);
	assert_int_equal(table.broken, 0);
	/* The same slots, as far as they fit or do not matter. */
	bytes_fini(&eh.bytes);
	cie = cfi_cie(&eh, "zR");
	CFI_FDE(&eh, cie, T, 16, DW_CFA_def_cfa, 6, 16, DW_CFA_offset_extended, 6, 0xff, 1);
	CFI_FDE(&eh, cie, T + 16, 16, DW_CFA_def_cfa, 7, 16, DW_CFA_offset_extended, 6, 0xff, 2);
	CFI_FDE(&eh, cie, T + 32, 16, DW_CFA_def_cfa_expression, 2, DW_OP_breg7, 24,
		DW_CFA_expression, 6, 2, DW_OP_breg7, 8);
	read_lists();
	assert_row(0, T, RULE_BP, 16, 255);
	assert_row(1, T + 16, RULE_SP, 16, 0);
	assert_row(2, T + 32, RULE_SP, 24, 2);
}

static void test_broken_programs(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");
	uint64_t at = T;

	(void)state;
#define BROKEN(...) CFI_FDE(&eh, cie, (at += 16), 16, ADVANCE(4), __VA_ARGS__)
	BROKEN(0x3c);					/* DW_CFA_hi_user range, nobody's */
	BROKEN(DW_CFA_def_cfa_expression, 100, 0);	/* longer than the entry */
	BROKEN(DW_CFA_def_cfa, 0xff, 0xff, 0xff);	/* a number without an end; see cfi_end */
	BROKEN(DW_CFA_set_loc, 0, 0, 2, 0, 0, 0, 0, 0); /* back to T */
	BROKEN(DW_CFA_def_cfa_expression, 1, DW_OP_lit0, DW_CFA_def_cfa_offset, 8);
	BROKEN(DW_CFA_MIPS_advance_loc8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
#undef BROKEN
	read_lists();
	for (uint32_t i = 0; i < 6; i++) {
		if (i == 2)
			continue; /* the padding ends the number: a CFA by an absurd register */
		assert_row(2 * i, T + 16 + 16 * i, RULE_SP, 8, 0);
		assert_row(2 * i + 1, T + 20 + 16 * i, RULE_NONE, CFI_UNKNOWN, 0);
	}
	assert_int_equal(table.broken, 5);
}

static void test_entries_left_out(void **state)
{
	size_t cie = cfi_cie(&eh, "zR"), odd = cfi_cie(&eh, "zRx"), old = cfi_cie(&eh, "eh");

	(void)state;
	CFI_FDE(&eh, cie, T, 16, DW_CFA_def_cfa_offset, 24);
	CFI_FDE(&eh, cie, 0, 0x100, DW_CFA_nop);
	CFI_FDE(&eh, cie, T + 0x100, 0, DW_CFA_nop);
	assert_int_equal(table.broken, 0);
	CFI_FDE(&eh, cie, CFI_TEXT_END - 16, 17, DW_CFA_nop);
	CFI_FDE(&eh, cie, CFI_TEXT_END, 16, DW_CFA_nop);
	CFI_FDE(&eh, cie, CFI_BASE - 8, 16, DW_CFA_nop);
	CFI_FDE(&eh, cie, T + 0x200, UINT64_MAX - T, DW_CFA_nop);
	CFI_FDE(&eh, cie, T + 0x200, 1ULL << 32, DW_CFA_nop);
	CFI_FDE(&eh, odd, T + 0x200, 16, DW_CFA_nop);
	CFI_FDE(&eh, old, T + 0x200, 16, DW_CFA_nop);
	CFI_FDE(&eh, eh.bytes.size + 4, T + 0x200, 16, DW_CFA_nop); /* its own CIE */
	CFI_FDE(&eh, cie, CFI_TEXT_END - 16, 16, DW_CFA_nop);
	read_lists();
	assert_int_equal(table.rows.count, 4);
	assert_row(0, T, RULE_SP, 24, 0);
	assert_row(2, CFI_TEXT_END - 16, RULE_SP, 8, 0);
	assert_int_equal(table.functions.count, 2);
	assert_int_equal(table.broken, 8);
}

static void test_overlapping_entries(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T + 40, 40, ADVANCE(10), DW_CFA_def_cfa_offset, 64); /* cut: 80-100 no */
	CFI_FDE(&eh, cie, T, 50, DW_CFA_def_cfa_offset, 16);
	CFI_FDE(&eh, cie, T + 10, 20, DW_CFA_def_cfa_offset, 32); /* wholly inside */
	CFI_FDE(&eh, cie, T, 50, DW_CFA_def_cfa_offset, 40);	  /* the same once more */
	read_lists();
	assert_row(0, T, RULE_SP, 16, 0);
	assert_row(1, T + 50, RULE_SP, 64, 0);
	assert_row(2, T + 80, RULE_NONE, CFI_GAP, 0);
	assert_int_equal(table.rows.count, 3);
	assert_int_equal(table.broken, 3);
	assert_int_equal(table.functions.count, 2);
}

/* .debug_frame speaks where .eh_frame does not, and nowhere else. */
static void test_debug_frame(void **state)
{
	size_t cie = cfi_cie(&eh, "zR"), other = cfi_cie(&debug, "");

	(void)state;
	CFI_FDE(&eh, cie, T + 100, 50, DW_CFA_def_cfa_offset, 16);
	CFI_FDE(&eh, cie, T + 200, 50, DW_CFA_def_cfa_offset, 16);
	CFI_FDE(&debug, other, T, 500, ADVANCE(20), DW_CFA_def_cfa_offset, 32);
	CFI_FDE(&debug, other, T + 200, 50, DW_CFA_def_cfa_offset, 40);
	CFI_FDE(&debug, other, T + 600, 50, DW_CFA_def_cfa_offset, 48);
	CFI_FDE(&debug, other, 0xfffffffffffffffe, 50, DW_CFA_nop); /* lld's tombstone */
	read_lists();
	assert_row(0, T, RULE_SP, 8, 0);
	assert_row(1, T + 20, RULE_SP, 32, 0);
	assert_row(2, T + 100, RULE_SP, 16, 0);
	assert_row(3, T + 150, RULE_SP, 32, 0);
	assert_row(4, T + 200, RULE_SP, 16, 0);
	assert_row(5, T + 250, RULE_SP, 32, 0);
	assert_row(6, T + 500, RULE_NONE, CFI_GAP, 0);
	assert_row(7, T + 600, RULE_SP, 48, 0);
	assert_row(8, T + 650, RULE_NONE, CFI_GAP, 0);
	assert_int_equal(table.rows.count, 9);
	assert_int_equal(table.functions.count, 4);
}

static void compress_section(struct bytes *ret, uint32_t type, const struct bytes *plain,
			     uint64_t claim)
{
	Elf64_Chdr header = { .ch_type = type, .ch_size = claim, .ch_addralign = 8 };
	unsigned char packed[4096];
	uLongf size = sizeof(packed);
	size_t zstd_size;

	if (type == ELFCOMPRESS_ZSTD) {
		zstd_size = ZSTD_compress(packed, sizeof(packed), plain->at, plain->size, 1);
		assert_false(ZSTD_isError(zstd_size));
		size = zstd_size;
	} else {
		assert_int_equal(compress(packed, &size, (const Bytef *)plain->at, plain->size),
				 Z_OK);
	}
	bytes_add(ret, &header, sizeof(header));
	bytes_add(ret, packed, size);
}

static void check_compressed(const struct bytes *packed, uint32_t rows)
{
	assert_ok(read_file(cfi_image_file(&eh, packed, SHF_COMPRESSED, true)));
	assert_int_equal(table.rows.count, rows);
	if (rows)
		assert_row(0, T, RULE_SP, 32, 0);
}

static void test_compressed_debug_frame(void **state)
{
	static const uint32_t types[] = { ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD };
	size_t cie = cfi_cie(&debug, "");

	(void)state;
	cfi_cie(&eh, "zR");
	CFI_FDE(&debug, cie, T, 50, DW_CFA_def_cfa_offset, 32);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		cleanup(bytes_fini) struct bytes packed = {}, bomb = {}, less = {}, cut = {};

		compress_section(&packed, types[i], &debug.bytes, debug.bytes.size);
		check_compressed(&packed, 2);
		/* A size that no such section can have; one that is too small; no end. */
		compress_section(&bomb, types[i], &debug.bytes, 200 << 20);
		check_compressed(&bomb, 0);
		compress_section(&less, types[i], &debug.bytes, debug.bytes.size - 1);
		check_compressed(&less, 0);
		for (size_t left = 1; left < packed.size - sizeof(Elf64_Chdr); left++) {
			cut.size = 0;
			bytes_add(&cut, packed.at, packed.size - left);
			check_compressed(&cut, 0);
		}
		/* Of a kind that is not known. */
		((Elf64_Chdr *)(void *)packed.at)->ch_type = 3;
		check_compressed(&packed, 0);
	}
}

/* Linkers compress pieces apart: two frames, with one between them that says nothing. */
static void test_debug_frame_of_several_frames(void **state)
{
	static const unsigned char skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3 };
	cleanup(bytes_fini) struct bytes packed = {}, first = {}, second = {}, wide = {};
	size_t cie = cfi_cie(&debug, ""), half;

	(void)state;
	cfi_cie(&eh, "zR");
	CFI_FDE(&debug, cie, T, 50, DW_CFA_def_cfa_offset, 32);
	half = debug.bytes.size / 2;
	bytes_add(&first, debug.bytes.at, half);
	bytes_add(&second, debug.bytes.at + half, debug.bytes.size - half);
	compress_section(&packed, ELFCOMPRESS_ZSTD, &first, debug.bytes.size);
	bytes_add(&packed, skippable, sizeof(skippable));
	first.size = 0;
	compress_section(&first, ELFCOMPRESS_ZSTD, &second, 0);
	bytes_add(&packed, first.at + sizeof(Elf64_Chdr), first.size - sizeof(Elf64_Chdr));
	check_compressed(&packed, 2);
	/* RFC 8878, 3.1.1.1.2: a frame that wants 3.75 TiB for its window, and an empty block. */
	bytes_add(&wide, packed.at, packed.size);
	bytes_add(&wide, "\x28\xb5\x2f\xfd\0\xff\1\0\0", 9);
	check_compressed(&wide, 0);
	wide.at[wide.size - 4] = 0; /* 1 KiB */
	check_compressed(&wide, 2);
}

static void test_no_section_headers(void **state)
{
	size_t cie = cfi_cie(&eh, "zR"), before;

	(void)state;
	CFI_FDE(&eh, cie, T, 50, DW_CFA_def_cfa_offset, 32);
	before = eh.bytes.size;
	cfi_add(&eh, 0, 4);
	/* What follows the end mark is not ours. */
	cfi_add(&eh, 0, 4);
	CFI_FDE(&eh, cie, T + 50, 50, DW_CFA_def_cfa_offset, 40);
	assert_ok(read_file(cfi_image_file(&eh, NULL, 0, false)));
	assert_int_equal(table.rows.count, 2);
	assert_row(0, T, RULE_SP, 32, 0);
	/* Without an end mark, the end of the segment is it. */
	eh.bytes.size = before;
	assert_ok(read_file(cfi_image_file(&eh, NULL, 0, false)));
	assert_int_equal(table.rows.count, 2);
}

/* With a section of known size, a mark in the middle ends one list of several. */
static void test_several_lists(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 50, DW_CFA_def_cfa_offset, 32);
	cfi_add(&eh, 0, 4);
	cfi_add(&eh, 0, 4);
	CFI_FDE(&eh, cie, T + 50, 50, DW_CFA_def_cfa_offset, 40);
	read_lists();
	assert_row(1, T + 50, RULE_SP, 40, 0);
	assert_int_equal(table.broken, 0);
}

static void test_pointer_encodings(void **state)
{
	static const struct {
		uint8_t encoding;
		bool known;
	} encodings[] = {
		{ DW_EH_PE_absptr, true },
		{ DW_EH_PE_udata8, true },
		{ DW_EH_PE_sdata8, true },
		{ DW_EH_PE_udata4, true },
		{ DW_EH_PE_sdata4, true },
		{ DW_EH_PE_pcrel | DW_EH_PE_sdata4, true },
		{ DW_EH_PE_pcrel | DW_EH_PE_sdata8, true },
		{ DW_EH_PE_textrel | DW_EH_PE_sdata4, false }, /* the file has no .text */
		{ DW_EH_PE_datarel | DW_EH_PE_sdata4, false },
		{ DW_EH_PE_funcrel | DW_EH_PE_sdata4, false },
		{ DW_EH_PE_indirect | DW_EH_PE_pcrel | DW_EH_PE_sdata4, false },
		{ DW_EH_PE_omit, false },
		{ 0x05, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
		size_t cie;
		uint64_t start = T;

		bytes_fini(&eh.bytes);
		eh.encoding = encodings[i].encoding;
		cie = cfi_cie(&eh, "zR");
		if ((eh.encoding & 0x70) == DW_EH_PE_pcrel)
			start -= CFI_BASE + CFI_EH_FRAME + eh.bytes.size + 8;
		CFI_FDE(&eh, cie, start, 50, DW_CFA_nop);
		read_lists();
		assert_int_equal(table.rows.count, encodings[i].known ? 2 : 0);
		assert_int_equal(table.broken, !encodings[i].known);
		if (encodings[i].known)
			assert_row(0, T, RULE_SP, 8, 0);
	}
}

static void test_other_machines_have_no_rows(void **state)
{
	uint16_t machine = EM_RISCV;
	size_t cie = cfi_cie(&eh, "zR");
	int fd;

	(void)state;
	CFI_FDE(&eh, cie, T, 50, DW_CFA_nop);
	fd = cfi_image_file(&eh, NULL, 0, true);
	assert_int_equal(pwrite(fd, &machine, 2, offsetof(Elf64_Ehdr, e_machine)), 2);
	assert_ok(read_file(fd));
	assert_int_equal(table.rows.count, 0);
}

static void test_file_that_becomes_shorter(void **state)
{
	size_t cie = cfi_cie(&eh, "zR");
	int r;

	(void)state;
	CFI_FDE(&eh, cie, T, 50, DW_CFA_nop);
	for (off_t size = 0; size < CFI_EH_FRAME + (off_t)eh.bytes.size; size += 8) {
		cleanup(object_unref) struct object *object = NULL;

		assert_ok(object_open(&object, cfi_image_file(&eh, NULL, 0, true), "/made"));
		assert_ok(ftruncate(object->fd, size));
		cfi_table_fini(&table);
		r = cfi_read(&table, object);
		assert_true(r <= 0);
		assert_int_equal(table.rows.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CFI_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		CFI_TEST(test_frame_pointer),
		CFI_TEST(test_instructions),
		CFI_TEST(test_remembered_states),
		CFI_TEST(test_plt),
		CFI_TEST(test_realigned_stack),
		CFI_TEST(test_base_register),
		CFI_TEST(test_frame_by_the_base_register),
		CFI_TEST(test_return_address_in_a_register),
		CFI_TEST(test_stored_stack_pointer),
		CFI_TEST(test_stored_stack_pointer_elsewhere),
		CFI_TEST(test_signal_frame),
		CFI_TEST(test_what_no_rule_can_say),
		CFI_TEST(test_broken_programs),
		CFI_TEST(test_entries_left_out),
		CFI_TEST(test_overlapping_entries),
		CFI_TEST(test_debug_frame),
		CFI_TEST(test_compressed_debug_frame),
		CFI_TEST(test_debug_frame_of_several_frames),
		CFI_TEST(test_no_section_headers),
		CFI_TEST(test_several_lists),
		CFI_TEST(test_pointer_encodings),
		CFI_TEST(test_other_machines_have_no_rows),
		CFI_TEST(test_file_that_becomes_shorter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

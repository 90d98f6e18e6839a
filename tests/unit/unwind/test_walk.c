// SPDX-License-Identifier: Apache-2.0
/*
 * The walker on stacks made by hand: each rule by itself, and each reason to end. What is not in
 * the stack given here does not exist for the walker.
 */
#include "test.h"

#include <string.h>

#include "unwind/walk.h"

#define BIAS 0x7f0000000000ULL
#define TEXT 0x10000ULL /* ELF address */
#define CODE (BIAS + TEXT)
#define JIT 0x7e0000000000ULL
#define STACK 0x7ffc00000000ULL

/* One function per rule, 256 bytes each. */
enum function {
	LEAF,  /* CFA = rsp + 8 */
	SP_32, /* CFA = rsp + 32, rbp at CFA - 16 */
	FRAME, /* CFA = rbp + 16, rbp at CFA - 16 */
	PLT,   /* CFA = rsp + 8, + 16 from byte 11 of 16 on */
	SIGNAL,
	DRAP, /* CFA = *(rbp - 8), rbp = *rbp, rbx = *(rbp - 24) */
	END,
	NONE,
	BACKWARDS, /* CFA = rsp - 8 */
	BASE,	   /* CFA = rbx + 24, rbx at CFA - 24 */
	BASE_KEPT, /* CFA = rbx + 16, rbx not saved */
	SP_BX,	   /* CFA = rsp + 32, rbx at CFA - 16 */
	LOST,	   /* CFA = rsp + 16, rbx gone */
	STORED,	   /* CFA = *(rsp + 24) + 16, rbp at CFA - 24, rbx at CFA - 16 */
	STORED_BP, /* CFA = *(rbp + 24) + 16 */
	STORED_R9, /* CFA = *(rsp + 8 + 8 * r9) + 8 */
	LINK,	   /* CFA = rsp, return address in rdi */
	POPPED,	   /* CFA = rsp */
	BY_R9,	   /* CFA = r9 + 8, rbp at CFA - 16 */
	UNWINDER,  /* CFA = rbp + 16, rbp at CFA - 16 */
	TO_PAD,	   /* CFA = rsp + 8, to a landing pad */
	LINK_PAD,  /* CFA = rsp, landing pad in rcx */
	TRAPPED,   /* CFA = rsp + 32, rbp at CFA - 16, the caller was interrupted */
	ELSEWHERE, /* CFA = rbp + 16 on any stack, rbp at CFA - 16 */
	NOTED,	   /* a note of another stack at rsp + 40, CFA = that + 8 */
	RESUMING,  /* goes on at *(rbx + 8) */
	JUMPING,   /* goes on at rbx */
	REALIGNED, /* CFA = r9, the caller's rbp where rbp points, if that is in the frame */
	PUSHES,	   /* CFA = rsp + 8, pushes at 1, 2, 4; rbp the second one */
	FUNCTIONS
};

static const struct wire_rule rules[FUNCTIONS] = {
	[LEAF] = { .cfa_words = 1, .kind_and_step = RULE_SP },
	[SP_32] = { .cfa_words = 4, .bp_slot = 2, .kind_and_step = RULE_SP },
	[FRAME] = { .cfa_words = 2, .bp_slot = 2, .kind_and_step = RULE_BP },
	[PLT] = { .cfa_words = 1, .steps = 11, .kind_and_step = RULE_PLT },
	[SIGNAL] = { .kind_and_step = RULE_SIGNAL },
	[DRAP] = { .cfa_words = -1, .bx_slot = 3, .kind_and_step = RULE_DRAP },
	[END] = { .kind_and_step = RULE_END },
	[NONE] = { .kind_and_step = RULE_NONE },
	[BACKWARDS] = { .cfa_words = -1, .kind_and_step = RULE_SP },
	[BASE] = { .cfa_words = 3, .bx_slot = 3, .kind_and_step = RULE_BX },
	[BASE_KEPT] = { .cfa_words = 2, .kind_and_step = RULE_BX },
	[SP_BX] = { .cfa_words = 4, .bx_slot = 2, .kind_and_step = RULE_SP },
	[LOST] = { .cfa_words = 2, .bx_slot = RULE_BX_LOST, .kind_and_step = RULE_SP },
	[STORED] = { .cfa_words = 3,
		     .bx_slot = 2,
		     .steps = 2,
		     .bp_slot = 3,
		     .kind_and_step = RULE_STORED },
	[STORED_BP] = { .cfa_words = 3,
			.steps = RULE_STORED_FROM_BP | 2,
			.kind_and_step = RULE_STORED },
	[STORED_R9] = { .cfa_words = 1,
			.steps = (1 + TEMPORARY_R9) << RULE_STORED_INDEX_SHIFT | 1,
			.kind_and_step = RULE_STORED },
	[LINK] = { .steps = TEMPORARY_DI, .kind_and_step = RULE_LINK },
	[UNWINDER] = { .cfa_words = 2, .bp_slot = 2, .kind_and_step = RULE_UNWINDER },
	[TO_PAD] = { .cfa_words = 1, .kind_and_step = RULE_SP | RULE_NEXT_EXACT },
	[LINK_PAD] = { .steps = TEMPORARY_CX,
		       .kind_and_step = RULE_LINK | RULE_NEXT_EXACT },
	[POPPED] = { .kind_and_step = RULE_SP },
	[BY_R9] = { .cfa_words = 1,
		    .steps = TEMPORARY_R9,
		    .bp_slot = 2,
		    .kind_and_step = RULE_TEMPORARY },
	[TRAPPED] = { .cfa_words = 4,
		      .bp_slot = 2,
		      .kind_and_step = RULE_SP | RULE_NEXT_EXACT },
	[ELSEWHERE] = { .cfa_words = 2, .bp_slot = 2, .kind_and_step = RULE_FRAME },
	[NOTED] = { .cfa_words = 1, .steps = 5, .kind_and_step = RULE_DEPTH },
	[RESUMING] = { .steps = 1, .kind_and_step = RULE_RESUME },
	[JUMPING] = { .kind_and_step = RULE_RESUME },
	[REALIGNED] = { .steps = TEMPORARY_R9,
			.bp_slot = RULE_BP_IN_FRAME,
			.kind_and_step = RULE_TEMPORARY },
};

static struct table_store *store;
static uint32_t table;
static uint64_t stack[4096];

/* An address in the middle of a function. */
static uint64_t in(enum function function)
{
	return CODE + 256 * (uint64_t)function + 0x80;
}

static void add_row(struct cfi_table *rows, uint64_t address, struct wire_rule rule)
{
	struct cfi_row *row = array_push(&rows->rows);

	assert_non_null(row);
	*row = (struct cfi_row){ address, rule };
}

static int set_up(void **state)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	struct cfi_table rows = {};
	struct unwind_table built;
	struct wire_rule rule = { .cfa_words = 1, .kind_and_step = RULE_SP };
	uint64_t at = TEXT + 256 * PUSHES;

	(void)state;
	assert_ok(table_store_new(&store, &no_kernel, 1 << 20));
	for (unsigned i = 0; i < PUSHES; i++)
		add_row(&rows, TEXT + 256 * i, rules[i]);
	add_row(&rows, at, rule);
	rule.cfa_words = 2;
	add_row(&rows, at + 1, rule);
	rule.cfa_words = 3;
	rule.bp_slot = 3;
	add_row(&rows, at + 2, rule);
	rule.cfa_words = 4;
	add_row(&rows, at + 4, rule);
	add_row(&rows, TEXT + 256 * FUNCTIONS, (struct wire_rule){});
	assert_ok(unwind_table_build(&built, &rows));
	assert_ok(table_store_add(store, &table, &built, 1));
	assert_ok(table_store_publish(store));
	unwind_table_fini(&built);
	cfi_table_fini(&rows);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	table_store_free(store);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	memset(stack, 0, sizeof(stack));
	return 0;
}

/* The address of a word of the stack. */
static uint64_t word(uint32_t index)
{
	return STACK + 8ULL * index;
}

struct result {
	enum walk_outcome outcome;
	uint32_t count;
	uint64_t addresses[WIRE_MAX_FRAMES];
	uint64_t missing;
};

struct start {
	uint64_t ip, bp, bx, cx, di, r9;
	uint32_t sp;	     /* word of the stack */
	uint32_t below;	     /* how many words below it there are */
	uint32_t bytes;	     /* of the stack that there are, from there on; 0: all */
	uint32_t other;	     /* words there are of another piece, from word 2000 on */
	uint32_t far[2];     /* words with which lines of the stack begin, ascending; 0: none */
	uint32_t limit;	     /* 0: no other than the greatest */
	bool none, unknown;  /* no stack at all; no table in the mapping */
	bool no_object;      /* generated code is all there is known of it */
	bool return_address; /* ip is one */
};

static struct result walk(struct start start)
{
	struct wire_mapping mappings[] = {
		{ JIT, JIT + 0x1000, 0, 0,
		  MAPPING_NO_CFI | (start.no_object ? MAPPING_UNKNOWN : 0) },
		{ CODE, CODE + 256 * FUNCTIONS + 0x100, BIAS, start.unknown ? 0 : table, 0 },
	};
	uint32_t first = start.sp - start.below, bytes = sizeof(stack) - 8 * first;
	const uint64_t temporaries[WIRE_TEMPORARIES] = {
		[TEMPORARY_CX] = start.cx, [TEMPORARY_DI] = start.di, [TEMPORARY_R9] = start.r9
	};
	unsigned char *copy, *other, *far;
	uint32_t lines = 0;
	struct result result = {};
	struct walk_input input = {
		.store = store,
		.mappings = mappings,
		.mapping_count = 2,
		.ip = start.ip,
		.sp = word(start.sp),
		.bp = start.bp,
		.bx = start.bx,
		.temporaries = temporaries,
		.exact = !start.return_address,
		.leaf = !start.return_address,
		.stack_address = word(first),
		.other_address = word(2000),
		.other_bytes = 8 * start.other,
	};

	if (start.bytes)
		bytes = start.bytes;
	if (start.none)
		bytes = 0;
	/* Just as much as there is, so that the sanitizers see what is too much. */
	copy = malloc(bytes ? bytes : 1);
	memcpy(copy, stack + first, bytes);
	input.stack = copy;
	other = malloc(start.other ? 8 * start.other : 1);
	memcpy(other, stack + 2000, 8 * start.other);
	input.other = other;
	/* Anywhere in memory, as behind a copy. */
	far = malloc(1 + 2 * sizeof(struct wire_far_line));
	for (; lines < 2 && start.far[lines]; lines++) {
		struct wire_far_line line = { .address = word(start.far[lines]) };

		memcpy(line.words, stack + start.far[lines], sizeof(line.words));
		memcpy(far + 1 + lines * sizeof(line), &line, sizeof(line));
	}
	input.far = far + 1;
	input.far_lines = lines;
	input.stack_bytes = bytes;
	result.outcome =
		walk_run(&input, result.addresses, start.limit ? start.limit : WIRE_MAX_FRAMES,
			 &result.count, &result.missing);
	free(copy);
	free(other);
	free(far);
	return result;
}

#define ASSERT_WALK(result, wanted, ...)                                                           \
	do {                                                                                       \
		const uint64_t expected_[] = { __VA_ARGS__ };                                      \
		assert_int_equal((result).outcome, (wanted));                                      \
		assert_int_equal((result).count, sizeof(expected_) / 8);                           \
		assert_memory_equal((result).addresses, expected_, sizeof(expected_));             \
	} while (0)

static void a_leaf_and_its_callers_down_to_the_end(void **state)
{
	struct result result;

	(void)state;
	stack[0] = in(SP_32); /* the leaf's return address */
	stack[2] = word(12);  /* SP_32: rbp at CFA - 16 */
	stack[4] = in(FRAME); /* at CFA - 8 */
	stack[12] = 0x1234;   /* FRAME: rbp */
	stack[13] = in(END);
	stack[3] = word(12);
	result = walk((struct start){ .ip = in(LEAF), .bp = 0x9999, .sp = 0 });
	/* Callers are looked up inside of their call instruction. */
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), in(SP_32)-1, in(FRAME)-1, in(END)-1);
}

static void the_first_address_is_exact_or_not(void **state)
{
	struct result result;

	(void)state;
	stack[0] = in(END);
	/* The first byte of LEAF: as a return address it belongs to what lies before it. */
	result = walk((struct start){ .ip = CODE, .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, CODE, in(END)-1);
	result = walk((struct start){ .ip = CODE, .sp = 0, .return_address = true });
	ASSERT_WALK(result, WALK_NO_MAPPING, CODE - 1);
	/* So does the end of a function that ends with a call. */
	stack[0] = CODE + 256 * FRAME; /* behind SP_32's last instruction */
	stack[4] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), CODE + 256 * FRAME - 1, in(END)-1);
}

static void plt_stubs_push_on_the_way(void **state)
{
	struct result result;

	(void)state;
	stack[0] = in(END);
	stack[1] = in(SP_32);
	result = walk((struct start){ .ip = CODE + 256 * PLT + 32 + 10, .sp = 0 });
	assert_int_equal(result.addresses[1], in(END)-1);
	result = walk((struct start){ .ip = CODE + 256 * PLT + 32 + 11, .sp = 0 });
	assert_int_equal(result.addresses[1], in(SP_32)-1);
}

static void a_signal_frame_has_all_registers(void **state)
{
	struct result result;

	(void)state;
	stack[0] = in(SIGNAL);
	/* ucontext from word 1 on: rbp, rsp and rip by their offsets in it. */
	stack[1 + 120 / 8] = word(200);
	stack[1 + 160 / 8] = word(100);		 /* as if the handler ran on another stack */
	stack[1 + 168 / 8] = CODE + 256 * FRAME; /* interrupted at a function's first byte */
	stack[200] = 0;
	stack[201] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), in(SIGNAL)-1, CODE + 256 * FRAME, in(END)-1);
	/* From a stack above (sigaltstack) to one that was not copied. */
	stack[101 + 120 / 8] = word(20);
	stack[101 + 160 / 8] = word(10);
	stack[101 + 168 / 8] = in(LEAF);
	stack[100] = in(SIGNAL);
	stack[10] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .sp = 100 });
	ASSERT_WALK(result, WALK_NOT_PRESENT, in(LEAF), in(SIGNAL)-1, in(LEAF));
}

static void an_aligned_frame_remembers_its_caller(void **state)
{
	struct result result;

	(void)state;
	stack[20] = word(30); /* *rbp: the caller's rbp */
	stack[19] = word(26); /* *(rbp - 8): the CFA */
	stack[25] = in(FRAME);
	stack[30] = 0;
	stack[31] = in(END);
	result = walk((struct start){ .ip = in(DRAP), .bp = word(20), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(DRAP), in(FRAME)-1, in(END)-1);
}

static void a_frame_is_found_by_rbx(void **state)
{
	struct result result;

	(void)state;
	stack[20] = word(40); /* BASE: rbx of its caller */
	stack[22] = in(BASE_KEPT);
	stack[41] = in(END);
	result = walk((struct start){ .ip = in(BASE), .bx = word(20), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(BASE), in(BASE_KEPT)-1, in(END)-1);
	/* A frame that does not save it hands it on. */
	stack[41] = in(LEAF);
	stack[42] = in(END);
	result = walk((struct start){ .ip = in(BASE), .bx = word(20), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(BASE), in(BASE_KEPT)-1, in(LEAF)-1, in(END)-1);
}

static void rbx_is_read_where_it_was_saved_last(void **state)
{
	struct result result;

	(void)state;
	stack[0] = in(SP_BX);
	stack[3] = word(90); /* overridden by the frame above */
	stack[4] = in(SP_BX);
	stack[7] = word(20);
	stack[8] = in(SP_32);
	stack[12] = in(BASE);
	stack[22] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .bx = word(80), .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), in(SP_BX)-1, in(SP_BX)-1, in(SP_32)-1,
		    in(BASE)-1, in(END)-1);
	/* In a frame that was aligned, from rbp. */
	stack[30] = word(50); /* DRAP: rbp */
	stack[29] = word(36); /* CFA */
	stack[27] = word(40); /* rbx */
	stack[35] = in(BASE);
	stack[42] = in(END);
	result = walk((struct start){ .ip = in(DRAP), .bx = word(80), .bp = word(30), .sp = 24 });
	ASSERT_WALK(result, WALK_COMPLETE, in(DRAP), in(BASE)-1, in(END)-1);
	/* In what the kernel saved for a signal handler. */
	stack[100] = in(SIGNAL);
	stack[101 + 128 / 8] = word(140);
	stack[101 + 160 / 8] = word(130);
	stack[101 + 168 / 8] = in(BASE);
	stack[142] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .bx = word(80), .sp = 100 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), in(SIGNAL)-1, in(BASE), in(END)-1);
}

static void rbx_may_be_lost(void **state)
{
	struct result result;

	(void)state;
	stack[0] = in(LOST);
	stack[2] = in(BASE);
	result = walk((struct start){ .ip = in(LEAF), .bx = word(20), .sp = 0 });
	ASSERT_WALK(result, WALK_NO_ROW, in(LEAF), in(LOST)-1, in(BASE)-1);
	/* Also what was noted before; what is saved after it counts again. */
	stack[0] = in(SP_BX);
	stack[4] = in(LOST);
	stack[6] = in(BASE);
	result = walk((struct start){ .ip = in(LEAF), .bx = word(20), .sp = 0 });
	assert_int_equal(result.outcome, WALK_NO_ROW);
	stack[0] = in(LOST);
	stack[2] = in(SP_BX);
	stack[5] = word(20);
	stack[6] = in(BASE);
	stack[22] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .bx = word(30), .sp = 0 });
	assert_int_equal(result.outcome, WALK_COMPLETE);
	/* The kernel half says the same with a zero. */
	result = walk((struct start){ .ip = in(BASE), .bx = 0, .sp = 0 });
	ASSERT_WALK(result, WALK_NO_ROW, in(BASE));
	/* Saved where nothing was copied. */
	result = walk((struct start){ .ip = in(SP_BX), .sp = 0, .bytes = 16 });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(SP_BX));
}

static void an_old_stack_pointer_lies_in_the_frame(void **state)
{
	struct result result;

	(void)state;
	stack[7] = word(18); /* STORED, at sp = 4: CFA = word(20) */
	stack[17] = word(40);
	stack[18] = word(30);
	stack[19] = in(FRAME);
	/* The caller by the rbp that was saved; by the rbx. */
	stack[41] = in(END);
	result = walk((struct start){ .ip = in(STORED), .bp = word(1), .bx = word(1), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(STORED), in(FRAME)-1, in(END)-1);
	stack[19] = in(BASE);
	stack[32] = in(END);
	result = walk((struct start){ .ip = in(STORED), .bp = word(1), .bx = word(1), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(STORED), in(BASE)-1, in(END)-1);
	stack[7] = word(2); /* not above the stack pointer */
	result = walk((struct start){ .ip = in(STORED), .sp = 4 });
	ASSERT_WALK(result, WALK_NO_PROGRESS, in(STORED));
	result = walk((struct start){ .ip = in(STORED), .sp = 4, .bytes = 24 });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(STORED));
}

static void an_old_stack_pointer_lies_elsewhere(void **state)
{
	struct result result;

	(void)state;
	stack[13] = word(18); /* at rbp + 24, or rsp + 8 + 8 * 8 */
	stack[18] = in(END);
	stack[19] = in(END);
	result = walk((struct start){ .ip = in(STORED_BP), .bp = word(10), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(STORED_BP), in(END)-1);
	result = walk((struct start){ .ip = in(STORED_R9), .r9 = 8, .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(STORED_R9), in(END)-1);
	result = walk((struct start){ .ip = in(STORED_R9), .r9 = 1ULL << 60, .sp = 4 });
	ASSERT_WALK(result, WALK_NOT_PRESENT, in(STORED_R9)); /* on no stack near this one */
	result = walk((struct start){ .ip = in(STORED_R9), .r9 = 1 << 14, .sp = 4 });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(STORED_R9));
	/* A caller's register is gone. */
	stack[4] = in(STORED_R9);
	result = walk((struct start){ .ip = in(LEAF), .r9 = 7, .sp = 4 });
	ASSERT_WALK(result, WALK_NO_ROW, in(LEAF), in(STORED_R9)-1);
}

static void a_leaf_may_hold_its_return_address(void **state)
{
	struct result result;

	(void)state;
	stack[4] = in(END);
	result = walk((struct start){ .ip = in(LINK), .di = in(LEAF), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LINK), in(LEAF)-1, in(END)-1);
	/* A caller's is gone. */
	stack[0] = in(LINK);
	result = walk((struct start){ .ip = in(LEAF), .di = in(LEAF), .sp = 0 });
	ASSERT_WALK(result, WALK_NO_ROW, in(LEAF), in(LINK)-1);
}

static void a_leaf_may_have_popped_its_return_address(void **state)
{
	struct result result;

	(void)state;
	stack[3] = in(LEAF);
	stack[4] = in(END);
	result = walk((struct start){ .ip = in(POPPED), .sp = 4, .below = 2 });
	ASSERT_WALK(result, WALK_COMPLETE, in(POPPED), in(LEAF)-1, in(END)-1);
	/* What lies below a caller's frame is its callee's. */
	stack[4] = in(POPPED);
	result = walk((struct start){ .ip = in(LEAF), .sp = 4, .below = 2 });
	ASSERT_WALK(result, WALK_NO_PROGRESS, in(LEAF), in(POPPED)-1);
}

static void a_frame_is_found_by_a_temporary(void **state)
{
	const uint64_t bad[] = { 0, word(10) + 4, word(3), word(4) + (1 << 20), JIT };
	struct result result;

	(void)state;
	stack[9] = word(30); /* rbp */
	stack[10] = in(FRAME);
	stack[31] = in(END);
	result = walk((struct start){ .ip = in(BY_R9), .r9 = word(10), .bp = word(1), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(BY_R9), in(FRAME)-1, in(END)-1);
	/* The caller of code that leaves it alone. */
	stack[4] = in(BY_R9);
	result = walk((struct start){ .ip = in(LEAF), .r9 = word(10), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), in(BY_R9)-1, in(FRAME)-1, in(END)-1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		result = walk((struct start){ .ip = in(BY_R9), .r9 = bad[i], .sp = 4 });
		assert_int_not_equal(result.outcome, WALK_COMPLETE);
		assert_int_equal(result.count, 1);
	}
	/* What a signal interrupted had its own. */
	stack[0] = in(SIGNAL);
	stack[1 + 160 / 8] = word(60);
	stack[1 + 168 / 8] = in(BY_R9);
	stack[80] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .r9 = word(80), .sp = 0 });
	ASSERT_WALK(result, WALK_NO_ROW, in(LEAF), in(SIGNAL)-1, in(BY_R9));
}

static void a_landing_pad_is_looked_up_as_it_is(void **state)
{
	struct result result;

	(void)state;
	stack[4] = CODE + 256 * LEAF;
	stack[5] = in(END);
	result = walk((struct start){ .ip = in(TO_PAD), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(TO_PAD), CODE + 256 * LEAF, in(END)-1);
	result = walk((struct start){ .ip = in(LINK_PAD), .cx = CODE + 256 * LEAF, .sp = 5 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LINK_PAD), CODE + 256 * LEAF, in(END)-1);
}

/*
 * The frame of the unwinder: sp is word 10, rbp word 90, so the CFA is word 92. The two contexts
 * begin at word 12, for the frame itself, and 30 words further, for that of the landing pad.
 */
enum { U_SP = 10, U_BP = 90, U_RA = 91, U_CFA = 92, U_OWN = 12, U_OTHER = 42 };

static struct result walk_from_unwinder(uint64_t cx)
{
	return walk((struct start){ .ip = in(UNWINDER), .bp = word(U_BP), .cx = cx, .sp = U_SP });
}

static void set_up_unwinder(enum function caller)
{
	memset(stack, 0, sizeof(stack));
	stack[U_OWN + 6] = word(U_BP);
	stack[U_OWN + 18] = word(U_CFA);
	stack[U_OWN + 19] = stack[U_RA] = in(caller);
	stack[U_BP] = word(200); /* of the caller */
	stack[201] = in(END);
	stack[U_CFA + 3] = in(END); /* the caller's, if it is SP_32 */
	/* The landing pad is in LEAF, whose frame begins at word 151. */
	stack[150] = in(LEAF);
	stack[151] = in(LINK); /* a caller by which that one is known: its own is gone */
	stack[140] = word(210);
	stack[U_OTHER + 6] = word(140);
	stack[U_OTHER + 18] = word(151);
	stack[U_OTHER + 19] = CODE + 256 * LEAF;
}

static void an_unwinder_has_its_caller_until_it_exchanges_it(void **state)
{
	struct result result;

	(void)state;
	set_up_unwinder(SP_32);
	result = walk_from_unwinder(0);
	ASSERT_WALK(result, WALK_COMPLETE, in(UNWINDER), in(SP_32)-1, in(END)-1);
	set_up_unwinder(FRAME);
	result = walk_from_unwinder(0);
	ASSERT_WALK(result, WALK_COMPLETE, in(UNWINDER), in(FRAME)-1, in(END)-1);
	/* rbp is the other frame's: of use for one that is found by the stack pointer. */
	set_up_unwinder(SP_32);
	stack[U_BP] = word(210);
	result = walk_from_unwinder(0);
	ASSERT_WALK(result, WALK_COMPLETE, in(UNWINDER), in(SP_32)-1, in(END)-1);
	set_up_unwinder(FRAME);
	stack[U_BP] = word(210);
	result = walk_from_unwinder(0);
	ASSERT_WALK(result, WALK_NO_ROW, in(UNWINDER), in(FRAME)-1, CODE + 256 * LEAF, in(LINK)-1);
	set_up_unwinder(DRAP);
	stack[U_BP] = word(210);
	result = walk_from_unwinder(0);
	ASSERT_WALK(result, WALK_NO_ROW, in(UNWINDER), in(DRAP)-1, CODE + 256 * LEAF, in(LINK)-1);
	/* A context that makes no sense. */
	set_up_unwinder(FRAME);
	stack[U_BP] = word(210);
	stack[U_OTHER + 18] = word(8);
	result = walk_from_unwinder(0);
	ASSERT_WALK(result, WALK_NO_PROGRESS, in(UNWINDER), in(FRAME)-1);
	/* None at all: an unwinder of another make. */
	set_up_unwinder(SP_32);
	memset(stack + U_OWN, 0, 8 * (U_BP - U_OWN));
	result = walk_from_unwinder(0);
	ASSERT_WALK(result, WALK_COMPLETE, in(UNWINDER), in(SP_32)-1, in(END)-1);
}

static void an_unwinder_goes_to_the_landing_pad(void **state)
{
	const uint64_t cx[] = { word(150), 8 * (150 - U_RA) };
	struct result result;

	(void)state;
	/* The return address is exchanged, and found again where it came from. */
	set_up_unwinder(SP_32);
	stack[U_RA] = in(LEAF);
	result = walk_from_unwinder(0);
	ASSERT_WALK(result, WALK_NO_ROW, in(UNWINDER), in(LEAF)-1, in(LINK)-1);
	/* Where the context says, though there is the same below. */
	stack[130] = in(LEAF);
	result = walk_from_unwinder(0);
	ASSERT_WALK(result, WALK_NO_ROW, in(UNWINDER), in(LEAF)-1, in(LINK)-1);
	stack[130] = 0;
	/* There the landing pad's address is instead. */
	for (size_t i = 0; i < ARRAY_SIZE(cx); i++) {
		stack[150] = CODE + 256 * LEAF;
		result = walk_from_unwinder(cx[i]);
		ASSERT_WALK(result, WALK_NO_ROW, in(UNWINDER), CODE + 256 * LEAF, in(LINK)-1);
	}
	/* Registers that say nothing: what it was before. */
	result = walk_from_unwinder(word(160));
	ASSERT_WALK(result, WALK_COMPLETE, in(UNWINDER), in(SP_32)-1, in(END)-1);
	result = walk_from_unwinder(UINT64_MAX);
	ASSERT_WALK(result, WALK_COMPLETE, in(UNWINDER), in(SP_32)-1, in(END)-1);
}

static void a_frame_that_was_not_called_begins_at_its_return_address(void **state)
{
	struct result result;

	(void)state;
	/* The row begins one byte before, as that is what is looked up. */
	stack[0] = CODE + 256 * SIGNAL + 1;
	stack[1 + 160 / 8] = word(100);
	stack[1 + 168 / 8] = in(LEAF);
	stack[100] = CODE + 256 * END + 1;
	result = walk((struct start){ .ip = in(LEAF), .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), CODE + 256 * SIGNAL + 1, in(LEAF),
		    CODE + 256 * END + 1);
	/* Where it stands itself it is found as it is, and another row's first byte says nothing. */
	result = walk((struct start){ .ip = CODE + 256 * END, .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, CODE + 256 * END);
	stack[0] = CODE + 256 * SP_32 + 1;
	stack[4] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), CODE + 256 * SP_32, in(END)-1);
}

static void an_interrupted_caller_is_looked_up_as_it_is(void **state)
{
	struct result result;

	(void)state;
	stack[2] = word(40);
	stack[3] = CODE + 256 * FRAME; /* its first byte */
	stack[41] = in(END);
	result = walk((struct start){ .ip = in(TRAPPED), .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, in(TRAPPED), CODE + 256 * FRAME, in(END)-1);
	/* Only the next one is. */
	stack[3] = CODE + 256 * LEAF;
	stack[4] = in(END);
	result = walk((struct start){ .ip = in(TRAPPED), .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, in(TRAPPED), CODE + 256 * LEAF, in(END)-1);
}

static void a_frame_may_be_on_another_stack(void **state)
{
	const uint64_t bad[] = { 0, word(20) + 4 };
	struct result result;

	(void)state;
	stack[20] = word(30);
	stack[21] = in(SP_32);
	stack[25] = in(FRAME); /* SP_32: at its CFA - 8, its frame begins behind what is above */
	stack[24] = word(50);
	stack[51] = in(END);
	result = walk((struct start){
		.ip = in(ELSEWHERE), .bp = word(20), .sp = 100, .below = 100 });
	ASSERT_WALK(result, WALK_COMPLETE, in(ELSEWHERE), in(SP_32)-1, in(FRAME)-1, in(END)-1);
	/* Upwards, too, and with the rbp of the code that was called. */
	stack[2] = word(20);
	stack[4] = in(ELSEWHERE);
	stack[0] = in(SP_32);
	stack[3] = word(20);
	result = walk((struct start){ .ip = in(LEAF), .bp = 1, .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), in(SP_32)-1, in(ELSEWHERE)-1, in(SP_32)-1,
		    in(FRAME)-1, in(END)-1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		result = walk((struct start){
			.ip = in(ELSEWHERE), .bp = bad[i], .sp = 100, .below = 100 });
		ASSERT_WALK(result, WALK_BAD_FRAME_POINTER, in(ELSEWHERE));
	}
}

static void a_piece_of_the_other_stack_is_enough(void **state)
{
	struct result result;

	(void)state;
	stack[2000] = word(2010);
	stack[2001] = in(FRAME);
	stack[2010] = 0;
	stack[2011] = in(END);
	result = walk((struct start){
		.ip = in(ELSEWHERE), .bp = word(2000), .sp = 4, .bytes = 64, .other = 12 });
	ASSERT_WALK(result, WALK_COMPLETE, in(ELSEWHERE), in(FRAME)-1, in(END)-1);
	result = walk((struct start){
		.ip = in(ELSEWHERE), .bp = word(2000), .sp = 4, .bytes = 64, .other = 11 });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(ELSEWHERE), in(FRAME)-1);
	result = walk((struct start){
		.ip = in(ELSEWHERE), .bp = word(2000), .sp = 4, .bytes = 64 });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(ELSEWHERE));
}

static void a_note_tells_how_deep_another_stack_was(void **state)
{
	struct result result;

	(void)state;
	stack[55] = 8 * 10; /* so far below the end */
	stack[56] = word(70);
	stack[71] = word(40); /* where the stack ends */
	stack[30] = in(LEAF);
	stack[31] = in(END);
	result = walk((struct start){ .ip = in(NOTED), .sp = 50, .below = 50 });
	ASSERT_WALK(result, WALK_COMPLETE, in(NOTED), in(LEAF)-1, in(END)-1);
	/* Without an owner there was no other stack: the note is the stack pointer. */
	stack[56] = 0;
	stack[55] = word(30);
	result = walk((struct start){ .ip = in(NOTED), .sp = 50, .below = 50 });
	ASSERT_WALK(result, WALK_COMPLETE, in(NOTED), in(LEAF)-1, in(END)-1);
	/* What is not there. */
	result = walk((struct start){ .ip = in(NOTED), .sp = 50, .bytes = 40 });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(NOTED));
	stack[56] = 8;
	result = walk((struct start){ .ip = in(NOTED), .sp = 50, .below = 50 });
	assert_int_not_equal(result.outcome, WALK_COMPLETE);
	assert_int_equal(result.count, 1);
}

static void a_leaf_may_be_about_to_resume_other_code(void **state)
{
	struct result result;

	(void)state;
	stack[4] = in(END);
	stack[61] = CODE + 256 * LEAF;
	result = walk((struct start){ .ip = in(RESUMING), .bx = word(60), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(RESUMING), CODE + 256 * LEAF, in(END)-1);
	result = walk((struct start){ .ip = in(JUMPING), .bx = CODE + 256 * LEAF, .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(JUMPING), CODE + 256 * LEAF, in(END)-1);
	result = walk((struct start){ .ip = in(JUMPING), .sp = 4 });
	ASSERT_WALK(result, WALK_NO_ROW, in(JUMPING));
	stack[0] = in(RESUMING);
	result = walk((struct start){ .ip = in(LEAF), .bx = word(60), .sp = 0 });
	ASSERT_WALK(result, WALK_NO_ROW, in(LEAF), in(RESUMING)-1);
	/* Where a signal interrupted it, rbx is in the signal's frame. */
	stack[0] = in(SIGNAL);
	stack[1 + 128 / 8] = word(60);
	stack[1 + 160 / 8] = word(100);
	stack[1 + 168 / 8] = in(RESUMING);
	stack[100] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .bx = word(61), .sp = 0 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), in(SIGNAL)-1, in(RESUMING), CODE + 256 * LEAF,
		    in(END)-1);
}

static void a_frame_that_is_about_to_be_realigned_has_rbp_at_rbp(void **state)
{
	struct result result;

	(void)state;
	stack[6] = word(30); /* rbp */
	stack[9] = in(FRAME);
	stack[31] = in(END);
	result = walk((struct start){ .ip = in(REALIGNED), .r9 = word(10), .bp = word(6), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(REALIGNED), in(FRAME)-1, in(END)-1);
	/* Not yet, or no more. */
	result = walk((struct start){ .ip = in(REALIGNED), .r9 = word(10), .bp = word(30), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(REALIGNED), in(FRAME)-1, in(END)-1);
	stack[11] = in(END);
	result = walk((struct start){ .ip = in(REALIGNED), .r9 = word(10), .bp = word(10), .sp = 4 });
	ASSERT_WALK(result, WALK_COMPLETE, in(REALIGNED), in(FRAME)-1, in(END)-1);
}

static void pushes_are_counted_byte_by_byte(void **state)
{
	/* Word of the return address by the distance into the function. */
	static const uint32_t slots[] = { 0, 1, 2, 2, 3, 3 };

	(void)state;
	for (uint32_t distance = 0; distance < 6; distance++) {
		struct result result;

		memset(stack, 0, sizeof(stack));
		stack[slots[distance]] = in(FRAME);
		/* From the second push on rbp is saved, in the third word from the CFA. */
		if (distance >= 2)
			stack[slots[distance] - 2] = word(50);
		stack[41] = in(END);  /* by the rbp there is */
		stack[51] = in(LEAF); /* by the one that was saved */
		stack[52] = in(END);
		result = walk((struct start){
			.ip = CODE + 256 * PUSHES + distance, .bp = word(40), .sp = 0 });
		if (distance < 2)
			ASSERT_WALK(result, WALK_COMPLETE, CODE + 256 * PUSHES + distance,
				    in(FRAME)-1, in(END)-1);
		else
			ASSERT_WALK(result, WALK_COMPLETE, CODE + 256 * PUSHES + distance,
				    in(FRAME)-1, in(LEAF)-1, in(END)-1);
	}
}

static void generated_code_is_walked_by_frame_pointers(void **state)
{
	struct result result;

	(void)state;
	stack[10] = word(20);
	stack[11] = JIT + 0x200;
	stack[20] = word(30);
	stack[21] = in(FRAME);
	stack[30] = 0;
	stack[31] = in(END);
	result = walk((struct start){ .ip = JIT + 0x100, .bp = word(10), .sp = 2 });
	ASSERT_WALK(result, WALK_COMPLETE, JIT + 0x100, JIT + 0x1ff, in(FRAME)-1, in(END)-1);
	/* Code without rows inside an object is walked the same way. */
	result = walk((struct start){ .ip = in(NONE), .bp = word(20), .sp = 2 });
	ASSERT_WALK(result, WALK_COMPLETE, in(NONE), in(FRAME)-1, in(END)-1);
	/* And so is code behind the last row. */
	result = walk((struct start){ .ip = CODE + 256 * FUNCTIONS + 8, .bp = word(20), .sp = 2 });
	assert_int_equal(result.outcome, WALK_COMPLETE);
	assert_int_equal(result.count, 3);
}

static void a_zero_frame_pointer_is_the_root_but_not_in_a_leaf(void **state)
{
	struct result result;

	(void)state;
	result = walk((struct start){ .ip = JIT + 0x100, .bp = 0, .sp = 2 });
	ASSERT_WALK(result, WALK_BAD_FRAME_POINTER, JIT + 0x100);
	stack[10] = 0;
	stack[11] = JIT + 0x200;
	result = walk((struct start){ .ip = JIT + 0x100, .bp = word(10), .sp = 2 });
	ASSERT_WALK(result, WALK_COMPLETE, JIT + 0x100, JIT + 0x1ff);
	/* Unless it may be code that has no frame pointer. */
	result = walk((struct start){ .ip = JIT + 0x100, .bp = word(10), .sp = 2, .no_object = true });
	ASSERT_WALK(result, WALK_BAD_FRAME_POINTER, JIT + 0x100, JIT + 0x1ff);
	stack[9] = JIT + 0x100;
	result = walk((struct start){ .ip = in(LEAF), .bp = 0, .sp = 9, .no_object = true });
	ASSERT_WALK(result, WALK_BAD_FRAME_POINTER, in(LEAF), JIT + 0xff);
	/* A return address of zero is the root, too, and proves as little in a leaf. */
	stack[10] = word(20);
	stack[20] = word(30);
	stack[21] = 0;
	result = walk((struct start){ .ip = JIT + 0x100, .bp = word(10), .sp = 2 });
	ASSERT_WALK(result, WALK_COMPLETE, JIT + 0x100, JIT + 0x1ff);
	stack[11] = 0;
	result = walk((struct start){ .ip = JIT + 0x100, .bp = word(10), .sp = 2 });
	ASSERT_WALK(result, WALK_BAD_FRAME_POINTER, JIT + 0x100);
	result = walk((struct start){ .ip = in(LEAF), .sp = 11 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF));
}

static void a_context_that_returns_to_its_frame_pointer_is_a_root(void **state)
{
	struct result result;

	(void)state;
	stack[2] = JIT + 0x200;
	result = walk((struct start){ .ip = in(LEAF), .bp = JIT + 0x200, .sp = 2 });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), JIT + 0x1ff);
	result = walk((struct start){ .ip = in(LEAF), .bp = JIT + 0x201, .sp = 2 });
	ASSERT_WALK(result, WALK_BAD_FRAME_POINTER, in(LEAF), JIT + 0x1ff);
	/* Where a leaf stands says nothing. */
	result = walk((struct start){ .ip = JIT + 0x100, .bp = JIT + 0x100, .sp = 2 });
	ASSERT_WALK(result, WALK_BAD_FRAME_POINTER, JIT + 0x100);
}

static void frame_pointers_are_not_believed_blindly(void **state)
{
	const uint64_t bad[] = { word(10) + 4,	      /* not aligned */
				 word(1),	      /* below the stack pointer */
				 word(2) + (1 << 20), /* too far */
				 0xfffffffffffffff8ULL, 8 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct result result =
			walk((struct start){ .ip = JIT + 0x100, .bp = bad[i], .sp = 2 });

		ASSERT_WALK(result, WALK_BAD_FRAME_POINTER, JIT + 0x100);
	}
}

static void a_walk_must_go_up(void **state)
{
	struct result result;

	(void)state;
	result = walk((struct start){ .ip = in(BACKWARDS), .sp = 4 });
	ASSERT_WALK(result, WALK_NO_PROGRESS, in(BACKWARDS));
	/* rbp below the stack pointer, in code that says the frame is found by it. */
	result = walk((struct start){ .ip = in(FRAME), .bp = word(1), .sp = 4 });
	ASSERT_WALK(result, WALK_NO_PROGRESS, in(FRAME));
	stack[19] = word(4); /* the CFA that an aligned frame remembers */
	result = walk((struct start){ .ip = in(DRAP), .bp = word(20), .sp = 4 });
	ASSERT_WALK(result, WALK_NO_PROGRESS, in(DRAP));
}

static void a_short_copy_is_told_from_no_copy(void **state)
{
	struct result result;

	(void)state;
	stack[0] = in(SP_32);
	stack[3] = 0;
	stack[4] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0, .bytes = 40 });
	assert_int_equal(result.outcome, WALK_COMPLETE);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0, .bytes = 39 });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(LEAF), in(SP_32)-1);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0, .bytes = 7 });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(LEAF));
	result = walk((struct start){ .ip = in(LEAF), .sp = 0, .none = true });
	ASSERT_WALK(result, WALK_NOT_PRESENT, in(LEAF));
}

static void far_lines_go_on_behind_the_copy(void **state)
{
	struct result result;

	(void)state;
	stack[0] = in(SP_32);
	stack[3] = word(95); /* SP_32: rbp at CFA - 16 */
	stack[4] = in(FRAME);
	stack[95] = word(200); /* the last word of a line, and the first one of the next */
	stack[96] = in(FRAME);
	stack[200] = 0x1234;
	stack[201] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .bytes = 64, .far = { 88, 96 } });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(LEAF), in(SP_32)-1, in(FRAME)-1, in(FRAME)-1);
	result = walk((struct start){ .ip = in(LEAF), .bytes = 64, .far = { 88, 200 } });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(LEAF), in(SP_32)-1, in(FRAME)-1);
	stack[3] = word(100);
	stack[100] = word(200);
	stack[101] = in(FRAME);
	/* Both words in the line, and only the first. */
	result = walk((struct start){ .ip = in(LEAF), .bytes = 64, .far = { 94, 200 } });
	ASSERT_WALK(result, WALK_COMPLETE, in(LEAF), in(SP_32)-1, in(FRAME)-1, in(FRAME)-1,
		    in(END)-1);
	result = walk((struct start){ .ip = in(LEAF), .bytes = 64, .far = { 93, 200 } });
	ASSERT_WALK(result, WALK_COPY_SHORT, in(LEAF), in(SP_32)-1, in(FRAME)-1);
}

static void what_is_missing_is_named(void **state)
{
	struct result result;

	(void)state;
	stack[10] = 0;
	stack[11] = in(LEAF);
	result =
		walk((struct start){ .ip = JIT + 0x100, .bp = word(10), .sp = 2, .unknown = true });
	ASSERT_WALK(result, WALK_NO_TABLE, JIT + 0x100, in(LEAF)-1);
	assert_int_equal(result.missing, in(LEAF)-1);
	stack[0] = 0x1000;
	result = walk((struct start){ .ip = in(LEAF), .sp = 0 });
	ASSERT_WALK(result, WALK_NO_MAPPING, in(LEAF), 0xfff);
	stack[0] = JIT + 0x1001; /* one byte behind the end */
	result = walk((struct start){ .ip = in(LEAF), .sp = 0 });
	ASSERT_WALK(result, WALK_NO_MAPPING, in(LEAF), JIT + 0x1000);
}

static void deep_stacks_end_at_the_limit(void **state)
{
	struct result result;

	(void)state;
	for (uint32_t i = 0; i < 4095; i++)
		stack[i] = in(LEAF);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0 });
	assert_int_equal(result.outcome, WALK_TOO_DEEP);
	assert_int_equal(result.count, WIRE_MAX_FRAMES);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0, .limit = 1 });
	ASSERT_WALK(result, WALK_TOO_DEEP, in(LEAF));
	/* The last one that fits is not too deep. */
	stack[1] = in(END);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0, .limit = 3 });
	assert_int_equal(result.outcome, WALK_COMPLETE);
	result = walk((struct start){ .ip = in(LEAF), .sp = 0, .limit = 2 });
	assert_int_equal(result.outcome, WALK_TOO_DEEP);
	assert_int_equal(result.count, 2);
}

static void mappings_are_found_by_address(void **state)
{
	const struct wire_mapping mappings[] = { { 0x1000, 0x2000, 0, 0, 0 },
						 { 0x2000, 0x3000, 0, 0, 0 },
						 { 0x5000, 0x6000, 0, 0, 0 } };

	(void)state;
	assert_null(walk_mapping(mappings, 0, 0x1000));
	assert_null(walk_mapping(mappings, 3, 0xfff));
	assert_ptr_equal(walk_mapping(mappings, 3, 0x1000), &mappings[0]);
	assert_ptr_equal(walk_mapping(mappings, 3, 0x1fff), &mappings[0]);
	assert_ptr_equal(walk_mapping(mappings, 3, 0x2000), &mappings[1]);
	assert_null(walk_mapping(mappings, 3, 0x3000));
	assert_null(walk_mapping(mappings, 3, 0x4fff));
	assert_ptr_equal(walk_mapping(mappings, 3, 0x5fff), &mappings[2]);
	assert_null(walk_mapping(mappings, 3, 0x6000));
	assert_null(walk_mapping(mappings, 3, UINT64_MAX));
}

/* Whatever registers and stack hold, a walk ends, within its limit, in a named way. */
static void any_stack_ends_somehow(void **state)
{
	uint32_t seen[WALK_OUTCOME_COUNT] = {}, random = 3;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct result result;
		struct start start = {};

		for (uint32_t k = 0; k < 64; k++) {
			random = random * 1664525 + 1013904223;
			switch (random >> 28) {
			case 0:
				stack[k] = 0;
				break;
			case 1:
				stack[k] = random;
				break;
			case 2 ... 6:
				stack[k] = word(random >> 8 & 63) + (random >> 24 & 1) * 4;
				break;
			case 7:
				stack[k] = JIT + (random >> 8 & 0x1fff);
				break;
			default:
				stack[k] = CODE + (random >> 8) % (256 * FUNCTIONS + 64);
			}
		}
		start = (struct start){ .ip = stack[0],
					.bp = stack[1],
					.bx = stack[2],
					.cx = stack[5],
					.di = stack[3],
					.r9 = stack[4],
					.sp = random >> 8 & 15,
					.bytes = 300,
					.limit = 40 };
		result = walk(start);
		assert_true(result.outcome < WALK_OUTCOME_COUNT);
		assert_true(result.count >= 1 && result.count <= 40);
		seen[result.outcome]++;
	}
	assert_true(seen[WALK_COMPLETE] && seen[WALK_NO_MAPPING] && seen[WALK_COPY_SHORT] &&
		    seen[WALK_NO_PROGRESS] && seen[WALK_NO_ROW] && seen[WALK_BAD_FRAME_POINTER]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_leaf_and_its_callers_down_to_the_end, clear),
		cmocka_unit_test_setup(the_first_address_is_exact_or_not, clear),
		cmocka_unit_test_setup(plt_stubs_push_on_the_way, clear),
		cmocka_unit_test_setup(a_signal_frame_has_all_registers, clear),
		cmocka_unit_test_setup(an_aligned_frame_remembers_its_caller, clear),
		cmocka_unit_test_setup(a_frame_is_found_by_rbx, clear),
		cmocka_unit_test_setup(rbx_is_read_where_it_was_saved_last, clear),
		cmocka_unit_test_setup(rbx_may_be_lost, clear),
		cmocka_unit_test_setup(an_old_stack_pointer_lies_in_the_frame, clear),
		cmocka_unit_test_setup(an_old_stack_pointer_lies_elsewhere, clear),
		cmocka_unit_test_setup(a_leaf_may_hold_its_return_address, clear),
		cmocka_unit_test_setup(a_leaf_may_have_popped_its_return_address, clear),
		cmocka_unit_test_setup(a_frame_is_found_by_a_temporary, clear),
		cmocka_unit_test_setup(a_frame_that_is_about_to_be_realigned_has_rbp_at_rbp, clear),
		cmocka_unit_test_setup(a_landing_pad_is_looked_up_as_it_is, clear),
		cmocka_unit_test_setup(an_unwinder_has_its_caller_until_it_exchanges_it, clear),
		cmocka_unit_test_setup(an_unwinder_goes_to_the_landing_pad, clear),
		cmocka_unit_test_setup(a_frame_that_was_not_called_begins_at_its_return_address,
				       clear),
		cmocka_unit_test_setup(an_interrupted_caller_is_looked_up_as_it_is, clear),
		cmocka_unit_test_setup(a_frame_may_be_on_another_stack, clear),
		cmocka_unit_test_setup(a_piece_of_the_other_stack_is_enough, clear),
		cmocka_unit_test_setup(a_note_tells_how_deep_another_stack_was, clear),
		cmocka_unit_test_setup(a_leaf_may_be_about_to_resume_other_code, clear),
		cmocka_unit_test_setup(pushes_are_counted_byte_by_byte, clear),
		cmocka_unit_test_setup(generated_code_is_walked_by_frame_pointers, clear),
		cmocka_unit_test_setup(a_zero_frame_pointer_is_the_root_but_not_in_a_leaf, clear),
		cmocka_unit_test_setup(a_context_that_returns_to_its_frame_pointer_is_a_root,
				       clear),
		cmocka_unit_test_setup(frame_pointers_are_not_believed_blindly, clear),
		cmocka_unit_test_setup(a_walk_must_go_up, clear),
		cmocka_unit_test_setup(a_short_copy_is_told_from_no_copy, clear),
		cmocka_unit_test_setup(far_lines_go_on_behind_the_copy, clear),
		cmocka_unit_test_setup(what_is_missing_is_named, clear),
		cmocka_unit_test_setup(deep_stacks_end_at_the_limit, clear),
		cmocka_unit_test_setup(mappings_are_found_by_address, clear),
		cmocka_unit_test_setup(any_stack_ends_somehow, clear),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The walker of processors with a link register (bpf/walk_aarch64.h), on stacks written by hand. Every
 * function has 256 bytes and one rule.
 */
#include "test.h"

#include <string.h>

#include "unwind/table_store.h"
#include "unwind/walk.h"

#define TEXT 0x400000ULL
#define BIAS 0x7f0000000000ULL
#define CODE (BIAS + TEXT)
#define GENERATED 0x600000000000ULL
#define STACK 0x7ffc00001000ULL
#define SIGNATURE (0x5aULL << 56 | 0x2dULL << 48) /* as pointer authentication leaves it */

enum function {
	BARE,	/* no frame, nothing saved */
	SAVES,	/* CFA = sp + 32, x29 at CFA - 32, x30 at CFA - 24: as gcc lays frames out */
	FRAME,	/* CFA = x29 + 16, x29 at CFA - 16, x30 at CFA - 8: as clang does */
	LARGE,	/* CFA = sp + 4112, x30 at CFA - 4112 */
	OMITS,	/* CFA = sp + 16, x30 at CFA - 16 */
	BY_X12, /* CFA = x12 + 16, x29 at CFA - 16, x30 at CFA - 8 */
	SIGNAL,
	END,
	NONE,
	FUNCTIONS
};

static const struct wire_rule rules[FUNCTIONS] = {
	[BARE] = { .kind_and_step = RULE_SP },
	[SAVES] = { .cfa_words = 4, .steps = 3, .bp_slot = 1, .kind_and_step = RULE_SP },
	[FRAME] = { .cfa_words = 2, .steps = 1, .bp_slot = 1, .kind_and_step = RULE_BP },
	[LARGE] = { .cfa_words = 514, .steps = 514, .kind_and_step = RULE_SP },
	[OMITS] = { .cfa_words = 2, .steps = 2, .kind_and_step = RULE_SP },
	[BY_X12] = { .cfa_words = 2,
		     .steps = 1,
		     .bp_slot = 1,
		     .bx_slot = TEMPORARY_X12,
		     .kind_and_step = RULE_TEMPORARY },
	[SIGNAL] = { .kind_and_step = RULE_SIGNAL },
	[END] = { .kind_and_step = RULE_END },
	[NONE] = { .kind_and_step = RULE_NONE },
};

static struct table_store *store;
static uint32_t table;
static uint64_t stack[2048];

static uint64_t in(enum function function)
{
	return CODE + 256 * (uint64_t)function + 0x80;
}

static uint64_t word(uint32_t index)
{
	return STACK + 8ULL * index;
}

static int set_up(void **state)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	struct cfi_table rows = {};
	struct unwind_table built;

	(void)state;
	assert_ok(table_store_new(&store, &no_kernel, 1 << 20));
	for (uint32_t i = 0; i < FUNCTIONS; i++)
		assert_ok(cfi_table_add(&rows, TEXT + 256ULL * i, &rules[i]));
	assert_ok(cfi_table_add(&rows, TEXT + 256ULL * FUNCTIONS,
				&(struct wire_rule){ .cfa_words = CFI_GAP }));
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

struct start {
	uint64_t ip, fp, link, x12;
	uint32_t sp;
	bool loose, return_address;
};

struct result {
	enum walk_outcome outcome;
	uint32_t count;
	uint64_t addresses[16];
};

static struct result walk(struct start start)
{
	const struct wire_mapping mappings[] = {
		{ GENERATED, GENERATED + 0x1000, 0, 0, MAPPING_NO_CFI },
		{ CODE, CODE + 256 * FUNCTIONS, BIAS, table, 0 },
	};
	const uint64_t temporaries[WIRE_TEMPORARIES] = { [TEMPORARY_X12] = start.x12 };
	struct result result = {};
	struct walk_input input = {
		.store = store,
		.mappings = mappings,
		.mapping_count = 2,
		.ip = start.ip,
		.sp = word(start.sp),
		.bp = start.fp,
		.bx = start.link,
		.temporaries = temporaries,
		.exact = !start.return_address,
		.leaf = !start.return_address,
		.loose = start.loose,
		.stack = (const unsigned char *)stack,
		.stack_address = STACK,
		.stack_bytes = sizeof(stack),
	};

	result.outcome = walk_run(&input, result.addresses, 16, &result.count, NULL);
	return result;
}

#define ASSERT_WALK(result, wanted, ...)                                                           \
	do {                                                                                       \
		const uint64_t expected_[] = { __VA_ARGS__ };                                      \
		assert_int_equal((result).outcome, (wanted));                                      \
		assert_int_equal((result).count, sizeof(expected_) / 8);                           \
		assert_memory_equal((result).addresses, expected_, sizeof(expected_));             \
	} while (0)

static void the_leaf_returns_to_the_link_register(void **state)
{
	(void)state;
	stack[0] = word(20);  /* SAVES: x29 */
	stack[1] = in(FRAME); /* and x30 */
	stack[20] = 0;
	stack[21] = in(END);
	ASSERT_WALK(walk((struct start){ .ip = in(BARE), .link = in(SAVES), .sp = 0 }),
		    WALK_COMPLETE, in(BARE), in(SAVES)-1, in(FRAME)-1, in(END)-1);
}

static void signatures_are_taken_off(void **state)
{
	(void)state;
	stack[0] = word(20);
	stack[1] = in(FRAME) | SIGNATURE;
	stack[21] = in(END) | SIGNATURE;
	ASSERT_WALK(walk((struct start){ .ip = in(BARE), .link = in(SAVES) | SIGNATURE, .sp = 0 }),
		    WALK_COMPLETE, in(BARE), in(SAVES)-1, in(FRAME)-1, in(END)-1);
}

/* What was not saved can only be a leaf's: anything else would call itself for ever. */
static void no_caller_is_found_by_a_register_that_is_gone(void **state)
{
	(void)state;
	stack[10] = 0;
	stack[11] = in(END);
	ASSERT_WALK(walk((struct start){ .ip = in(BARE),
					 .fp = word(10),
					 .link = in(OMITS),
					 .sp = 0,
					 .return_address = true }),
		    WALK_COMPLETE, in(BARE)-1, in(END)-1);
}

static void frames_may_be_large(void **state)
{
	(void)state;
	stack[0] = in(OMITS); /* LARGE: x30 at the very bottom */
	stack[514] = in(END); /* OMITS */
	ASSERT_WALK(walk((struct start){ .ip = in(LARGE), .sp = 0 }), WALK_COMPLETE, in(LARGE),
		    in(OMITS)-1, in(END)-1);
}

static void a_frame_is_found_by_a_temporary(void **state)
{
	(void)state;
	stack[10] = 0;
	stack[11] = in(END);
	ASSERT_WALK(walk((struct start){ .ip = in(BY_X12), .x12 = word(10), .sp = 0 }),
		    WALK_COMPLETE, in(BY_X12), in(END)-1);
	/* Far away: no frame. */
	assert_int_equal(walk((struct start){
				      .ip = in(BY_X12), .x12 = word(10) + (1 << 21), .sp = 0 })
				 .outcome,
			 WALK_NO_ROW);
}

/* struct rt_sigframe from word 0 on; the function it has interrupted has nothing saved yet. */
static void a_signal_frame_has_all_registers(void **state)
{
	(void)state;
	stack[544 / 8] = word(200);
	stack[552 / 8] = in(FRAME); /* x30 of what was interrupted */
	stack[560 / 8] = word(150);
	stack[568 / 8] = CODE + 256 * BARE;
	stack[200] = 0;
	stack[201] = in(END);
	ASSERT_WALK(walk((struct start){ .ip = in(BARE), .link = in(SIGNAL), .sp = 0 }),
		    WALK_COMPLETE, in(BARE), in(SIGNAL)-1, CODE + 256 * BARE, in(FRAME)-1,
		    in(END)-1);
}

/* As the kernel leaves it: struct rt_sigframe, and struct fpsimd_context behind the registers. */
static void put_signal_frame(uint32_t at, uint64_t link, uint32_t sp, uint64_t pc)
{
	stack[at + 552 / 8] = link;
	stack[at + 560 / 8] = word(sp);
	stack[at + 568 / 8] = pc;
	stack[at + 592 / 8] = 0x46508001 | 528ULL << 32;
}

static void a_handler_may_have_the_interrupted_link_register_yet(void **state)
{
	(void)state;
	put_signal_frame(0, in(OMITS), 300, CODE + 256 * BARE);
	stack[300] = in(END);
	ASSERT_WALK(walk((struct start){ .ip = CODE + 256 * BARE, .link = in(OMITS), .sp = 0 }),
		    WALK_COMPLETE, CODE + 256 * BARE, CODE + 256 * BARE, in(OMITS)-1, in(END)-1);
	/* With its own it goes by the trampoline. */
	ASSERT_WALK(walk((struct start){ .ip = CODE + 256 * BARE, .link = in(SIGNAL), .sp = 0 }),
		    WALK_COMPLETE, CODE + 256 * BARE, in(SIGNAL)-1, CODE + 256 * BARE, in(OMITS)-1,
		    in(END)-1);
}

static void the_kernel_gives_the_program_counter_back_last(void **state)
{
	(void)state;
	/* An older frame from the same place is not one any more. */
	stack[500] = word(900);
	put_signal_frame(600, in(OMITS), 900, CODE + 256 * BARE);
	stack[900] = in(END);
	ASSERT_WALK(walk((struct start){ .ip = in(SIGNAL), .link = in(OMITS), .sp = 900 }),
		    WALK_COMPLETE, in(SIGNAL), CODE + 256 * BARE, in(OMITS)-1, in(END)-1);
	ASSERT_WALK(walk((struct start){ .ip = in(SIGNAL), .sp = 600 }), WALK_COMPLETE, in(SIGNAL),
		    CODE + 256 * BARE, in(OMITS)-1, in(END)-1);
}

/*
 * Past generated code the stack pointer is not known; the frame pointer still leads to where the next
 * function's caller's was saved, and the rule says how far below the CFA that is.
 */
static void a_frame_behind_generated_code_is_found_by_its_frame_pointer(void **state)
{
	(void)state;
	stack[4] = word(20); /* the generated code's frame record, in the middle of its frame */
	stack[5] = in(SAVES);
	stack[20] = word(40); /* SAVES: its CFA is word 24 */
	stack[21] = in(OMITS);
	stack[24] = in(END); /* OMITS counts from the stack pointer, which is known again */
	ASSERT_WALK(walk((struct start){ .ip = GENERATED + 8, .fp = word(4), .sp = 0 }),
		    WALK_COMPLETE, GENERATED + 8, in(SAVES)-1, in(OMITS)-1, in(END)-1);
	/* The same where a walk goes on. */
	ASSERT_WALK(walk((struct start){ .ip = in(SAVES),
					 .fp = word(20),
					 .sp = 6,
					 .loose = true,
					 .return_address = true }),
		    WALK_COMPLETE, in(SAVES)-1, in(OMITS)-1, in(END)-1);
}

static void programs_begin_without_frame_and_return_address(void **state)
{
	(void)state;
	ASSERT_WALK(walk((struct start){ .ip = in(NONE), .sp = 0 }), WALK_COMPLETE, in(NONE));
	assert_int_equal(walk((struct start){ .ip = in(NONE), .link = in(BARE), .sp = 0 }).outcome,
			 WALK_BAD_FRAME_POINTER);
	ASSERT_WALK(walk((struct start){ .ip = in(BARE), .sp = 0 }), WALK_COMPLETE, in(BARE));
	/* A stack that the kernel has just begun. */
	ASSERT_WALK(walk((struct start){ .ip = in(SAVES),
					 .fp = in(SAVES),
					 .link = in(FRAME),
					 .sp = 0,
					 .return_address = true }),
		    WALK_COMPLETE, in(SAVES)-1);
}

static void hostile_stacks_end(void **state)
{
	(void)state;
	/* A frame that lies in itself. */
	stack[0] = word(0);
	stack[1] = in(FRAME);
	assert_int_equal(walk((struct start){ .ip = in(FRAME), .fp = word(0), .sp = 4 }).outcome,
			 WALK_NO_PROGRESS);
	stack[4] = in(BARE) | SIGNATURE;
	assert_int_equal(walk((struct start){ .ip = in(OMITS), .sp = 4, .fp = 1 }).outcome,
			 WALK_BAD_FRAME_POINTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_leaf_returns_to_the_link_register, clear),
		cmocka_unit_test_setup(signatures_are_taken_off, clear),
		cmocka_unit_test_setup(no_caller_is_found_by_a_register_that_is_gone, clear),
		cmocka_unit_test_setup(frames_may_be_large, clear),
		cmocka_unit_test_setup(a_frame_is_found_by_a_temporary, clear),
		cmocka_unit_test_setup(a_signal_frame_has_all_registers, clear),
		cmocka_unit_test_setup(a_handler_may_have_the_interrupted_link_register_yet, clear),
		cmocka_unit_test_setup(the_kernel_gives_the_program_counter_back_last, clear),
		cmocka_unit_test_setup(a_frame_behind_generated_code_is_found_by_its_frame_pointer,
				       clear),
		cmocka_unit_test_setup(programs_begin_without_frame_and_return_address, clear),
		cmocka_unit_test_setup(hostile_stacks_end, clear),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The walker on hostile registers and stacks: two bytes for each word, which may be an address of
 * code, of the stack, or anything. The code has functions with rules of all kinds. A walk ends,
 * reads nothing that is not there (sanitizers watch), and gives addresses of mapped code only.
 */
#include "unwind/walk.h"

#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "fuzz.h"

#define BIAS 0x7f0000000000ULL
#define TEXT 0x10000ULL /* ELF address */
#define CODE (BIAS + TEXT)
#define JIT 0x7e0000000000ULL
#define UNKNOWN 0x7f1000000000ULL
#define STACK 0x7ffc00000000ULL

enum { FUNCTION_BYTES = 64, FUNCTIONS = 160, MAX_WORDS = 512 };

static void add_row(struct cfi_table *rows, uint64_t address, struct wire_rule rule)
{
	struct cfi_row *row = array_push(&rows->rows);

	FUZZ_CHECK(row);
	*row = (struct cfi_row){ address, rule };
}

/* Every kind, with offsets and slots that differ. */
static struct wire_rule rule_of(uint32_t function)
{
	uint32_t variant = function / RULE_KIND_COUNT;
	struct wire_rule rule = {
		.cfa_words = (int32_t)(variant * 3 % 8) - (variant % 5 == 4),
		.bp_slot = variant % 3 ? (uint8_t)(variant % 3 + 1) : 0,
		.bx_slot = variant % 7 == 6 ? RULE_BX_LOST : variant % 4,
		.kind_and_step = (uint8_t)(function % RULE_KIND_COUNT),
	};

	switch (rule.kind_and_step) {
	case RULE_NONE:
		return (struct wire_rule){ .cfa_words = CFI_UNKNOWN };
	case RULE_TEMPORARY:
	case RULE_LINK: /* one that does not exist, too */
		rule.steps = variant % (WIRE_TEMPORARIES + 1);
		break;
	case RULE_STORED:
		rule.steps = (uint16_t)((variant & 1 ? variant << RULE_STORED_INDEX_SHIFT : 0) |
					(variant & 2 ? RULE_STORED_FROM_BP : 0) | variant % 3);
		break;
	case RULE_SP:
	case RULE_BP:
		break;
	default:
		rule.steps = (uint16_t)variant;
	}
	if (variant % 4 == 3)
		rule.kind_and_step |= RULE_NEXT_EXACT;
	return rule;
}

static const struct table_store *the_store(uint32_t *ret_table)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	static struct table_store *store;
	static uint32_t table;
	struct cfi_table rows = {};
	struct unwind_table built;

	if (!store) {
		for (uint32_t i = 0; i < FUNCTIONS; i++)
			add_row(&rows, TEXT + i * FUNCTION_BYTES, rule_of(i));
		/* And pushes. */
		for (uint32_t i = 0; i < 8; i++)
			add_row(&rows, TEXT + FUNCTIONS * FUNCTION_BYTES + 2 * i,
				(struct wire_rule){ .cfa_words = (int32_t)(1 + i),
						    .bp_slot = i > 1 ? 2 : 0,
						    .kind_and_step = RULE_SP });
		add_row(&rows, TEXT + (FUNCTIONS + 1) * FUNCTION_BYTES,
			(struct wire_rule){ .cfa_words = CFI_GAP });
		FUZZ_CHECK(unwind_table_build(&built, &rows) == 0 &&
			   table_store_new(&store, &no_kernel, 1 << 20) == 0 &&
			   table_store_add(store, &table, &built, 1) == 0);
		unwind_table_fini(&built);
		cfi_table_fini(&rows);
	}
	*ret_table = table;
	return store;
}

/* A word of the stack or a register. */
static uint64_t take_word(struct reader *reader)
{
	uint16_t word = reader_u16(reader);
	uint64_t low = word & 0x3fff;

	switch (word >> 14) {
	case 0:
		return CODE + low;
	case 1: /* mostly aligned, and somewhat outside, too */
		return STACK - 64 + (low < 0x3f00 ? low % (MAX_WORDS + 16) * 8 : low % 4096);
	case 2:
		return low < 0x2000 ? JIT + low : UNKNOWN + low;
	default:
		return low < 0x3f00 ? low % 32 : (0 - low) << (word & 31);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	uint64_t temporaries[WIRE_TEMPORARIES], addresses[WIRE_MAX_FRAMES], *stack, missing = 0;
	uint32_t table, count, words = 0;
	const struct table_store *store = the_store(&table);
	const struct wire_mapping mappings[] = {
		{ .start = JIT, .end = JIT + 0x1000, .flags = MAPPING_NO_CFI },
		{ .start = JIT + 0x1000,
		  .end = JIT + 0x2000,
		  .flags = MAPPING_NO_CFI | MAPPING_UNKNOWN },
		{ .start = CODE, .end = CODE + 0x4000, .bias = BIAS, .table = table },
		{ .start = UNKNOWN, .end = UNKNOWN + 0x3000 },
	};
	struct walk_input input = { .store = store,
				    .mappings = mappings,
				    .mapping_count = ARRAY_SIZE(mappings),
				    .temporaries = temporaries,
				    .stack_address = STACK };
	enum walk_outcome outcome;
	uint8_t flags = reader_u8(&reader);

	input.exact = flags & 1;
	input.leaf = flags & 2;
	input.stack_address -= flags >> 2 & 7;
	input.ip = take_word(&reader);
	input.sp = take_word(&reader);
	input.bp = take_word(&reader);
	input.bx = take_word(&reader);
	for (unsigned i = 0; i < WIRE_TEMPORARIES; i++)
		temporaries[i] = take_word(&reader);
	/* A block that ends with the stack's last byte. */
	words = reader_left(&reader) / 2 < MAX_WORDS ? (uint32_t)reader_left(&reader) / 2
						     : MAX_WORDS;
	input.stack_bytes = words * 8;
	stack = malloc(input.stack_bytes + 1);
	FUZZ_CHECK(stack);
	for (uint32_t i = 0; i < words; i++)
		stack[i] = take_word(&reader);
	input.stack = (const unsigned char *)stack;
	outcome = walk_run(&input, addresses, WIRE_MAX_FRAMES, &count, &missing);
	FUZZ_CHECK(outcome < WALK_OUTCOME_COUNT && count > 0 && count <= WIRE_MAX_FRAMES);
	/* An address may be told as the byte behind the one that was looked up. */
	for (uint32_t i = 0; i + 1 < count; i++)
		FUZZ_CHECK(walk_mapping(mappings, ARRAY_SIZE(mappings), addresses[i]) ||
			   walk_mapping(mappings, ARRAY_SIZE(mappings), addresses[i] - 1));
	if (outcome == WALK_NO_TABLE)
		FUZZ_CHECK(missing == addresses[count - 1]);
	if (outcome == WALK_TOO_DEEP)
		FUZZ_CHECK(count == WIRE_MAX_FRAMES);
	free(stack);
	return 0;
}

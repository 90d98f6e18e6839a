// SPDX-License-Identifier: Apache-2.0
/* Stacks that the known program can have, and such that a walk which went wrong would give. */
#include "test.h"

#include <string.h>

#include "verify/program.h"

enum { MAX = 1000 };

/* The functions are a list that ends with PROGRAM_FUNCTIONS. */
static bool can_have(const uint8_t *functions)
{
	uint32_t count = 0;

	while (functions[count] != PROGRAM_FUNCTIONS)
		count++;
	return program_can_have(functions, count);
}

#define CAN_HAVE(...) can_have((const uint8_t[]){ __VA_ARGS__, PROGRAM_FUNCTIONS })

static void true_stacks_can_be(void **state)
{
	(void)state;
	assert_true(CAN_HAVE(PROGRAM_MAIN));
	assert_true(CAN_HAVE(PROGRAM_MAIN, PROGRAM_SPLIT, PROGRAM_PART_30));
	assert_true(CAN_HAVE(PROGRAM_MAIN, PROGRAM_TURN, PROGRAM_WIDE, PROGRAM_BELOW_WIDE));
	assert_true(CAN_HAVE(PROGRAM_THREAD, PROGRAM_TURN, PROGRAM_RAISE, PROGRAM_HANDLE,
			     PROGRAM_BELOW_HANDLE));
	assert_true(CAN_HAVE(PROGRAM_THREAD, PROGRAM_TURN, PROGRAM_RAISE));
	assert_true(CAN_HAVE(PROGRAM_THREAD, PROGRAM_TURN, PROGRAM_RECURSE, PROGRAM_RECURSE));
}

static void a_frame_that_is_missing_is_noticed(void **state)
{
	(void)state;
	assert_false(program_can_have(NULL, 0));
	assert_false(CAN_HAVE(PROGRAM_TURN, PROGRAM_WIDE, PROGRAM_BELOW_WIDE));
	assert_false(CAN_HAVE(PROGRAM_MAIN, PROGRAM_WIDE, PROGRAM_BELOW_WIDE));
	assert_false(CAN_HAVE(PROGRAM_MAIN, PROGRAM_TURN, PROGRAM_BELOW_WIDE));
	assert_false(CAN_HAVE(PROGRAM_MAIN, PROGRAM_TURN, PROGRAM_RAISE, PROGRAM_BELOW_HANDLE));
	assert_false(CAN_HAVE(PROGRAM_THREAD, PROGRAM_SPLIT, PROGRAM_PART_30));
	assert_false(CAN_HAVE(PROGRAM_MAIN, PROGRAM_PART_30));
}

static void one_that_is_too_many_is_noticed(void **state)
{
	(void)state;
	assert_false(CAN_HAVE(PROGRAM_MAIN, PROGRAM_TURN, PROGRAM_WIDE, PROGRAM_BELOW_WIDE,
			      PROGRAM_BELOW_WIDE));
	assert_false(CAN_HAVE(PROGRAM_MAIN, PROGRAM_MAIN));
	assert_false(CAN_HAVE(PROGRAM_MAIN, PROGRAM_TURN, PROGRAM_SORT, PROGRAM_WIDE));
	assert_false(CAN_HAVE(PROGRAM_MAIN, PROGRAM_SPLIT, PROGRAM_PART_30, PROGRAM_PART_30));
}

static void recursions_are_counted(void **state)
{
	static const struct {
		uint8_t bottom;
		uint32_t depth;
	} bottoms[] = { { PROGRAM_BOTTOM_10, 10 },
			{ PROGRAM_BOTTOM_100, 100 },
			{ PROGRAM_BOTTOM_900, 900 } };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (uint32_t depth = bottoms[i].depth - 1; depth <= bottoms[i].depth + 1;
		     depth++) {
			uint8_t functions[MAX] = { PROGRAM_MAIN, PROGRAM_TURN };

			memset(functions + 2, PROGRAM_RECURSE, depth);
			functions[2 + depth] = bottoms[i].bottom;
			assert_int_equal(program_can_have(functions, 3 + depth),
					 depth == bottoms[i].depth);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(true_stacks_can_be),
		cmocka_unit_test(a_frame_that_is_missing_is_noticed),
		cmocka_unit_test(one_that_is_too_many_is_noticed),
		cmocka_unit_test(recursions_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Free runs of units, with a plain array of flags as the oracle. */
#include "test.h"

#include <string.h>

#include "unwind/extents.h"

static void runs_are_taken_first_fit(void **state)
{
	struct extents extents;

	(void)state;
	assert_ok(extents_init(&extents, 1, 99)); /* 1..99 */
	assert_int_equal(extents_take(&extents, 10), 1);
	assert_int_equal(extents_take(&extents, 20), 11);
	assert_int_equal(extents_take(&extents, 69), 31);
	assert_int_equal(extents_take(&extents, 1), EXTENTS_NONE);
	assert_int_equal(extents.free.count, 0);
	extents_give(&extents, 11, 20);
	assert_int_equal(extents_take(&extents, 21), EXTENTS_NONE);
	assert_int_equal(extents_take(&extents, 5), 11);
	assert_int_equal(extents_take(&extents, 15), 16);
	extents_fini(&extents);
}

static void neighbours_are_joined(void **state)
{
	struct extents extents;

	(void)state;
	assert_ok(extents_init(&extents, 0, 40));
	assert_int_equal(extents_take(&extents, 40), 0);
	extents_give(&extents, 0, 10);
	extents_give(&extents, 20, 10);
	assert_int_equal(extents.free.count, 2);
	extents_give(&extents, 30, 10); /* behind */
	assert_int_equal(extents.free.count, 2);
	extents_give(&extents, 10, 0); /* nothing */
	assert_int_equal(extents.free.count, 2);
	extents_give(&extents, 15, 5); /* before */
	assert_int_equal(extents.free.count, 2);
	extents_give(&extents, 10, 5); /* between */
	assert_int_equal(extents.free.count, 1);
	assert_int_equal(extents_take(&extents, 40), 0);
	extents_fini(&extents);
}

enum { UNITS = 200, RUNS = 64 };

static void no_unit_is_lost_or_given_twice(void **state)
{
	unsigned char taken[UNITS] = {};
	struct extent runs[RUNS] = {};
	struct extents extents;
	uint32_t random = 7;

	(void)state;
	assert_ok(extents_init(&extents, 0, UNITS));
	for (int i = 0; i < 20000; i++) {
		struct extent *run;

		random = random * 1664525 + 1013904223;
		run = &runs[random >> 8 & (RUNS - 1)];
		if (run->count) {
			extents_give(&extents, run->first, run->count);
			memset(taken + run->first, 0, run->count);
			run->count = 0;
		} else {
			uint32_t count = 1 + (random >> 20) % 9, free_run = 0;
			uint32_t first = extents_take(&extents, count);

			if (first == EXTENTS_NONE) {
				/* Then there really is none. */
				for (uint32_t k = 0; k < UNITS; k++) {
					free_run = taken[k] ? 0 : free_run + 1;
					assert_true(free_run < count);
				}
				continue;
			}
			assert_true(first + count <= UNITS);
			for (uint32_t k = 0; k < count; k++)
				assert_int_equal(taken[first + k], 0);
			memset(taken + first, 1, count);
			*run = (struct extent){ first, count };
		}
	}
	for (uint32_t i = 0; i < RUNS; i++)
		extents_give(&extents, runs[i].first, runs[i].count);
	assert_int_equal(extents.free.count, 1);
	assert_int_equal(extents.free.at[0].count, UNITS);
	extents_fini(&extents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_taken_first_fit),
		cmocka_unit_test(neighbours_are_joined),
		cmocka_unit_test(no_unit_is_lost_or_given_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

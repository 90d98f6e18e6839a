// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include "base/cleanup.h"
#include "base/budget.h"

/* Takes pieces of 10 bytes until there are no more for him. Returns how many bytes he has got. */
static uint64_t take_all(struct budget *budget, uint64_t share)
{
	while (budget_allows(budget, share, 10, 1)) {
		budget->used += 10;
		share += 10;
	}
	return share;
}

static void the_greedy_leave_as_much_as_they_have(void **state)
{
	struct budget budget = { .limit = 100000 };

	(void)state;
	for (unsigned n = 1; n <= 20; n++) {
		uint64_t left = budget.limit - budget.used, got = take_all(&budget, 0);

		assert_true(got >= left / 2 - 10 && got <= left / 2);
		assert_true(budget.used < budget.limit);
		if (n == 10)
			break;
	}
}

/* When all grow at the same time, all have the same in the end. */
static void those_who_grow_together_have_the_same(void **state)
{
	struct budget budget = { .limit = 100000 };
	uint64_t shares[9] = {};
	bool more = true;

	(void)state;
	while (more) {
		more = false;
		for (unsigned i = 0; i < ARRAY_SIZE(shares); i++) {
			if (!budget_allows(&budget, shares[i], 10, 1))
				continue;
			shares[i] += 10;
			budget.used += 10;
			more = true;
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(shares); i++)
		assert_true(shares[i] >= 9900 && shares[i] <= 10000);
	/* And so has one more. */
	assert_true(budget.limit - budget.used >= 10000);
}

static void nothing_overflows(void **state)
{
	struct budget budget = { .limit = 100, .used = 200 };

	(void)state;
	assert_false(budget_allows(&budget, 0, 0, 1));
	assert_false(budget_allows(&budget, 0, UINT64_MAX, 1));
	budget.used = 0;
	assert_false(budget_allows(&budget, 0, UINT64_MAX, 1));
	assert_false(budget_allows(&budget, 0, 101, 1));
	assert_true(budget_allows(&budget, 0, 50, 1));
	assert_false(budget_allows(&budget, 0, 51, 1));
	assert_true(budget_allows(&budget, 0, 20, 4));
	assert_false(budget_allows(&budget, 0, 21, 4));
}

static void small_machines_have_small_ones(void **state)
{
	struct budget all = budget_of(UINT64_MAX, 1), eighth = budget_of(UINT64_MAX, 8);

	(void)state;
	assert_int_equal(eighth.limit, all.limit / 8);
	assert_int_equal(budget_of(1 << 20, 8).limit, 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_greedy_leave_as_much_as_they_have),
		cmocka_unit_test(those_who_grow_together_have_the_same),
		cmocka_unit_test(nothing_overflows),
		cmocka_unit_test(small_machines_have_small_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

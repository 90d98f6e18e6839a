// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include "store/coverage.h"

#define SECOND 1000000000LL

struct piece {
	int64_t begin_s, seconds, cpu_s;
};

/* Windows in an interval from 100 s to 200 s. */
static struct store_answer cover(const struct piece *pieces, uint32_t count)
{
	const struct store_query query = { .from_ns = 100 * SECOND, .until_ns = 200 * SECOND };
	cleanup(coverage_fini) struct coverage coverage = {};
	struct store_answer answer = {};

	for (uint32_t i = 0; i < count; i++) {
		struct read_slice slice = { .begin_ns = pieces[i].begin_s * SECOND,
					    .duration_ns = pieces[i].seconds * SECOND,
					    .cpu_ns = pieces[i].cpu_s * SECOND,
					    .lost = 4 };
		int64_t end_ns = slice.begin_ns + slice.duration_ns;

		slice.from_ns = slice.begin_ns > query.from_ns ? slice.begin_ns : query.from_ns;
		slice.until_ns = end_ns < query.until_ns ? end_ns : query.until_ns;
		slice.part = (double)(slice.until_ns - slice.from_ns) / (double)slice.duration_ns;
		assert_ok(coverage_add(&coverage, &answer, &slice));
	}
	coverage_tell(&coverage, &answer, &query);
	return answer;
}

static void time_is_counted_once(void **state)
{
	/* The second one begins where the clock was set back, and the last one is half outside. */
	static const struct piece pieces[] = {
		{ 110, 10, 20 },
		{ 115, 10, 10 },
		{ 125, 5, 5 },
		{ 190, 20, 40 },
	};
	struct store_answer answer = cover(pieces, 4);

	(void)state;
	assert_int_equal(answer.windows, 4);
	assert_int_equal(answer.covered_ns, 30 * SECOND);
	assert_int_equal(answer.gaps, 1);
	assert_int_equal(answer.all_cpu_ns, 55 * SECOND);
	assert_int_equal(answer.first_ns, 110 * SECOND);
	assert_int_equal(answer.last_ns, 210 * SECOND);
	assert_int_equal(answer.longest_window_ns, 20 * SECOND);
	assert_int_equal(answer.lost, 14);
	/* Of 35 s that were recorded, some of them twice. */
	assert_true(answer.cores > 55.0 / 35 - 1e-9 && answer.cores < 55.0 / 35 + 1e-9);
}

static void order_does_not_matter(void **state)
{
	static const struct piece pieces[] = { { 150, 50, 1 }, { 90, 60, 1 }, { 120, 10, 1 } };
	struct store_answer answer = cover(pieces, 3);

	(void)state;
	assert_int_equal(answer.covered_ns, 100 * SECOND);
	assert_int_equal(answer.gaps, 0);
}

static void nothing_is_covered_by_nothing(void **state)
{
	struct store_answer answer = cover(NULL, 0);

	(void)state;
	assert_int_equal(answer.windows, 0);
	assert_int_equal(answer.covered_ns, 0);
	assert_int_equal(answer.gaps, 0);
	assert_true(answer.cores == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_is_counted_once),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(nothing_is_covered_by_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

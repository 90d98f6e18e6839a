// SPDX-License-Identifier: Apache-2.0
/* Only threads whose walks are cut get larger copies; when there is no end of it, all do. */
#include "test.h"

#include "source/copy_threads.h"

enum { RING = 256 * 1024, FIRST = 6144 };

static void test_one_of_many(void **state)
{
	struct copy_threads threads = { .bytes = FIRST };
	uint32_t bytes, before = FIRST;

	(void)state;
	assert_int_equal(copy_threads_bytes(&threads, 7), FIRST);
	while (copy_threads_grow(&threads, 7, before, RING) == 1) {
		bytes = copy_threads_bytes(&threads, 7);
		assert_true(bytes > before);
		/* A sample from before it has grown says nothing. */
		assert_int_equal(copy_threads_grow(&threads, 7, before, RING), 0);
		before = bytes;
	}
	assert_int_equal(before, 65528);
	assert_int_equal(copy_threads_bytes(&threads, 8), FIRST);
	assert_int_equal(copy_threads_most(&threads), 65528);
	assert_int_equal(threads.grown.count, 1);
	copy_threads_fini(&threads);
}

static void test_what_a_thread_inherits(void **state)
{
	struct copy_threads threads = { .bytes = FIRST };

	(void)state;
	assert_int_equal(copy_threads_grow(&threads, 9, 4 * FIRST, RING), 1);
	assert_true(copy_threads_bytes(&threads, 9) > 4 * FIRST);
	copy_threads_fini(&threads);
}

static void test_after_many_rounds_all_grow(void **state)
{
	struct copy_threads threads = { .bytes = FIRST, .rounds = 100 };
	int times = 0;

	(void)state;
	while (copy_threads_grow(&threads, 100 + times, threads.bytes, RING) == 1)
		times++;
	assert_in_range(times, 3, 5);
	assert_int_equal(threads.grown.count, 0);
	assert_int_equal(threads.bytes, 65528);
	copy_threads_fini(&threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_of_many),
		cmocka_unit_test(test_what_a_thread_inherits),
		cmocka_unit_test(test_after_many_rounds_all_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

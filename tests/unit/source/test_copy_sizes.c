// SPDX-License-Identifier: Apache-2.0
/* Rings and copies fit into what may be locked, and each ring holds several copies. */
#include "test.h"

#include "source/copy_cpus.h"
#include "source/copy_sizes.h"

static const uint32_t KIB = 1024;

static void test_rings_of_whole_cpus(void **state)
{
	struct copy_sizes sizes = { .period_ns = 10101010, .cpu_count = 2 };

	(void)state;
	assert_int_equal(copy_ring_bytes(&sizes, 0), 4096 * KIB);
	sizes.period_ns = 1003009; /* 997 Hz */
	assert_int_equal(copy_ring_bytes(&sizes, 0), 16384 * KIB);
	sizes.cpu_count = 128;
	assert_int_equal(copy_ring_bytes(&sizes, 0), 1024 * KIB);
	sizes.cpu_count = 100000;
	assert_int_equal(copy_ring_bytes(&sizes, 0), COPY_RING_BYTES_MIN);
}

static void test_rings_of_an_ordinary_user(void **state)
{
	struct copy_sizes sizes = { .period_ns = 10101010, .cpu_count = 2, .by_task = true };

	(void)state;
	assert_int_equal(copy_ring_bytes(&sizes, (516 + 4096) * KIB), 2048 * KIB);
	assert_int_equal(copy_ring_bytes(&sizes, 516 * KIB), 128 * KIB);
	assert_int_equal(copy_ring_bytes(&sizes, 0), COPY_RING_BYTES_MIN);
}

static void test_copies_leave_room_for_several(void **state)
{
	struct copy_sizes cpus = { .period_ns = 10101010, .cpu_count = 2 };
	struct copy_sizes tasks = { .period_ns = 10101010, .cpu_count = 2, .by_task = true };
	uint32_t bytes;

	(void)state;
	assert_in_range(copy_stack_bytes_at_first(&cpus, 4096 * KIB), 60 * KIB, 64 * KIB);
	assert_in_range(copy_stack_bytes_at_first(&tasks, 128 * KIB), 4 * KIB, 8 * KIB);
	tasks.period_ns = 1003009;
	assert_in_range(copy_stack_bytes_at_first(&tasks, 2048 * KIB), 24 * KIB, 32 * KIB);

	for (uint32_t ring = COPY_RING_BYTES_MIN; ring <= 16384 * KIB; ring *= 2) {
		uint32_t before = copy_stack_bytes_at_first(&tasks, ring);

		while ((bytes = copy_stack_bytes_grown(before, ring)) != before) {
			assert_true(bytes > before);
			assert_int_equal(bytes % 8, 0);
			before = bytes;
		}
		assert_true(bytes <= 65528); /* what perf takes */
		assert_true(ring < 64 * KIB || 3 * bytes < ring);
	}
}

static void test_ticks_that_were_missed(void **state)
{
	struct copy_cpu cpu = {};

	(void)state;
	assert_int_equal(copy_cpu_tick(&cpu, 5000, true, 100, 1000), 0); /* the first */
	assert_int_equal(copy_cpu_tick(&cpu, 6010, true, 100, 1000), 0);
	assert_int_equal(copy_cpu_tick(&cpu, 9020, true, 100, 1000), 2);
	assert_int_equal(copy_cpu_tick(&cpu, 12000, false, 100, 1000), 0); /* idle */
	assert_int_equal(copy_cpu_tick(&cpu, 19000, true, 100, 1000), 0);
	assert_int_equal(copy_cpu_tick(&cpu, 29000, true, 20000, 1000), 0); /* begun anew */
	assert_int_equal(copy_cpu_tick(&cpu, 31000, true, 20000, 1000), 1);
	assert_int_equal(cpu.ticks, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rings_of_whole_cpus),
		cmocka_unit_test(test_rings_of_an_ordinary_user),
		cmocka_unit_test(test_copies_leave_room_for_several),
		cmocka_unit_test(test_ticks_that_were_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

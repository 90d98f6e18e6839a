// SPDX-License-Identifier: Apache-2.0
/* Programs that call so and so often: who is followed, and until when. */
#include "test.h"

#include "session/heap_rate.h"

#define MS 1000000ULL
#define CAP 0.005
#define TRAP_NS 500.0

/* A step of a program that uses `cpu` of a CPU and calls so often; its samples cost nothing. */
static struct heap_rate_step step_of(double calls_per_second, double cpu, uint64_t ms)
{
	double hits = calls_per_second * (double)ms / 1000;

	return (struct heap_rate_step){ .hits = (uint64_t)hits,
					.cpu_ns = (uint64_t)(cpu * (double)(ms * MS) +
							     hits * TRAP_NS),
					.wall_ns = ms * MS };
}

/* *ret_ms: how long it took; *ret_cost_ns: what the program paid for it. */
static enum heap_verdict measure(double calls_per_second, double cpu, uint64_t *ret_ms,
				 double *ret_cost_ns)
{
	enum heap_verdict verdict = HEAP_RATE_OPEN;
	struct heap_rate rate;

	heap_rate_init(&rate, CAP, TRAP_NS);
	*ret_cost_ns = 0;
	for (*ret_ms = 0; verdict == HEAP_RATE_OPEN; *ret_ms += 2) {
		struct heap_rate_step step = step_of(calls_per_second, cpu, 2);

		assert_true(*ret_ms < 10000);
		*ret_cost_ns += (double)step.hits * TRAP_NS;
		verdict = heap_rate_measure(&rate, &step);
	}
	return verdict;
}

static void who_calls_seldom_is_followed(void **state)
{
	double cost;
	uint64_t ms;

	(void)state;
	assert_int_equal(measure(0, 0, &ms, &cost), HEAP_RATE_FITS);
	assert_in_range(ms, 250, 1100);
	assert_int_equal(measure(0, 1, &ms, &cost), HEAP_RATE_FITS);
	/* 10000 calls of half a microsecond are half a percent of a CPU. */
	assert_int_equal(measure(9000, 1, &ms, &cost), HEAP_RATE_FITS);
	assert_int_equal(measure(12000, 1, &ms, &cost), HEAP_RATE_TOO_DEAR);
	assert_int_equal(measure(12000, 4, &ms, &cost), HEAP_RATE_FITS);
	assert_int_equal(measure(35000, 4, &ms, &cost), HEAP_RATE_FITS);
	assert_int_equal(measure(50000, 4, &ms, &cost), HEAP_RATE_TOO_DEAR);
	/* Who hardly runs is taken to use a tenth of one. */
	assert_int_equal(measure(500, 0.001, &ms, &cost), HEAP_RATE_FITS);
	assert_int_equal(measure(1500, 0.001, &ms, &cost), HEAP_RATE_TOO_DEAR);
}

static void who_calls_often_is_let_go_soon(void **state)
{
	double cost;
	uint64_t ms;

	(void)state;
	assert_int_equal(measure(1000000, 1, &ms, &cost), HEAP_RATE_TOO_DEAR);
	assert_in_range(ms, 2, 30);
	assert_true(cost < 0.02e9);
	assert_int_equal(measure(100000, 1, &ms, &cost), HEAP_RATE_TOO_DEAR);
	assert_true(cost < 0.05e9);
}

static void figures_are_those_of_the_program(void **state)
{
	struct heap_rate_step step = step_of(20000, 1, 500);
	struct heap_rate rate;

	(void)state;
	heap_rate_init(&rate, CAP, TRAP_NS);
	(void)heap_rate_measure(&rate, &step);
	assert_true(heap_rate_per_second(&rate) > 19999 && heap_rate_per_second(&rate) < 20001);
	assert_true(heap_rate_cost(&rate) > 0.00999 && heap_rate_cost(&rate) < 0.01001);
}

/* Returns after how many ms it is too dear, at most `limit`. */
static uint64_t watch(struct heap_rate *rate, double calls_per_second, double cpu, uint64_t limit)
{
	for (uint64_t ms = 50; ms <= limit; ms += 50) {
		struct heap_rate_step step = step_of(calls_per_second, cpu, 50);

		if (heap_rate_watch(rate, &step) == HEAP_RATE_TOO_DEAR)
			return ms;
	}
	return limit;
}

static void a_rate_that_stays_below_is_followed_for_long(void **state)
{
	struct heap_rate rate;

	(void)state;
	heap_rate_init(&rate, CAP, TRAP_NS);
	assert_int_equal(watch(&rate, 9500, 1, 3600000), 3600000);
	/* Moments that are busy are paid for by others. */
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(watch(&rate, 100000, 1, 200), 200);
		assert_int_equal(watch(&rate, 1000, 1, 5000), 5000);
	}
}

static void a_rate_that_rises_ends_it(void **state)
{
	struct heap_rate rate;
	uint64_t ms;

	(void)state;
	heap_rate_init(&rate, CAP, TRAP_NS);
	assert_int_equal(watch(&rate, 1000, 1, 60000), 60000);
	/* 25 ms of probes are what it may have ahead. */
	ms = watch(&rate, 1000000, 1, 10000);
	assert_in_range(ms, 50, 100);
	assert_true(heap_rate_cost(&rate) > CAP);
	heap_rate_init(&rate, CAP, TRAP_NS);
	ms = watch(&rate, 20000, 1, 60000);
	assert_in_range(ms, 2000, 10000);
	assert_true(heap_rate_per_second(&rate) > 10000);
	/* Time in which it does nothing is not worth more than that. */
	heap_rate_init(&rate, CAP, TRAP_NS);
	(void)watch(&rate, 0, 0, 600000);
	assert_in_range(watch(&rate, 1000000, 1, 10000), 50, 100);
}

static void samples_cost_too(void **state)
{
	struct heap_rate_step step = {
		.hits = 100, .sample_ns = 10 * MS, .cpu_ns = 100 * MS, .wall_ns = 100 * MS
	};
	struct heap_rate rate;

	(void)state;
	heap_rate_init(&rate, CAP, TRAP_NS);
	assert_int_equal(heap_rate_watch(&rate, &step), HEAP_RATE_FITS);
	assert_int_equal(heap_rate_watch(&rate, &step), HEAP_RATE_FITS);
	assert_int_equal(heap_rate_watch(&rate, &step), HEAP_RATE_TOO_DEAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_calls_seldom_is_followed),
		cmocka_unit_test(who_calls_often_is_let_go_soon),
		cmocka_unit_test(figures_are_those_of_the_program),
		cmocka_unit_test(a_rate_that_stays_below_is_followed_for_long),
		cmocka_unit_test(a_rate_that_rises_ends_it),
		cmocka_unit_test(samples_cost_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "session/measures.h"
#include "source/counted_event.h"

static void test_names(void **state)
{
	(void)state;
	for (uint32_t event = 0; event < EVENTS; event++) {
		const char *name = event_name(event);

		assert_non_null(name);
		assert_int_equal(event_find(name, strlen(name)), event);
		assert_int_equal(event_find(name, strlen(name) - 1), EVENTS);
	}
	assert_int_equal(event_find("faults", 6), EVENT_PAGE_FAULTS);
	assert_int_equal(event_find("cs,cpu", 2), EVENT_CONTEXT_SWITCHES);
	assert_int_equal(event_find("cpu-cycles", 10), EVENT_CYCLES);
	assert_int_equal(event_find("cycle", 5), EVENTS);
	assert_int_equal(event_find("", 0), EVENTS);
}

static void test_attr(void **state)
{
	struct perf_event_attr by_rate = counted_event_attr(EVENT_CYCLES, 99, 0);
	struct perf_event_attr fixed = counted_event_attr(EVENT_PAGE_FAULTS, 99, 7);

	(void)state;
	assert_true(by_rate.freq);
	assert_int_equal(by_rate.sample_freq, 99);
	assert_int_equal(by_rate.type, PERF_TYPE_HARDWARE);
	assert_false(fixed.freq);
	assert_int_equal(fixed.sample_period, 7);
	assert_int_equal(fixed.config, PERF_COUNT_SW_PAGE_FAULTS);
}

static void test_lost(void **state)
{
	struct counted_reading reading = { 1000, 200, 200 };
	struct wire_counted seen = { 9, 900, 100 };

	(void)state;
	/* The period under way is nothing that was lost. */
	reading.count = 999;
	assert_int_equal(counted_lost(&reading, &seen, 0), 0);
	reading.count = 1250;
	assert_int_equal(counted_lost(&reading, &seen, 0), 3);
	/* Stopped for half of the time: as many again. */
	reading.count = 900;
	assert_int_equal(counted_lost(&reading, &seen, 100), 9);
	assert_int_equal(counted_lost(&reading, &seen, 200), 0);
	assert_int_equal(counted_lost(&reading, &(struct wire_counted){}, 0), 0);
}

static void test_throttle(void **state)
{
	struct counted_throttle throttle = {};

	(void)state;
	counted_throttle_note(&throttle, false, 5); /* its beginning was not told */
	assert_int_equal(counted_throttle_ns(&throttle, 10), 0);
	counted_throttle_note(&throttle, true, 10);
	assert_int_equal(counted_throttle_ns(&throttle, 14), 4);
	counted_throttle_note(&throttle, true, 20);
	counted_throttle_note(&throttle, false, 30);
	assert_int_equal(counted_throttle_ns(&throttle, 1000), 20);
	assert_int_equal(throttle.times, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_attr),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_throttle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* What this process uses, read from /proc and compared with what it knows of itself. */
#include "test.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "top/usage.h"

static void the_first_line_of_proc_stat(void **state)
{
	uint64_t user, system;

	(void)state;
	assert_ok(
		usage_parse_machine(&user, &system, "cpu  100 20 300 4000 50 6 7 8 0 0\ncpu0 1\n"));
	assert_int_equal(user, 120);
	assert_int_equal(system, 313);
	assert_errno(usage_parse_machine(&user, &system, ""), EINVAL);
	assert_errno(usage_parse_machine(&user, &system, "cpu  100 20"), EINVAL);
}

static void burn(uint64_t ns)
{
	uint64_t until = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + ns;

	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < until)
		;
}

static void a_busy_process(void **state)
{
	struct usage_target target = {};
	struct usage usage = {};
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), end;
	double expected, got;

	(void)state;
	*(pid_t *)array_push(&target.pids) = getpid();
	assert_ok(usage_read(&usage, &target, begin));
	assert_true(usage.user_percent < 0);
	burn(300000000);
	end = clock_ns(CLOCK_MONOTONIC);
	assert_ok(usage_read(&usage, &target, end));
	expected = 100.0 * 3e8 / (double)(end - begin);
	got = usage.user_percent + usage.system_percent;
	/* It is counted in ticks of 10 ms. */
	assert_true(got > expected * 0.8 && got < expected * 1.2);
	assert_int_equal(usage.processes, 1);
	assert_int_equal(usage.threads, 1);
	assert_int_equal(usage.running, 1);
	assert_true(usage.resident_bytes > 100000);
	usage_fini(&usage);
	array_fini(&target.pids);
}

static void who_is_gone_is_not_known(void **state)
{
	struct usage_target target = {};
	struct usage usage = {};

	(void)state;
	*(pid_t *)array_push(&target.pids) = 4194303; /* the last one there can be */
	assert_ok(usage_read(&usage, &target, 1000));
	assert_ok(usage_read(&usage, &target, 2000));
	assert_int_equal(usage.processes, 0);
	assert_true(usage.user_percent < 0);
	usage_fini(&usage);
	array_fini(&target.pids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_of_proc_stat),
		cmocka_unit_test(a_busy_process),
		cmocka_unit_test(who_is_gone_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

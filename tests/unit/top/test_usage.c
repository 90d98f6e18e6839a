// SPDX-License-Identifier: Apache-2.0
/* What this process uses, read from /proc and compared with what it knows of itself. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
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

static void burn_in_child(uint64_t ns)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		burn(ns);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Whose names nobody reads while they are there; one of them is, and is counted once. */
static void children_that_came_and_went(void **state)
{
	struct usage_target target = { .children = true };
	struct usage usage = {};
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), middle, end;
	double expected, got;
	pid_t child;
	int go[2];
	char byte;

	(void)state;
	burn_in_child(50000000);
	assert_ok(pipe(go));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		burn(200000000);
		(void)!write(go[1], "x", 1);
		pause();
	}
	*(pid_t *)array_push(&target.pids) = getpid();
	assert_ok(usage_read(&usage, &target, begin));
	*(pid_t *)array_push(&target.pids) = child;
	assert_int_equal(read(go[0], &byte, 1), 1);
	middle = clock_ns(CLOCK_MONOTONIC);
	assert_ok(usage_read(&usage, &target, middle));
	got = usage.user_percent + usage.system_percent;
	expected = 100.0 * 2e8 / (double)(middle - begin);
	assert_true(got > expected * 0.8 && got < expected * 1.2);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	for (int i = 0; i < 6; i++)
		burn_in_child(50000000);
	end = clock_ns(CLOCK_MONOTONIC);
	assert_ok(usage_read(&usage, &target, end));
	got = usage.user_percent + usage.system_percent;
	expected = 100.0 * 3e8 / (double)(end - middle);
	assert_true(got > expected * 0.8 && got < expected * 1.2);
	/* Without them, what waits for them uses next to nothing. */
	target.children = false;
	burn_in_child(300000000);
	assert_ok(usage_read(&usage, &target, clock_ns(CLOCK_MONOTONIC)));
	assert_true(usage.user_percent + usage.system_percent < 20);
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
		cmocka_unit_test(children_that_came_and_went),
		cmocka_unit_test(who_is_gone_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

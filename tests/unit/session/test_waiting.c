// SPDX-License-Identifier: Apache-2.0
/* Threads as the kernel would tell of them, waiting with arguments that lie in our own memory. */
#include "test.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/system_calls.h"
#include "session/waiting.h"

static struct process_memory memory;
static struct descriptors descriptors;

static int begin(void **state)
{
	(void)state;
	process_memory_init(&memory, getpid());
	descriptors.pid = getpid();
	return 0;
}

static int end(void **state)
{
	(void)state;
	descriptors_fini(&descriptors);
	process_memory_fini(&memory);
	return 0;
}

/* Describes the call of a thread that sleeps in it. */
static void describe(struct system_call *call, int64_t number, uint64_t a, uint64_t b, uint64_t c,
		     uint64_t d)
{
	const struct wire_thread thread = { .state = 1,
					    .system_call = number,
					    .arguments = { a, b, c, d, 55, 66 } };

	assert_ok(system_call_describe(call, &thread, &descriptors, &memory));
}

static void calls_have_their_names(void **state)
{
	(void)state;
	assert_string_equal(system_call_name(SYS_read), "read");
	assert_string_equal(system_call_name(SYS_futex), "futex");
	assert_string_equal(system_call_name(SYS_clock_nanosleep), "clock_nanosleep");
	assert_null(system_call_name(-1));
	assert_null(system_call_name(1000000));
	assert_null(system_call_name(INT64_MAX));
}

static void times_are_read(void **state)
{
	const struct timespec time = { 3, 250000000 };
	struct system_call call;

	(void)state;
	describe(&call, SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME,
		 (uint64_t)(uintptr_t)&time, 0);
	assert_string_equal(call.name, "clock_nanosleep");
	assert_int_equal(call.count, 3);
	assert_string_equal(call.arguments[0].text, "CLOCK_MONOTONIC");
	assert_string_equal(call.arguments[1].text, "TIMER_ABSTIME");
	assert_string_equal(call.arguments[2].text, "3.250000000 s");
	assert_int_equal(call.arguments[2].value, (uintptr_t)&time);
	system_call_fini(&call);
	/* Nobody has memory there. */
	describe(&call, SYS_nanosleep, 8, 0, 0, 0);
	assert_int_equal(call.count, 1);
	assert_string_equal(call.arguments[0].text, "0x8");
	system_call_fini(&call);
}

static void futexes_are_told(void **state)
{
	struct system_call call;

	(void)state;
	describe(&call, SYS_futex, 0x1000, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, 0);
	assert_int_equal(call.count, 4);
	assert_string_equal(call.arguments[0].text, "0x1000");
	assert_string_equal(call.arguments[1].text, "FUTEX_WAIT|PRIVATE");
	assert_string_equal(call.arguments[2].text, "2");
	assert_string_equal(call.arguments[3].text, "for ever");
	system_call_fini(&call);
	describe(&call, SYS_futex, 0, 99, 0, 0);
	assert_string_equal(call.arguments[1].text, "0x63");
	system_call_fini(&call);
}

static void descriptors_are_looked_up(void **state)
{
	cleanup(close) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
#if defined(SYS_poll)
	struct pollfd polled[2] = { { fd, POLLIN, 0 }, { 123456, POLLIN, 0 } };
#endif
	struct system_call call;
	char want[64];

	(void)state;
	describe(&call, SYS_read, (uint64_t)fd, 0x1000, 10, 0);
	snprintf(want, sizeof(want), "%d </dev/null>", fd);
	assert_string_equal(call.arguments[0].text, want);
	assert_string_equal(call.arguments[2].text, "10");
	system_call_fini(&call);
	describe(&call, SYS_read, (uint64_t)-1, 0, 10, 0);
	assert_string_equal(call.arguments[0].text, "-1");
	system_call_fini(&call);
	describe(&call, SYS_openat, (uint32_t)AT_FDCWD, 0, 0, 0);
	assert_string_equal(call.arguments[0].text, "AT_FDCWD");
	system_call_fini(&call);
#if defined(SYS_poll)
	describe(&call, SYS_poll, (uint64_t)(uintptr_t)polled, 2, (uint32_t)-1, 0);
	snprintf(want, sizeof(want), "[%d </dev/null>, 123456]", fd);
	assert_string_equal(call.arguments[0].text, want);
	assert_string_equal(call.arguments[2].text, "for ever");
	system_call_fini(&call);
	/* As many as no process can have. */
	describe(&call, SYS_poll, 8, UINT64_MAX, 5, 0);
	assert_string_equal(call.arguments[0].text, "0x8");
	assert_string_equal(call.arguments[2].text, "5 ms");
	system_call_fini(&call);
#endif
}

static void other_calls_are_hexadecimal(void **state)
{
	struct system_call call;

	(void)state;
	describe(&call, SYS_madvise, 0xabc, 1, 0, 0);
	assert_int_equal(call.count, 3);
	assert_string_equal(call.arguments[0].text, "0xabc");
	assert_string_equal(call.arguments[2].text, "0x0");
	system_call_fini(&call);
	describe(&call, 4000, 1, 2, 3, 4);
	assert_null(call.name);
	assert_string_equal(call.number_text, "system call 4000");
	system_call_fini(&call);
}

/* Who runs, came in by an interrupt, or has stopped after its call, is in none. */
static void not_everybody_is_in_a_call(void **state)
{
	const struct wire_thread others[] = {
		{ .state = 1, .system_call = -1 },
		{ .state = 0, .system_call = SYS_read, .flags = THREAD_ON_CPU },
		{ .state = 0, .system_call = SYS_read, .result = 5 },
		{ .state = 0x104, .system_call = SYS_read, .result = 5 },
		{ .state = 1, .system_call = SYS_read, .flags = THREAD_KERNEL },
		{ .state = 1, .system_call = 3, .flags = THREAD_COMPAT },
	};
	const struct wire_thread stopped = { .state = 0x104,
					     .system_call = SYS_nanosleep,
					     .result = -514 };
	struct system_call call;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_ok(system_call_describe(&call, &others[i], &descriptors, &memory));
		assert_true(call.number < 0);
		assert_int_equal(call.count, 0);
	}
	assert_ok(system_call_describe(&call, &stopped, &descriptors, &memory));
	assert_string_equal(call.name, "nanosleep");
	system_call_fini(&call);
}

static void states_have_words(void **state)
{
	static const struct {
		uint32_t state, flags;
		const char *text;
	} cases[] = {
		{ 0, THREAD_ON_CPU, "running" },
		{ 0, 0, "waiting for a CPU" },
		{ 0x1, 0, "sleeping" },
		{ 0x2, 0, "uninterruptible sleep" },
		{ 0x402, THREAD_KERNEL, "idle" },
		{ 0x104, 0, "stopped" },
		{ 0x8, 0, "stopped by a tracer" },
		{ 0x20, 0, "ended" },
		{ 0x40, THREAD_KERNEL, "parked" },
		{ 0x1, THREAD_ON_CPU, "running" }, /* about to sleep */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct wire_thread thread = { .state = cases[i].state,
						    .flags = cases[i].flags };

		assert_string_equal(thread_state_text(&thread), cases[i].text);
		assert_int_equal(thread_has_ended(&thread), cases[i].state == 0x20);
	}
}

static void waiting_is_for_something(void **state)
{
	(void)state;
	assert_true(is_scheduler_function("schedule_timeout"));
	assert_true(is_scheduler_function("__schedule"));
	assert_true(is_scheduler_function("io_schedule"));
	assert_false(is_scheduler_function("futex_do_wait"));
	assert_false(is_scheduler_function("poll_schedule_timeout"));
	assert_false(is_scheduler_function(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_have_their_names),
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(futexes_are_told),
		cmocka_unit_test(descriptors_are_looked_up),
		cmocka_unit_test(other_calls_are_hexadecimal),
		cmocka_unit_test(not_everybody_is_in_a_call),
		cmocka_unit_test(states_have_words),
		cmocka_unit_test(waiting_is_for_something),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

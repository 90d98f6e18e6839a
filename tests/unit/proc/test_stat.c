// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/stat with the names that people and attackers give their threads. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/stat.h"

/* The fields behind the name: 3 state, 4 ppid, ... 14 utime, 15 stime, 20 threads, 22 start. */
#define REST " S 41 42 42 0 -1 4194304 100 0 0 0 700 55 0 0 20 0 3 0 123456789 1000 20 1844 1 1\n"

static int parse(struct proc_stat *ret, const char *text)
{
	size_t size = strlen(text);
	cleanup(free) char *copy = malloc(size ? size : 1);

	memcpy(copy, text, size);
	return proc_stat_parse(ret, copy, size);
}

static void fields_are_found(void **state)
{
	struct proc_stat stat;

	(void)state;
	assert_ok(parse(&stat, "4242 (memcached)" REST));
	assert_string_equal(stat.comm, "memcached");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.parent, 41);
	assert_int_equal(stat.cpu_ticks, 755);
	assert_int_equal(stat.system_ticks, 55);
	assert_int_equal(stat.resident_pages, 20);
	assert_int_equal(stat.threads, 3);
	assert_int_equal(stat.start_time, 123456789);
}

static void a_name_may_hold_anything(void **state)
{
	static const char *const names[] = { "a b",	")",	    "(",    "((",
					     "))",	") R 1 (",  "a\nb", "x) S 1",
					     "\x1b[2J", "\xff\xfe", "",	    " " };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct proc_stat stat;
		char text[256];

		snprintf(text, sizeof(text), "1 (%s)" REST, names[i]);
		assert_ok(parse(&stat, text));
		assert_string_equal(stat.comm, names[i]);
		assert_int_equal(stat.start_time, 123456789);
	}
}

static void a_long_name_is_cut(void **state)
{
	struct proc_stat stat;

	(void)state;
	/* Kernel workers show more than TASK_COMM_LEN. */
	assert_ok(parse(&stat, "9 (kworker/u8:2-events_unbound)" REST));
	assert_string_equal(stat.comm, "kworker/u8:2-ev");
}

static void what_is_cut_short_is_refused(void **state)
{
	static const char whole[] = "1 (name)" REST;
	size_t end = strstr(whole, " 20 1844") - whole + 1;
	struct proc_stat stat = { .threads = 77 };

	(void)state;
	for (size_t size = 0; size <= end; size++) {
		cleanup(free) char *copy = malloc(size ? size : 1);

		memcpy(copy, whole, size);
		assert_errno(proc_stat_parse(&stat, copy, size), EINVAL);
	}
	assert_int_equal(stat.threads, 77); /* untouched on failure */
	assert_errno(parse(&stat, ")(" REST), EINVAL);
	assert_errno(parse(&stat, "1 )name(" REST), EINVAL);
	assert_errno(parse(&stat, "1 name" REST), EINVAL);
	assert_errno(parse(&stat, "1 (name) S x 42 42 0 -1 4194304 1 0 0 0 7 5 0 0 20 0 3 0 1 1"),
		     EINVAL);
}

static void our_own_is_read(void **state)
{
	struct proc_stat stat;

	(void)state;
	assert_ok(proc_stat_read(&stat, getpid()));
	assert_int_equal(stat.state, 'R');
	assert_int_equal(stat.parent, getppid());
	assert_true(stat.threads >= 1);
	assert_true(stat.start_time > 0);
	/* No pid is that large: PID_MAX_LIMIT is 2^22. */
	assert_errno(proc_stat_read(&stat, 0x7ffffff0), ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_found),
		cmocka_unit_test(a_name_may_hold_anything),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(what_is_cut_short_is_refused),
		cmocka_unit_test(our_own_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

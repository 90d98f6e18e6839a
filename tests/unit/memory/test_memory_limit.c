// SPDX-License-Identifier: Apache-2.0
/* What files of control groups and /proc/meminfo say about limits. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "memory/memory_limit.h"

static void numbers_and_no_limit(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_ok(memory_limit_number(&value, "2147483648\n"));
	assert_int_equal(value, 2147483648);
	assert_ok(memory_limit_number(&value, "0"));
	assert_int_equal(value, 0);
	assert_ok(memory_limit_number(&value, "18446744073709551615\n"));
	assert_errno(memory_limit_number(&value, "max\n"), ENODATA);
	assert_errno(memory_limit_number(&value, "18446744073709551616\n"), EINVAL);
	assert_errno(memory_limit_number(&value, ""), EINVAL);
	assert_errno(memory_limit_number(&value, "12k\n"), EINVAL);
	assert_errno(memory_limit_number(&value, "-1\n"), EINVAL);
}

static void lines_of_meminfo(void **state)
{
	static const char text[] = "MemTotal:       24684092 kB\nMemFree:        20000000 kB\n"
				   "MemAvailable:   23831120 kB\nOdd: 5 pages\nHuge: "
				   "18446744073709551615 kB\n";
	uint64_t value;

	(void)state;
	assert_ok(memory_limit_meminfo(&value, text, "MemAvailable"));
	assert_int_equal(value, 23831120ULL * 1024);
	assert_ok(memory_limit_meminfo(&value, text, "MemTotal"));
	assert_int_equal(value, 24684092ULL * 1024);
	assert_errno(memory_limit_meminfo(&value, text, "Mem"), ENODATA);
	assert_errno(memory_limit_meminfo(&value, text, "Odd"), EINVAL);
	assert_errno(memory_limit_meminfo(&value, text, "Huge"), EINVAL);
	assert_errno(memory_limit_meminfo(&value, "", "MemTotal"), ENODATA);
}

static void check_group(const char *text, const char *want)
{
	char *path = NULL;

	assert_ok(memory_limit_group(&path, text));
	assert_string_equal(path, want);
	free(path);
}

static void the_group_of_version_2(void **state)
{
	char *path = NULL;

	(void)state;
	check_group("0::/system.slice/a.service\n", "/system.slice/a.service");
	check_group("4:memory:/x\n1:name=systemd:/y\n0::/z", "/z");
	assert_errno(memory_limit_group(&path, "4:memory:/x\n"), ENODATA);
	assert_errno(memory_limit_group(&path, "0::relative\n"), EINVAL);
	assert_null(path);
}

static void the_machine_has_one(void **state)
{
	struct memory_limit limit;

	(void)state;
	memory_limit_read(&limit, getpid());
	assert_true(limit.known);
	assert_true(limit.limit_bytes > 1 << 20);
	assert_true(limit.left_bytes <= limit.limit_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_no_limit),
		cmocka_unit_test(lines_of_meminfo),
		cmocka_unit_test(the_group_of_version_2),
		cmocka_unit_test(the_machine_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Lists of CPUs as sysfs writes them. */
#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/perf_event.h"

static void assert_list(const char *text, const uint32_t *cpus, uint32_t count)
{
	struct cpu_list list = {};

	assert_ok(cpu_list_parse(&list, text));
	assert_int_equal(list.cpus.count, count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(list.cpus.at[i], cpus[i]);
	array_fini(&list.cpus);
}

static void lists_are_read(void **state)
{
	(void)state;
	assert_list("0", (uint32_t[]){ 0 }, 1);
	assert_list("0\n", (uint32_t[]){ 0 }, 1);
	assert_list("0-3,8,10-11\n", (uint32_t[]){ 0, 1, 2, 3, 8, 10, 11 }, 7);
	assert_list("5-5", (uint32_t[]){ 5 }, 1);
	assert_list("8191", (uint32_t[]){ 8191 }, 1);
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "\n",
					   ",",
					   "x",
					   "0-",
					   "-1",
					   "3-1",
					   "0,",
					   "0,,1",
					   "0-1-2",
					   "0 1",
					   "8192",
					   "0x1",
					   "1,1",
					   "2,1",
					   "0-3,2",
					   "0-99999999999",
					   "99999999999999999999",
					   "0-8191,0-8191" };
	struct cpu_list list = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (cpu_list_parse(&list, bad[i]) != -EINVAL)
			fail_msg("taken for a list: %s", bad[i]);
	assert_null(list.cpus.at);
}

static void this_machine_has_cpus(void **state)
{
	struct cpu_list list = {};

	(void)state;
	assert_ok(cpu_list_online(&list));
	assert_int_equal(list.cpus.count, sysconf(_SC_NPROCESSORS_ONLN));
	array_fini(&list.cpus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(this_machine_has_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include "daemon/resident.h"

#include <unistd.h>

#include "test.h"

static void maps_of_the_kernel_do_not_count(void **state)
{
	(void)state;
	assert_int_equal(resident_parse("55d0-55d1 r-xp 00000000 08:01 12  /usr/bin/profd\n"
					"Rss:                  64 kB\n"
					"Pss:                  16 kB\n"
					"Pss_Dirty:             8 kB\n"
					"7f00-7f10 rw-s 00000000 00:0e 10  anon_inode:bpf-map\n"
					"Pss:                 900 kB\n"
					"7f10-7f20 rw-p 00000000 00:00 0  [heap]\n"
					"Pss:                   4 kB\n"),
			 20 * 1024);
}

/* Names of files come from others; lines may be cut off. */
static void odd_texts_do_no_harm(void **state)
{
	(void)state;
	assert_int_equal(resident_parse(""), 0);
	assert_int_equal(resident_parse("Pss:"), 0);
	assert_int_equal(resident_parse("Pss: 3 kB"), 3 * 1024);
	assert_int_equal(resident_parse("\n\nPss: x\nPss: 99999999999999999999 kB\n"), 0);
	assert_int_equal(resident_parse("1-2 r-xp 0 0:0 0 /tmp/Pss: 7 kB\nPss: 1 kB\n"), 1024);
}

static void of_a_real_process(void **state)
{
	(void)state;
	assert_true(resident_bytes(getpid()) > 100 * 1024);
	assert_int_equal(resident_bytes(0), 0);
	assert_int_equal(resident_bytes(INT32_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_of_the_kernel_do_not_count),
		cmocka_unit_test(odd_texts_do_no_harm),
		cmocka_unit_test(of_a_real_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

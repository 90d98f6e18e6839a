// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>

#include "base/parse.h"

static void assert_size(const char *text, uint64_t expected)
{
	uint64_t bytes = 1;

	assert_ok(parse_size(&bytes, text));
	assert_int_equal(bytes, expected);
}

static void sizes(void **state)
{
	static const char *const wrong[] = { "",    "-1",    "K",    "1X", "1KM",
					     "1 K", " 1",    "0x10", "1k", "inf",
					     "nan", "1GiBs", "1BB",  "1i", "+1" };
	uint64_t bytes;

	(void)state;
	assert_size("0", 0);
	assert_size("65536", 65536);
	assert_size("1B", 1);
	assert_size("512K", 512 << 10);
	assert_size("40M", 40 << 20);
	assert_size("40MiB", 40 << 20);
	assert_size("40MB", 40 << 20);
	assert_size("1.5G", 3ULL << 29);
	assert_size("2T", 2ULL << 40);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (parse_size(&bytes, wrong[i]) != -EINVAL)
			fail_msg("'%s' is a size", wrong[i]);
	assert_errno(parse_size(&bytes, "99999999T"), ERANGE);
}

static void durations(void **state)
{
	uint64_t ns;

	(void)state;
	assert_ok(parse_duration(&ns, "7d"));
	assert_int_equal(ns, 7 * 86400 * 1000000000ULL);
	assert_errno(parse_duration(&ns, "7w"), EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

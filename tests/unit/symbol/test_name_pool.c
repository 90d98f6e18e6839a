// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "symbol/name_pool.h"

static void test_equal_names_are_one(void **state)
{
	struct name_pool pool = {};
	const char *first = name_pool_add(&pool, "first");

	(void)state;
	assert_string_equal(first, "first");
	for (unsigned i = 0; i < 100000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "name %u", i % 1000);
		assert_string_equal(name_pool_add(&pool, name), name);
	}
	assert_ptr_equal(name_pool_add(&pool, "first"), first);
	assert_int_equal(pool.names.count, 1001);
	name_pool_fini(&pool);
}

/* Of any length, one after the other. */
static void test_lengths(void **state)
{
	static char name[200000];
	struct name_pool pool = {};

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	for (size_t at = 1; at < sizeof(name); at += at / 7 + 1) {
		name[at] = '\0';
		assert_string_equal(name_pool_add(&pool, name), name);
		assert_string_equal(name_pool_add(&pool, "short"), "short");
		name[at] = 'n';
	}
	name_pool_fini(&pool);
}

static void test_too_many_long_names(void **state)
{
	enum { BYTES = 16000, COUNT = 20000 };
	static char name[BYTES];
	struct name_pool pool = {};
	size_t kept = 0, cut = 0, bytes = 0;
	const char *before;

	(void)state;
	memset(name, 'x', BYTES - 1);
	memcpy(name, "before", 6);
	before = name_pool_add(&pool, name);
	for (unsigned i = 0; i < COUNT; i++) {
		const char *found;

		snprintf(name, sizeof(name), "%08u", i);
		name[8] = 'x';
		found = name_pool_add(&pool, name);
		assert_non_null(found);
		bytes += strlen(found);
		if (strcmp(found, name) == 0) {
			assert_int_equal(cut, 0);
			kept++;
			continue;
		}
		cut++;
		assert_int_equal(strlen(found), NAME_POOL_LONG - 1);
		assert_memory_equal(found, name, NAME_POOL_LONG - 4);
		assert_string_equal(found + NAME_POOL_LONG - 4, "...");
	}
	assert_true(kept > 4000 && cut > 4000);
	assert_true(bytes < 2 * (size_t)NAME_POOL_LONG_TOTAL);
	/* Others are what they were. */
	assert_int_equal(strlen(before), BYTES - 1);
	assert_string_equal(name_pool_add(&pool, "short"), "short");
	memset(name, 'y', NAME_POOL_LONG);
	name[NAME_POOL_LONG - 1] = '\0';
	assert_string_equal(name_pool_add(&pool, name), name);
	name_pool_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_names_are_one),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_too_many_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

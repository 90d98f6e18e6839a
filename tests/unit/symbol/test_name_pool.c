// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "symbol/name_pool.h"

static const char *add(struct name_pool *pool, uint64_t *share, const char *name)
{
	const char *ret = NULL;

	return name_pool_add(pool, &ret, share, name) == 0 ? ret : NULL;
}

static void test_equal_names_are_one(void **state)
{
	uint64_t share = 0, before;
	struct name_pool pool;
	const char *first;

	(void)state;
	name_pool_init(&pool, 0);
	first = add(&pool, &share, "first");
	assert_string_equal(first, "first");
	for (unsigned i = 0; i < 100000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "name %u", i % 1000);
		assert_string_equal(add(&pool, &share, name), name);
	}
	before = share;
	assert_ptr_equal(add(&pool, &share, "first"), first);
	assert_int_equal(pool.names.count, 1001);
	assert_int_equal(share, before);
	assert_int_equal(pool.budget.used, share);
	name_pool_fini(&pool);
}

/* Of any length, one after the other. */
static void test_lengths(void **state)
{
	static char name[200000];
	uint64_t share = 0;
	struct name_pool pool;

	(void)state;
	name_pool_init(&pool, 0);
	memset(name, 'n', sizeof(name) - 1);
	for (size_t at = 1; at < sizeof(name); at += at / 7 + 1) {
		name[at] = '\0';
		assert_string_equal(add(&pool, &share, name), name);
		assert_string_equal(add(&pool, &share, "short"), "short");
		name[at] = 'n';
	}
	name_pool_fini(&pool);
}

enum { LONG_BYTES = 16000 };
#define LIMIT (64UL << 20)

/* The name of that number, with an end of its own. */
static const char *long_name(unsigned number, const char *end)
{
	static char name[LONG_BYTES];

	memset(name, 'x', LONG_BYTES - 1);
	snprintf(name, sizeof(name), "%08u", number);
	name[8] = 'x';
	memcpy(name + LONG_BYTES - 1 - strlen(end), end, strlen(end));
	return name;
}

static void test_too_many_long_names(void **state)
{
	uint64_t share = 0, other = 0;
	struct name_pool pool;
	size_t kept = 0, cut = 0;
	const char *before;

	(void)state;
	name_pool_init(&pool, LIMIT);
	before = add(&pool, &share, long_name(99999999, ""));
	for (unsigned i = 0; i < 20000; i++) {
		const char *name = long_name(i, "::the_method"), *found;

		found = add(&pool, &share, name);
		assert_non_null(found);
		if (strcmp(found, name) == 0) {
			assert_int_equal(cut, 0);
			kept++;
			continue;
		}
		cut++;
		assert_int_equal(strlen(found), NAME_POOL_LONG - 1);
		assert_memory_equal(found, name, 253);
		assert_memory_equal(found + 253, "...", 3);
		assert_string_equal(found + 256, name + LONG_BYTES - 256);
	}
	assert_true(kept > 500 && kept < LIMIT / 5 / LONG_BYTES + 1);
	assert_true(cut > 4000);
	/* Others are what they were, and those of others are whole. */
	assert_int_equal(strlen(before), LONG_BYTES - 1);
	assert_string_equal(add(&pool, &share, "short"), "short");
	assert_string_equal(add(&pool, &other, long_name(1, "other")), long_name(1, "other"));
	name_pool_fini(&pool);
}

/* Who has more fills half of it, and others have theirs. */
static void test_far_too_many_names(void **state)
{
	uint64_t share = 0, other = 0;
	unsigned refused = 0;
	struct name_pool pool;
	const char *ret;
	size_t all = 0;

	(void)state;
	name_pool_init(&pool, LIMIT);
	for (unsigned i = 0; i < 100000; i++) {
		int r = name_pool_add(&pool, &ret, &share, long_name(i, "end"));

		if (r != NAME_POOL_FULL)
			assert_int_equal(r, refused ? NAME_POOL_FULL : 0);
		refused += r == NAME_POOL_FULL;
	}
	assert_true(refused > 50000);
	assert_true(share <= LIMIT / 2);
	assert_true(share > LIMIT / 2 - 2000);
	for (uint32_t i = 0; i < pool.names.count; i++)
		all += strlen(pool.names.at[i]) + 1;
	assert_true(all <= LIMIT / 2);
	/* Names that are there stay, for whoever asks. */
	assert_int_equal(name_pool_add(&pool, &ret, &share, long_name(0, "end")), 0);
	assert_string_equal(ret, long_name(0, "end"));
	assert_int_equal(name_pool_add(&pool, &ret, &share, long_name(0, "other")), NAME_POOL_FULL);
	assert_int_equal(name_pool_add(&pool, &ret, NULL, long_name(0, "other")), 0);
	for (unsigned i = 0; i < 100000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "of another %u", i);
		assert_string_equal(add(&pool, &other, name), name);
	}
	name_pool_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_names_are_one),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_too_many_long_names),
		cmocka_unit_test(test_far_too_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

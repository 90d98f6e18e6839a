// SPDX-License-Identifier: Apache-2.0
/* array, hash, strtab: against simple models. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/strtab.h"

static void array_keeps_its_elements_while_it_grows(void **state)
{
	ARRAY_OF(uint64_t) numbers = {};

	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t *added = array_push(&numbers);

		assert_non_null(added);
		assert_int_equal(*added, 0);
		*added = i * 3;
	}
	assert_int_equal(numbers.count, 10000);
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(numbers.at[i], i * 3);
	array_fini(&numbers);
	assert_null(numbers.at);
	assert_int_equal(numbers.capacity, 0);
}

static void array_elements_are_zero_where_others_were(void **state)
{
	ARRAY_OF(uint32_t) numbers = {};

	(void)state;
	assert_true(array_reserve(&numbers, 4));
	memset(numbers.at, 0xff, 4 * sizeof(*numbers.at));
	assert_int_equal(*array_push(&numbers), 0);
	array_fini(&numbers);
}

static void array_refuses_what_cannot_be(void **state)
{
	ARRAY_OF(char) bytes = {};
	const char *before;

	(void)state;
	assert_true(array_reserve(&bytes, 100));
	before = bytes.at;
	assert_false(array_reserve(&bytes, 1ULL << 31));
	assert_false(array_reserve(&bytes, UINT64_MAX));
	assert_ptr_equal(bytes.at, before);
	assert_true(bytes.capacity >= 100);
	array_fini(&bytes);
}

/* Few home slots, so that nearly every pair collides, and runs wrap around the end. */
static uint64_t crowded_hash(uint32_t position, uint32_t homes)
{
	return UINT64_MAX - position % homes;
}

static bool is_position(const void *context, uint32_t position, const void *key)
{
	(void)context;
	return position == *(const uint32_t *)key;
}

static void hash_removal_keeps_the_others_findable(void **state)
{
	enum { COUNT = 400 };
	struct hash_index index = {};
	bool there[COUNT] = {};

	(void)state;
	srand(7);
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rand() % COUNT, homes = 5;

		if (there[i])
			hash_index_remove(&index, crowded_hash(i, homes), i);
		else
			assert_ok(hash_index_add(&index, crowded_hash(i, homes), i));
		there[i] = !there[i];
		for (uint32_t k = 0; step % 97 == 0 && k < COUNT; k++)
			assert_int_equal(hash_index_find(&index, crowded_hash(k, homes),
							 is_position, NULL, &k),
					 there[k] ? k : HASH_ABSENT);
	}
	hash_index_fini(&index);
}

static void hash_removal_of_strangers_changes_nothing(void **state)
{
	struct hash_index index = {};

	(void)state;
	hash_index_remove(&index, 1, 1);
	assert_ok(hash_index_add(&index, 1, 10));
	hash_index_remove(&index, 1, 11);
	hash_index_remove(&index, 2, 10);
	assert_int_equal(index.count, 1);
	assert_int_equal(hash_index_find(&index, 1, NULL, NULL, NULL), 10);
	hash_index_fini(&index);
}

static void hash_finds_nothing_in_nothing(void **state)
{
	struct hash_index index = {};

	(void)state;
	assert_int_equal(hash_index_find(&index, 0, NULL, NULL, NULL), HASH_ABSENT);
	hash_index_fini(&index);
}

static void hash_of_numbers_tells_them_apart(void **state)
{
	struct hash_index index = {};

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		assert_ok(hash_index_add(&index, hash_u64(i), 2 * i));
		assert_ok(hash_index_add(&index, hash_u64((uint64_t)~i << 32), 2 * i + 1));
	}
	for (uint32_t i = 0; i < 100000; i++) {
		assert_int_equal(hash_index_find(&index, hash_u64(i), NULL, NULL, NULL), 2 * i);
		assert_int_equal(hash_index_find(&index, hash_u64((uint64_t)~i << 32), NULL, NULL,
						 NULL),
				 2 * i + 1);
	}
	hash_index_fini(&index);
}

static void hash_of_bytes_sees_every_byte_and_the_size(void **state)
{
	unsigned char bytes[40] = {};
	uint64_t hashes[41];

	(void)state;
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		hashes[size] = hash_bytes(bytes, size);
		for (size_t other = 0; other < size; other++)
			assert_true(hashes[other] != hashes[size]);
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		assert_true(hash_bytes(bytes, sizeof(bytes)) != hashes[sizeof(bytes)]);
		bytes[i] = 0;
	}
}

static void strings_are_dense_and_equal_ones_are_one(void **state)
{
	struct strtab table;
	uint32_t id, again;
	char text[32];

	(void)state;
	assert_ok(strtab_init(&table));
	assert_ok(strtab_add_str(&table, &id, ""));
	assert_int_equal(id, 0);
	for (uint32_t i = 1; i <= 5000; i++) {
		snprintf(text, sizeof(text), "string %u", i);
		assert_ok(strtab_add_str(&table, &id, text));
		assert_int_equal(id, i);
	}
	for (uint32_t i = 1; i <= 5000; i += 7) {
		snprintf(text, sizeof(text), "string %u", i);
		assert_ok(strtab_add_str(&table, &again, text));
		assert_int_equal(again, i);
		assert_string_equal(strtab_get(&table, i), text);
	}
	strtab_fini(&table);
}

static void strings_are_cut_at_a_nul_and_at_their_size(void **state)
{
	struct strtab table;
	uint32_t id, prefix, longer;

	(void)state;
	assert_ok(strtab_init(&table));
	assert_ok(strtab_add(&table, &id, "ab\0cd", 5));
	assert_string_equal(strtab_get(&table, id), "ab");
	assert_ok(strtab_add(&table, &prefix, "abcdef", 2));
	assert_int_equal(prefix, id);
	assert_ok(strtab_add(&table, &longer, "abc", 3));
	assert_int_not_equal(longer, id);
	strtab_fini(&table);
}

static void appended_strings_have_the_next_id(void **state)
{
	struct strtab table;
	uint32_t id, again;

	(void)state;
	assert_ok(strtab_init(&table));
	assert_ok(strtab_add_str(&table, &id, "known"));
	assert_ok(strtab_append(&table, &id, "abcdef", 3));
	assert_int_equal(id, 2);
	assert_string_equal(strtab_get(&table, id), "abc");
	assert_int_equal(strtab_size(&table, id), 3);
	assert_ok(strtab_add_str(&table, &again, "known"));
	assert_int_equal(again, 1);
	strtab_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(array_keeps_its_elements_while_it_grows),
		cmocka_unit_test(array_elements_are_zero_where_others_were),
		cmocka_unit_test(array_refuses_what_cannot_be),
		cmocka_unit_test(hash_removal_keeps_the_others_findable),
		cmocka_unit_test(hash_removal_of_strangers_changes_nothing),
		cmocka_unit_test(hash_finds_nothing_in_nothing),
		cmocka_unit_test(hash_of_numbers_tells_them_apart),
		cmocka_unit_test(hash_of_bytes_sees_every_byte_and_the_size),
		cmocka_unit_test(strings_are_dense_and_equal_ones_are_one),
		cmocka_unit_test(strings_are_cut_at_a_nul_and_at_their_size),
		cmocka_unit_test(appended_strings_have_the_next_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

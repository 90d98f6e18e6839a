// SPDX-License-Identifier: Apache-2.0
#include "preload/objects.c"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint64_t live[HEAP_OBJECTS];

static void *address_of(uint64_t number)
{
	return (void *)(uintptr_t)(0x7f0000001000ULL + number * 48);
}

static uint32_t count_live(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < HEAP_OBJECTS; i++)
		count += live[i] != 0;
	return count;
}

static void finds_what_was_added(void **state)
{
	enum { COUNT = 20000 };

	(void)state;
	for (uint64_t i = 0; i < COUNT; i++) {
		uint32_t slot = objects_add(address_of(i), i + 1, live);

		assert_int_not_equal(slot, HEAP_NO_SLOT);
		assert_int_equal(live[slot], i + 1);
		assert_true(objects_may_know(address_of(i)));
	}
	assert_int_equal(count_live(), COUNT);
	assert_int_equal(objects_take(address_of(COUNT), live), 0);
	for (uint64_t i = 0; i < COUNT; i++)
		assert_int_equal(objects_take(address_of(i), live), i + 1);
	assert_int_equal(count_live(), 0);
	/* As after a double free. */
	assert_int_equal(objects_take(address_of(0), live), 0);
	for (uint32_t i = 0; i < sizeof(objects_filter); i++)
		assert_int_equal(objects_filter[i], 0);
}

static void replaces_what_was_freed_unseen(void **state)
{
	(void)state;
	(void)objects_add(address_of(7), 1, live);
	(void)objects_add(address_of(7), 2, live);
	assert_int_equal(count_live(), 1);
	assert_int_equal(objects_take(address_of(7), live), 2);
	assert_int_equal(count_live(), 0);
}

static void says_when_there_is_no_room(void **state)
{
	uint64_t added = 0;

	(void)state;
	for (uint64_t i = 0; i < 2ULL * HEAP_OBJECTS; i++)
		added += objects_add(address_of(i), i + 1, live) != HEAP_NO_SLOT;
	assert_true(added > HEAP_OBJECTS / 2 && added <= HEAP_OBJECTS);
	assert_int_equal(count_live(), added);
	for (uint64_t i = 0; i < 2ULL * HEAP_OBJECTS; i++)
		added -= objects_take(address_of(i), live) != 0;
	assert_int_equal(added, 0);
	assert_int_equal(count_live(), 0);
	memset(objects_filter, 0, sizeof(objects_filter)); /* some are counted no more */
}

static void shows_a_child_what_it_has(void **state)
{
	uint32_t slot = objects_add(address_of(1), 11, live), claimed;

	(void)state;
	/* Another thread of the parent was about to add one, and about to take one out. */
	(void)objects_add(address_of(2), 12, NULL);
	claimed = objects_add(address_of(3), 13, NULL);
	ids[claimed] = 0;
	memset(live, 0, sizeof(live));
	objects_after_fork(live);
	assert_int_equal(count_live(), 2);
	assert_int_equal(live[slot], 11);
	assert_int_equal(objects_take(address_of(3), live), 0);
	assert_int_equal(objects_take(address_of(1), live), 11);
	assert_int_equal(objects_take(address_of(2), live), 12);
	memset(objects_filter, 0, sizeof(objects_filter));
}

static void counts_no_further_than_it_can(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++)
		filter_add(address_of(9), 1);
	for (unsigned i = 0; i < 300; i++)
		filter_remove(address_of(9));
	/* It has forgotten how many there were: better look too often. */
	assert_true(objects_may_know(address_of(9)));
	memset(objects_filter, 0, sizeof(objects_filter));
}

enum { THREADS = 4, ROUNDS = 100000, OWN = 64 };

static void *churn(void *context)
{
	uint64_t base = (uint64_t)(uintptr_t)context * 1000003, failed = 0;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		void *object = address_of(base + i % OWN);

		if (i >= OWN)
			failed += objects_take(object, live) != (base << 32) + i - OWN + 1;
		failed += objects_add(object, (base << 32) + i + 1, live) == HEAP_NO_SLOT;
		failed += !objects_may_know(object);
	}
	for (uint64_t i = 0; i < OWN; i++)
		failed += objects_take(address_of(base + i), live) == 0;
	return (void *)(uintptr_t)failed;
}

static void bears_many_threads(void **state)
{
	pthread_t threads[THREADS];
	void *failed;

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(count_live(), 0);
	for (uint32_t i = 0; i < sizeof(objects_filter); i++)
		assert_int_equal(objects_filter[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_added),
		cmocka_unit_test(replaces_what_was_freed_unseen),
		cmocka_unit_test(says_when_there_is_no_room),
		cmocka_unit_test(shows_a_child_what_it_has),
		cmocka_unit_test(counts_no_further_than_it_can),
		cmocka_unit_test(bears_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

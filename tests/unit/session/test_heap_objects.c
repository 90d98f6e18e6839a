// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include "session/heap_objects.h"

static void finds_by_region_and_id(void **state)
{
	struct heap_objects objects = {};
	bool is_new;

	(void)state;
	for (uint64_t i = 1; i <= 3000; i++) {
		struct heap_object *object = heap_objects_add(&objects, i % 3 + 1, i, &is_new);

		assert_non_null(object);
		assert_true(is_new);
		object->weight.bytes = (int64_t)i;
	}
	assert_non_null(heap_objects_add(&objects, 1, 3, &is_new));
	assert_false(is_new);
	for (uint64_t i = 1; i <= 3000; i++) {
		assert_int_equal(heap_objects_find(&objects, i % 3 + 1, i)->weight.bytes, i);
		assert_null(heap_objects_find(&objects, (i + 1) % 3 + 1, i));
	}
	heap_objects_fini(&objects);
}

static void drops_what_nobody_holds(void **state)
{
	struct heap_objects objects = {};
	bool is_new;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		struct heap_object *object = heap_objects_add(&objects, 7, i, &is_new);

		assert_non_null(object);
		object->time_ns = i;
		object->holders = i % 4 == 0;
		object->held = i % 4 == 1; /* gone, and that was not told yet */
	}
	assert_ok(heap_objects_drop(&objects, 500));
	assert_int_equal(objects.at.count, 250 + 500);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(heap_objects_find(&objects, 7, i) != NULL, i >= 500 || i % 4 < 2);
	/* New ones find their places. */
	assert_non_null(heap_objects_add(&objects, 7, 2, &is_new));
	assert_true(is_new);
	assert_int_equal(heap_objects_find(&objects, 7, 999)->time_ns, 999);
	heap_objects_fini(&objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_region_and_id),
		cmocka_unit_test(drops_what_nobody_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * What a process has mapped, as the events say one after another. The oracle of the random test is
 * a plain array with one entry per page.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/process.h"

static struct object *an_object(void)
{
	struct object *object = calloc(1, sizeof(*object));

	object->references = 1;
	object->fd = -1;
	return object;
}

/* A mapping of file `path`, which names it. Takes over the reference to the object. */
static void map(struct process *process, uint64_t start, uint64_t end, uint32_t path,
		struct object *object)
{
	struct mapping mapping = { .start = start,
				   .end = end,
				   .file_offset = start,
				   .inode = path,
				   .path = path,
				   .bias = path,
				   .resolved = object,
				   .object = object };

	assert_ok(process_map(process, &mapping));
}

struct expected {
	uint64_t start, end, file_offset;
	uint32_t path;
};

static void assert_mappings(const struct process *process, const struct expected *expected,
			    uint32_t count)
{
	assert_int_equal(process->mappings.count, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(process->mappings.at[i].start, expected[i].start);
		assert_int_equal(process->mappings.at[i].end, expected[i].end);
		assert_int_equal(process->mappings.at[i].file_offset, expected[i].file_offset);
		assert_int_equal(process->mappings.at[i].path, expected[i].path);
	}
}

#define ASSERT_MAPPINGS(process, ...)                                                              \
	do {                                                                                       \
		const struct expected expected_[] = __VA_ARGS__;                                   \
		assert_mappings((process), expected_, ARRAY_SIZE(expected_));                      \
	} while (0)

static void mappings_are_ascending(void **state)
{
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	map(&process, 0x5000, 0x6000, 1, NULL);
	map(&process, 0x1000, 0x2000, 2, NULL);
	map(&process, 0x2000, 0x3000, 3, NULL);
	ASSERT_MAPPINGS(&process, { { 0x1000, 0x2000, 0x1000, 2 },
				    { 0x2000, 0x3000, 0x2000, 3 },
				    { 0x5000, 0x6000, 0x5000, 1 } });
	assert_null(process_mapping(&process, 0xfff));
	assert_int_equal(process_mapping(&process, 0x1000)->path, 2);
	assert_int_equal(process_mapping(&process, 0x1fff)->path, 2);
	assert_int_equal(process_mapping(&process, 0x2000)->path, 3);
	assert_null(process_mapping(&process, 0x3000));
	assert_int_equal(process_mapping(&process, 0x5fff)->path, 1);
	assert_null(process_mapping(&process, 0x6000));
	assert_null(process_mapping(&process, UINT64_MAX));
	process_fini(&process);
}

static void a_new_mapping_cuts_the_end_of_an_older_one(void **state)
{
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	map(&process, 0x1000, 0x4000, 1, NULL);
	map(&process, 0x3000, 0x5000, 2, NULL);
	ASSERT_MAPPINGS(&process, { { 0x1000, 0x3000, 0x1000, 1 }, { 0x3000, 0x5000, 0x3000, 2 } });
	process_fini(&process);
}

static void a_new_mapping_cuts_the_beginning_of_an_older_one(void **state)
{
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	map(&process, 0x3000, 0x6000, 1, NULL);
	map(&process, 0x2000, 0x4000, 2, NULL);
	/* What is left begins later in its file, too. */
	ASSERT_MAPPINGS(&process, { { 0x2000, 0x4000, 0x2000, 2 }, { 0x4000, 0x6000, 0x4000, 1 } });
	process_fini(&process);
}

static void a_new_mapping_in_the_middle_leaves_two_pieces(void **state)
{
	struct object *object = an_object();
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	map(&process, 0x1000, 0x9000, 1, object_ref(object));
	map(&process, 0x4000, 0x5000, 2, NULL);
	ASSERT_MAPPINGS(&process, { { 0x1000, 0x4000, 0x1000, 1 },
				    { 0x4000, 0x5000, 0x4000, 2 },
				    { 0x5000, 0x9000, 0x5000, 1 } });
	assert_ptr_equal(process.mappings.at[0].object, object);
	assert_ptr_equal(process.mappings.at[2].object, object);
	assert_int_equal(object->references, 3);
	process_fini(&process);
	assert_int_equal(object->references, 1);
	object_unref(object);
}

static void a_new_mapping_covers_several(void **state)
{
	struct object *object = an_object();
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	map(&process, 0x1000, 0x3000, 1, NULL);
	map(&process, 0x3000, 0x4000, 2, object_ref(object));
	map(&process, 0x5000, 0x6000, 3, object_ref(object));
	map(&process, 0x7000, 0x9000, 4, object_ref(object));
	map(&process, 0x2000, 0x8000, 5, NULL);
	ASSERT_MAPPINGS(&process, { { 0x1000, 0x2000, 0x1000, 1 },
				    { 0x2000, 0x8000, 0x2000, 5 },
				    { 0x8000, 0x9000, 0x8000, 4 } });
	assert_int_equal(object->references, 2);
	map(&process, 0, 0x10000, 6, NULL);
	ASSERT_MAPPINGS(&process, { { 0, 0x10000, 0, 6 } });
	assert_int_equal(object->references, 1);
	process_fini(&process);
	object_unref(object);
}

static void the_same_mapping_again_changes_nothing(void **state)
{
	struct object *object = an_object();
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	map(&process, 0x1000, 0x4000, 1, object_ref(object));
	process.dirty = false;
	process.generation = 1;
	map(&process, 0x1000, 0x4000, 1, NULL);
	assert_false(process.dirty);
	assert_false(process_changed(&process, 1, 0x1000));
	assert_ptr_equal(process.mappings.at[0].object, object);
	/* The reference that came with it is given back. */
	map(&process, 0x1000, 0x4000, 1, object_ref(object));
	assert_int_equal(object->references, 2);
	/* Another file at the same place does. */
	map(&process, 0x1000, 0x4000, 2, NULL);
	assert_true(process.dirty);
	assert_true(process_changed(&process, 1, 0x1000));
	assert_int_equal(object->references, 1);
	process_fini(&process);
	object_unref(object);
}

static void an_inode_number_may_be_used_again(void **state)
{
	struct mapping mapping = { .start = 0x1000, .end = 0x2000, .inode = 7, .path = 1 };
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	assert_ok(process_map(&process, &mapping)); /* as /proc tells it: without a generation */
	process.dirty = false;
	mapping.inode_generation = 10;
	assert_ok(process_map(&process, &mapping));
	assert_false(process.dirty);
	mapping.inode_generation = 11;
	assert_ok(process_map(&process, &mapping));
	assert_true(process.dirty);
	process_fini(&process);
}

static void changes_are_numbered(void **state)
{
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	map(&process, 0x1000, 0x2000, 1, NULL);
	process.generation = 1; /* handed to the kernel half */
	assert_true(process_changed(&process, 0, 0x1000));
	assert_false(process_changed(&process, 1, 0x1000));
	map(&process, 0x5000, 0x6000, 2, NULL);
	assert_false(process_changed(&process, 1, 0x1000));
	assert_false(process_changed(&process, 1, 0x4fff));
	assert_true(process_changed(&process, 1, 0x5000));
	assert_true(process_changed(&process, 1, 0x5fff));
	assert_false(process_changed(&process, 1, 0x6000));
	process.generation = 2;
	assert_true(process_changed(&process, 1, 0x5000));
	assert_false(process_changed(&process, 2, 0x5000));
	process_clear(&process);
	assert_int_equal(process.mappings.count, 0);
	assert_true(process_changed(&process, 2, 0x5000));
	assert_true(process_changed(&process, 2, 0x123456));
	assert_false(process_changed(&process, 3, 0x5000));
	process_fini(&process);
}

static void more_changes_than_are_listed(void **state)
{
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	for (uint32_t i = 0; i < 256; i++) {
		process.generation = i;
		map(&process, i * 0x1000, (i + 1) * 0x1000, 1, NULL);
	}
	process.generation = 256;
	assert_true(process_changed(&process, 255, 255 * 0x1000));
	assert_false(process_changed(&process, 255, 254 * 0x1000));
	/* One too many: what came before counts as changed everywhere, what comes does not. */
	map(&process, 0x1000000, 0x1001000, 1, NULL);
	assert_true(process_changed(&process, 255, 254 * 0x1000));
	assert_true(process_changed(&process, 256, 0x1000000));
	assert_true(process_changed(&process, 256, 0));
	process.generation = 257;
	assert_false(process_changed(&process, 257, 0x1000000));
	map(&process, 0x2000000, 0x2001000, 1, NULL);
	assert_true(process_changed(&process, 257, 0x2000000));
	assert_false(process_changed(&process, 257, 0x1000000));
	process_fini(&process);
}

static void a_child_has_what_its_parent_had(void **state)
{
	struct object *object = an_object();
	struct process parent, child;

	(void)state;
	process_init(&parent, 1, 0);
	process_init(&child, 2, 0);
	parent.mappings_known = true;
	strcpy(parent.comm, "parent");
	map(&parent, 0x1000, 0x2000, 1, object_ref(object));
	map(&parent, 0x3000, 0x4000, 2, NULL);
	map(&child, 0x9000, 0xa000, 3, object_ref(object));
	assert_ok(process_inherit(&child, &parent));
	ASSERT_MAPPINGS(&child, { { 0x1000, 0x2000, 0x1000, 1 }, { 0x3000, 0x4000, 0x3000, 2 } });
	assert_true(child.mappings_known);
	assert_string_equal(child.comm, "parent");
	assert_int_equal(object->references, 3);
	/* Their ways part. */
	process_clear(&child);
	assert_int_equal(object->references, 2);
	assert_int_equal(parent.mappings.count, 2);
	process_fini(&parent);
	assert_int_equal(object->references, 1);
	/* Nothing is known of what nothing is known of. */
	process_init(&parent, 1, 0);
	assert_ok(process_inherit(&child, &parent));
	assert_false(child.mappings_known);
	process_fini(&parent);
	process_fini(&child);
	object_unref(object);
}

/* mprotect tells of a part of what is mapped; nobody has to forget what was walked through it. */
static void a_part_told_again_is_no_change(void **state)
{
	struct object *object = an_object();
	struct mapping other = {
		.start = 0x3000, .end = 0x4000, .file_offset = 0x9000, .inode = 1, .path = 1
	};
	struct mapping copy = { .start = 0x3000,
				.end = 0x4000,
				.kind = MAPPING_ANONYMOUS,
				.bias = 1,
				.resolved = true };
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	map(&process, 0x1000, 0x9000, 1, object_ref(object));
	process.generation = 1;
	map(&process, 0x3000, 0x4000, 1, NULL);
	ASSERT_MAPPINGS(&process, { { 0x1000, 0x9000, 0x1000, 1 } });
	/* Neither is memory that is known to hold the same code. */
	copy.object = object_ref(object);
	assert_ok(process_map(&process, &copy));
	ASSERT_MAPPINGS(&process, { { 0x1000, 0x9000, 0x1000, 1 } });
	assert_int_equal(object->references, 2);
	assert_false(process_changed(&process, 1, 0x3000));
	/* Another part of the file is, and so is the same code somewhere else. */
	assert_ok(process_map(&process, &other));
	assert_int_equal(process.mappings.count, 3);
	assert_true(process_changed(&process, 1, 0x3000));
	assert_false(process_changed(&process, 1, 0x4000));
	copy.start = 0x5000;
	copy.end = 0x6000;
	copy.bias = 2;
	copy.object = object_ref(object);
	assert_ok(process_map(&process, &copy));
	assert_int_equal(process.mappings.count, 5);
	process_fini(&process);
	assert_int_equal(object->references, 1);
	object_unref(object);
}

static void code_below_is_seen(void **state)
{
	struct object *object = an_object();
	struct mapping above = { .start = 0x3000, .end = 0x5000, .kind = MAPPING_ANONYMOUS };
	struct process process;

	(void)state;
	process_init(&process, 1, 0);
	assert_false(process_has_code_below(&process, &above));
	map(&process, 0x1000, 0x3000, 1, NULL);
	map(&process, 0x5000, 0x6000, 1, NULL);
	assert_false(process_has_code_below(&process, &above));
	assert_ok(process_map(&process, &above));
	assert_false(process_has_code_below(&process, &above));
	above.end++;
	assert_true(process_has_code_below(&process, &above));
	above.end--;
	process.mappings.at[1].object = object;
	assert_true(process_has_code_below(&process, &above));
	process_fini(&process);
}

enum { PAGES = 64 };

static void any_order_of_mappings_is_right(void **state)
{
	struct object *object = an_object();
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint32_t model[PAGES] = {}; /* the path of each page, 0: nothing */
		struct process process;

		process_init(&process, 1, 0);
		for (uint32_t path = 1; path <= 30; path++) {
			uint32_t first, count;

			random = random * 1664525 + 1013904223;
			first = random >> 8 & (PAGES - 1);
			count = 1 + (random >> 20) % (random & 1 ? 4 : 40);
			if (first + count > PAGES)
				count = PAGES - first;
			for (uint32_t i = 0; i < count; i++)
				model[first + i] = path;
			map(&process, first * 4096ULL, (first + count) * 4096ULL, path,
			    object_ref(object));
		}
		for (uint32_t i = 0; i < PAGES; i++) {
			struct mapping *m = process_mapping(&process, i * 4096ULL + 17);

			assert_int_equal(m ? m->path : 0, model[i]);
			/* map() puts each page at the offset that its address has. */
			if (m)
				assert_int_equal(m->file_offset, m->start);
		}
		for (uint32_t i = 1; i < process.mappings.count; i++)
			assert_true(process.mappings.at[i - 1].end <= process.mappings.at[i].start);
		assert_int_equal(object->references, 1 + process.mappings.count);
		process_fini(&process);
		assert_int_equal(object->references, 1);
	}
	object_unref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mappings_are_ascending),
		cmocka_unit_test(a_new_mapping_cuts_the_end_of_an_older_one),
		cmocka_unit_test(a_new_mapping_cuts_the_beginning_of_an_older_one),
		cmocka_unit_test(a_new_mapping_in_the_middle_leaves_two_pieces),
		cmocka_unit_test(a_new_mapping_covers_several),
		cmocka_unit_test(the_same_mapping_again_changes_nothing),
		cmocka_unit_test(an_inode_number_may_be_used_again),
		cmocka_unit_test(changes_are_numbered),
		cmocka_unit_test(more_changes_than_are_listed),
		cmocka_unit_test(a_child_has_what_its_parent_had),
		cmocka_unit_test(a_part_told_again_is_no_change),
		cmocka_unit_test(code_below_is_seen),
		cmocka_unit_test(any_order_of_mappings_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

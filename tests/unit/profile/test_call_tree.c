// SPDX-License-Identifier: Apache-2.0
#include "profile/builder.h"

#include <errno.h>
#include <math.h>

#include "base/bytes.h"
#include "profile/call_tree.h"

static struct call_tree *tree_of(struct profile *profile)
{
	struct call_tree *tree;

	assert_ok(profile_freeze(profile));
	assert_ok(call_tree_new(&tree, profile, profile->meta.main_type));
	return tree;
}

/* The tree as "depth name self/total" lines. */
static void assert_tree(const struct call_tree *tree, const char *want)
{
	cleanup(bytes_fini) struct bytes got = {};

	for (uint32_t i = 0; i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];

		bytes_add_format(&got, "%u %s %d/%d\n", node->depth,
				 call_frame_name(tree, call_tree_frame(tree, i)), (int)node->self,
				 (int)node->total);
	}
	assert_string_equal(bytes_str(&got), want);
}

static const struct call_frame *frame_of(const struct call_tree *tree, const char *name)
{
	for (uint32_t i = 0; i < tree->frames.count; i++)
		if (strcmp(call_frame_name(tree, &tree->frames.at[i]), name) == 0)
			return &tree->frames.at[i];
	return NULL;
}

static void stacks_merge_in_order_of_names(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	cleanup(call_tree_free) struct call_tree *tree = NULL;

	(void)state;
	build_sample(profile, "prog", NULL, 0, "u:main|u:zeta", 1);
	build_sample(profile, "prog", NULL, 0, "u:main", 2);
	build_sample(profile, "prog", NULL, 0, "u:main|u:alpha|l:malloc", 4);
	build_sample(profile, "a prog", NULL, 0, "u:main", 8);
	tree = tree_of(profile);
	assert_tree(tree, "0 all 0/15\n"
			  "1 a prog 0/8\n"
			  "2 main 8/8\n"
			  "1 prog 0/7\n"
			  "2 main 2/7\n"
			  "3 alpha 0/4\n"
			  "4 malloc 4/4\n"
			  "3 zeta 1/1\n");
	assert_string_equal(tree->unit, "samples");
	assert_int_equal(tree->max_depth, 4);
	assert_int_equal(tree->nodes.at[3].end, 8);
	assert_int_equal(tree->nodes.at[4].end, 8);
	assert_int_equal(tree->nodes.at[5].end, 7);
	assert_int_equal(tree->nodes.at[4].total_count, 7);
	assert_true(fabs(tree->effective_samples - 15) < 1e-9);
}

static void threads_stand_below_their_process(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	cleanup(call_tree_free) struct call_tree *tree = NULL;

	(void)state;
	build_sample(profile, "prog", "worker", 12, "u:main", 1);
	build_sample(profile, "prog", "worker", 11, "u:main", 2);
	build_sample(profile, "prog", NULL, 10, "u:main", 4);
	tree = tree_of(profile);
	assert_tree(tree, "0 all 0/7\n"
			  "1 prog 0/7\n"
			  "2 thread (10) 0/4\n"
			  "3 main 4/4\n"
			  "2 worker (11) 0/2\n"
			  "3 main 2/2\n"
			  "2 worker (12) 0/1\n"
			  "3 main 1/1\n");
}

static void inlined_functions_are_frames(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	cleanup(call_tree_free) struct call_tree *tree = NULL;

	(void)state;
	build_sample(profile, NULL, NULL, 0, "u:main~tiny|u:leaf", 1);
	tree = tree_of(profile);
	assert_tree(tree, "0 all 0/1\n1 main 0/1\n2 tiny 0/1\n3 leaf 1/1\n");
	assert_true(frame_of(tree, "tiny")->inlined);
	assert_false(frame_of(tree, "main")->inlined);
}

static void same_name_other_kind_is_another_function(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	cleanup(call_tree_free) struct call_tree *tree = NULL;

	(void)state;
	build_sample(profile, NULL, NULL, 0, "k:read", 1);
	build_sample(profile, NULL, NULL, 0, "l:read", 1);
	tree = tree_of(profile);
	assert_tree(tree, "0 all 0/2\n1 read 1/1\n1 read 1/1\n");
}

static void recursion_counts_once(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	cleanup(free) uint32_t *order = NULL, *by_self = NULL;
	uint32_t count;

	(void)state;
	build_sample(profile, "p", NULL, 0, "u:main|u:f|u:g|u:f|u:g|u:f", 5);
	build_sample(profile, "p", NULL, 0, "u:main|u:g", 2);
	build_sample(profile, "p", NULL, 0, "u:main|u:f", 1);
	tree = tree_of(profile);
	assert_int_equal(frame_of(tree, "f")->self, 6);
	assert_int_equal(frame_of(tree, "f")->total, 6);
	assert_int_equal(frame_of(tree, "g")->self, 2);
	assert_int_equal(frame_of(tree, "g")->total, 7);
	assert_int_equal(frame_of(tree, "main")->total, 8);
	assert_ok(call_tree_top(tree, true, &order, &count));
	assert_int_equal(count, 3);
	assert_string_equal(call_frame_name(tree, &tree->frames.at[order[0]]), "main");
	assert_string_equal(call_frame_name(tree, &tree->frames.at[order[1]]), "g");
	assert_ok(call_tree_top(tree, false, &by_self, &count));
	assert_int_equal(count, 2); /* main did nothing itself */
	assert_string_equal(call_frame_name(tree, &tree->frames.at[by_self[0]]), "f");
}

static void weights_tell_how_sure_one_can_be(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	uint32_t stack, id = build_location(profile, "u:main");
	int64_t heavy[] = { 1, 97LL * BUILDER_PERIOD }, negative[] = { 1, -5 }, none[] = { 1, 0 };

	(void)state;
	build_sample(profile, NULL, NULL, 0, "u:light", 3);
	assert_ok(profile_stack_add(profile, &stack, &id, 1));
	assert_ok(profile_sample_add(profile, stack, 0, heavy));
	id = build_location(profile, "u:odd");
	assert_ok(profile_stack_add(profile, &stack, &id, 1));
	assert_ok(profile_sample_add(profile, stack, 0, negative));
	id = build_location(profile, "u:none");
	assert_ok(profile_stack_add(profile, &stack, &id, 1));
	assert_ok(profile_sample_add(profile, stack, 0, none));
	tree = tree_of(profile);
	/* What weighs nothing or less is not in a picture of weights. */
	assert_tree(tree, "0 all 0/100\n1 light 3/3\n1 main 97/97\n");
	/* 100² / (97² + 3 · 1²): nearly everything hangs on one sample. */
	assert_true(fabs(tree->effective_samples - 1.0624) < 0.001);
	assert_true(call_tree_share(tree, 97).half > 0.3);
}

static void other_types_keep_their_unit(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	cleanup(call_tree_free) struct call_tree *tree = NULL;

	(void)state;
	build_sample(profile, NULL, NULL, 0, "u:main", 3);
	profile->meta.period = 1; /* as off-CPU time: values are no multiples of anything */
	tree = tree_of(profile);
	assert_string_equal(tree->unit, "nanoseconds");
	assert_int_equal(call_tree_total(tree), 3LL * BUILDER_PERIOD);
	assert_errno(call_tree_new(&tree, profile, 7), EINVAL);
}

static void nothing_is_a_tree_of_one(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	cleanup(call_tree_free) struct call_tree *tree = tree_of(profile);

	(void)state;
	assert_tree(tree, "0 all 0/0\n");
	assert_int_equal(tree->nodes.at[0].end, 1);
}

/* But at the root, or nothing would be left; an expression that is none drops nothing. */
static void stacks_end_before_what_is_dropped(void **state)
{
	static const char *const expressions[] = { "(m|c)alloc|new.*", "(m" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expressions); i++) {
		cleanup(profile_free) struct profile *profile = build_profile();
		cleanup(call_tree_free) struct call_tree *tree = NULL;

		build_sample(profile, "prog", NULL, 0, "u:malloc|u:main|l:malloc|l:sysmalloc", 1);
		build_sample(profile, "prog", NULL, 0, "u:main|u:newest|u:hook|l:malloc", 2);
		build_sample(profile, "prog", NULL, 0, "u:main|u:my_malloc", 4);
		assert_ok(profile_string(profile, &profile->meta.drop_frames, expressions[i]));
		tree = tree_of(profile);
		assert_string_equal(profile_text(profile, profile->meta.drop_frames), expressions[i]);
		assert_tree(tree, i == 0 ? "0 all 0/7\n"
					   "1 prog 0/7\n"
					   "2 main 2/6\n"
					   "3 my_malloc 4/4\n"
					   "2 malloc 0/1\n"
					   "3 main 1/1\n"
					 : "0 all 0/7\n"
					   "1 prog 0/7\n"
					   "2 main 0/6\n"
					   "3 my_malloc 4/4\n"
					   "3 newest 0/2\n"
					   "4 hook 0/2\n"
					   "5 malloc 2/2\n"
					   "2 malloc 0/1\n"
					   "3 main 0/1\n"
					   "4 malloc 0/1\n"
					   "5 sysmalloc 1/1\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_merge_in_order_of_names),
		cmocka_unit_test(stacks_end_before_what_is_dropped),
		cmocka_unit_test(threads_stand_below_their_process),
		cmocka_unit_test(inlined_functions_are_frames),
		cmocka_unit_test(same_name_other_kind_is_another_function),
		cmocka_unit_test(recursion_counts_once),
		cmocka_unit_test(weights_tell_how_sure_one_can_be),
		cmocka_unit_test(other_types_keep_their_unit),
		cmocka_unit_test(nothing_is_a_tree_of_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

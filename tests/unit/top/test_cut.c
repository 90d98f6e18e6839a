// SPDX-License-Identifier: Apache-2.0
/* A span's small profile: only what it uses, kernel frames or not, threads or not; and its tables. */
#include "test.h"

#include "../profile/builder.h"
#include "top/picture.h"

/* Weights of some samples of a profile, by number. */
static struct span_weights weigh(const struct profile *profile, const uint32_t *samples,
				 uint32_t count)
{
	struct span_weights weights = { .seconds = 5 };

	for (uint32_t i = 0; i < count; i++) {
		struct span_change *change = array_push(&weights.samples);

		assert_non_null(change);
		*change = (struct span_change){ samples[i], profile_value(profile, samples[i], 0),
						profile_value(profile, samples[i], 1) };
	}
	return weights;
}

static struct profile *build(void)
{
	struct profile *profile = build_profile();

	build_sample(profile, "web", "io", 11, "u:main|u:handle|l:read|k:sys_read", 4);
	build_sample(profile, "web", "io", 11, "u:main|u:handle", 2);
	build_sample(profile, "web", "cpu", 12, "u:main|u:handle", 3);
	build_sample(profile, "web", "cpu", 12, "n:[truncated: page not present]|u:deep", 1);
	build_sample(profile, "old", "old", 13, "u:main|u:gone", 100);
	return profile;
}

static const struct row *row_named(struct picture *picture, enum row_kind kind, const char *name)
{
	const struct row_table *table = picture_table(picture, kind);

	assert_non_null(table);
	for (uint32_t i = 0; i < table->rows.count; i++)
		if (strcmp(table->rows.at[i].name, name) == 0)
			return &table->rows.at[i];
	return NULL;
}

static struct picture *take(const struct profile *profile, struct cut_options options)
{
	static const uint32_t recent[] = { 0, 1, 2, 3 };
	struct span_weights weights = weigh(profile, recent, ARRAY_SIZE(recent));
	struct picture *picture;

	options.period_ns = BUILDER_PERIOD;
	options.types = (struct span_types){ 0, 1 };
	assert_ok(picture_new(&picture, profile, &weights, &options));
	span_weights_fini(&weights);
	return picture;
}

static void only_what_is_used(void **state)
{
	struct profile *profile = build();
	struct picture *picture = take(profile, (struct cut_options){});

	(void)state;
	assert_int_equal(call_tree_total(picture->tree), 10);
	assert_null(row_named(picture, ROW_FUNCTION, "gone"));
	assert_null(row_named(picture, ROW_PROCESS, "old"));
	assert_int_equal(row_named(picture, ROW_FUNCTION, "handle")->self, 5);
	assert_int_equal(row_named(picture, ROW_FUNCTION, "handle")->total, 9);
	assert_int_equal(row_named(picture, ROW_FUNCTION, "sys_read")->self, 4);
	assert_int_equal(picture->quality.samples, 10);
	assert_int_equal(picture->quality.truncated, 1);
	/* Threads are together in the tree, and apart in their table. */
	assert_int_equal(picture->tree->max_depth, 5);
	assert_int_equal(row_named(picture, ROW_THREAD, "io")->total, 6);
	assert_int_equal(row_named(picture, ROW_THREAD, "io")->self, 2);
	assert_int_equal(row_named(picture, ROW_THREAD, "io")->id, 11);
	assert_int_equal(row_named(picture, ROW_THREAD, "cpu")->total, 4);
	assert_int_equal(row_named(picture, ROW_PROCESS, "web")->total, 10);
	assert_int_equal(row_named(picture, ROW_LINE, "main")->total, 9);
	assert_int_equal(row_named(picture, ROW_LINE, "main")->self, 0);
	picture_free(picture);
	profile_free(profile);
}

static void kernel_frames_left_out(void **state)
{
	struct profile *profile = build();
	struct picture *picture = take(profile, (struct cut_options){ .no_kernel = true });

	(void)state;
	assert_int_equal(call_tree_total(picture->tree), 10);
	assert_null(row_named(picture, ROW_FUNCTION, "sys_read"));
	assert_int_equal(row_named(picture, ROW_FUNCTION, "read")->self, 4);
	picture_free(picture);
	picture = take(profile, (struct cut_options){ .no_user = true });
	assert_int_equal(call_tree_total(picture->tree), 4);
	assert_null(row_named(picture, ROW_FUNCTION, "main"));
	assert_int_equal(row_named(picture, ROW_FUNCTION, "sys_read")->self, 4);
	picture_free(picture);
	profile_free(profile);
}

/* What was chosen in one picture is found in the next, which has other nodes. */
static void keys_stay(void **state)
{
	static const uint32_t first[] = { 0, 2 }, second[] = { 0, 1, 2, 3, 4 };
	struct profile *profile = build();
	struct span_weights a = weigh(profile, first, 2), b = weigh(profile, second, 5);
	const struct cut_options options = { .types = { 0, 1 }, .period_ns = BUILDER_PERIOD };
	struct picture *x, *y;
	uint32_t found = 0;

	(void)state;
	assert_ok(picture_new(&x, profile, &a, &options));
	assert_ok(picture_new(&y, profile, &b, &options));
	assert_true(y->tree->nodes.count > x->tree->nodes.count);
	for (uint32_t i = 0; i < x->tree->nodes.count; i++)
		for (uint32_t k = 0; k < y->tree->nodes.count; k++)
			if (x->node_keys[i] == y->node_keys[k]) {
				assert_string_equal(
					call_frame_name(x->tree, call_tree_frame(x->tree, i)),
					call_frame_name(y->tree, call_tree_frame(y->tree, k)));
				found++;
			}
	assert_int_equal(found, x->tree->nodes.count);
	picture_free(x);
	picture_free(y);
	span_weights_fini(&a);
	span_weights_fini(&b);
	profile_free(profile);
}

static void nothing_at_all(void **state)
{
	struct profile *profile = build_profile();
	struct span_weights none = {};
	struct picture *picture;

	(void)state;
	assert_ok(picture_new(&picture, profile, &none,
			      &(struct cut_options){ .types = { 0, 1 }, .period_ns = BUILDER_PERIOD }));
	assert_int_equal(call_tree_total(picture->tree), 0);
	for (unsigned kind = 0; kind <= ROW_PROCESS; kind++)
		assert_int_equal(picture_table(picture, kind)->rows.count, 0);
	picture_free(picture);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_used),
		cmocka_unit_test(kernel_frames_left_out),
		cmocka_unit_test(keys_stay),
		cmocka_unit_test(nothing_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

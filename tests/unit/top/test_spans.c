// SPDX-License-Identifier: Apache-2.0
/* Which samples a span holds, when they were counted at known times. */
#include "test.h"

#include <math.h>

#include "../profile/builder.h"
#include "top/spans.h"

#define S 1000000000ULL

static int64_t count_of(const struct spans *spans, enum span span, uint32_t sample, double *seconds)
{
	struct span_weights weights = {};
	int64_t count = 0;

	assert_ok(spans_select(spans, span, &weights));
	for (uint32_t i = 0; i < weights.samples.count; i++)
		if (weights.samples.at[i].sample == sample)
			count += weights.samples.at[i].count;
	if (seconds)
		*seconds = weights.seconds;
	span_weights_fini(&weights);
	return count;
}

static void spans_hold_what_was_counted_in_them(void **state)
{
	struct profile *profile = build_profile();
	struct spans *spans = calloc(1, sizeof(*spans));
	double seconds;

	(void)state;
	spans_init(spans, 100 * S, (struct span_types){ 0, 1 });
	for (unsigned second = 1; second <= 20; second++) {
		build_sample(profile, "a", NULL, 0, "u:main|u:early", second <= 10 ? 7 : 0);
		build_sample(profile, "a", NULL, 0, "u:main|u:always", 3);
		assert_ok(spans_look(spans, profile, (100 + second) * S));
	}
	assert_int_equal(count_of(spans, SPAN_RECENT, 0, &seconds), 0);
	assert_int_equal(count_of(spans, SPAN_RECENT, 1, NULL), 5 * 3);
	assert_true(fabs(seconds - 5) < 1e-9);
	assert_int_equal(count_of(spans, SPAN_RESET, 0, &seconds), 70);
	assert_int_equal(count_of(spans, SPAN_RESET, 1, NULL), 60);
	assert_true(fabs(seconds - 20) < 1e-9);
	/* 7 a second until ten seconds ago, half of which is left each ten seconds. */
	seconds = 0;
	for (unsigned second = 1; second <= 10; second++)
		seconds += 7 * exp2(-(20.0 - second) / SPAN_HALF_LIFE_S);
	assert_int_equal(count_of(spans, SPAN_DECAY, 0, NULL), (int64_t)ceil(seconds));

	assert_ok(spans_reset(spans));
	assert_int_equal(count_of(spans, SPAN_RESET, 1, &seconds), 0);
	assert_int_equal(count_of(spans, SPAN_RECENT, 1, NULL), 0);
	assert_int_equal(count_of(spans, SPAN_DECAY, 1, NULL), 0);
	build_sample(profile, "a", NULL, 0, "u:main|u:new", 2);
	assert_ok(spans_look(spans, profile, 121 * S));
	for (unsigned span = 0; span < SPAN_COUNT; span++) {
		assert_int_equal(count_of(spans, span, 1, &seconds), 0);
		assert_int_equal(count_of(spans, span, 2, NULL), 2);
		assert_true(fabs(seconds - 1) < 1e-9);
	}
	spans_fini(spans);
	free(spans);
	profile_free(profile);
}

/* Samples that count less say less: as many equal ones as Kish's formula has. */
static void decayed_samples_say_less(void **state)
{
	struct profile *profile = build_profile();
	struct spans *spans = calloc(1, sizeof(*spans));
	struct span_weights weights = {};
	double sum = 0, squares = 0;

	(void)state;
	spans_init(spans, 0, (struct span_types){ 0, 1 });
	for (unsigned second = 1; second <= 60; second++) {
		build_sample(profile, "a", NULL, 0, "u:main", 10);
		assert_ok(spans_look(spans, profile, second * S));
	}
	for (unsigned age = 0; age < 60; age++) {
		sum += 10 * exp2(-(double)age / SPAN_HALF_LIFE_S);
		squares += 10 * exp2(-2.0 * age / SPAN_HALF_LIFE_S);
	}
	assert_ok(spans_select(spans, SPAN_DECAY, &weights));
	assert_true(fabs(weights.effective - sum * sum / squares) < 1e-6);
	assert_true(weights.effective < 600);
	span_weights_fini(&weights);
	spans_fini(spans);
	free(spans);
	profile_free(profile);
}

/* The ring of intervals comes around: the last seconds are still the last. */
static void many_looks(void **state)
{
	struct profile *profile = build_profile();
	struct spans *spans = calloc(1, sizeof(*spans));

	(void)state;
	spans_init(spans, 0, (struct span_types){ 0, 1 });
	for (unsigned tenth = 1; tenth <= 1000; tenth++) {
		build_sample(profile, "a", NULL, 0, "u:main", 1);
		assert_ok(spans_look(spans, profile, tenth * S / 10));
	}
	assert_int_equal(count_of(spans, SPAN_RECENT, 0, NULL), 50);
	assert_int_equal(count_of(spans, SPAN_RESET, 0, NULL), 1000);
	/* What is older than they are takes no memory. */
	assert_true(spans->used <= 51);
	spans_fini(spans);
	free(spans);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_hold_what_was_counted_in_them),
		cmocka_unit_test(decayed_samples_say_less),
		cmocka_unit_test(many_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

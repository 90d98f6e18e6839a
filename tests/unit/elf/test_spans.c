// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <stdlib.h>

#include "elf/spans.h"

enum { SPACE = 200, MAX_SPANS = 60 };

struct context {
	struct span spans[MAX_SPANS];
	uint64_t starts[2 * MAX_SPANS + 1];
	uint32_t values[2 * MAX_SPANS + 1];
	unsigned emitted, stop_at;
};

static void get(void *context, uint32_t number, struct span *ret)
{
	*ret = ((struct context *)context)->spans[number];
}

static int emit(void *context_, uint64_t start, uint32_t value)
{
	struct context *context = context_;

	if (context->stop_at && context->emitted == context->stop_at)
		return -ENOMEM;
	assert_true(context->emitted < 2 * MAX_SPANS + 1);
	context->starts[context->emitted] = start;
	context->values[context->emitted++] = value;
	return 0;
}

static int by_start(const void *a_, const void *b_)
{
	const struct span *a = a_, *b = b_;

	return (a->start > b->start) - (a->start < b->start);
}

static uint32_t best(const struct context *context, unsigned count, uint64_t address)
{
	const struct span *found = NULL;

	for (unsigned i = 0; i < count; i++) {
		const struct span *span = &context->spans[i];

		if (address >= span->start && address < span->end &&
		    (!found || span->priority < found->priority ||
		     (span->priority == found->priority && span->value < found->value)))
			found = span;
	}
	return found ? found->value : SPAN_NONE;
}

/* Against asking every span for every address. */
static void test_random(void **state)
{
	struct context context;

	(void)state;
	srandom(1);
	for (unsigned round = 0; round < 2000; round++) {
		unsigned count = (unsigned)random() % MAX_SPANS, at = 0;
		uint32_t value = SPAN_NONE;

		context = (struct context){};
		for (unsigned i = 0; i < count; i++) {
			uint64_t start = (uint64_t)random() % SPACE;

			context.spans[i] = (struct span){ start, start + (uint64_t)random() % 40,
							  (uint64_t)random() % 8, i };
		}
		qsort(context.spans, count, sizeof(context.spans[0]), by_start);
		assert_ok(spans_flatten(count, get, emit, &context));
		for (unsigned i = 1; i < context.emitted; i++) {
			assert_true(context.starts[i] > context.starts[i - 1]);
			assert_int_not_equal(context.values[i], context.values[i - 1]);
		}
		for (uint64_t address = 0; address < SPACE + 50; address++) {
			while (at < context.emitted && context.starts[at] <= address)
				value = context.values[at++];
			assert_int_equal(value, best(&context, count, address));
		}
	}
}

static void test_end_of_address_space(void **state)
{
	struct context context = { .spans = { { UINT64_MAX - 5, UINT64_MAX, 1, 7 } } };

	(void)state;
	assert_ok(spans_flatten(1, get, emit, &context));
	assert_true(context.starts[0] == UINT64_MAX - 5);
	assert_int_equal(context.values[0], 7);
}

static void test_error_ends(void **state)
{
	struct context context = { .spans = { { 1, 2, 1, 1 }, { 5, 6, 1, 2 } }, .stop_at = 2 };

	(void)state;
	assert_errno(spans_flatten(2, get, emit, &context), ENOMEM);
	assert_int_equal(context.emitted, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_end_of_address_space),
		cmocka_unit_test(test_error_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

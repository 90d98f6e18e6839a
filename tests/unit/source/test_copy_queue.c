// SPDX-License-Identifier: Apache-2.0
/* Samples and events of several rings come out in the order of their times. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "source/copy_queue.h"

struct told {
	char text[256];
	int fail_at_sample;
};

static int note_event(void *context, const struct lifecycle_event *event)
{
	struct told *told = context;
	size_t length = strlen(told->text);

	snprintf(told->text + length, sizeof(told->text) - length, "%s ", event->text);
	return 0;
}

static int note_sample(void *context, struct wire_sample *sample, size_t size, uint64_t missed)
{
	struct told *told = context;
	size_t length = strlen(told->text);

	assert_int_equal(size, sizeof(*sample) + sample->stack_bytes);
	snprintf(told->text + length, sizeof(told->text) - length, "%u+%llu ", sample->tid,
		 (unsigned long long)missed);
	return (int)sample->tid == told->fail_at_sample ? -EIO : 0;
}

static const struct copy_queue_ops ops = { note_event, note_sample };

static void add_event(struct copy_queue *queue, enum lifecycle_type type, uint64_t time_ns,
		      const char *name)
{
	const struct lifecycle_event event = { .type = type, .time_ns = time_ns, .text = name };

	assert_int_equal(copy_queue_add_event(queue, &event), 0);
}

/* With 5 bytes of stack: the next one is aligned all the same. */
static void add_sample(struct copy_queue *queue, uint64_t time_ns, uint32_t tid, uint64_t missed)
{
	struct {
		struct wire_sample sample;
		char stack[8];
	} one = { .sample = { .time_ns = time_ns, .tid = tid, .stack_bytes = 5 } };

	assert_int_equal(copy_queue_add_sample(queue, &one.sample, sizeof(one.sample) + 5, missed),
			 0);
}

static void fill(struct copy_queue *queue)
{
	add_sample(queue, 300, 3, 0); /* of one ring */
	add_sample(queue, 500, 5, 2);
	add_sample(queue, 100, 1, 0); /* of another */
	add_sample(queue, 300, 4, 0);
	add_event(queue, LIFECYCLE_COMM, 400, "later");
	add_event(queue, LIFECYCLE_EXEC, 300, "first");
	add_event(queue, LIFECYCLE_COMM, 300, "second");
	add_event(queue, LIFECYCLE_MAP, 200, "not told");
	add_event(queue, LIFECYCLE_COMM, 900, "last");
}

static void test_everything_in_order(void **state)
{
	struct copy_queue queue = {};
	struct told told = {};

	(void)state;
	fill(&queue);
	assert_int_equal(copy_queue_settle(&queue, &ops, &told), 0);
	assert_string_equal(told.text, "1+0 first second 3+0 4+0 later 5+2 last ");

	told.text[0] = '\0';
	assert_int_equal(copy_queue_settle(&queue, &ops, &told), 0);
	assert_string_equal(told.text, "");
	copy_queue_fini(&queue);
}

static void test_a_failure_ends_it(void **state)
{
	struct copy_queue queue = {};
	struct told told = { .fail_at_sample = 3 };

	(void)state;
	fill(&queue);
	assert_int_equal(copy_queue_settle(&queue, &ops, &told), -EIO);
	assert_string_equal(told.text, "1+0 first second 3+0 ");
	assert_int_equal(queue.samples.count, 0);
	copy_queue_fini(&queue);
}

static void test_a_long_name_is_cut(void **state)
{
	struct copy_queue queue = {};
	struct told told = {};

	(void)state;
	add_event(&queue, LIFECYCLE_COMM, 1, "a-name-of-many-characters");
	assert_int_equal(copy_queue_settle(&queue, &ops, &told), 0);
	assert_string_equal(told.text, "a-name-of-many- ");
}

static void test_too_much_is_dropped(void **state)
{
	static char big[1 << 20];
	struct copy_queue queue = {};
	int dropped = 0, added = 0;

	(void)state;
	for (int i = 0; i < 140; i++) {
		int r = copy_queue_add_sample(&queue, (void *)big, sizeof(big), 0);

		assert_true(r == 0 || r == 1);
		added += r == 0;
		dropped += r;
	}
	assert_in_range(added, 128, 130);
	assert_int_equal(added + dropped, 140);
	copy_queue_fini(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_in_order),
		cmocka_unit_test(test_a_failure_ends_it),
		cmocka_unit_test(test_a_long_name_is_cut),
		cmocka_unit_test(test_too_much_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

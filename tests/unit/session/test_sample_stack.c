// SPDX-License-Identifier: Apache-2.0
/*
 * This very process as the target: a sample of it, taken by hand as the kernel half would send it
 * before it knows the process, becomes a stack of named frames from here to _start.
 */
#include "capture.h"
#include "test.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "direct.h"
#include "sample_builder.h"
#include "session/meet.h"
#include "session/sample_stack.h"

static struct sample_builder builder;
static unsigned char stack[WIRE_STACK_COPY_BYTES];

/* By hand: the sanitizers rightly mind memcpy over other functions' variables. */
__attribute__((noinline, no_sanitize("address", "undefined"))) static void
copy_memory(unsigned char *to, const unsigned char *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile unsigned char *)to)[i] = from[i];
}

/* Notes registers and the stack, at most `bytes` of it. */
__attribute__((noinline, noclone)) static void capture(uint32_t bytes)
{
	extern char **environ; /* lies above the frames of all functions */
	uint64_t end = (uint64_t)(uintptr_t)environ;

	CAPTURE_REGISTERS(builder.head.ip, builder.head.sp, builder.head.bp, builder.head.bx);
	if (end > builder.head.sp && end - builder.head.sp < bytes)
		bytes = (uint32_t)(end - builder.head.sp);
	copy_memory(stack, (const unsigned char *)(uintptr_t)builder.head.sp, bytes);
	builder.head.stack_bytes = bytes;
}

__attribute__((noinline, noclone)) static int the_function_that_was_sampled(uint32_t bytes)
{
	capture(bytes);
	__asm__ volatile("" ::: "memory");
	return 1;
}

static uint8_t flags; /* of the next sample, more than it has anyhow */

/* first: so many bytes are the first copy, the rest is another; 0: all are. */
static void count_pieces(struct pipeline *p, uint32_t bytes, uint32_t first)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	struct wire_sample *sample;
	size_t size;

	builder.head = (struct wire_sample){ .time_ns = 1,
					     .weight_ns = 1,
					     .pid = (uint32_t)getpid(),
					     .tid = (uint32_t)getpid(),
					     .outcome = WALK_NO_PROCESS,
					     .flags = SAMPLE_NEXT_IS_EXACT | flags };
	assert_ok(pipeline_init(p, direct_workers(), &no_kernel, 64 << 20));
	assert_true(the_function_that_was_sampled(bytes));
	builder.stack = stack;
	if (first) {
		builder.head.other_at = builder.head.sp + first;
		builder.head.other_bytes = builder.head.stack_bytes - first;
		builder.head.stack_bytes = first;
		builder.other = stack + first;
	}
	sample = sample_build(&builder, &size);
	assert_ok(pipeline_sample(p, sample, size));
	free(sample);
}

static void count_one(struct pipeline *p, uint32_t bytes)
{
	count_pieces(p, bytes, 0);
}

/* The name of the frame that is `from_leaf` frames away from the leaf; "" when there is none. */
static const char *frame(const struct pipeline *p, uint32_t from_leaf)
{
	const struct profile *profile = p->profile;
	struct profile_run run = profile->stacks.at[profile->samples.at[0].stack];
	const struct profile_location *location;

	if (from_leaf >= run.count)
		return "";
	location = &profile->locations.at[profile->stack_locations.at[run.first + from_leaf]];
	assert_true(location->line_count > 0);
	return profile_text(
		profile,
		profile->functions.at[profile->lines.at[location->first_line].function].name);
}

static uint32_t depth(const struct pipeline *p)
{
	return p->profile->stacks.at[p->profile->samples.at[0].stack].count;
}

static void assert_whole(struct pipeline *p)
{
	assert_true(meet_strangers(p) >= 0);
	assert_ok(pipeline_advance(p, 10));
	assert_ok(naming_advance(&p->naming, UINT64_MAX));
	assert_int_equal(p->outcomes[WALK_COMPLETE], 1);
	assert_int_equal(p->through_generated_code, 0);
	assert_int_equal(p->finished, 1);
	assert_string_equal(frame(p, 0), "capture");
	assert_string_equal(frame(p, 1), "the_function_that_was_sampled");
	assert_string_equal(frame(p, depth(p) - 1), "_start");
	assert_true(p->tables.compiled >= 2); /* us and the C library */
}

static void two_pieces_of_stack_make_a_whole(void **state)
{
	struct pipeline p;

	(void)state;
	count_pieces(&p, sizeof(stack), 64);
	p.everything = true;
	assert_whole(&p);
	pipeline_fini(&p);
}

static void the_first_sample_of_a_process_is_whole(void **state)
{
	struct pipeline p;

	(void)state;
	count_one(&p, sizeof(stack));
	p.everything = true;
	assert_whole(&p);
	pipeline_fini(&p);
}

static void libunwind_walks_a_copy_whole(void **state)
{
	struct profile_run tables, libunwind;
	struct pipeline p, q;
	uint32_t differ = 0;

	(void)state;
	count_one(&p, sizeof(stack));
	p.everything = true;
	p.libunwind = p.libunwind_first = true;
	assert_true(meet_strangers(&p) >= 0);
	assert_ok(pipeline_advance(&p, 10));
	assert_ok(naming_advance(&p.naming, UINT64_MAX));
	assert_int_equal(p.outcomes[WALK_COMPLETE], 1);
	assert_int_equal(p.libunwind_stacks, 1);
	assert_string_equal(frame(&p, 0), "capture");
	assert_string_equal(frame(&p, depth(&p) - 1), "_start");
	/* The same frames, address by address, as by tables. */
	count_one(&q, sizeof(stack));
	q.everything = true;
	assert_whole(&q);
	assert_int_equal(q.libunwind_frames, 0);
	assert_int_equal(depth(&p), depth(&q));
	assert_int_equal(p.libunwind_frames, depth(&p));
	libunwind = p.profile->stacks.at[p.profile->samples.at[0].stack];
	tables = q.profile->stacks.at[q.profile->samples.at[0].stack];
	for (uint32_t i = 0; i < depth(&p); i++)
		differ += p.profile->locations.at[p.profile->stack_locations.at[libunwind.first + i]]
				  .address !=
			  q.profile->locations.at[q.profile->stack_locations.at[tables.first + i]]
				  .address;
	assert_int_equal(differ, 1); /* this test takes both samples, at two places */
	pipeline_fini(&p);
	pipeline_fini(&q);
}

static void a_short_copy_is_told_with_libunwind_too(void **state)
{
	struct pipeline p;

	(void)state;
	count_one(&p, 8);
	p.everything = true;
	p.libunwind = p.libunwind_first = true;
	assert_int_equal(meet_strangers(&p), 1);
	assert_ok(pipeline_advance(&p, 10));
	assert_ok(naming_advance(&p.naming, UINT64_MAX));
	assert_int_equal(p.outcomes[WALK_COPY_SHORT], 1);
	assert_string_equal(frame(&p, depth(&p) - 1), "[truncated: deeper than the copied stack]");
	pipeline_fini(&p);
}

/* A larger copy would end at the same page. */
static void a_page_that_is_not_there_is_no_short_copy(void **state)
{
	struct pipeline p;

	(void)state;
	flags = SAMPLE_STACK_ENDED;
	count_one(&p, 8);
	flags = 0;
	p.everything = p.copies = true;
	assert_int_equal(meet_strangers(&p), 1);
	assert_ok(pipeline_advance(&p, 10));
	assert_ok(naming_advance(&p.naming, UINT64_MAX));
	assert_int_equal(p.outcomes[WALK_NOT_PRESENT], 1);
	assert_int_equal(p.outcomes[WALK_COPY_SHORT], 0);
	assert_int_equal(p.cuts.count, 0);
	assert_string_equal(frame(&p, depth(&p) - 1), "[truncated: page not present]");
	pipeline_fini(&p);
}

static void tables_of_a_target_are_built_ahead(void **state)
{
	struct pipeline p;
	uint32_t compiled;

	(void)state;
	count_one(&p, sizeof(stack));
	assert_ok(pipeline_add_target(&p, getpid()));
	assert_ok(pipeline_publish(&p));
	compiled = p.tables.compiled;
	assert_true(compiled >= 2);
	assert_whole(&p);
	assert_int_equal(p.tables.compiled, compiled);
	pipeline_fini(&p);
}

static void a_short_piece_of_stack_is_told(void **state)
{
	struct pipeline p;

	(void)state;
	count_one(&p, 8);
	p.everything = true;
	assert_int_equal(meet_strangers(&p), 1);
	assert_ok(pipeline_advance(&p, 10));
	assert_ok(naming_advance(&p.naming, UINT64_MAX));
	assert_int_equal(p.outcomes[WALK_COPY_SHORT], 1);
	assert_string_equal(frame(&p, depth(&p) - 1), "[truncated: deeper than the copied stack]");
	pipeline_fini(&p);
}

/* Words of the copy that lie below the limit. */
static int read_copied(uint64_t *ret, uint64_t address, void *limit)
{
	uint64_t offset = address - builder.head.sp;

	if (offset > sizeof(stack) - sizeof(*ret) || address >= *(uint64_t *)limit)
		return -1;
	memcpy(ret, stack + offset, sizeof(*ret));
	return 0;
}

/* Adds it without counting it: its stack's root, by name, and how its walk ended. */
static const char *root_of_added(struct pipeline *p, enum walk_outcome *outcome)
{
	const struct profile_location *location;
	struct wire_sample *sample;
	struct profile_run run;
	uint32_t id;
	size_t size;

	builder.head.stack_bytes = 0;
	sample = sample_build(&builder, &size);
	assert_ok(sample_stack_add(p, sample, &id, outcome));
	free(sample);
	assert_ok(naming_advance(&p->naming, UINT64_MAX));
	assert_int_equal(p->profile->samples.count, 0);
	run = p->profile->stacks.at[id];
	location = &p->profile->locations
			    .at[p->profile->stack_locations.at[run.first + run.count - 1]];
	return profile_text(
		p->profile,
		p->profile->functions.at[p->profile->lines.at[location->first_line].function].name);
}

static void memory_that_can_be_read_takes_the_place_of_copies(void **state)
{
	uint64_t limit = UINT64_MAX;
	enum walk_outcome outcome;
	struct pipeline p;

	(void)state;
	count_one(&p, sizeof(stack));
	assert_ok(pipeline_add_target(&p, getpid()));
	p.read_memory = read_copied;
	p.read_context = &limit;
	assert_string_equal(root_of_added(&p, &outcome), "_start");
	assert_int_equal(outcome, WALK_COMPLETE);
	limit = builder.head.sp;
	assert_string_equal(root_of_added(&p, &outcome), "[truncated: page not present]");
	assert_int_equal(outcome, WALK_NOT_PRESENT);
	pipeline_fini(&p);
}

static void no_room_for_tables_is_no_crash(void **state)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	struct wire_sample *sample;
	struct pipeline p;
	size_t size;

	(void)state;
	/* One chunk is less than what is mapped needs. */
	count_one(&p, sizeof(stack));
	pipeline_fini(&p);
	assert_ok(pipeline_init(&p, direct_workers(), &no_kernel, WIRE_CHUNK_BYTES));
	p.everything = true;
	for (uint64_t i = 0; i < 200; i++) {
		builder.head.time_ns = i;
		sample = sample_build(&builder, &size);
		assert_ok(pipeline_sample(&p, sample, size));
		free(sample);
	}
	assert_int_equal(meet_strangers(&p), 1);
	assert_ok(pipeline_advance(&p, 1000));
	assert_ok(pipeline_publish(&p));
	assert_int_equal(p.sample_count, 200);
	pipeline_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_sample_of_a_process_is_whole),
		cmocka_unit_test(two_pieces_of_stack_make_a_whole),
		cmocka_unit_test(libunwind_walks_a_copy_whole),
		cmocka_unit_test(a_short_copy_is_told_with_libunwind_too),
		cmocka_unit_test(a_page_that_is_not_there_is_no_short_copy),
		cmocka_unit_test(tables_of_a_target_are_built_ahead),
		cmocka_unit_test(a_short_piece_of_stack_is_told),
		cmocka_unit_test(memory_that_can_be_read_takes_the_place_of_copies),
		cmocka_unit_test(no_room_for_tables_is_no_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

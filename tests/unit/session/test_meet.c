// SPDX-License-Identifier: Apache-2.0
/*
 * Strangers: this very process, which has generated code mapped for the occasion, and processes that
 * do not exist (PID_MAX_LIMIT is 2^22).
 */
#include "test.h"
#include "direct.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "sample_builder.h"
#include "session/meet.h"

#define STACK 0x7ffc00000000ULL
#define MILLISECOND 1000000ULL

enum { NOBODY = 0x7f000000, CHILD };

static struct pipeline p;
static uint64_t code, now;

static int set_up(void **state)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(memory != MAP_FAILED);
	code = (uint64_t)(uintptr_t)memory;
	now = clock_ns(CLOCK_MONOTONIC);
	assert_ok(pipeline_init(&p, direct_workers(), &no_kernel, 8 << 20));
	p.everything = true;
	p.threads = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pipeline_fini(&p);
	return munmap((void *)(uintptr_t)code, 4096);
}

static void event(struct lifecycle_event event)
{
	event.text = "program";
	event.tid = event.pid;
	assert_ok(pipeline_event(&p, &event));
}

static void forks(uint64_t time_ns, pid_t parent, pid_t pid)
{
	event((struct lifecycle_event){
		.type = LIFECYCLE_FORK, .time_ns = time_ns, .pid = pid, .parent_pid = parent });
}

static void execs(uint64_t time_ns, pid_t pid)
{
	event((struct lifecycle_event){ .type = LIFECYCLE_EXEC, .time_ns = time_ns, .pid = pid });
}

static void loses(uint64_t time_ns)
{
	event((struct lifecycle_event){ .type = LIFECYCLE_LOST, .time_ns = time_ns, .lost = 1 });
}

/* In the generated code, and called from there. The weight (and thread) tells samples apart. */
static void sample(uint64_t time_ns, pid_t pid, uint64_t weight_ns)
{
	const uint64_t stack[] = { STACK + 16, code + 0x21, 0, 0 };
	struct sample_builder builder = { .head = { .time_ns = time_ns,
						    .weight_ns = weight_ns,
						    .pid = (uint32_t)pid,
						    .tid = (uint32_t)weight_ns,
						    .ip = code + 0x10,
						    .sp = STACK,
						    .bp = STACK,
						    .outcome = WALK_NO_PROCESS,
						    .flags = SAMPLE_NEXT_IS_EXACT,
						    .stack_bytes = sizeof(stack) },
					  .stack = stack };
	struct wire_sample *made;
	size_t size;

	made = sample_build(&builder, &size);
	assert_ok(pipeline_sample(&p, made, size));
	free(made);
}

static bool is_code(uint32_t position)
{
	uint32_t location = p.profile->stack_locations.at[position];

	return p.profile->locations.at[location].kind == LOCATION_JIT;
}

/* How many samples of that weight have a stack that was read with what was mapped. */
static int64_t whole(uint64_t weight_ns)
{
	const struct profile *profile = p.profile;
	int64_t count = 0;

	for (uint32_t i = 0; i < profile->samples.count; i++) {
		struct profile_run run = profile->stacks.at[profile->samples.at[i].stack];
		int64_t samples = profile_value(profile, i, p.measures.types[MEASURE_SAMPLES]);

		if (profile_value(profile, i, p.measures.types[MEASURE_CPU]) == samples * (int64_t)weight_ns &&
		    run.count == 2 && is_code(run.first) && is_code(run.first + 1))
			count += samples;
	}
	return count;
}

static void advance(void)
{
	assert_ok(pipeline_advance(&p, UINT64_MAX));
}

static void a_stranger_is_looked_at_once(void **state)
{
	(void)state;
	sample(now, getpid(), 1);
	sample(now + 1, getpid(), 1);
	assert_int_equal(meet_strangers(&p), 1);
	assert_int_equal(meet_strangers(&p), 0);
	advance();
	assert_int_equal(whole(1), 2);
}

static void nobody_is_looked_for_once(void **state)
{
	(void)state;
	sample(now, NOBODY, 1);
	assert_int_equal(meet_strangers(&p), 1);
	assert_int_equal(meet_strangers(&p), 0);
	advance();
	assert_int_equal(whole(1), 0);
	assert_int_equal(p.outcomes[WALK_NO_MAPPING], 1);
	assert_true(process_table_find(&p.processes, NOBODY)->dead);
}

/* It was another program when the first sample was taken. */
static void what_was_before_an_exec_is_not_known(void **state)
{
	(void)state;
	for (unsigned drained_later = 0; drained_later < 2; drained_later++) {
		now = clock_ns(CLOCK_MONOTONIC) - 10 * MILLISECOND;
		sample(now, getpid(), 1 + 2 * drained_later);
		sample(now + 5 * MILLISECOND, getpid(), 2 + 2 * drained_later);
		if (!drained_later)
			execs(now + 2 * MILLISECOND, getpid());
		assert_int_equal(meet_strangers(&p), 1);
		if (drained_later)
			execs(now + 2 * MILLISECOND, getpid());
		advance();
		assert_int_equal(whole(1 + 2 * drained_later), 0);
		assert_int_equal(whole(2 + 2 * drained_later), 1);
		process_table_remove(&p.processes, getpid());
	}
	assert_int_equal(p.outcomes[WALK_STALE_MAPPING], 2);
}

/* Forked by a process that nothing is known of, and gone by now. */
static void a_child_is_known_by_its_parent(void **state)
{
	(void)state;
	forks(now, getpid(), CHILD);
	sample(now + 1, CHILD, 1);
	assert_int_equal(meet_strangers(&p), 1);
	advance();
	assert_int_equal(whole(1), 1);
	/* But not when the parent has become another program since. */
	process_table_remove(&p.processes, getpid());
	forks(now + 10, getpid(), CHILD);
	sample(now + 11, CHILD, 2);
	execs(now + 20, getpid());
	assert_int_equal(meet_strangers(&p), 1);
	advance();
	assert_int_equal(whole(2), 0);
}

/* Who had the pid before the fork that the stream tells of cannot be looked at any more. */
static void a_pid_that_is_used_again_is_not_looked_at(void **state)
{
	(void)state;
	sample(now, getpid(), 1);
	forks(now + 1, NOBODY, getpid());
	sample(now + 2, getpid(), 2);
	assert_int_equal(meet_strangers(&p), 1); /* the parent, in vain */
	assert_null(process_table_find(&p.processes, getpid()));
	advance();
	assert_int_equal(whole(1), 0);
	/* Nor had the child of an unknown parent: only now it can be looked at. */
	sample(now + 3, getpid(), 3);
	assert_int_equal(meet_strangers(&p), 0);
	advance();
	assert_int_equal(whole(3), 0);
}

static void after_a_loss_all_are_doubted(void **state)
{
	struct process *process;

	(void)state;
	sample(now, getpid(), 1);
	assert_int_equal(meet_strangers(&p), 1);
	advance();
	assert_int_equal(whole(1), 1);
	/* One that has ended, as nobody told. */
	assert_ok(process_table_get(&p.processes, &process, NOBODY));
	assert_ok(process_inherit(process, process_table_find(&p.processes, getpid())));
	process->sure_ns = now;
	now = clock_ns(CLOCK_MONOTONIC);
	loses(now);
	sample(now - 1, getpid(), 2);
	sample(now + 1, getpid(), 3);
	sample(now + 1, NOBODY, 4);
	assert_int_equal(meet_strangers(&p), 2);
	assert_int_equal(meet_strangers(&p), 0);
	advance();
	assert_int_equal(whole(2), 0);
	assert_int_equal(whole(3), 1);
	assert_int_equal(whole(4), 0);
}

static void who_ended_unseen_is_dead(void **state)
{
	struct process *process, *us;

	(void)state;
	assert_ok(process_table_get(&p.processes, &process, NOBODY));
	assert_ok(process_table_get(&p.processes, &us, getpid()));
	meet_count_the_living(&p);
	assert_false(process->dead);
	loses(now);
	meet_count_the_living(&p);
	assert_true(process->dead);
	assert_false(us->dead);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stranger_is_looked_at_once),
		TEST(nobody_is_looked_for_once),
		TEST(what_was_before_an_exec_is_not_known),
		TEST(a_child_is_known_by_its_parent),
		TEST(a_pid_that_is_used_again_is_not_looked_at),
		TEST(after_a_loss_all_are_doubted),
		TEST(who_ended_unseen_is_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

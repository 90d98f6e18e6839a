// SPDX-License-Identifier: Apache-2.0
/*
 * Streams put together by hand: what each sample meets must be the state of its own moment.
 *
 * Code lies in anonymous memory, which is walked by frame pointers: no file and no table is needed.
 * The pids are too large to exist (PID_MAX_LIMIT is 2^22), so nothing is ever found in /proc.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "direct.h"
#include "profile/call_tree.h"
#include "sample_builder.h"
#include "session/pipeline.h"
#include "session/sample_stack.h"

#define SECOND 1000000000ULL
#define STACK 0x7ffc00000000ULL
#define OLD_CODE 0x10000ULL
#define NEW_CODE 0x50000ULL
#define CODE_BYTES 0x10000ULL

enum { PID = 0x7f000000, CHILD, OTHER };

static struct pipeline p;

static int set_up(void **state)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };

	(void)state;
	assert_ok(pipeline_init(&p, direct_workers(), &no_kernel, 8 << 20));
	p.everything = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pipeline_fini(&p);
	return 0;
}

/* ---- events ---- */

static void event(struct lifecycle_event event)
{
	if (!event.text)
		event.text = "";
	if (!event.tid)
		event.tid = event.pid;
	assert_ok(pipeline_event(&p, &event));
}

static void maps(uint64_t time_ns, pid_t pid, uint64_t start)
{
	event((struct lifecycle_event){ .type = LIFECYCLE_MAP,
					.time_ns = time_ns,
					.pid = pid,
					.start = start,
					.size = CODE_BYTES,
					.text = "//anon" });
}

static void forks(uint64_t time_ns, pid_t parent, pid_t pid)
{
	event((struct lifecycle_event){
		.type = LIFECYCLE_FORK, .time_ns = time_ns, .pid = pid, .parent_pid = parent });
}

static void execs(uint64_t time_ns, pid_t pid, const char *name)
{
	event((struct lifecycle_event){
		.type = LIFECYCLE_EXEC, .time_ns = time_ns, .pid = pid, .text = name });
}

static void ends(uint64_t time_ns, pid_t pid, pid_t tid)
{
	event((struct lifecycle_event){
		.type = LIFECYCLE_EXIT, .time_ns = time_ns, .pid = pid, .tid = tid });
}

/* A process that is known, with OLD_CODE mapped, to the kernel half, too; the first is generation 1. */
static struct process *known(pid_t pid)
{
	struct mapping mapping = { .start = OLD_CODE,
				   .end = OLD_CODE + CODE_BYTES,
				   .kind = MAPPING_ANONYMOUS };
	struct process *process;

	assert_ok(process_table_get(&p.processes, &process, pid));
	process->mappings_known = true;
	assert_ok(process_map(process, &mapping));
	process_table_number(&p.processes, process);
	process->dirty = false;
	return process;
}

/* ---- samples ---- */

static void send(const struct sample_builder *builder)
{
	struct wire_sample *sample;
	size_t size;

	sample = sample_build(builder, &size);
	assert_ok(pipeline_sample(&p, sample, size));
	free(sample);
}

/*
 * A sample of a thread that the kernel half could not walk: at `ip`, called from `caller`, which is
 * the root. The weight tells samples apart.
 */
static void unwalked_thread(uint64_t time_ns, pid_t pid, pid_t tid, uint64_t ip, uint64_t caller,
			    uint64_t weight_ns)
{
	const uint64_t stack[] = { STACK + 16, caller, 0, 0 };

	send(&(struct sample_builder){ .head = { .time_ns = time_ns,
						 .weight_ns = weight_ns,
						 .pid = (uint32_t)pid,
						 .tid = (uint32_t)tid,
						 .ip = ip,
						 .sp = STACK,
						 .bp = STACK,
						 .outcome = WALK_NO_PROCESS,
						 .flags = SAMPLE_NEXT_IS_EXACT,
						 .stack_bytes = sizeof(stack),
						 .comm = "thread" },
				       .stack = stack });
}

static void unwalked(uint64_t time_ns, pid_t pid, uint64_t ip, uint64_t caller, uint64_t weight_ns)
{
	unwalked_thread(time_ns, pid, pid, ip, caller, weight_ns);
}

/* The sample's stack, as the profile has it: leaf first, "file+address" or the note's text. */
static const char *stack_of(uint64_t weight_ns)
{
	static char text[1024];
	const struct profile *profile = p.profile;

	for (uint32_t i = 0; i < profile->samples.count; i++) {
		struct profile_run run = profile->stacks.at[profile->samples.at[i].stack];
		size_t used = 0;

		if (profile_value(profile, i, p.measures.types[MEASURE_CPU]) != (int64_t)weight_ns)
			continue;
		text[0] = '\0';
		for (uint32_t k = 0; k < run.count; k++) {
			const struct profile_location *location =
				&profile->locations.at[profile->stack_locations.at[run.first + k]];
			const char *file =
				profile_text(profile, profile->mappings.at[location->mapping].file);

			used += (size_t)snprintf(text + used, sizeof(text) - used,
						 location->address ? "%s%s+%llx" : "%s%s",
						 k ? " " : "", file,
						 (unsigned long long)location->address);
		}
		return text;
	}
	return "no such sample";
}

static void assert_stack(uint64_t weight_ns, pid_t pid, const char *format)
{
	char expected[1024];
	size_t used = 0;

	/* "@" stands for the process's generated code. */
	for (; *format; format++) {
		if (*format == '@')
			used += (size_t)snprintf(expected + used, sizeof(expected) - used,
						 "[jit:%d]", (int)pid);
		else
			expected[used++] = *format;
	}
	expected[used] = '\0';
	assert_string_equal(stack_of(weight_ns), expected);
}

/* ---- the order of things ---- */

static void an_exec_lies_between_two_samples(void **state)
{
	(void)state;
	/* Told in any order: time decides. */
	unwalked(40, PID, OLD_CODE + 0x10, OLD_CODE + 0x21, 400);
	unwalked(50, PID, NEW_CODE + 0x10, NEW_CODE + 0x21, 500);
	maps(31, PID, NEW_CODE);
	execs(30, PID, "new");
	unwalked(20, PID, OLD_CODE + 0x10, OLD_CODE + 0x21, 200);
	maps(10, PID, OLD_CODE);
	forks(5, OTHER, PID);
	execs(6, PID, "old");
	assert_ok(pipeline_advance(&p, 100));
	assert_int_equal(p.sample_count, 3);
	assert_stack(200, PID, "@+10010 @+10020");
	assert_stack(400, PID, "[unknown] [truncated: address outside of every mapping]");
	assert_stack(500, PID, "@+50010 @+50020");
	assert_int_equal(p.outcomes[WALK_COMPLETE], 2);
	assert_int_equal(p.through_generated_code, 2);
	assert_int_equal(p.outcomes[WALK_NO_MAPPING], 1);
	assert_int_equal(p.finished, 3);
	assert_string_equal(process_table_find(&p.processes, PID)->comm, "new");
}

static void an_event_comes_before_a_sample_of_its_time(void **state)
{
	(void)state;
	unwalked(10, PID, OLD_CODE + 0x10, OLD_CODE + 0x21, 100);
	execs(10, PID, "a");
	maps(10, PID, OLD_CODE);
	forks(10, OTHER, PID);
	assert_ok(pipeline_advance(&p, 10));
	/* Equal times keep the order in which they came: the fork last, so nothing is known. */
	assert_stack(100, PID, "[unknown] [truncated: address outside of every mapping]");
	known(CHILD);
	maps(20, CHILD, NEW_CODE);
	unwalked(20, CHILD, NEW_CODE + 0x10, OLD_CODE + 0x21, 200);
	assert_ok(pipeline_advance(&p, 20));
	assert_stack(200, CHILD, "@+50010 @+10020");
}

static void what_is_younger_than_the_horizon_waits(void **state)
{
	(void)state;
	known(PID);
	unwalked(20, PID, OLD_CODE + 0x10, OLD_CODE + 0x21, 200);
	unwalked(40, PID, NEW_CODE + 0x10, OLD_CODE + 0x21, 400);
	unwalked(30, PID, OLD_CODE + 0x18, OLD_CODE + 0x21, 300);
	maps(35, PID, NEW_CODE);
	event((struct lifecycle_event){
		.type = LIFECYCLE_COMM, .time_ns = 50, .pid = PID, .text = "renamed" });
	assert_ok(pipeline_advance(&p, 29));
	assert_int_equal(p.sample_count, 1);
	assert_ok(pipeline_advance(&p, 29));
	assert_int_equal(p.sample_count, 1);
	assert_ok(pipeline_advance(&p, 30));
	assert_int_equal(p.sample_count, 2);
	assert_int_equal(p.waiting.samples.count, 1);
	assert_int_equal(p.waiting.events.count, 2);
	assert_ok(pipeline_advance(&p, UINT64_MAX));
	assert_int_equal(p.sample_count, 3);
	assert_stack(300, PID, "@+10018 @+10020");
	assert_stack(400, PID, "@+50010 @+10020");
	assert_string_equal(process_table_find(&p.processes, PID)->comm, "renamed");
	assert_int_equal(p.waiting.samples.count + p.waiting.events.count, 0);
	assert_int_equal(p.waiting.bytes.size + p.waiting.texts.size, 0);
}

static void samples_of_any_length_are_kept_whole(void **state)
{
	static const unsigned char stack[32] = { [0] = 0x30, [4] = 0xfc, [5] = 0x7f };

	(void)state;
	known(PID);
	for (uint32_t bytes = 1; bytes <= 17; bytes++)
		send(&(struct sample_builder){ .head = { .time_ns = 100 + bytes,
							 .weight_ns = bytes,
							 .pid = PID,
							 .ip = OLD_CODE + bytes,
							 .sp = STACK,
							 .bp = STACK + 64,
							 .outcome = WALK_NO_PROCESS,
							 .flags = SAMPLE_NEXT_IS_EXACT,
							 .stack_bytes = bytes },
					       .stack = stack });
	assert_ok(pipeline_advance(&p, 109));
	assert_int_equal(p.sample_count, 9);
	assert_ok(pipeline_advance(&p, 200));
	assert_int_equal(p.sample_count, 17);
	assert_int_equal(p.outcomes[WALK_COPY_SHORT], 17);
	assert_stack(17, PID, "@+10011 [truncated: deeper than the copied stack]");
	assert_stack(5, PID, "@+10005 [truncated: deeper than the copied stack]");
}

/* ---- processes ---- */

static void a_child_has_the_mappings_of_its_parent(void **state)
{
	(void)state;
	p.everything = false;
	p.children = true;
	known(PID);
	forks(10, PID, CHILD);
	unwalked(20, CHILD, OLD_CODE + 0x10, OLD_CODE + 0x21, 200);
	/* What the parent maps later is not the child's. */
	maps(30, PID, NEW_CODE);
	unwalked(40, CHILD, NEW_CODE + 0x10, OLD_CODE + 0x21, 400);
	unwalked(40, PID, NEW_CODE + 0x10, OLD_CODE + 0x21, 401);
	assert_ok(pipeline_advance(&p, 100));
	assert_stack(200, CHILD, "@+10010 @+10020");
	assert_stack(400, CHILD, "[unknown] [truncated: address outside of every mapping]");
	assert_stack(401, PID, "@+50010 @+10020");
}

static void threads_are_not_processes(void **state)
{
	(void)state;
	known(PID);
	event((struct lifecycle_event){ .type = LIFECYCLE_FORK,
					.time_ns = 10,
					.pid = PID,
					.parent_pid = PID,
					.tid = PID + 7 });
	ends(20, PID, PID + 7);
	assert_ok(pipeline_advance(&p, 10 * SECOND));
	assert_non_null(process_table_find(&p.processes, PID));
	assert_int_equal(process_table_find(&p.processes, PID)->mappings.count, 1);
}

static void only_those_asked_for_are_followed(void **state)
{
	(void)state;
	p.everything = false;
	known(PID);
	forks(10, PID, CHILD);
	forks(10, OTHER, OTHER + 1);
	maps(11, OTHER + 1, OLD_CODE);
	assert_ok(pipeline_advance(&p, 100));
	assert_null(process_table_find(&p.processes, CHILD));
	assert_null(process_table_find(&p.processes, OTHER + 1));
	assert_int_equal(p.processes.processes.count, 1);
}

static void a_pid_that_is_used_again_is_another_process(void **state)
{
	(void)state;
	known(PID)->target = true;
	unwalked(10, PID, OLD_CODE + 0x10, OLD_CODE + 0x21, 100);
	ends(20, PID, PID);
	forks(30, OTHER, PID);
	unwalked(40, PID, OLD_CODE + 0x10, OLD_CODE + 0x21, 400);
	assert_ok(pipeline_advance(&p, 100));
	assert_stack(100, PID, "@+10010 @+10020");
	assert_stack(400, PID, "[unknown] [truncated: address outside of every mapping]");
	assert_false(process_table_find(&p.processes, PID)->target);
	assert_false(process_table_find(&p.processes, PID)->dead);
	/* Also when nobody asked for the new one. */
	p.everything = false;
	forks(110, OTHER, PID);
	assert_ok(pipeline_advance(&p, 200));
	assert_null(process_table_find(&p.processes, PID));
}

/* The command that was just started: its fork is in the stream, and is how it began. */
static void a_fork_before_the_process_was_looked_at_is_its_own(void **state)
{
	struct process *process;

	(void)state;
	p.everything = false;
	p.children = true;
	process = known(PID);
	process->target = true;
	process->read_ns = 20;
	ends(9, PID, PID); /* of who had the pid before */
	forks(10, OTHER, PID);
	maps(15, PID, NEW_CODE); /* no news, too */
	execs(30, PID, "new");
	maps(31, PID, NEW_CODE);
	unwalked(40, PID, NEW_CODE + 0x10, NEW_CODE + 0x21, 400);
	assert_ok(pipeline_advance(&p, 100));
	assert_ptr_equal(process_table_find(&p.processes, PID), process);
	assert_true(process->target);
	assert_false(process->dead);
	assert_stack(400, PID, "@+50010 @+50020");
}

static void the_dead_are_forgotten_in_time(void **state)
{
	(void)state;
	known(PID);
	ends(10 * SECOND, PID, PID);
	assert_ok(pipeline_advance(&p, 12 * SECOND - 1));
	assert_non_null(process_table_find(&p.processes, PID));
	/* A sample of its last moments still finds it. */
	unwalked(12 * SECOND, PID, OLD_CODE + 0x10, OLD_CODE + 0x21, 100);
	assert_ok(pipeline_advance(&p, 13 * SECOND));
	assert_stack(100, PID, "@+10010 @+10020");
	assert_ok(pipeline_advance(&p, 14 * SECOND));
	assert_null(process_table_find(&p.processes, PID));
}

static void a_process_goes_on_without_its_first_thread(void **state)
{
	struct process *process = known(PID);

	(void)state;
	ends(10 * SECOND, PID, PID);
	maps(11 * SECOND, PID, NEW_CODE);
	unwalked_thread(11 * SECOND + 1, PID, PID + 7, NEW_CODE + 0x10, OLD_CODE + 0x21, 100);
	assert_ok(pipeline_advance(&p, 11 * SECOND + 2));
	assert_stack(100, PID, "@+50010 @+10020");
	assert_true(process->goes_on);
	assert_int_equal(process->thread, PID + 7);
	/* The kernel half has to know of what it maps. */
	assert_ok(pipeline_publish(&p));
	assert_false(process->dirty);
	assert_int_equal(process->generation, 2);
	unwalked_thread(13 * SECOND, PID, PID + 7, NEW_CODE + 0x10, OLD_CODE + 0x21, 200);
	assert_ok(pipeline_advance(&p, 14 * SECOND));
	assert_ptr_equal(process_table_find(&p.processes, PID), process);
	/* /proc has nothing of it any more. */
	assert_ok(pipeline_advance(&p, 16 * SECOND));
	assert_null(process_table_find(&p.processes, PID));
}

static void an_exec_by_another_thread_is_no_end(void **state)
{
	(void)state;
	known(PID);
	/* The first thread ends before; the one that called exec gets its id. */
	ends(10 * SECOND, PID, PID);
	execs(10 * SECOND + 1, PID, "new");
	maps(10 * SECOND + 2, PID, NEW_CODE);
	assert_ok(pipeline_advance(&p, 20 * SECOND));
	unwalked(21 * SECOND, PID, NEW_CODE + 0x10, NEW_CODE + 0x21, 100);
	assert_ok(pipeline_advance(&p, 22 * SECOND));
	assert_stack(100, PID, "@+50010 @+50020");
}

/* ---- stacks that the kernel half walked with an older state ---- */

static void walked(uint64_t time_ns, uint32_t generation, uint8_t flags, uint64_t weight_ns)
{
	static const uint64_t user[] = { NEW_CODE + 0x10, OLD_CODE + 0x20, NEW_CODE + 0x30 };
	static const uint64_t stack[] = { STACK + 16, NEW_CODE + 0x21, 0, 0 };
	struct sample_builder builder = { .head = { .time_ns = time_ns,
						    .weight_ns = weight_ns,
						    .pid = PID,
						    .tid = PID,
						    .generation = generation,
						    .user_count = 3,
						    .outcome = WALK_COMPLETE,
						    .flags = flags },
					  .user = user };

	if (flags & SAMPLE_MAPPINGS_STALE) {
		builder.head.ip = NEW_CODE + 0x10;
		builder.head.sp = builder.head.bp = STACK;
		builder.head.flags |= SAMPLE_NEXT_IS_EXACT;
		builder.head.stack_bytes = sizeof(stack);
		builder.stack = stack;
	}
	send(&builder);
}

static void frames_in_changed_code_are_not_believed(void **state)
{
	struct process *process = known(PID);

	(void)state;
	process->sampled = true;
	maps(10, PID, NEW_CODE);
	assert_ok(pipeline_advance(&p, 10));
	assert_ok(pipeline_publish(&p));
	assert_int_equal(process->generation, 2);
	assert_false(process->dirty);
	walked(20, 2, 0, 200);
	/* dlclose and dlopen: other code at the same place. */
	event((struct lifecycle_event){ .type = LIFECYCLE_MAP,
					.time_ns = 30,
					.pid = PID,
					.start = OLD_CODE,
					.size = CODE_BYTES,
					.inode = 7,
					.text = "/nowhere/plugin.so" });
	walked(40, 2, 0, 400);
	walked(50, 2, SAMPLE_MAPPINGS_STALE, 500);
	assert_ok(pipeline_advance(&p, 60));
	assert_stack(200, PID, "@+50010 @+10020 @+50030");
	/* Up to there it is right. */
	assert_stack(400, PID, "@+50010 [truncated: code was mapped meanwhile]");
	/* The kernel half noticed and sent what is needed to begin anew. */
	assert_stack(500, PID, "@+50010 @+50020");
	assert_int_equal(p.outcomes[WALK_STALE_MAPPING], 1);
	assert_ok(pipeline_publish(&p));
	assert_int_equal(process->generation, 3);
	walked(70, 3, 0, 700);
	assert_ok(pipeline_advance(&p, 70));
	/* The same address as in the first one, but the file's code now. */
	assert_stack(700, PID, "@+50010 /nowhere/plugin.so+10020 @+50030");
}

/* The kernel half was told of a process that had ended by then, and whose pid is another's. */
static void a_walk_with_the_state_of_the_former_process_is_not_believed(void **state)
{
	static const uint64_t user[] = { OLD_CODE + 0x10, OLD_CODE + 0x20 };
	struct sample_builder builder = { .head = { .pid = PID,
						    .tid = PID,
						    .generation = 1,
						    .user_count = 2,
						    .outcome = WALK_COMPLETE },
					  .user = user };

	(void)state;
	known(PID)->sampled = true;
	ends(20, PID, PID);
	forks(30, OTHER, PID);
	execs(31, PID, "new");
	maps(32, PID, OLD_CODE);
	builder.head.time_ns = builder.head.weight_ns = 10;
	send(&builder);
	builder.head.time_ns = builder.head.weight_ns = 40;
	send(&builder);
	assert_ok(pipeline_advance(&p, 50));
	assert_ok(pipeline_publish(&p));
	assert_int_equal(process_table_find(&p.processes, PID)->generation, 2);
	builder.head.time_ns = builder.head.weight_ns = 60;
	send(&builder);
	builder.head.time_ns = builder.head.weight_ns = 70;
	builder.head.generation = 2;
	send(&builder);
	assert_ok(pipeline_advance(&p, 70));
	assert_stack(10, PID, "@+10010 @+10020");
	assert_stack(40 + 60, PID, "[truncated: code was mapped meanwhile]");
	assert_stack(70, PID, "@+10010 @+10020");
}

static void changes_elsewhere_do_not_matter(void **state)
{
	struct process *process = known(PID);

	(void)state;
	process->sampled = true;
	maps(10, PID, NEW_CODE);
	assert_ok(pipeline_advance(&p, 10));
	assert_ok(pipeline_publish(&p));
	maps(20, PID, 0x90000);
	walked(30, 2, 0, 300);
	walked(31, 2, SAMPLE_MAPPINGS_STALE, 301);
	assert_ok(pipeline_advance(&p, 40));
	assert_stack(300 + 301, PID, "@+50010 @+10020 @+50030");
	assert_int_equal(p.finished, 0);
}

static void a_walk_goes_on_behind_what_the_kernel_half_walked(void **state)
{
	static const uint64_t user[] = { OLD_CODE + 1, OLD_CODE + 2 };
	static const uint64_t stack[] = { STACK + 16, OLD_CODE + 0x41, 0, 0 };

	(void)state;
	known(PID);
	send(&(struct sample_builder){ .head = { .time_ns = 10,
						 .weight_ns = 100,
						 .pid = PID,
						 .generation = 1,
						 .user_count = 2,
						 .outcome = WALK_NO_TABLE,
						 .ip = OLD_CODE + 0x31, /* a return address */
						 .sp = STACK,
						 .bp = STACK,
						 .stack_bytes = sizeof(stack) },
				       .user = user,
				       .stack = stack });
	assert_ok(pipeline_advance(&p, 10));
	assert_stack(100, PID, "@+10001 @+10002 @+10030 @+10040");
}

/* ---- what is counted ---- */

static void kernel_frames_lie_above(void **state)
{
	static const uint64_t kernel[] = { 0xffffffff81000010, 0xffffffff81000021 };
	static const uint64_t user[] = { OLD_CODE + 0x10 };

	(void)state;
	known(PID);
	send(&(struct sample_builder){ .head = { .weight_ns = 100,
						 .pid = PID,
						 .generation = 1,
						 .kernel_count = 2,
						 .user_count = 1,
						 .outcome = WALK_COMPLETE },
				       .kernel = kernel,
				       .user = user });
	/* A kernel thread has no user stack, and lacks none. */
	send(&(struct sample_builder){ .head = { .weight_ns = 200,
						 .pid = 2,
						 .kernel_count = 2,
						 .outcome = WALK_NO_USER_STACK,
						 .flags = SAMPLE_KTHREAD },
				       .kernel = kernel });
	send(&(struct sample_builder){
		.head = { .weight_ns = 300, .pid = PID, .outcome = WALK_NO_USER_STACK } });
	assert_ok(pipeline_advance(&p, 10));
	assert_stack(100, PID,
		     "[kernel.kallsyms]+ffffffff81000010 [kernel.kallsyms]+ffffffff81000020 "
		     "@+10010");
	assert_stack(200, PID,
		     "[kernel.kallsyms]+ffffffff81000010 [kernel.kallsyms]+ffffffff81000020");
	assert_stack(300, PID, "[truncated: no user stack]");
	assert_int_equal(p.outcomes[WALK_COMPLETE], 2);
	assert_int_equal(p.through_generated_code, 1); /* the kernel's is none */
	assert_int_equal(p.outcomes[WALK_NO_USER_STACK], 1);
	assert_null(process_table_find(&p.processes, 2));
}

static void equal_stacks_are_one_sample(void **state)
{
	(void)state;
	known(PID);
	for (uint64_t i = 0; i < 10; i++)
		unwalked(10 + i, PID, OLD_CODE + 0x10, OLD_CODE + 0x21, 7);
	assert_ok(pipeline_advance(&p, 100));
	assert_int_equal(p.profile->samples.count, 1);
	assert_int_equal(profile_value(p.profile, 0, p.measures.types[MEASURE_SAMPLES]), 10);
	assert_int_equal(profile_value(p.profile, 0, p.measures.types[MEASURE_CPU]), 70);
	assert_int_equal(p.sample_count, 10);
}

static void labels_say_who(void **state)
{
	const struct profile_label *label;
	uint32_t set;

	(void)state;
	p.threads = true;
	memcpy(known(PID)->comm, "program", 8);
	unwalked(10, PID, OLD_CODE + 0x10, OLD_CODE + 0x21, 7);
	assert_ok(pipeline_advance(&p, 100));
	set = p.profile->samples.at[0].labels;
	label = profile_label_find(p.profile, set, "comm");
	assert_string_equal(profile_text(p.profile, label->text), "program");
	label = profile_label_find(p.profile, set, "thread_name");
	assert_non_null(label);
	label = profile_label_find(p.profile, set, "tid");
	assert_int_equal(label->number, PID);
	label = profile_label_find(p.profile, set, "pid");
	assert_int_equal(label->number, PID);
}

static void what_is_no_sample_is_passed_over(void **state)
{
	static const uint64_t user[WIRE_MAX_FRAMES + 1], kernel[WIRE_MAX_KERNEL_FRAMES + 1];

	(void)state;
	p.max_depth = 3;
	send(&(struct sample_builder){ .head = { .pid = PID, .user_count = 4 }, .user = user });
	send(&(struct sample_builder){
		.head = { .pid = PID, .kernel_count = WIRE_MAX_KERNEL_FRAMES + 1 },
		.kernel = kernel });
	send(&(struct sample_builder){ .head = { .pid = PID, .outcome = WALK_OUTCOME_COUNT } });
	send(&(struct sample_builder){ .head = { .flags = SAMPLE_KTHREAD, .user_count = 1 },
				       .user = user });
	assert_ok(pipeline_advance(&p, 10));
	assert_int_equal(p.sample_count, 0);
	assert_int_equal(p.profile->samples.count, 0);
}

/* A sample of a thread of which nothing but its kernel stack is to be had: its own, by the numbers. */
static void deep_in_the_kernel(pid_t pid, uint32_t tid, uint64_t number)
{
	uint64_t kernel[32];
	struct sample_builder builder = { .head = { .time_ns = 1,
						    .weight_ns = 1,
						    .pid = (uint32_t)pid,
						    .tid = tid,
						    .outcome = WALK_NO_USER_STACK,
						    .kernel_count = ARRAY_SIZE(kernel) },
					  .kernel = kernel };

	for (unsigned i = 0; i < ARRAY_SIZE(kernel); i++)
		kernel[i] = hash_pair(hash_pair((uint64_t)pid, number), i) | 1ULL << 63;
	snprintf(builder.head.comm, sizeof(builder.head.comm), "%u", tid);
	send(&builder);
}

static uint64_t bytes_of_profile(void)
{
	return profile_bytes(p.profile) +
	       p.naming.items.count * (uint64_t)sizeof(*p.naming.items.at);
}

/* What one sample can add before it is seen that there is no room. */
enum { SLACK = 32 << 10 };

/* Who has a new stack in each sample leaves as much room as he takes, and no sample is lost. */
static void a_process_does_not_fill_the_profile_alone(void **state)
{
	enum { SAMPLES = 5000, OTHERS = 50 };
	uint64_t whole, bytes;
	uint32_t labels;

	(void)state;
	p.threads = true;
	p.budget.limit = 2 << 20;
	for (unsigned i = 0; i < SAMPLES; i++)
		deep_in_the_kernel(PID, (uint32_t)PID + i, i);
	assert_ok(pipeline_advance(&p, 10));
	whole = p.outcomes[WALK_COMPLETE];
	bytes = bytes_of_profile();
	assert_int_equal(whole + p.outcomes[WALK_PROFILE_FULL], SAMPLES);
	assert_true(whole > 100 && whole < SAMPLES / 2);
	assert_true(bytes > p.budget.limit / 2 - SLACK && bytes < p.budget.limit / 2 + SLACK);
	assert_int_equal(profile_total(p.profile, p.measures.types[MEASURE_SAMPLES]), SAMPLES);
	/* What is known is counted as ever; what is not is still the process's. */
	deep_in_the_kernel(PID, PID, 0);
	assert_ok(pipeline_advance(&p, 10));
	assert_int_equal(p.outcomes[WALK_COMPLETE], whole + 1);
	labels = p.profile->samples.at[p.profile->samples.count - 1].labels;
	assert_int_equal(profile_label_find(p.profile, labels, "pid")->number, PID);
	assert_int_equal(p.profile->stacks.at[p.profile->stacks.count - 1].count, 1);

	for (unsigned i = 0; i < OTHERS; i++)
		deep_in_the_kernel(OTHER, OTHER, i);
	assert_ok(pipeline_advance(&p, 10));
	assert_int_equal(p.outcomes[WALK_COMPLETE], whole + 1 + OTHERS);
}

static void many_processes_do_not_fill_the_profile(void **state)
{
	enum { SAMPLES = 20, PROCESSES = 3000 };

	(void)state;
	p.budget.limit = 2 << 20;
	for (unsigned i = 0; i < PROCESSES; i++)
		for (unsigned k = 0; k < SAMPLES; k++)
			deep_in_the_kernel(PID + (pid_t)i, (uint32_t)PID + i, k);
	assert_ok(pipeline_advance(&p, 10));
	assert_true(p.outcomes[WALK_COMPLETE] > 100);
	assert_true(bytes_of_profile() < p.budget.limit + SLACK);
	assert_int_equal(profile_total(p.profile, p.measures.types[MEASURE_SAMPLES]), SAMPLES * PROCESSES);
	assert_ok(naming_advance(&p.naming, UINT64_MAX));
	assert_ok(profile_freeze(p.profile));
	assert_int_equal(profile_total(p.profile, p.measures.types[MEASURE_SAMPLES]), SAMPLES * PROCESSES);
}

/* One deep stack in many threads: small in the profile, but not in a picture. */
static void many_threads_do_not_fill_the_picture(void **state)
{
	enum { SAMPLES = 20000 };
	cleanup(call_tree_free) struct call_tree *tree = NULL;

	(void)state;
	p.threads = true;
	p.budget.limit = 4 << 20;
	for (unsigned i = 0; i < SAMPLES; i++)
		deep_in_the_kernel(PID, (uint32_t)PID + i, 0);
	assert_ok(pipeline_advance(&p, 10));
	assert_true(p.outcomes[WALK_COMPLETE] > 500);
	assert_true(p.outcomes[WALK_PROFILE_FULL] > 5000);
	assert_int_equal(profile_total(p.profile, p.measures.types[MEASURE_SAMPLES]), SAMPLES);
	assert_true(p.profile->sample_frames * PROFILE_FRAME_BYTES < p.budget.limit / 2);
	assert_ok(naming_advance(&p.naming, UINT64_MAX));
	assert_ok(profile_freeze(p.profile));
	assert_ok(call_tree_new(&tree, p.profile, p.measures.types[MEASURE_SAMPLES]));
	assert_int_equal(call_tree_total(tree), SAMPLES);
	assert_true(tree->nodes.count * sizeof(*tree->nodes.at) < 3UL * p.budget.limit);
}

static void lost_events_are_counted(void **state)
{
	(void)state;
	event((struct lifecycle_event){ .type = LIFECYCLE_LOST, .lost = 3 });
	event((struct lifecycle_event){ .type = LIFECYCLE_LOST, .lost = 4 });
	assert_int_equal(p.lifecycle_lost, 7);
	assert_int_equal(p.incoming.events.count, 0);
}

/* Memory over a file's code may hold the same code: nothing is known before it is looked at. */
static void memory_over_code_is_looked_at(void **state)
{
	struct process *process = known(PID);
	struct mapping file = { .start = NEW_CODE, .end = NEW_CODE + CODE_BYTES, .inode = 7 };

	(void)state;
	assert_ok(strtab_add_str(&p.processes.paths, &file.path, "/lib/old.so"));
	assert_ok(process_map(process, &file));
	maps(1, PID, OLD_CODE); /* generated code where there was some before */
	assert_ok(pipeline_advance(&p, 1));
	assert_false(process->look_again);
	/* Unless it may have been no code at the moment at which it was looked at. */
	process->looked_ns = 1;
	maps(1, PID, OLD_CODE + 2 * CODE_BYTES);
	assert_ok(pipeline_advance(&p, 1));
	assert_true(process->look_again);
	assert_non_null(process_mapping(process, OLD_CODE + 2 * CODE_BYTES));
	process->look_again = false;
	process->looked_ns = 0;
	maps(2, PID, NEW_CODE + 0x100);
	assert_ok(pipeline_advance(&p, 2));
	assert_true(process->look_again);
	assert_int_equal(process_mapping(process, NEW_CODE)->kind, MAPPING_FILE);
	assert_int_equal(process_mapping(process, NEW_CODE + 0x100)->kind, MAPPING_ANONYMOUS);
	/* Another file is another matter, unless it has no name. */
	process->look_again = false;
	event((struct lifecycle_event){ .type = LIFECYCLE_MAP,
					.time_ns = 3,
					.pid = PID,
					.start = NEW_CODE,
					.size = CODE_BYTES,
					.inode = 8,
					.text = "/memfd:text (deleted)" });
	assert_ok(pipeline_advance(&p, 3));
	assert_true(process->look_again);
	assert_int_equal(process_mapping(process, NEW_CODE)->inode, 8);
	process->look_again = false;
	event((struct lifecycle_event){ .type = LIFECYCLE_MAP,
					.time_ns = 4,
					.pid = PID,
					.start = NEW_CODE,
					.size = CODE_BYTES,
					.inode = 9,
					.text = "/lib/new.so" });
	assert_ok(pipeline_advance(&p, 4));
	assert_false(process->look_again);
	assert_int_equal(process_mapping(process, NEW_CODE)->inode, 9);
	/* One that was sampled is looked at at once; gone, it has code that nobody knows. */
	process->sampled = true;
	maps(5, PID, NEW_CODE);
	assert_ok(pipeline_advance(&p, 5));
	assert_false(process->look_again);
	assert_int_equal(process_mapping(process, NEW_CODE)->kind, MAPPING_ANONYMOUS);
	process->sampled = false;
	/* A process that is over cannot be looked at. */
	ends(5, PID, PID);
	maps(6, PID, NEW_CODE);
	assert_ok(pipeline_advance(&p, 6));
	assert_false(process->look_again);
	assert_int_equal(process_mapping(process, NEW_CODE)->kind, MAPPING_ANONYMOUS);
}

static void nonsense_mappings_are_refused(void **state)
{
	struct process *process = known(PID);

	(void)state;
	event((struct lifecycle_event){
		.type = LIFECYCLE_MAP, .time_ns = 1, .pid = PID, .start = 0x90000, .text = "//" });
	event((struct lifecycle_event){ .type = LIFECYCLE_MAP,
					.time_ns = 1,
					.pid = PID,
					.start = 0xffffffffff600000,
					.size = 0x1000,
					.text = "[vsyscall]" });
	event((struct lifecycle_event){ .type = LIFECYCLE_MAP,
					.time_ns = 1,
					.pid = PID,
					.start = 0x7fffffffffffffff,
					.size = 0xffffffffffffffff,
					.text = "//" });
	assert_ok(pipeline_advance(&p, 10));
	assert_int_equal(process->mappings.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_exec_lies_between_two_samples),
		TEST(an_event_comes_before_a_sample_of_its_time),
		TEST(what_is_younger_than_the_horizon_waits),
		TEST(samples_of_any_length_are_kept_whole),
		TEST(a_child_has_the_mappings_of_its_parent),
		TEST(threads_are_not_processes),
		TEST(only_those_asked_for_are_followed),
		TEST(a_pid_that_is_used_again_is_another_process),
		TEST(a_fork_before_the_process_was_looked_at_is_its_own),
		TEST(the_dead_are_forgotten_in_time),
		TEST(a_process_goes_on_without_its_first_thread),
		TEST(an_exec_by_another_thread_is_no_end),
		TEST(frames_in_changed_code_are_not_believed),
		TEST(a_walk_with_the_state_of_the_former_process_is_not_believed),
		TEST(changes_elsewhere_do_not_matter),
		TEST(a_walk_goes_on_behind_what_the_kernel_half_walked),
		TEST(kernel_frames_lie_above),
		TEST(equal_stacks_are_one_sample),
		TEST(labels_say_who),
		TEST(what_is_no_sample_is_passed_over),
		TEST(a_process_does_not_fill_the_profile_alone),
		TEST(many_processes_do_not_fill_the_profile),
		TEST(many_threads_do_not_fill_the_picture),
		TEST(lost_events_are_counted),
		TEST(memory_over_code_is_looked_at),
		TEST(nonsense_mappings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

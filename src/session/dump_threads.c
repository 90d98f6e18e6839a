// SPDX-License-Identifier: Apache-2.0
#include "session/dump_threads.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "proc/stat.h"
#include "session/sample_stack.h"

/* For unwind tables, of one process. */
#define TABLE_BUDGET_BYTES (24ULL * 1024 * 1024)
/* As long as threads are missing, after the first round, which has the tables made. */
#define ROUNDS_NS 400000000ULL
#define BETWEEN_NS 5000000L

enum {
	TIMER_HZ = 997,
	RING_BYTES = 1 << 22,
	MAPPINGS = 16384,
	AT_ONCE = 6,	       /* rounds without a pause */
	THREADS_MAX = 1 << 20, /* more than a kernel has */
};

int dump_fail(struct source_failure *failure, int r, const char *what)
{
	snprintf(failure->what, sizeof(failure->what), "%s", what);
	return r;
}

static void thread_fini(struct dump_thread *thread)
{
	system_call_fini(&thread->call);
	free(thread->sample);
}

void dump_fini(struct dump *dump)
{
	for (uint32_t i = 0; i < dump->threads.count; i++)
		thread_fini(&dump->threads.at[i]);
	array_fini(&dump->threads);
	hash_index_fini(&dump->index);
	descriptors_fini(&dump->descriptors);
	process_memory_fini(&dump->memory);
	if (dump->pipeline_ready)
		pipeline_fini(&dump->pipeline);
	cpu_source_close(dump->timers);
	thread_source_close(dump->source);
	array_fini(&dump->cpus.cpus);
}

/* ---- what runs ---- */

static int open_timers(struct dump *dump, struct source_failure *failure)
{
	struct cpu_source_options options = {
		.config = { .kernel_stacks = 1,
			    .user_stacks = 1,
			    .max_frames = WIRE_MAX_FRAMES,
			    .translate_pids = dump->pids_differ },
		.frequency_hz = TIMER_HZ,
		.ring_bytes = RING_BYTES,
		.mapping_capacity = MAPPINGS,
		.cpus = &dump->cpus,
		.cgroup_fd = -1,
	};
	int r = cpu_list_online(&dump->cpus);

	if (r < 0)
		return dump_fail(failure, r, "cannot read which CPUs there are (is /sys mounted?)");
	r = cpu_source_open(&dump->timers, &options, failure);
	if (r < 0)
		return r;
	r = cpu_source_watch(dump->timers, dump->pid, TARGET_WATCHED);
	return r < 0 ? dump_fail(failure, r, "cannot watch the process") : 0;
}

static int start_timers(struct dump *dump, struct source_failure *failure)
{
	int r = dump->timers ? 0 : open_timers(dump, failure);

	if (r < 0 || dump->timers_run)
		return r;
	dump->timers_run = true;
	r = cpu_source_start(dump->timers);
	return r < 0 ? dump_fail(failure, r, "cannot start the timers") : 0;
}

struct dump_thread *dump_find_thread(const struct dump *dump, uint32_t tid)
{
	uint32_t at = hash_index_find(&dump->index, hash_u64(tid), NULL, NULL, NULL);

	return at == HASH_ABSENT ? NULL : &dump->threads.at[at];
}

/* Keeps the first one of a thread that has no stack. */
static int keep_sample(void *context, const struct wire_sample *sample, size_t size)
{
	struct dump *dump = context;
	struct dump_thread *thread = dump_find_thread(dump, sample->tid);

	if (!thread || thread->sample || thread->how == DUMP_STILL || thread->how == DUMP_SAMPLED ||
	    (sample->outcome == WALK_NO_USER_STACK && !sample->kernel_count))
		return 0;
	thread->sample = malloc(size);
	if (!thread->sample)
		return -ENOMEM;
	memcpy(thread->sample, sample, size);
	return 0;
}

static int use_samples(struct dump *dump)
{
	struct pipeline *p = &dump->pipeline;
	int r = cpu_source_drain(dump->timers, keep_sample, dump);

	p->read_memory = NULL;
	for (uint32_t i = 0; i < dump->threads.count && r == 0; i++) {
		struct dump_thread *thread = &dump->threads.at[i];

		if (!thread->sample)
			continue;
		r = sample_stack_add(p, thread->sample, &thread->stack, &thread->outcome);
		thread->how = DUMP_SAMPLED;
		thread->moved = false;
		thread->at.flags |= THREAD_ON_CPU;
		thread->at.state = 0;
		system_call_fini(&thread->call);
		thread->call.number = -1;
		free(thread->sample);
		thread->sample = NULL;
	}
	return r;
}

/* ---- what does not ---- */

static int read_word(uint64_t *ret, uint64_t address, void *context)
{
	return process_memory_word(context, ret, address);
}

int dump_walk(struct dump *dump, struct dump_thread *thread, const uint64_t *kernel)
{
	struct {
		struct wire_sample sample;
		uint64_t kernel[WIRE_MAX_KERNEL_FRAMES];
	} made = { .sample = { .time_ns = thread->looked_ns,
			       .pid = (uint32_t)dump->pid,
			       .tid = thread->at.tid,
			       .ip = thread->at.ip,
			       .sp = thread->at.sp,
			       .bp = thread->at.bp,
			       .bx = thread->at.bx,
			       .kernel_count = (uint16_t)thread->at.kernel_count,
			       .outcome = WALK_NO_PROCESS } };
	struct pipeline *p = &dump->pipeline;

	if (thread->at.flags & THREAD_KERNEL) {
		made.sample.flags |= SAMPLE_KTHREAD;
		made.sample.outcome = WALK_NO_USER_STACK;
	} else if (thread->at.flags & THREAD_COMPAT) {
		made.sample.outcome = WALK_COMPAT;
	}
	if (thread->at.flags & THREAD_EXACT)
		made.sample.flags |= SAMPLE_NEXT_IS_EXACT;
	memcpy(made.sample.temporaries, thread->at.temporaries, sizeof(made.sample.temporaries));
	memcpy(made.sample.comm, thread->at.comm, sizeof(made.sample.comm));
	memcpy(made.kernel, kernel, 8UL * thread->at.kernel_count);
	process_memory_forget(&dump->memory);
	p->read_memory = read_word;
	p->read_context = &dump->memory;
	thread->how = DUMP_WALKED;
	return sample_stack_add(p, &made.sample, &thread->stack, &thread->outcome);
}

int dump_describe_call(struct dump *dump, struct dump_thread *thread)
{
	system_call_fini(&thread->call);
	return system_call_describe(&thread->call, &thread->at, &dump->descriptors, &dump->memory);
}

/* ---- rounds ---- */

struct dump_thread *dump_add_thread(struct dump *dump, uint32_t tid)
{
	struct dump_thread *thread;

	if (dump->threads.count >= THREADS_MAX)
		return NULL;
	thread = array_push(&dump->threads);
	if (!thread)
		return NULL;
	if (hash_index_add(&dump->index, hash_u64(tid), dump->threads.count - 1) < 0) {
		dump->threads.count--;
		return NULL;
	}
	thread->at.tid = tid;
	thread->call.number = -1;
	return thread;
}

static int look_at(void *context, const struct wire_thread *now)
{
	struct dump *dump = context;
	struct dump_thread *thread = dump_find_thread(dump, now->tid);
	int r;

	if (!thread)
		thread = dump_add_thread(dump, now->tid);
	if (!thread)
		return -ENOMEM;
	thread->round = dump->round;
	if (thread->how == DUMP_STILL || thread->how == DUMP_SAMPLED)
		return 0;
	if (thread->how == DUMP_WALKED && !(now->flags & THREAD_ON_CPU) &&
	    now->switches == thread->at.switches) {
		thread->how = DUMP_STILL;
		thread->moved = false;
		return 0;
	}
	/* What was walked stays for want of better. */
	thread->moved = thread->how == DUMP_WALKED;
	if (thread_has_ended(now)) {
		thread->at = *now;
		thread->how = DUMP_ENDED;
		return 0;
	}
	/* What waits for a CPU will soon have one. */
	dump->running += now->flags & THREAD_ON_CPU || !now->state;
	if (now->flags & THREAD_ON_CPU) {
		if (thread->how == DUMP_NOTHING) {
			thread->at = *now;
			thread->looked_ns = clock_ns(CLOCK_MONOTONIC);
		}
		return 0;
	}
	thread->at = *now;
	thread->looked_ns = clock_ns(CLOCK_MONOTONIC);
	if (!dump->pipeline_ready)
		return 0;
	/* Read before anything is asked of the reader, which takes its time. */
	r = dump_walk(dump, thread, (const uint64_t *)(now + 1));
	return r < 0 ? r : dump_describe_call(dump, thread);
}

static int one_round(struct dump *dump)
{
	dump->round++;
	dump->running = 0;
	return thread_source_read(dump->source, look_at, dump);
}

static int by_id(const void *a, const void *b)
{
	const struct dump_thread *x = a, *y = b;

	return (x->at.tid > y->at.tid) - (x->at.tid < y->at.tid);
}

void dump_sort_threads(struct dump *dump)
{
	if (dump->threads.count)
		qsort(dump->threads.at, dump->threads.count, sizeof(*dump->threads.at), by_id);
}

/* Was it there when all were looked at the last time? */
static bool is_alive(const struct dump *dump, const struct dump_thread *thread)
{
	return thread->round == dump->round;
}

/* Nothing that is to be tried once more. */
static bool is_known(const struct dump_thread *thread)
{
	return thread->how != DUMP_NOTHING && thread->how != DUMP_WALKED;
}

static bool is_any_alive(const struct dump *dump)
{
	for (uint32_t i = 0; i < dump->threads.count; i++)
		if (is_alive(dump, &dump->threads.at[i]))
			return true;
	return false;
}

/*
 * Forgets those that have ended meanwhile, and sorts the others. Of a process that has ended as a
 * whole, where its threads were.
 */
static void finish(struct dump *dump)
{
	bool ended = !is_any_alive(dump);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < dump->threads.count; i++) {
		struct dump_thread *thread = &dump->threads.at[i];

		if (!is_alive(dump, thread) && !(ended && is_known(thread))) {
			thread_fini(thread);
			continue;
		}
		thread->moved |= thread->how == DUMP_WALKED;
		dump->threads.at[kept++] = *thread;
	}
	dump->threads.count = kept;
	dump_sort_threads(dump);
}

static bool is_missing_any(const struct dump *dump)
{
	for (uint32_t i = 0; i < dump->threads.count; i++) {
		const struct dump_thread *thread = &dump->threads.at[i];

		if (is_alive(dump, thread) && !is_known(thread))
			return true;
	}
	return false;
}

int dump_open_pipeline(struct dump *dump, const struct table_store_maps *maps, bool no_user_code,
		       struct source_failure *failure)
{
	struct pipeline *p = &dump->pipeline;
	int r = pipeline_init(p, &dump->workers, maps, TABLE_BUDGET_BYTES);

	if (r < 0) {
		pipeline_fini(p);
		return dump_fail(failure, r, "cannot set up the tables");
	}
	dump->pipeline_ready = true;
	p->round = 1;
	if (no_user_code)
		return 0;
	r = pipeline_add_target(p, dump->pid);
	if (r < 0)
		return dump_fail(failure, r, "cannot read the process");
	process_memory_init(&dump->memory, process_table_find(&p->processes, dump->pid)->thread);
	dump->descriptors.pid = dump->memory.pid;
	return 0;
}

static int set_up(struct dump *dump, struct source_failure *failure)
{
	struct table_store_maps maps = { -1, -1, -1, -1, -1, -1, 0, 0 };
	bool kernel_thread = true;
	struct proc_stat stat;
	int r;

	/* The walk in the kernel, for what runs, is to find its tables. */
	r = one_round(dump);
	if (r < 0)
		return dump_fail(failure, r, "cannot iterate over threads");
	if (dump->threads.count == 0)
		return proc_stat_read(&stat, dump->pid) < 0
			       ? -ESRCH
			       : dump_fail(failure, -EACCES,
					   "the kernel does not show its threads");
	for (uint32_t i = 0; i < dump->threads.count; i++)
		kernel_thread &= (dump->threads.at[i].at.flags & THREAD_KERNEL) != 0;
	if (dump->running) {
		struct cpu_source_maps fds;

		r = open_timers(dump, failure);
		if (r < 0)
			return r;
		fds = cpu_source_maps(dump->timers);
		maps = (struct table_store_maps){ fds.processes, fds.mappings,
						  fds.tables,	 fds.rules,
						  fds.chunks,	 fds.rule_caches,
						  MAPPINGS,	 fds.rule_cache_count };
	}
	r = dump_open_pipeline(dump, &maps, kernel_thread, failure);
	return r == 0 && dump->running && !kernel_thread ? pipeline_publish(&dump->pipeline) : r;
}

/* At the priority that we have: a higher one would cost a busy process a tenth of a second. */
int dump_take(struct dump *dump, struct source_failure *failure)
{
	const struct timespec pause = { .tv_nsec = BETWEEN_NS };
	uint64_t until = 0;
	int r = set_up(dump, failure);

	while (r == 0) {
		r = one_round(dump);
		if (r < 0)
			return dump_fail(failure, r, "cannot read the threads");
		if (!until)
			until = clock_ns(CLOCK_MONOTONIC) + ROUNDS_NS;
		if (!is_missing_any(dump))
			break;
		if (dump->running) {
			r = start_timers(dump, failure);
			if (r < 0)
				return r;
		}
		/* What wakes up often needs a few tries, but not all that there is time for. */
		if (dump->running || dump->round > AT_ONCE)
			(void)nanosleep(&pause, NULL);
		if (dump->timers_run)
			r = use_samples(dump);
		if (clock_ns(CLOCK_MONOTONIC) > until)
			break;
	}
	if (dump->timers)
		cpu_source_stop(dump->timers);
	if (r == 0 && dump->memory.error)
		r = dump_fail(failure, dump->memory.error, "cannot read the process's memory");
	if (r < 0)
		return r;
	finish(dump);
	return dump->threads.count ? 0 : -ESRCH;
}

// SPDX-License-Identifier: Apache-2.0
/* A dump of threads that are stopped for it: unwind tables first, so that the stop is short. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "session/dump_threads.h"
#include "source/stopped_threads.h"

/* What has stopped is walked while it is held; what sleeps on, if it stays where it was. */
static bool stands_still(const struct stopped_threads *stopped, const struct stopped_thread *thread)
{
	return thread->sleeps_on ? stopped_thread_sleeps_on(stopped, thread)
				 : stopped_threads_hold(stopped);
}

static int take_thread(struct dump *dump, const struct stopped_threads *stopped,
		       const struct stopped_thread *from)
{
	struct dump_thread *thread = dump_add_thread(dump, from->at.tid);
	int r;

	if (!thread)
		return -ENOMEM;
	thread->at = from->at;
	memcpy(thread->kernel_function, from->kernel_function, sizeof(thread->kernel_function));
	thread->looked_ns = clock_ns(CLOCK_MONOTONIC);
	if (thread_has_ended(&thread->at))
		thread->how = DUMP_ENDED;
	if (thread->how == DUMP_ENDED || !from->has_registers)
		return 0;
	r = dump_walk(dump, thread, NULL);
	thread->how = DUMP_STILL;
	thread->moved = !stands_still(stopped, from);
	return r;
}

/* After they were let go: what sleeps in a call has gone back into it. */
static int describe(struct dump *dump, struct dump_thread *thread)
{
	int r = thread->how == DUMP_STILL ? dump_describe_call(dump, thread) : 0;

	/* It ran, or wanted to. */
	if (!thread->at.state)
		thread->at.flags |= THREAD_ON_CPU;
	return r;
}

int dump_take_stopped(struct dump *dump, uint64_t limit_ns, struct source_failure *failure)
{
	static const struct table_store_maps maps = { -1, -1, -1, -1, -1, -1, 0, 0 };
	cleanup(stopped_threads_fini) struct stopped_threads stopped = { .socket = -1 };
	int r = dump_open_pipeline(dump, &maps, false, failure);

	/* To the kernel nothing is told: there are no maps. But tables are made of all that is mapped. */
	if (r == 0)
		r = pipeline_publish(&dump->pipeline);
	if (r < 0)
		return failure->what[0] ? r : dump_fail(failure, r, "cannot make the tables");
	if (process_table_find(&dump->pipeline.processes, dump->pid)->mappings.count == 0)
		return dump_fail(failure, -EBUSY, "it has no memory; kernel threads do not stop");
	r = stopped_threads_open(&stopped, dump->pid, limit_ns, failure);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < stopped.threads.count && r == 0; i++)
		r = take_thread(dump, &stopped, &stopped.threads.at[i]);
	stopped_threads_release(&stopped);
	dump->stop_ns = stopped.stop_ns;
	process_memory_forget(&dump->memory);
	for (uint32_t i = 0; i < dump->threads.count && r == 0; i++)
		r = describe(dump, &dump->threads.at[i]);
	if (r == 0 && dump->memory.error)
		r = dump->memory.error;
	if (r < 0)
		return dump_fail(failure, r, "cannot read the threads");
	dump_sort_threads(dump);
	return 0;
}

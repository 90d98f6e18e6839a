// SPDX-License-Identifier: Apache-2.0
#include "source/copy_threads.h"

#include <errno.h>

#include "source/copy_sizes.h"

enum {
	GROWN_MAX = 1024,
	/* Each takes all events anew, which loses half a period of every thread. */
	ROUNDS_MAX = 8,
};

void copy_threads_fini(struct copy_threads *threads)
{
	array_fini(&threads->grown);
}

static struct copy_thread *find(const struct copy_threads *threads, pid_t tid)
{
	for (uint32_t i = 0; i < threads->grown.count; i++)
		if (threads->grown.at[i].tid == tid)
			return &threads->grown.at[i];
	return NULL;
}

uint32_t copy_threads_bytes(const struct copy_threads *threads, pid_t tid)
{
	const struct copy_thread *thread = find(threads, tid);

	return thread && thread->bytes > threads->bytes ? thread->bytes : threads->bytes;
}

uint32_t copy_threads_most(const struct copy_threads *threads)
{
	uint32_t most = threads->bytes;

	for (uint32_t i = 0; i < threads->grown.count; i++)
		if (threads->grown.at[i].bytes > most)
			most = threads->grown.at[i].bytes;
	return most;
}

int copy_threads_grow(struct copy_threads *threads, pid_t tid, uint32_t copied, uint32_t ring)
{
	struct copy_thread *thread = find(threads, tid);
	uint32_t now = copy_threads_bytes(threads, tid), bytes;

	if (copied < now)
		return 0;
	/* One that was started by a thread with larger copies has these, too. */
	now = copied & ~7U;
	bytes = copy_stack_bytes_grown(now, ring);
	if (bytes <= now)
		return 0;
	if (threads->rounds >= ROUNDS_MAX || (!thread && threads->grown.count == GROWN_MAX)) {
		threads->bytes = bytes;
		return 1;
	}
	if (!thread)
		thread = array_push(&threads->grown);
	if (!thread)
		return -ENOMEM;
	/* In few rounds. */
	*thread = (struct copy_thread){ tid, copy_stack_bytes_grown(bytes, ring) };
	return 1;
}

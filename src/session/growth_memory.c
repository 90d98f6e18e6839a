// SPDX-License-Identifier: Apache-2.0
/*
 * What of a process's memory is there. To look takes the lock on that memory, which the process may hold for as
 * long as a page of a file does not come: so it is asked for in a process that may wait in our place, and
 * for many pages at once, since each question costs as much as dozens of them.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "session/growth_parts.h"
#include "worker/ask_opener.h"

/* What is looked at around a page: the kernel maps so much of a file at once (fault_around_bytes). */
enum { BLOCK_BYTES = 65536 };

void growth_seen_fini(struct growth_seen *seen)
{
	array_fini(&seen->asked);
	array_fini(&seen->runs);
}

int growth_scan(struct growth *g, struct growth_process *process, const struct wire_range *ranges,
		uint32_t count,
		int (*handle)(void *context, uint64_t from, uint64_t to, unsigned flags),
		void *context)
{
	const int fds[] = { process->resident.pagemap, process->resident.kpageflags };
	int r;

	if (process->resident.pagemap < 0)
		return -ESRCH;
	r = ask_resident(g->rec->pipeline.workers, process->pid, fds, 1 + (fds[1] >= 0),
			 process->resident.words, ranges, count, handle, context);
	if (r != -EIO)
		return r;
	/* What is known of it stays as it was seen last. */
	resident_close(&process->resident);
	process->refused = true;
	g->processes_refused++;
	return r;
}

static int by_start(const void *a, const void *b)
{
	const struct wire_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorts, and makes one of those that touch. */
static void merge(struct growth_seen *seen)
{
	uint32_t kept = 0;

	qsort(seen->asked.at, seen->asked.count, sizeof(*seen->asked.at), by_start);
	for (uint32_t i = 1; i < seen->asked.count; i++) {
		struct wire_range *last = &seen->asked.at[kept], *next = &seen->asked.at[i];

		if (next->start > last->end)
			seen->asked.at[++kept] = *next;
		else if (next->end > last->end)
			last->end = next->end;
	}
	seen->asked.count = kept + 1;
}

static bool add_block(struct growth_seen *seen, uint64_t start, uint64_t end)
{
	struct wire_range *range = array_push(&seen->asked);

	if (range)
		*range = (struct wire_range){ start & ~(BLOCK_BYTES - 1ULL),
					      (end + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1ULL) };
	return range;
}

static int add_run(void *context, uint64_t from, uint64_t to, unsigned flags)
{
	struct growth_seen *seen = context;
	struct growth_run *run = array_push(&seen->runs);

	if (!run)
		return -ENOMEM;
	*run = (struct growth_run){ from, to, flags };
	return 0;
}

/* Asks for a range, and for what all samples of the process are of that wait to be counted. */
static void look(struct growth *g, struct growth_process *process, uint64_t start, uint64_t end)
{
	const struct collected *waiting = &g->rec->pipeline.waiting;
	struct growth_seen *seen = &process->seen;
	bool whole;

	seen->asked.count = seen->runs.count = 0;
	seen->asked_ns = clock_ns(CLOCK_MONOTONIC);
	whole = add_block(seen, start, end);
	for (uint32_t i = 0; i < waiting->samples.count && whole; i++) {
		const struct wire_sample *sample =
			(const void *)(waiting->bytes.at + waiting->samples.at[i].offset);
		uint64_t address = sample->address & ~(uint64_t)GROWTH_FLAGS;

		if (sample->event != EVENT_GROWTH || (pid_t)sample->pid != process->pid ||
		    sample->address & GROWTH_RANGE || address >> WIRE_USER_BITS)
			continue;
		address = growth_place_now(g, process->pid, address);
		whole = add_block(seen, address, address + 1);
	}
	if (!whole) {
		seen->asked.count = 0;
		return;
	}
	merge(seen);
	if (growth_scan(g, process, seen->asked.at, seen->asked.count, add_run, seen) < 0)
		seen->asked.count = seen->runs.count = 0;
}

static bool was_asked(const struct growth_seen *seen, uint64_t start, uint64_t end)
{
	uint32_t up_to = array_count_up_to(&seen->asked, start, start);

	return up_to && end <= seen->asked.at[up_to - 1].end;
}

struct growth_found growth_find(struct growth *g, struct growth_process *process, uint64_t start,
				uint64_t end, uint64_t time_ns)
{
	struct growth_seen *seen = &process->seen;
	struct growth_found found = {};
	uint32_t at;

	if (process->resident.pagemap < 0)
		return found;
	if (time_ns > seen->asked_ns || !was_asked(seen, start, end))
		look(g, process, start, end);
	at = array_count_up_to(&seen->runs, from, start);
	for (at -= at > 0; at < seen->runs.count && seen->runs.at[at].from < end; at++) {
		const struct growth_run *run = &seen->runs.at[at];
		uint64_t from = run->from > start ? run->from : start;
		uint64_t to = run->to < end ? run->to : end;

		if (from >= to)
			continue;
		found.bytes += to - from;
		found.flags |= run->flags;
	}
	return found;
}

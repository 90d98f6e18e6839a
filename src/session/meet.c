// SPDX-License-Identifier: Apache-2.0
#include "session/meet.h"

#include <errno.h>

#include "base/clock.h"
#include "base/hash.h"
#include "proc/stat.h"

static bool is_doubted(const struct pipeline *p, const struct process *process)
{
	return process->sure_ns < p->doubt_ns;
}

/* Does the event change what its process has mapped? */
static bool is_change(const struct lifecycle_event *event)
{
	return event->type == LIFECYCLE_MAP || event->type == LIFECYCLE_EXEC ||
	       (event->type == LIFECYCLE_FORK && event->parent_pid != event->pid);
}

void meet_note_event(struct process *process, const struct lifecycle_event *event)
{
	if (is_change(event) && event->time_ns <= process->looked_ns &&
	    event->time_ns > process->known_since_ns)
		process->known_since_ns = event->time_ns;
}

bool meet_knows(const struct pipeline *p, const struct process *process, uint64_t time_ns)
{
	return process->mappings_known && time_ns >= process->known_since_ns &&
	       !is_doubted(p, process);
}

static void note_events(struct process *process, const struct collected *from)
{
	for (uint32_t i = 0; i < from->events.count; i++)
		if (from->events.at[i].event.pid == process->pid)
			meet_note_event(process, &from->events.at[i].event);
}

static int look(struct pipeline *p, pid_t pid)
{
	struct process *process;
	int r = process_table_get(&p->processes, &process, pid);

	if (r < 0)
		return r;
	process->thread = pid;
	process->read_ns = clock_ns(CLOCK_MONOTONIC);
	process->known_since_ns = is_doubted(p, process) ? p->doubt_ns : 0;
	r = process_table_read(&p->processes, process);
	if (r == -ENOMEM)
		return r;
	process->sure_ns = process->looked_ns = clock_ns(CLOCK_MONOTONIC);
	if (r < 0) {
		/* Gone already: its stacks stay unfinished and are counted as such. */
		process_clear(process);
		process->read_ns = process->looked_ns = 0; /* nothing is newer than the events */
		process->dead = r == -ESRCH;
		process->unreadable = r == -EACCES || r == -EPERM;
		p->unreadable += process->unreadable;
		process->exit_ns = process->sure_ns;
		return 0;
	}
	process->goes_on = process->dead = process->thread != pid;
	process->exit_ns = process->sure_ns;
	note_events(process, &p->waiting);
	note_events(process, &p->incoming);
	return 0;
}

/* Pids of which the stream will tell how they begin. */
struct born {
	struct hash_index index;
};

static bool is_born(const struct born *born, pid_t pid)
{
	return hash_index_find(&born->index, hash_u64((uint64_t)pid), NULL, NULL, NULL) !=
	       HASH_ABSENT;
}

static bool is_stranger(const struct pipeline *p, const struct born *born, pid_t pid)
{
	const struct process *process = process_table_find(&p->processes, pid);

	if (!process)
		return !is_born(born, pid);
	return !process->mappings_known || (is_doubted(p, process) && !is_born(born, pid));
}

/* While a look is waited for, more may come in: nothing here keeps a pointer over one. */
static int meet_parents(struct pipeline *p, struct born *born, const struct collected *in)
{
	int looks = 0, r;

	for (uint32_t i = 0; i < in->events.count; i++) {
		struct lifecycle_event event = in->events.at[i].event;

		if (event.type != LIFECYCLE_FORK || event.pid == event.parent_pid)
			continue;
		if (p->everything && is_stranger(p, born, event.parent_pid)) {
			r = look(p, event.parent_pid);
			if (r < 0)
				return r;
			looks++;
		}
		if (!is_born(born, event.pid) &&
		    hash_index_add(&born->index, hash_u64((uint64_t)event.pid), 0) < 0)
			return -ENOMEM;
	}
	return looks;
}

static int meet_sampled(struct pipeline *p, const struct born *born, const struct collected *in)
{
	int looks = 0, r;

	for (uint32_t i = 0; i < in->samples.count; i++) {
		const struct wire_sample *sample =
			(const void *)(in->bytes.at + in->samples.at[i].offset);

		if (sample->flags & SAMPLE_KTHREAD || sample->outcome == WALK_NO_USER_STACK ||
		    sample->outcome == WALK_COMPAT || !is_stranger(p, born, (pid_t)sample->pid))
			continue;
		r = look(p, (pid_t)sample->pid);
		if (r < 0)
			return r;
		looks++;
	}
	return looks;
}

int meet_strangers(struct pipeline *p)
{
	struct born born = {};
	int r, looks = 0;

	r = meet_parents(p, &born, &p->waiting);
	looks += r;
	if (r >= 0) {
		r = meet_parents(p, &born, &p->incoming);
		looks += r;
	}
	if (r >= 0) {
		r = meet_sampled(p, &born, &p->waiting);
		looks += r;
	}
	if (r >= 0) {
		r = meet_sampled(p, &born, &p->incoming);
		looks += r;
	}
	hash_index_fini(&born.index);
	return r < 0 ? r : looks;
}

void meet_count_the_living(struct pipeline *p)
{
	if (p->counted_ns >= p->doubt_ns)
		return;
	p->counted_ns = clock_ns(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < p->processes.processes.count; i++) {
		struct process *process = p->processes.processes.at[i];

		if (!process->dead && proc_living_thread(process->pid) < 0) {
			process->dead = true;
			process->exit_ns = p->horizon_ns;
		}
	}
}

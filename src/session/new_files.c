// SPDX-License-Identifier: Apache-2.0
/*
 * While a file is waited for, more may come in: nothing here keeps a pointer over that. What was
 * opened is kept as a known file (struct process_table), under the name that the event gave it.
 */
#include "session/new_files.h"

#include <errno.h>

#include "base/hash.h"

/* Processes whose files are wanted. */
struct wanted {
	struct hash_index pids;
};

static bool is_wanted(const struct wanted *wanted, pid_t pid)
{
	return hash_index_find(&wanted->pids, hash_u64((uint64_t)pid), NULL, NULL, NULL) !=
	       HASH_ABSENT;
}

static int want(struct wanted *wanted, pid_t pid)
{
	return is_wanted(wanted, pid)
		       ? 0
		       : hash_index_add(&wanted->pids, hash_u64((uint64_t)pid), 0);
}

static int want_sampled(struct pipeline *p, struct wanted *wanted)
{
	int r = 0;

	for (uint32_t i = 0; i < p->incoming.samples.count && r == 0; i++) {
		const struct wire_sample *sample =
			(const void *)(p->incoming.bytes.at + p->incoming.samples.at[i].offset);

		if (!(sample->flags & SAMPLE_KTHREAD))
			r = want(wanted, (pid_t)sample->pid);
	}
	return r;
}

/* Children of those that are followed, and theirs; the events of several CPUs have no order. */
static int want_born(struct pipeline *p, struct wanted *wanted)
{
	uint32_t before;
	int r = 0;

	do {
		before = wanted->pids.count;
		for (uint32_t i = 0; i < p->incoming.events.count && r == 0; i++) {
			const struct lifecycle_event *event = &p->incoming.events.at[i].event;

			if (event->type == LIFECYCLE_FORK && event->pid != event->parent_pid &&
			    (is_wanted(wanted, event->parent_pid) ||
			     process_table_find(&p->processes, event->parent_pid)))
				r = want(wanted, event->pid);
		}
	} while (r == 0 && wanted->pids.count != before);
	return r;
}

static int open_mapped(struct pipeline *p, const struct lifecycle_event *event)
{
	struct process process;
	struct mapping mapping;
	int r = pipeline_mapping(p, &mapping, event);

	if (r != 0 || mapping.kind != MAPPING_FILE ||
	    process_table_knows(&p->processes, &mapping))
		return r < 0 ? r : 0;
	process_init(&process, event->pid, 0);
	pipeline_resolve(p, &process, &mapping);
	object_unref(mapping.object);
	return 0;
}

static int open_told(struct pipeline *p, const struct wanted *wanted, const struct collected *in)
{
	int r = 0;

	for (uint32_t i = 0; i < in->events.count && r == 0; i++) {
		struct lifecycle_event event = in->events.at[i].event;

		if (event.type != LIFECYCLE_MAP ||
		    !(is_wanted(wanted, event.pid) ||
		      (!p->everything && process_table_find(&p->processes, event.pid))))
			continue;
		event.text = in->texts.at + in->events.at[i].text;
		r = open_mapped(p, &event);
	}
	return r;
}

/* The first sample of a process has come in, of whose mappings the events have been used. */
static void open_known(struct pipeline *p)
{
	for (uint32_t i = 0; i < p->incoming.samples.count; i++) {
		const struct wire_sample *sample =
			(const void *)(p->incoming.bytes.at + p->incoming.samples.at[i].offset);
		struct process *process = process_table_find(&p->processes, (pid_t)sample->pid);

		for (uint32_t k = 0; process && !process->sampled && k < process->mappings.count; k++)
			if (process->mappings.at[k].kind == MAPPING_FILE)
				pipeline_resolve(p, process, &process->mappings.at[k]);
	}
}

int new_files_open(struct pipeline *p)
{
	struct wanted wanted = {};
	int r = p->everything ? want_sampled(p, &wanted) : p->children ? want_born(p, &wanted) : 0;

	if (r == 0)
		r = open_told(p, &wanted, &p->waiting);
	if (r == 0)
		r = open_told(p, &wanted, &p->incoming);
	if (r == 0)
		open_known(p);
	hash_index_fini(&wanted.pids);
	return r;
}

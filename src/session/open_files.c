// SPDX-License-Identifier: Apache-2.0
/*
 * All containers of an image have the same files, and so one object for each. Its file was opened in
 * one container; when that is gone, it is opened in another that still maps it, for the descriptors
 * would keep the mounts of the first one for as long as any of them lives.
 */
#include "session/open_files.h"

#include "base/clock.h"
#include "session/meet.h"

#define SWEEP_NS 1000000000ULL
#define UNUSED_NS 2000000000ULL
/* So long others are looked for who have the file. */
#define LEFT_NS 5000000000ULL

/* In one sweep: each costs a question now, and later another look for its names. */
enum { REOPENED_MAX = 64 };

static int finish_object(void *context, struct object *object)
{
	struct pipeline *p = context;
	int r = naming_finish_object(&p->naming, object);

	return r < 0 ? r : ask_to_keep(p->workers, object);
}

static void forget_object(void *context, const struct object *object)
{
	struct pipeline *p = context;

	object_tables_forget(&p->tables, object);
}

static void note_use(const struct process *process, struct object *object, uint64_t now)
{
	if (object->used_ns != now)
		object->heir = 0;
	object->used_ns = now;
	if (process->pid == object->opened_by) {
		object->there_ns = now;
	} else if (!process->dead && (!object->heir || process->sure_ns < object->heir_ns)) {
		object->heir = process->pid;
		object->heir_ns = process->sure_ns;
	}
}

static void note_uses(struct pipeline *p, uint64_t now)
{
	for (uint32_t i = 0; i < p->processes.processes.count; i++) {
		const struct process *process = p->processes.processes.at[i];

		for (uint32_t k = 0; k < process->mappings.count; k++)
			if (process->mappings.at[k].object)
				note_use(process, process->mappings.at[k].object, now);
	}
}

/* Was it opened in another root, by a process that does not map it any more? */
static bool is_left(const struct object *object, uint64_t since_ns)
{
	return object->fd >= 0 && object->root_fd >= 0 && object->there_ns < since_ns;
}

/* Opens what was left where others have it. Returns 0 or a negative errno. */
static int move_left(struct pipeline *p, uint64_t since_ns)
{
	unsigned moved = 0;
	int r = 0;

	for (uint32_t i = 0; i < p->processes.processes.count; i++) {
		const struct process *process = p->processes.processes.at[i];

		for (uint32_t k = 0; k < process->mappings.count && r == 0; k++) {
			const struct mapping *mapping = &process->mappings.at[k];
			struct object *object = mapping->object;

			if (!object || object->heir != process->pid || !is_left(object, since_ns) ||
			    moved >= REOPENED_MAX)
				continue;
			moved++;
			object->heir = 0; /* one attempt */
			/* In the old root there may be debug files that the new one does not have. */
			r = naming_finish_object(&p->naming, object);
			if (r == 0)
				(void)process_table_reopen(
					&p->processes, process, mapping,
					pipeline_still_maps(p, process, mapping));
		}
	}
	return r;
}

int open_files_sweep(struct pipeline *p)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int r;

	if (now - p->swept_ns < SWEEP_NS)
		return 0;
	p->swept_ns = now;
	workers_tidy(p->workers);
	meet_count_the_living(p);
	note_uses(p, now);
	r = move_left(p, now - UNUSED_NS);
	if (r == 0)
		r = object_cache_close_unused(p->processes.objects, now - UNUSED_NS, now - LEFT_NS,
					      finish_object, p);
	process_table_forget_unused(&p->processes, now - UNUSED_NS, forget_object, p);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * What is collected goes to `incoming` first: that may happen at any moment, also while a worker is
 * waited for in the middle of pipeline_advance, which works on `waiting`.
 *
 * The two streams are drained samples first, then events, so that every event that happened before
 * a drained sample is there too; a sample younger than the horizon waits for the next round.
 */
#include "session/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proc/stat.h"
#include "session/guess.h"
#include "session/meet.h"
#include "session/open_files.h"
#include "session/sample_stack.h"

/* A process that ended is kept this long for samples of its last moments (exit_mm). */
#define EXIT_GRACE_NS 2000000000ULL

/*
 * A process that maps code where other code had been (dlclose, dlopen) may do it again between two
 * turns, and the kernel half would walk by the old tables: for this long its samples carry stack.
 */
#define REUSE_NS 10000000000ULL
/* Samples that may wait while a worker does not answer; then no more are taken. */
#define INCOMING_BYTES_MAX (128UL << 20)
/* The same of events, and of the paths that they tell: some 150 MB, and as much. */
#define INCOMING_EVENTS_MAX (1U << 20)
#define INCOMING_TEXT_BYTES_MAX (128UL << 20)

/*
 * Two million stacks of 40 frames; the names in it are limited for themselves. At worst a picture
 * takes five times as much in the end.
 */
#define PROFILE_BYTES_MAX (2ULL << 30)
#define PROFILE_PART 16 /* of all memory */

/* No program takes longer to copy its code. */
#define COPYING_NS 1000000000ULL
/* Nor does any do it all the time: each costs a look into /proc. */
#define COPIES_NS 5000000ULL
/* Nothing is known of a process just met: it is taken for such a one until the first turns. */
#define FIRST_REUSE_NS 500000000ULL

static int new_profile(struct profile **ret, struct measures *measures, uint32_t events)
{
	cleanup(profile_free) struct profile *profile = NULL;
	int r = profile_new(&profile);

	if (r == 0)
		r = measures_add(measures, profile, events);
	if (r == 0)
		*ret = TAKE_PTR(profile);
	return r;
}

int pipeline_measure(struct pipeline *p, uint32_t events)
{
	struct profile *profile;
	int r = new_profile(&profile, &p->measures, events);

	if (r != 0)
		return r;
	profile_free(p->profile);
	p->events = events;
	p->profile = p->naming.profile = profile;
	return 0;
}

int pipeline_init(struct pipeline *p, struct workers *workers,
		  const struct table_store_maps *maps, uint64_t table_budget_bytes)
{
	struct symbolizer_options options = { .kernel_names = true };
	int r;

	*p = (struct pipeline){ .workers = workers, .max_depth = WIRE_MAX_FRAMES };
	p->budget = budget_of(PROFILE_BYTES_MAX, PROFILE_PART);
	r = process_table_init(&p->processes, workers);
	if (r == 0)
		r = table_store_new(&p->store, maps, table_budget_bytes);
	if (r == 0)
		r = pipeline_measure(p, EVENT_BIT(EVENT_CPU));
	if (r == 0)
		r = symbolizer_new(&p->symbolizer, &options, workers);
	if (r < 0)
		return r;
	p->tables.store = p->store;
	p->tables.workers = workers;
	p->naming.symbolizer = p->symbolizer;
	p->stack_addresses = calloc(SAMPLE_STACK_MAX, sizeof(*p->stack_addresses));
	p->stack_locations = calloc(SAMPLE_STACK_MAX, sizeof(*p->stack_locations));
	return p->stack_addresses && p->stack_locations ? 0 : -ENOMEM;
}

static void collected_fini(struct collected *collected)
{
	array_fini(&collected->events);
	array_fini(&collected->samples);
	bytes_fini(&collected->texts);
	bytes_fini(&collected->bytes);
}

void pipeline_fini(struct pipeline *p)
{
	naming_fini(&p->naming);
	symbolizer_free(p->symbolizer);
	profile_free(p->profile);
	object_tables_fini(&p->tables);
	table_store_free(p->store);
	process_table_fini(&p->processes);
	call_sites_fini(&p->calls);
	collected_fini(&p->incoming);
	collected_fini(&p->waiting);
	array_fini(&p->cuts);
	free(p->stack_addresses);
	free(p->stack_locations);
}

/* ---- collecting ---- */

static int add_event(struct collected *to, const struct lifecycle_event *event)
{
	struct pending_event *pending = array_push(&to->events);

	if (!pending)
		return -ENOMEM;
	*pending = (struct pending_event){ *event, to->texts.size };
	bytes_add(&to->texts, event->text, strlen(event->text) + 1);
	return to->texts.failed ? -ENOMEM : 0;
}

static int add_sample(struct collected *to, const struct wire_sample *sample, size_t size)
{
	static const char zeros[8];
	struct pending_sample *pending = array_push(&to->samples);

	if (!pending)
		return -ENOMEM;
	*pending = (struct pending_sample){ sample->time_ns, to->bytes.size, size };
	bytes_add(&to->bytes, sample, size);
	bytes_add(&to->bytes, zeros, -size & 7); /* the next one is aligned, too */
	return to->bytes.failed ? -ENOMEM : 0;
}

int pipeline_event(void *context, const struct lifecycle_event *event)
{
	struct pipeline *p = context;

	struct process *process;

	if (event->type == LIFECYCLE_LOST || p->incoming.events.count >= INCOMING_EVENTS_MAX ||
	    p->incoming.texts.size >= INCOMING_TEXT_BYTES_MAX) {
		p->lifecycle_lost += event->type == LIFECYCLE_LOST ? event->lost : 1;
		if (event->time_ns > p->doubt_ns)
			p->doubt_ns = event->time_ns;
		return 0;
	}
	/* Outside of our pid namespace: the kernel tells no pid that would mean anything here. */
	if (event->pid <= 0)
		return 0;
	process = process_table_find(&p->processes, event->pid);
	/* Most of a machine's events are about processes that nobody asked for. */
	if (event->type != LIFECYCLE_FORK && !p->everything && !p->children && !process)
		return 0;
	if (process)
		meet_note_event(process, event);
	return add_event(&p->incoming, event);
}

int pipeline_sample(void *context, const struct wire_sample *sample, size_t size)
{
	struct pipeline *p = context;

	if (p->incoming.bytes.size > INCOMING_BYTES_MAX) {
		p->samples_refused++;
		return 0;
	}
	return add_sample(&p->incoming, sample, size);
}

/* Puts what came in to what waits. */
static int take_incoming(struct pipeline *p)
{
	struct collected incoming = p->incoming;
	int r = 0;

	p->incoming = (struct collected){};
	if (p->waiting.events.count == 0 && p->waiting.samples.count == 0) {
		collected_fini(&p->waiting);
		p->waiting = incoming;
		return 0;
	}
	for (uint32_t i = 0; i < incoming.events.count && r == 0; i++) {
		struct lifecycle_event event = incoming.events.at[i].event;

		event.text = incoming.texts.at + incoming.events.at[i].text;
		r = add_event(&p->waiting, &event);
	}
	for (uint32_t i = 0; i < incoming.samples.count && r == 0; i++)
		r = add_sample(&p->waiting,
			       (const void *)(incoming.bytes.at + incoming.samples.at[i].offset),
			       incoming.samples.at[i].size);
	collected_fini(&incoming);
	return r;
}

/* ---- events ---- */

static void set_comm(struct process *process, const char *comm)
{
	size_t size = strnlen(comm, sizeof(process->comm) - 1);

	memset(process->comm, 0, sizeof(process->comm));
	memcpy(process->comm, comm, size);
}

static int apply_fork(struct pipeline *p, const struct lifecycle_event *event)
{
	struct process *parent, *child;
	int r;

	if (event->pid == event->parent_pid) {
		child = process_table_find(&p->processes, event->pid);
		if (child)
			child->single = false;
		return 0;
	}
	child = process_table_find(&p->processes, event->pid);
	if (child && event->time_ns < child->read_ns) {
		/* How the process began that was looked at since; an exit before was another's. */
		child->dead = false;
		return 0;
	}
	/* A pid that is used again: the process that had it is over, whether the new one is ours. */
	process_table_remove(&p->processes, event->pid);
	table_store_drop_process(p->store, event->pid, p->horizon_ns);
	parent = process_table_find(&p->processes, event->parent_pid);
	if (!p->everything && (!p->children || !parent))
		return 0;
	r = process_table_get(&p->processes, &child, event->pid);
	if (r < 0)
		return r;
	child->parent = event->parent_pid;
	child->sure_ns = event->time_ns;
	child->single = true;
	return parent && meet_knows(p, parent, event->time_ns) ? process_inherit(child, parent) : 0;
}

static enum mapping_kind kind_of(const struct lifecycle_event *event, const char *path)
{
	if (strcmp(path, "[vdso]") == 0)
		return MAPPING_VDSO;
	/* Anonymous memory is "//anon"; only files have an inode. */
	return path[0] == '/' && path[1] != '/' && event->inode ? MAPPING_FILE : MAPPING_ANONYMOUS;
}

void pipeline_note_reuse(struct process *process, uint64_t time_ns)
{
	if (!process->reuses_addresses)
		return;
	process->reuses_addresses = false;
	process->reused_ns = time_ns;
}

int pipeline_mapping(struct pipeline *p, struct mapping *ret, const struct lifecycle_event *event)
{
	*ret = (struct mapping){ .start = event->start,
				 .end = event->start + event->size,
				 .file_offset = event->file_offset,
				 .inode = event->inode,
				 .inode_generation = event->inode_generation,
				 .mapped_ns = event->time_ns,
				 .device_major = event->device_major,
				 .device_minor = event->device_minor,
				 .kind = kind_of(event, event->text) };
	if (event->start >> 63 || event->size == 0 || event->size >> WIRE_USER_BITS)
		return PIPELINE_NO_MAPPING;
	return process_table_path(&p->processes, &ret->path, event->text, strlen(event->text));
}

static bool ends_mapping(const struct lifecycle_event *event, const struct process *process,
			 const struct mapping *mapping)
{
	if (event->pid != process->pid || event->time_ns < process->read_ns ||
	    event->time_ns <= mapping->mapped_ns)
		return false;
	switch (event->type) {
	case LIFECYCLE_EXEC:
		return true;
	case LIFECYCLE_FORK: /* not of a thread */
		return event->parent_pid != event->pid;
	case LIFECYCLE_MAP:
		return event->start < mapping->end && event->start + event->size > mapping->start;
	default:
		return false;
	}
}

/* Is a file's code, the same or another, mapped there later than up to where events were used? */
static bool file_follows(struct pipeline *p, const struct process *process,
			 const struct mapping *mapping)
{
	for (uint32_t i = p->next_event; i < p->waiting.events.count; i++) {
		struct lifecycle_event event = p->waiting.events.at[i].event;
		struct mapping later;

		if (!ends_mapping(&event, process, mapping))
			continue;
		event.text = p->waiting.texts.at + p->waiting.events.at[i].text;
		if (event.type != LIFECYCLE_MAP || pipeline_mapping(p, &later, &event) != 0 ||
		    !process_table_may_be_copy(&p->processes, &later))
			return true;
	}
	return false;
}

/*
 * Memory over code may be a copy of it, or hold other code after the file was unmapped, which nobody
 * tells. As long as the rest of the file lies beside it, it is a copy: also in between.
 */
static void look_for_copy(struct pipeline *p, struct process *process, struct mapping *mapping)
{
	const struct mapping *below = process_mapping(process, mapping->start);
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if ((!process->sampled && !process->target) || process->copied_ns + COPIES_NS > now) {
		process->look_again = true; /* if it is sampled one day */
		return;
	}
	process->copied_ns = now;
	if (below && below->object && !file_follows(p, process, mapping))
		(void)process_table_find_copied(&p->processes, process, mapping, below->object);
}

static int apply_map(struct pipeline *p, struct process *process,
		     const struct lifecycle_event *event)
{
	struct mapping mapping;
	int r;

	if (!process->mappings_known || event->time_ns < process->read_ns)
		return 0;
	r = pipeline_mapping(p, &mapping, event);
	if (r != 0)
		return r < 0 ? r : 0;
	if ((!process->dead || process->goes_on) &&
	    process_table_may_be_copy(&p->processes, &mapping)) {
		if (process_has_code_below(process, &mapping))
			look_for_copy(p, process, &mapping);
		/* Looked at while it was being copied: then it was no code. */
		else if (process->looked_ns && event->time_ns < process->looked_ns + COPYING_NS)
			process->look_again = true;
	}
	r = process_map(process, &mapping);
	pipeline_note_reuse(process, event->time_ns);
	return r;
}

static int apply_event(struct pipeline *p, const struct pending_event *pending)
{
	struct lifecycle_event event = pending->event;
	struct process *process;

	event.text = p->waiting.texts.at + pending->text;
	if (event.type == LIFECYCLE_FORK)
		return apply_fork(p, &event);
	process = process_table_find(&p->processes, event.pid);
	if (!process)
		return 0;
	switch (event.type) {
	case LIFECYCLE_MAP:
		return apply_map(p, process, &event);
	case LIFECYCLE_EXEC:
		/* Code that ran before needs its JIT map no more; the new program has its own. */
		if (event.time_ns >= process->read_ns) {
			process_clear(process);
			process->sure_ns = event.time_ns;
			process->exec_ns = event.time_ns;
		}
		/* Another thread than the first one may call it; the first one has ended by then. */
		process->dead = process->goes_on = false;
		process->thread = process->pid;
		set_comm(process, event.text);
		break;
	case LIFECYCLE_COMM:
		if (event.tid == event.pid)
			set_comm(process, event.text);
		break;
	case LIFECYCLE_EXIT:
		if (event.tid == event.pid) {
			process->dead = true;
			process->goes_on = false;
			process->exit_ns = event.time_ns;
		}
		break;
	case LIFECYCLE_FORK:
	case LIFECYCLE_LOST:
		break;
	}
	return 0;
}

/* ---- merging ---- */

static int by_event_time(const void *a, const void *b)
{
	const struct pending_event *x = a, *y = b;

	/* Equal times keep the order in which they were collected. */
	if (x->event.time_ns != y->event.time_ns)
		return x->event.time_ns < y->event.time_ns ? -1 : 1;
	return (x->text > y->text) - (x->text < y->text);
}

static int by_sample_time(const void *a, const void *b)
{
	const struct pending_sample *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Drops what was used, and keeps the bytes of what waits. */
static int keep_rest(struct pipeline *p, uint32_t events_used, uint32_t samples_used)
{
	struct collected used = p->waiting;
	int r = 0;

	p->waiting = (struct collected){};
	p->next_event = 0;
	for (uint32_t i = events_used; i < used.events.count && r == 0; i++) {
		struct lifecycle_event event = used.events.at[i].event;

		event.text = used.texts.at + used.events.at[i].text;
		r = add_event(&p->waiting, &event);
	}
	for (uint32_t i = samples_used; i < used.samples.count && r == 0; i++)
		r = add_sample(&p->waiting,
			       (const void *)(used.bytes.at + used.samples.at[i].offset),
			       used.samples.at[i].size);
	collected_fini(&used);
	return r;
}

/* Asleep, its other threads may be, until long after the first one has ended. */
static bool still_goes_on(struct pipeline *p, struct process *process)
{
	pid_t thread;

	/* Looking at each that has ended would cost more than all else, where many do. */
	if (process->single && process->exit_ns > p->doubt_ns)
		return false;
	thread = proc_living_thread(process->pid);
	if (thread < 0)
		return false;
	process->goes_on = true;
	process->thread = thread;
	process->exit_ns = p->horizon_ns; /* to be looked at again */
	return true;
}

static int forget_dead(struct pipeline *p)
{
	for (uint32_t i = p->processes.processes.count; i-- > 0;) {
		struct process *process = p->processes.processes.at[i];
		int r;

		if (!process->dead || process->exit_ns + EXIT_GRACE_NS > p->horizon_ns ||
		    still_goes_on(p, process))
			continue;
		r = naming_finish_process(&p->naming, process->pid, process->start_time);
		if (r < 0)
			return r;
		table_store_drop_process(p->store, process->pid, p->horizon_ns);
		process_table_remove(&p->processes, process->pid);
	}
	return 0;
}

static void begin_round(struct pipeline *p)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (p->round && now - p->checked_ns < p->check_ns)
		return;
	p->checked_ns = now;
	if (++p->round == 0)
		p->round++;
}

int pipeline_advance(struct pipeline *p, uint64_t horizon_ns)
{
	struct collected *w = &p->waiting;
	uint32_t event = 0, sample = 0;
	int r = take_incoming(p);

	begin_round(p);
	if (w->events.count)
		qsort(w->events.at, w->events.count, sizeof(*w->events.at), by_event_time);
	if (w->samples.count)
		qsort(w->samples.at, w->samples.count, sizeof(*w->samples.at), by_sample_time);
	while (r >= 0) {
		bool have_event = event < w->events.count &&
				  w->events.at[event].event.time_ns <= horizon_ns;
		bool have_sample = sample < w->samples.count &&
				   w->samples.at[sample].time_ns <= horizon_ns;

		if (have_event && (!have_sample || w->events.at[event].event.time_ns <=
							   w->samples.at[sample].time_ns)) {
			r = apply_event(p, &w->events.at[event++]);
			p->next_event = event;
		} else if (have_sample) {
			const struct pending_sample *at = &w->samples.at[sample++];

			r = sample_stack_count(p, (const void *)(w->bytes.at + at->offset));
		} else {
			break;
		}
	}
	if (r < 0)
		return r;
	p->horizon_ns = horizon_ns == UINT64_MAX ? clock_ns(CLOCK_MONOTONIC) : horizon_ns;
	r = keep_rest(p, event, sample);
	if (r == 0)
		r = forget_dead(p);
	return r < 0 ? r : open_files_sweep(p);
}

bool pipeline_still_maps(const struct pipeline *p, const struct process *process,
			 const struct mapping *mapping)
{
	for (uint32_t i = p->next_event; i < p->waiting.events.count; i++)
		if (ends_mapping(&p->waiting.events.at[i].event, process, mapping))
			return false;
	for (uint32_t i = 0; i < p->incoming.events.count; i++)
		if (ends_mapping(&p->incoming.events.at[i].event, process, mapping))
			return false;
	return true;
}

bool pipeline_maps_later(const struct pipeline *p, const struct process *process)
{
	const struct mapping everywhere = { .end = UINT64_MAX };

	return !pipeline_still_maps(p, process, &everywhere);
}

bool pipeline_execs_later(const struct pipeline *p, const struct process *process)
{
	const struct collected *const streams[] = { &p->waiting, &p->incoming };

	for (unsigned k = 0; k < ARRAY_SIZE(streams); k++)
		for (uint32_t i = k ? 0 : p->next_event; i < streams[k]->events.count; i++)
			if (streams[k]->events.at[i].event.type == LIFECYCLE_EXEC &&
			    streams[k]->events.at[i].event.pid == process->pid)
				return true;
	return false;
}

void pipeline_resolve(struct pipeline *p, struct process *process, struct mapping *mapping)
{
	if (!mapping->resolved)
		process_table_resolve(&p->processes, process, mapping,
				      pipeline_still_maps(p, process, mapping));
}

/* ---- telling the kernel half ---- */

static void refresh_after_evictions(struct pipeline *p)
{
	uint32_t evictions = table_store_evictions(p->store);

	if (evictions == p->evictions_seen)
		return;
	p->evictions_seen = evictions;
	for (uint32_t i = 0; i < p->processes.processes.count; i++)
		p->processes.processes.at[i]->dirty = true;
}

/*
 * A child that runs a file nobody ran before: compile it now, before its stacks get deep. For files
 * that are known the first sample is early enough, and most children never get one.
 */
static void learn_new_files(struct pipeline *p, struct process *process)
{
	for (uint32_t i = 0; i < process->mappings.count; i++) {
		struct mapping *mapping = &process->mappings.at[i];
		uint32_t flags;

		if (mapping->resolved || mapping->kind != MAPPING_FILE ||
		    process_table_knows(&p->processes, mapping))
			continue;
		pipeline_resolve(p, process, mapping);
		if (mapping->object)
			(void)object_tables_get(&p->tables, mapping->object, true, p->horizon_ns,
						&flags);
	}
}

int pipeline_publish(struct pipeline *p)
{
	int r;

	for (uint32_t i = 0; i < p->processes.processes.count; i++) {
		struct process *process = p->processes.processes.at[i];

		if (process->written_over)
			process_take_contents(process, clock_ns(CLOCK_MONOTONIC));
		if (!process->dirty || (process->dead && !process->goes_on))
			continue;
		if (process->target)
			process_wire_update(p, process, true);
		else if (p->children && !p->everything)
			learn_new_files(p, process);
	}
	refresh_after_evictions(p);
	r = table_store_publish(p->store);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < p->processes.processes.count; i++) {
		struct process *process = p->processes.processes.at[i];
		uint32_t flags = 0;

		if (!process->dirty || (process->dead && !process->goes_on) ||
		    !process->mappings_known ||
		    !(process->sampled || process->target))
			continue;
		process_wire_update(p, process, false);
		process_table_number(&p->processes, process);
		process->dirty = false;
		if (process->reused_ns && process->reused_ns + REUSE_NS > p->horizon_ns)
			flags |= PROCESS_REUSES_ADDRESSES;
		r = table_store_set_process(p->store, process->pid, process->wire.at,
					    process->wire.count, process->generation, flags,
					    p->horizon_ns);
		if (r < 0 && r != -ENOSPC)
			return r;
	}
	return 0;
}

int pipeline_cut(struct pipeline *p, struct profile **ret)
{
	struct profile *profile;
	int r = new_profile(&profile, &p->measures, p->events);

	if (r < 0)
		return r;
	*ret = p->profile;
	p->profile = p->naming.profile = profile;
	naming_forget(&p->naming);
	p->kernel_bytes = 0;
	for (uint32_t i = 0; i < p->processes.processes.count; i++)
		p->processes.processes.at[i]->profile_bytes = 0;
	return 0;
}

int pipeline_add_target(struct pipeline *p, pid_t pid)
{
	struct process *process;
	int r = process_table_get(&p->processes, &process, pid);

	if (r < 0)
		return r;
	process->target = true;
	if (process->mappings_known)
		return 0;
	process->read_ns = clock_ns(CLOCK_MONOTONIC);
	process->reused_ns = process->read_ns + FIRST_REUSE_NS - REUSE_NS;
	r = process_table_read(&p->processes, process);
	process->looked_ns = process->sure_ns = clock_ns(CLOCK_MONOTONIC);
	/* A zombie whose other threads live. */
	process->dead = process->goes_on = process->thread != pid;
	process->exit_ns = process->looked_ns;
	return r;
}

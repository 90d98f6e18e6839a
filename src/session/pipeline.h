/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From records to a profile: the only place that sees every stage. The file to read first.
 *
 *     pipeline_event, pipeline_sample    collect what the two streams hold
 *     meet_strangers                     looks at processes that the stream did not show
 *     pipeline_advance                   merges both by time: each sample meets the mappings of its
 *                                        own moment; walks are finished, stacks counted
 *     pipeline_publish                   tells the kernel half what was learnt
 *     naming_advance                     names what is new
 */
#pragma once

#include "base/budget.h"
#include "base/bytes.h"
#include "bpf/wire.h"
#include "proc/process_table.h"
#include "profile/profile.h"
#include "session/measures.h"
#include "session/naming.h"
#include "session/object_tables.h"
#include "source/lifecycle.h"
#include "unwind/table_store.h"

struct pending_event {
	struct lifecycle_event event; /* .text is an offset in collected.texts until it is used */
	size_t text;
};

struct pending_sample {
	uint64_t time_ns;
	size_t offset; /* in collected.bytes */
	size_t size;
};

/* A walk that ended where the copied stack did. */
struct cut_walk {
	pid_t tid;
	uint32_t copied; /* bytes of it */
};

struct pipeline;

/* Of the samples of one event that were counted: how much they weigh, and the squares of that. */
struct event_weights {
	uint64_t samples;
	double sum, squares;
};

/* What the two streams have told. */
struct collected {
	ARRAY_OF(struct pending_event) events;
	struct bytes texts;
	ARRAY_OF(struct pending_sample) samples;
	struct bytes bytes;
};

/*
 * What the samples of an event are worth. The pipeline walks and names them; it knows CPU time
 * and what counters count itself.
 */
struct sample_counter {
	/* Comes first, before its stack is finished: false: it does not count at all. NULL: all do. */
	bool (*take)(void *context, const struct pipeline *pipeline,
		     const struct wire_sample *sample);
	/* values: by type of the profile, all 0 before; NULL: the event is not measured. */
	void (*values)(void *context, const struct pipeline *pipeline,
		       const struct wire_sample *sample, int64_t *values);
	/*
	 * A label more, by key and text of the profile. Returns 0 (*ret_count is how many there are: 0 or
	 * 1), PROFILE_FULL or a negative errno. NULL: there is none.
	 */
	int (*label)(void *context, struct pipeline *pipeline, const struct wire_sample *sample,
		     struct profile_label *ret, uint32_t *ret_count);
	/* It was counted there. Returns 0 or a negative errno. NULL: nobody asks. */
	int (*counted)(void *context, const struct wire_sample *sample, uint32_t stack,
		       uint32_t labels);
	void *context;
};

struct call_site;
struct identities;
struct group_identity;

/* What the reader said of addresses, so that it is asked once; see session/guess.h. */
struct call_sites {
	struct hash_index index;
	ARRAY_OF(struct call_site) sites;
};

struct pipeline {
	struct workers *workers; /* borrowed */
	struct process_table processes;
	struct table_store *store; /* owned */
	struct object_tables tables;
	struct profile *profile; /* owned until taken */
	struct symbolizer *symbolizer; /* owned */
	struct naming naming;
	struct budget budget; /* of the profile, shared by processes */
	uint64_t kernel_bytes; /* the share of kernel threads and the idle task */
	bool copies; /* samples are perf's, which do not tell what a thread in the kernel is about */
	bool everything; /* every process is followed, else those named and their children */
	bool children;
	bool threads;    /* threads are told apart */
	struct identities *identities; /* borrowed; NULL: labels say no more than command and pid */
	/* Not NULL, and there are identities: told of each sample whose it is. group: NULL: not known. */
	void (*meet)(void *context, pid_t pid, const char *comm,
		     const struct group_identity *group);
	void *meet_context;
	uint32_t max_depth;

	/*
	 * Not NULL: samples bring no stack, their process's memory can be read (see struct walk_input).
	 */
	int (*read_memory)(uint64_t *ret, uint64_t address, void *context);
	void *read_context;

	bool libunwind;	      /* walks copied stacks where tables know nothing */
	bool libunwind_first; /* it does before them, to compare both */
	struct call_sites calls;
	struct collected incoming, waiting;
	uint32_t next_event; /* of those that wait; those before have been used */
	/*
	 * Of looking whether files were written to, from 1: in each pipeline_advance, but not oftener than
	 * check_ns apart.
	 */
	uint32_t round;
	uint64_t check_ns, checked_ns; /* checked_ns: when this one has begun */
	uint64_t doubt_ns;   /* until when events may have been lost; 0: none were */
	uint64_t counted_ns; /* when it was last looked which processes have ended unseen */
	uint64_t swept_ns; /* when unused files were closed last */
	uint64_t horizon_ns; /* events and samples up to here have been used */
	uint32_t evictions_seen;

	/* For the quality line. */
	uint64_t sample_count;
	uint64_t outcomes[WALK_OUTCOME_COUNT];
	uint64_t through_generated_code; /* of WALK_COMPLETE: if frame pointers there are right */
	uint64_t finished; /* walks that were finished here */
	uint64_t libunwind_frames, libunwind_stacks; /* that it found, and of those it walked whole */
	uint64_t libunwind_failures; /* walks it crashed on, or did not come to an end with */
	uint32_t unreadable; /* processes with samples whose mappings may not be read */
	uint64_t lifecycle_lost;
	uint64_t samples_refused; /* too many were waiting */

	ARRAY_OF(struct cut_walk) cuts; /* of different threads, since it was emptied last */
	uint64_t *stack_addresses;	/* scratch */
	uint32_t *stack_locations;
	uint32_t events; /* EVENT_BIT of what is measured */
	struct measures measures;
	struct event_weights weights[EVENTS]; /* of those that the pipeline counts itself */
	struct sample_counter counters[EVENTS]; /* of those that others count than the pipeline itself */
};

/*
 * workers: borrowed; maps: of the kernel half, or all -1. What is measured is CPU time. Returns 0 or a
 * negative errno.
 */
int pipeline_init(struct pipeline *pipeline, struct workers *workers,
		  const struct table_store_maps *maps, uint64_t table_budget_bytes);
void pipeline_fini(struct pipeline *pipeline);
/* Before the first sample: what is measured instead (EVENT_BIT). Returns 0 or a negative errno. */
int pipeline_measure(struct pipeline *pipeline, uint32_t events);

/*
 * A process the user named: its mappings are read and its tables compiled before sampling begins.
 * Returns 0 or a negative errno (-ESRCH: gone).
 */
int pipeline_add_target(struct pipeline *pipeline, pid_t pid);

/*
 * For lifecycle_drain and cpu_source_drain; context is the pipeline. May be called at any time, also
 * from within the other functions, while a worker is waited for.
 */
int pipeline_event(void *context, const struct lifecycle_event *event);
int pipeline_sample(void *context, const struct wire_sample *sample, size_t size);
/* Uses everything up to the horizon, in the order of time. Returns 0 or a negative errno. */
int pipeline_advance(struct pipeline *pipeline, uint64_t horizon_ns);
int pipeline_publish(struct pipeline *pipeline);
/*
 * Hands over what was counted so far, and begins anew with an empty profile. *ret: the caller's, named
 * as far as it was; not frozen. Returns 0 or a negative errno (then everything is as before).
 */
int pipeline_cut(struct pipeline *pipeline, struct profile **ret);
enum { PIPELINE_NO_MAPPING = 1 };
/*
 * The mapping that an event tells of, with its text; its file is not looked for yet.
 * Returns 0, PIPELINE_NO_MAPPING when that makes no sense, or a negative errno.
 */
int pipeline_mapping(struct pipeline *pipeline, struct mapping *ret,
		     const struct lifecycle_event *event);
/* Remembers for a while that the process puts code where other code had been. */
void pipeline_note_reuse(struct process *process, uint64_t time_ns);
/* Do events tell of what the process maps later than up to where they were used? */
bool pipeline_maps_later(const struct pipeline *pipeline, const struct process *process);
/* Whether an event that is known, but not used yet, tells that it becomes another program. */
bool pipeline_execs_later(const struct pipeline *pipeline, const struct process *process);
/* Is nothing mapped over it later than up to where events were used? */
bool pipeline_still_maps(const struct pipeline *pipeline, const struct process *process,
			 const struct mapping *mapping);
/* Looks for the file behind a mapping, if that was not done. See process_table_resolve. */
void pipeline_resolve(struct pipeline *pipeline, struct process *process, struct mapping *mapping);

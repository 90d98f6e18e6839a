/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of a process and their stacks, taken in rounds. In each, all threads are looked at
 * once. What is off the CPU is walked through the process's memory, and counts when the next look
 * finds that it has been off the CPU ever since. What is on a CPU is left to the sampler's timers,
 * which run as long as such threads are missing. After a short while what is there has to do.
 */
#pragma once

#include <pthread.h>

#include "base/array.h"
#include "base/hash.h"
#include "proc/memory.h"
#include "session/pipeline.h"
#include "session/waiting.h"
#include "source/cpu.h"
#include "source/perf_event.h"
#include "source/threads.h"

struct dump_thread {
	struct wire_thread at; /* when its stack was taken, or as it was seen last */
	uint64_t looked_ns;    /* CLOCK_MONOTONIC, when that was */
	struct system_call call;
	enum dump_how {
		DUMP_NOTHING, /* no stack yet */
		DUMP_WALKED,  /* but nobody has looked whether it stood still */
		DUMP_STILL,   /* walked while it stood still: its stack is exactly that */
		DUMP_SAMPLED, /* a timer hit it while it ran */
		DUMP_ENDED,   /* it has ended, and only waits for somebody to be told */
	} how;
	bool moved;		    /* it ran while it was walked, the last time, too */
	uint32_t stack;		    /* of the profile; unless DUMP_NOTHING and DUMP_ENDED */
	enum walk_outcome outcome;  /* of it */
	uint32_t round;		    /* it was seen last */
	char kernel_function[64];   /* that it waits in, where its stack has none; "": not known */
	struct wire_sample *sample; /* owned: taken, but not used yet */
};

struct dump {
	pid_t pid;
	bool pids_differ;
	struct thread_source *source;
	struct cpu_source *timers; /* NULL: no thread has run so far */
	bool timers_run;
	struct cpu_list cpus;
	struct workers workers;
	struct pipeline pipeline;
	bool pipeline_ready;
	struct process_memory memory;
	pthread_t watcher; /* of its reads; 0: none */
	struct descriptors descriptors;
	ARRAY_OF(struct dump_thread) threads; /* in the end ascending by id */
	struct hash_index index;	      /* thread id → position */
	uint32_t round;
	uint32_t running; /* threads of the last round that run or want to, and have no stack */
	uint64_t stop_ns; /* how long the process was stopped; 0: it was not, or it is not known */
};

/*
 * dump: with pid, pids_differ and the thread source, and workers started. Sets up the pipeline and takes all stacks.
 * Returns 0 or a negative errno, with *failure set where that says more (-ESRCH: the process is gone).
 */
int dump_take(struct dump *dump, struct source_failure *failure);
/*
 * The same with ptrace, for where there is no thread source: all are stopped for limit_ns at most
 * (stopped_threads.h), and have no kernel frames. Returns -EBUSY when something traces it already.
 */
int dump_take_stopped(struct dump *dump, uint64_t limit_ns, struct source_failure *failure);
void dump_fini(struct dump *dump);

/* ---- for both ---- */

int dump_fail(struct source_failure *failure, int r, const char *what);
/* maps: of the sampler, or all -1. no_user_code: it is a kernel thread. 0 or -errno, *failure set. */
int dump_open_pipeline(struct dump *dump, const struct table_store_maps *maps, bool no_user_code,
		       struct source_failure *failure);
/* The thread with this id; NULL: there is none. */
struct dump_thread *dump_find_thread(const struct dump *dump, uint32_t tid);
/* A new one; NULL: no room. */
struct dump_thread *dump_add_thread(struct dump *dump, uint32_t tid);
/*
 * Walks a thread that stands still, as thread->at tells it. kernel: thread->at.kernel_count
 * addresses. Returns 0 or a negative errno.
 */
int dump_walk(struct dump *dump, struct dump_thread *thread, const uint64_t *kernel);
/* Reads what its system call's arguments stand for. Returns 0 or -ENOMEM. */
int dump_describe_call(struct dump *dump, struct dump_thread *thread);
/* Sorts them by id. */
void dump_sort_threads(struct dump *dump);

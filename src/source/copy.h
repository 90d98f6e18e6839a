/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On-CPU samples without BPF: perf's own events write each thread's registers and a copy of its stack
 * into a ring, and the stack is walked afterwards. The samples that come out are those of the kernel half
 * (bpf/wire.h) whose walk could not begin, so all that follows is the same.
 *
 * One event per CPU where that is allowed; else one for each thread and CPU of what is watched
 * (source/task_events.h): then a thread that runs for less than a period is never sampled, and what
 * happens on other tasks is not seen.
 *
 * How large copies are is chosen for all threads of whole CPUs together, and each pays for its own: the
 * kernel copies no more than a stack holds, so a shallow thread costs the same whatever the limit is.
 * Slowdown of the target for each sample, measured at 9999 Hz: 4.6, 6.6 and 5.6 µs at limits of 8, 32 and 64 KiB where the
 * stack holds 5 KiB, and 5.5, 8.8 and 15 µs where it holds 80. What a larger limit takes is room in the
 * ring, where each record is as large as the limit. So it is as large as leaves room for several, and
 * grows when a walk has ended where its copy did; where events are of single tasks, whose rings are small,
 * only those of the thread whose walk it was (source/copy_threads.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "bpf/wire.h"
#include "source/counted_event.h"
#include "source/cpu.h"

struct copy_source_options {
	struct wire_config config; /* as struct cpu_source_options, as the next four */
	uint32_t frequency_hz;
	uint64_t period_ns;
	const struct wire_glob *comm; /* copied */
	int cgroup_fd;
	const struct cpu_list *cpus;
	uint32_t events; /* a bit for each that is sampled, as wire.h numbers them: time, and what is counted */
	uint64_t counted_period; /* of what is counted, events between two samples; 0: as frequency_hz asks for */
	bool by_task;	     /* events on whole CPUs are not allowed */
	bool frame_pointers; /* the kernel follows them, and nothing is copied */
};

struct copy_source;

/* Returns 0 or a negative errno. */
int copy_source_open(struct copy_source **ret, const struct copy_source_options *options,
		     struct source_failure *failure);
void copy_source_close(struct copy_source *source);
DEFINE_CLEANUP(struct copy_source, copy_source_close);

/* A walk of the thread has ended where its copy of so many bytes did. Returns 0 or -ENOMEM. */
int copy_source_note_cut(struct copy_source *source, pid_t tid, uint32_t copied);
/* Larger copies from now on, where that was noted to be needed. Returns 0 or a negative errno. */
int copy_source_grow(struct copy_source *source);
/* By task: how many threads have larger copies than the others. */
uint32_t copy_source_grown_threads(const struct copy_source *source);
/* How much of a stack is copied now at most, in bytes; 0: nothing is. */
uint32_t copy_source_stack_bytes(const struct copy_source *source);
/* Time in the kernel is not sampled, for who we are. */
bool copy_source_is_user_only(const struct copy_source *source);
/* How often the kernel has stopped an event for a while because it came too often. */
uint64_t copy_source_throttled(const struct copy_source *source);
/* Of what is counted; all zero for an event that is not measured. */
void copy_source_figures(const struct copy_source *source, uint32_t event,
			 struct counted_figures *ret);

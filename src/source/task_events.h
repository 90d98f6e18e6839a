/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Perf events on single tasks, which ordinary users may open on their own: one for each thread and CPU,
 * for only so can an event both be inherited and write into a ring. All of a CPU write into one ring,
 * that of an event which counts nothing, on ourselves.
 */
#pragma once

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "source/perf_ring.h"

struct task_event {
	pid_t tid;
	uint32_t cpu;
	int fd;
};

struct task_output {
	uint32_t cpu;
	int fd; /* borrowed */
};

struct task_events {
	ARRAY_OF(struct task_event) events;
	ARRAY_OF(struct task_output) outputs;
	/* NULL, or changes what is different for a single thread. */
	void (*adapt)(void *context, struct perf_event_attr *attr, pid_t tid);
	void *adapt_context;
};

/*
 * An event that counts nothing and its ring, of `bytes` or less, at least `least`, as the user's limit on
 * locked memory allows. Returns 0 or a negative errno (-EPERM: not even `least` is allowed).
 */
int task_events_ring(int *ret_fd, struct perf_ring *ret, uint32_t cpu, uint32_t bytes,
		     uint32_t least);
/* Events on that CPU write into the ring of `fd`. Returns 0 or -ENOMEM. */
int task_events_output(struct task_events *events, uint32_t cpu, int fd);
/*
 * Opens the event for each thread of a process, and what they start: threads, and with `children`
 * processes. thread_only: `id` is a thread, and the event is its alone.
 * Returns 0, -ESRCH (it is gone) or another negative errno; events that were opened stay.
 */
int task_events_open(struct task_events *events, struct perf_event_attr *attr, pid_t id,
		     bool thread_only, bool children);
/* An ioctl (PERF_EVENT_IOC_*) on each, what has inherited it included. */
void task_events_control(const struct task_events *events, unsigned long request);
/* Closes all events; outputs stay. */
void task_events_close(struct task_events *events);
void task_events_fini(struct task_events *events);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of one process while they are stopped with ptrace(2), for where the kernel has no task
 * iterator. A child process of profd is the tracer, and holds them for a limited time: the kernel
 * lets all go when a tracer ends, and this one ends when it is told to, when profd ends or is killed,
 * when its time is up, and at the latest by an alarm with which the kernel kills it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "bpf/wire.h"
#include "source/cpu.h"

struct stopped_thread {
	/*
	 * As the iterator would tell it, its state as it was before the stop, but without kernel
	 * addresses, counts of switches, and times.
	 */
	struct wire_thread at;
	/*
	 * Its sleep cannot be interrupted: it did not stop. Its registers are what /proc tells of
	 * them, the instruction and stack pointer.
	 */
	bool sleeps_on;
	bool has_registers;
	char kernel_function[64]; /* that it waited in; "": not known */
};

struct stopped_threads {
	pid_t pid, tracer;
	int socket; /* to the tracer; -1: it was let go */
	ARRAY_OF(struct stopped_thread) threads;
	uint64_t stop_ns; /* how long the process was stopped; 0: not known */
};

/*
 * Stops all threads; returns when they stand still, or half of limit_ns is over: what did not stop has
 * no registers then. They are let go limit_ns after the first one was seized, or before.
 * Returns 0 or a negative errno, with *failure set (-ESRCH: it is gone; -EBUSY: another one traces it).
 */
int stopped_threads_open(struct stopped_threads *ret, pid_t pid, uint64_t limit_ns,
			 struct source_failure *failure);
/* Are they still stopped? */
bool stopped_threads_hold(const struct stopped_threads *stopped);
/* Is a thread whose sleep cannot be interrupted still where it was? */
bool stopped_thread_sleeps_on(const struct stopped_threads *stopped,
			      const struct stopped_thread *thread);
/* Lets them go, and sets stop_ns. */
void stopped_threads_release(struct stopped_threads *stopped);
void stopped_threads_fini(struct stopped_threads *stopped);
static inline void stopped_threads_fini_cleanup(struct stopped_threads *stopped)
{
	stopped_threads_fini(stopped);
}

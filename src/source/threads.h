/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of one process, told by the kernel's task iterator without stopping any of them: owns
 * the program of bpf/threads.bpf.c. Needs Linux 5.10; from 6.1 on only threads of the process are
 * looked at, before that all of the machine's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bpf/wire.h"
#include "source/cpu.h"

struct thread_source;

/*
 * pid: of the process, as profd's own pid namespace calls it. pids_differ: that is not the initial
 * one. kernel_stacks: of threads that do not run. Returns 0 or a negative errno, with *failure set.
 */
int thread_source_open(struct thread_source **ret, pid_t pid, bool pids_differ, bool kernel_stacks,
		       struct source_failure *failure);
void thread_source_close(struct thread_source *source);
DEFINE_CLEANUP(struct thread_source, thread_source_close);

/*
 * Calls `tell` for each thread as it is now, with the kernel addresses behind it; both only last for
 * the call. Returns 0, what `tell` returned below 0, or a negative errno.
 */
int thread_source_read(struct thread_source *source,
		       int (*tell)(void *context, const struct wire_thread *thread), void *context);

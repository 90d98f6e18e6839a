/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What samples that perf takes do not tell of their threads: names, users, parents. Read from /proc when
 * a thread is first met, and kept up by the process events from then on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/hash.h"
#include "bpf/wire.h"

struct lifecycle_event;

struct task_name {
	pid_t tid;    /* a process: its pid */
	pid_t parent; /* of a process; 0: not known */
	uint32_t uid; /* real, of a process */
	bool uid_known;
	bool kernel; /* a kernel thread */
	char comm[WIRE_COMM_BYTES];
};

struct task_names {
	ARRAY_OF(struct task_name) tasks;
	struct hash_index index; /* by tid */
};

void task_names_fini(struct task_names *names);
/*
 * Of a thread. Borrowed until the next call. Returns NULL when out of memory; a thread of which nothing
 * can be read any more has an empty name.
 */
const struct task_name *task_names_get(struct task_names *names, pid_t tid);
/* What an event changes. Returns 0 or -ENOMEM. */
int task_names_event(struct task_names *names, const struct lifecycle_event *event);

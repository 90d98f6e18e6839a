/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread does that does not run: its state, and the system call that it waits in. */
#pragma once

#include "bpf/wire.h"
#include "proc/descriptor.h"
#include "proc/memory.h"

enum { SYSTEM_CALL_ARGUMENTS = 6 };

struct system_call {
	int64_t number;	  /* below 0: in none */
	const char *name; /* "read", or "system call 1234" of a newer kernel */
	char number_text[32];
	unsigned count; /* of arguments that are shown: the first ones */
	struct system_call_argument {
		uint64_t value;
		char *text; /* owned, as it is to be shown, but not clean yet */
	} arguments[SYSTEM_CALL_ARGUMENTS];
};

void system_call_fini(struct system_call *call);
/*
 * Reads what arguments stand for, from the process as it is now.
 * Returns 0 or -ENOMEM; *ret is to be given to system_call_fini in any case.
 */
int system_call_describe(struct system_call *ret, const struct wire_thread *thread,
			 struct descriptors *descriptors, struct process_memory *memory);

/* "sleeping", "running", "uninterruptible sleep", ... */
const char *thread_state_text(const struct wire_thread *thread);
bool thread_has_ended(const struct wire_thread *thread);
/* Whether the kernel function is how one waits rather than what for: schedule, schedule_timeout, ... */
bool is_scheduler_function(const char *name);

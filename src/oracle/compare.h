/* SPDX-License-Identifier: Apache-2.0 */
/* What profd's walker makes of a thread's registers, against the truth, frame by frame. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "oracle/report.h"
#include "oracle/tables.h"
#include "oracle/tracee.h"
#include "oracle/truth.h"

struct comparer {
	/* Borrowed: */
	const struct tables *tables;
	const struct truth *truth;
	struct memory *memory;
	struct report *report;
	/* Counts: */
	uint64_t compared, in_syscalls, frames, deepest;
	/* The code itself, then its callers: who they are and what a walk should look up. */
	struct truth_caller callers[WIRE_MAX_FRAMES + 1];
	uint64_t truth_addresses[WIRE_MAX_FRAMES], walked[WIRE_MAX_FRAMES];
};

/*
 * Compares at the instruction at which the thread stands, its memory being what c->memory reads.
 * in_syscall: as a sample would find it in the system call that the instruction is going to make.
 * instructions: executed so far, for the report.
 */
void compare(struct comparer *c, const struct thread *thread, bool in_syscall,
	     uint64_t instructions);

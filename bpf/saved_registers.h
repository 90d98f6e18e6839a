/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A task's user registers as the kernel has saved them on entry, made the beginning of a walk. */
#pragma once

#include "kernel.h"
#include "registers.h"
#include "saved_place.h"
#include "wire.h"

/* Is the task a thread on its way out of the kernel for the first time? Its stack is empty. */
static __always_inline int is_new_thread(struct task_struct *task,
					 const struct pt_regs___kernel *saved)
{
	return returns_from_clone(saved_call(saved), saved_result(saved)) &&
	       task->pid != task->tgid;
}

/* The registers with which the task will go on in user mode, and the temporaries. */
static __always_inline void place_saved_registers(struct saved_place *at, uint64_t *t,
						  struct task_struct *task,
						  const struct pt_regs___kernel *saved)
{
	saved_leaf(at, t, saved);
	at->exact = saved_call(saved) < 0 || has_new_place(at, t);
	/* The mark of a stack that begins here: see walk_step. */
	if (is_new_thread(task, saved)) {
		at->bp = at->ip;
		at->exact = 0;
	}
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A task's user registers as the kernel has saved them on entry, made the beginning of a walk. */
#pragma once

#include "kernel.h"
#include "saved_place.h"
#include "wire.h"

static __always_inline void keep_temporaries(uint64_t *t, const struct pt_regs___kernel *saved)
{
	t[TEMPORARY_AX] = saved->ax;
	t[TEMPORARY_DX] = saved->dx;
	t[TEMPORARY_CX] = saved->cx;
	t[TEMPORARY_SI] = saved->si;
	t[TEMPORARY_DI] = saved->di;
	t[TEMPORARY_R8] = saved->r8;
	t[TEMPORARY_R9] = saved->r9;
	t[TEMPORARY_R10] = saved->r10;
	t[TEMPORARY_R11] = saved->r11;
}

/* Is the task a thread on its way out of the kernel for the first time? Its stack is empty. */
static __always_inline int is_new_thread(struct task_struct *task,
					 const struct pt_regs___kernel *saved)
{
	return returns_from_clone(saved->orig_ax, saved->ax) && task->pid != task->tgid;
}

/* The registers with which the task will go on in user mode, and the temporaries. */
static __always_inline void place_saved_registers(struct saved_place *at, uint64_t *t,
						  struct task_struct *task,
						  const struct pt_regs___kernel *saved)
{
	uint64_t entered_by;

	at->ip = saved->ip;
	at->sp = saved->sp;
	at->bp = saved->bp;
	at->bx = saved->bx;
	keep_temporaries(t, saved);
	entered_by = saved->orig_ax;
	at->exact = (int64_t)entered_by < 0 || has_new_place(at, t);
	/* The mark of a stack that begins here: see walk_step. */
	if (is_new_thread(task, saved)) {
		at->bp = at->ip;
		at->exact = 0;
	}
}

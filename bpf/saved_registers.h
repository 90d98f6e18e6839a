/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A task's user registers as the kernel has saved them on entry, made the beginning of a walk. */
#pragma once

#include "kernel.h"
#include "wire.h"

/* The leaf of a walk. exact: see SAMPLE_NEXT_IS_EXACT. */
struct saved_place {
	uint64_t ip, sp, bp, bx;
	int exact;
};

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

/*
 * After a system call ip is behind the instruction, maybe past the function's end, and also in rcx,
 * where the processor puts it; except where the kernel goes on elsewhere: exec at the entry, with
 * all registers at zero (ELF_PLAT_INIT, arch/x86/include/asm/elf.h), a signal at its handler, with
 * the ucontext right above the stack pointer as third argument (x64_setup_rt_frame,
 * arch/x86/kernel/signal_64.c).
 */
static __always_inline int has_new_place(const struct saved_place *at, const uint64_t *t)
{
	return t[TEMPORARY_CX] != at->ip &&
	       (t[TEMPORARY_DX] == at->sp + 8 ||
		!(t[TEMPORARY_CX] | t[TEMPORARY_R11] | t[TEMPORARY_DI] | t[TEMPORARY_SI] |
		  t[TEMPORARY_DX] | at->bp | at->bx));
}

/*
 * Is the task a thread that clone has made (system calls 56 and 435), on its way out of the kernel for
 * the first time? clone returns 0 only there. Its stack is empty.
 */
static __always_inline int is_new_thread(struct task_struct *task,
					 const struct pt_regs___kernel *saved)
{
	return (saved->orig_ax == 56 || saved->orig_ax == 435) && saved->ax == 0 &&
	       task->pid != task->tgid;
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

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A task's user registers as the kernel has saved them on entry, made the beginning of a walk. */
#pragma once

#include "kernel.h"
#include "registers.h"
#include "saved_place.h"
#include "wire.h"

/*
 * Where the kernel has saved them; 0: nowhere. `asked`: bpf_task_pt_regs of the task, which is only looked
 * at where the kernel has that (5.15). Before that it is always the end of the kernel's stack, of four pages,
 * or one if those are larger (THREAD_SIZE, arch/x86/include/asm/page_64_types.h, arch/arm64/include/asm/memory.h).
 */
#define SAVED_AT(task, asked)                                                                      \
	(bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)                       \
		 ? (uint64_t)(asked)                                                               \
		 : (uint64_t)BPF_CORE_READ(task, stack) + KERNEL_STACK_BYTES -                     \
			   bpf_core_type_size(struct pt_regs___kernel))

enum { KERNEL_STACK_BYTES = 16384 };

/* They are looked at in a copy, which has room for whatever struct pt_regs the kernel has. */
struct saved_copy {
	uint64_t words[64];
};

/* Returns the registers, which are in the copy; NULL: they cannot be read. */
static __always_inline const struct pt_regs___kernel *saved_copy(struct saved_copy *to, uint64_t at)
{
	uint32_t size = bpf_core_type_size(struct pt_regs___kernel);

	if (!at || size > sizeof(*to) || bpf_probe_read_kernel(to, size, (const void *)at) < 0)
		return NULL;
	return (const struct pt_regs___kernel *)to;
}

/* The same of the current task. */
static __always_inline const struct pt_regs___kernel *current_saved(struct saved_copy *to)
{
	return saved_copy(to, SAVED_AT(current_task(), bpf_task_pt_regs(bpf_get_current_task_btf())));
}

/* Is the task a thread on its way out of the kernel for the first time? Its stack is empty. */
static __always_inline int is_new_thread(struct task_struct *task,
					 const struct pt_regs___kernel *saved)
{
	return returns_from_clone(saved_call(saved), saved_result(saved)) &&
	       BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid);
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

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where user code goes on that the kernel has interrupted: for both halves. */
#pragma once

#include "wire.h"

/* The leaf of a walk. exact: see SAMPLE_NEXT_IS_EXACT. */
struct saved_place {
	uint64_t ip, sp, bp, bx;
	int exact;
};

#if !defined(WIRE_LINK_REGISTER)
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

enum { SYSTEM_CALL_CLONE = 56, SYSTEM_CALL_CLONE3 = 435 };
#else
/*
 * exec begins with all registers at zero, the system call being remembered (start_thread_common,
 * arch/arm64/include/asm/processor.h); where a signal's handler goes on, it is forgotten.
 */
static __always_inline int has_new_place(const struct saved_place *at, const uint64_t *t)
{
	return !(at->bp | at->bx | t[TEMPORARY_X9] | t[TEMPORARY_X10] | t[TEMPORARY_X11] |
		 t[TEMPORARY_X12] | t[TEMPORARY_X13] | t[TEMPORARY_X14] | t[TEMPORARY_X15] |
		 t[TEMPORARY_X16] | t[TEMPORARY_X17]);
}

enum { SYSTEM_CALL_CLONE = 220, SYSTEM_CALL_CLONE3 = 435 };
#endif

/*
 * Does the kernel go back into a thread or process that clone has just made? clone returns 0 only
 * there.
 */
static __always_inline int returns_from_clone(uint64_t call, uint64_t result)
{
	return (call == SYSTEM_CALL_CLONE || call == SYSTEM_CALL_CLONE3) && result == 0;
}

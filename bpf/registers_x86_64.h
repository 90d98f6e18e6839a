/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See registers.h. */
#pragma once

#include <linux/ptrace.h>

/* As the kernel saves them on entry, arch/x86/include/asm/ptrace.h. */
struct pt_regs___kernel {
	unsigned long r10, r11, bp, bx, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, sp;
} KERNEL_STRUCT;

#define USER32_CS 0x23 /* __USER32_CS, arch/x86/include/asm/segment.h */

static __always_inline void saved_leaf(struct saved_place *at, uint64_t *t,
				       const struct pt_regs___kernel *saved)
{
	at->ip = saved->ip;
	at->sp = saved->sp;
	at->bp = saved->bp;
	at->bx = saved->bx;
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

/* The number of the system call by which the task has entered the kernel; below 0: by none. */
static __always_inline int64_t saved_call(const struct pt_regs___kernel *saved)
{
	return saved->orig_ax;
}

static __always_inline uint64_t saved_result(const struct pt_regs___kernel *saved)
{
	return saved->ax;
}

/* Those of the call that is under way. */
static __always_inline void saved_arguments(uint64_t *ret, const struct pt_regs___kernel *saved)
{
	ret[0] = saved->di;
	ret[1] = saved->si;
	ret[2] = saved->dx;
	ret[3] = saved->r10;
	ret[4] = saved->r8;
	ret[5] = saved->r9;
}

/* Does 32-bit code run? It has other registers, other tables. */
static __always_inline int saved_is_compat(const struct pt_regs___kernel *saved)
{
	return saved->cs == USER32_CS;
}

/* The same of a program's registers (bpf_user_pt_regs_t, struct pt_regs). */
#define CONTEXT_IS_COMPAT(regs) ((regs)->cs == USER32_CS)
#define CONTEXT_IS_USER(regs) (((regs)->cs & 3) != 0)

#define CONTEXT_LEAF(at, t, regs)                                                                  \
	do {                                                                                       \
		CONTEXT_READ((at)->ip, (regs)->rip);                                               \
		CONTEXT_READ((at)->sp, (regs)->rsp);                                               \
		CONTEXT_READ((at)->bp, (regs)->rbp);                                               \
		CONTEXT_READ((at)->bx, (regs)->rbx);                                               \
		(t)[TEMPORARY_AX] = (regs)->rax;                                                   \
		(t)[TEMPORARY_DX] = (regs)->rdx;                                                   \
		(t)[TEMPORARY_CX] = (regs)->rcx;                                                   \
		(t)[TEMPORARY_SI] = (regs)->rsi;                                                   \
		(t)[TEMPORARY_DI] = (regs)->rdi;                                                   \
		(t)[TEMPORARY_R8] = (regs)->r8;                                                    \
		(t)[TEMPORARY_R9] = (regs)->r9;                                                    \
		(t)[TEMPORARY_R10] = (regs)->r10;                                                  \
		(t)[TEMPORARY_R11] = (regs)->r11;                                                  \
	} while (0)

/* What a program on a probe is called with. */
#define probe_registers pt_regs

#define CONTEXT_CASE(number, name)                                                                 \
	case number:                                                                               \
		CONTEXT_READ(value, ctx->name);                                                    \
		break;

/* A register by its number in instructions. */
static __always_inline uint64_t context_register(struct pt_regs *ctx, uint32_t number)
{
	uint64_t value = 0;

	switch (number) {
		CONTEXT_CASE(0, rax)
		CONTEXT_CASE(1, rcx)
		CONTEXT_CASE(2, rdx)
		CONTEXT_CASE(3, rbx)
		CONTEXT_CASE(5, rbp)
		CONTEXT_CASE(6, rsi)
		CONTEXT_CASE(7, rdi)
		CONTEXT_CASE(8, r8)
		CONTEXT_CASE(9, r9)
		CONTEXT_CASE(10, r10)
		CONTEXT_CASE(11, r11)
		CONTEXT_CASE(12, r12)
		CONTEXT_CASE(13, r13)
		CONTEXT_CASE(14, r14)
		CONTEXT_CASE(15, r15)
	}
	return value;
}

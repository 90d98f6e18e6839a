/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See registers.h. x29 is the frame pointer (bp), x30 the link register (bx). */
#pragma once

#include <linux/ptrace.h>

/* As the kernel saves them on entry, arch/arm64/include/asm/ptrace.h. */
struct pt_regs___kernel {
	unsigned long long regs[31], sp, pc, pstate;
	int syscallno;
} KERNEL_STRUCT;

/* arch/arm64/include/uapi/asm/ptrace.h: exception level 0, and 32-bit code. */
#define PSTATE_LEVEL 0x0f
#define PSTATE_32_BIT 0x10

static __always_inline void saved_leaf(struct saved_place *at, uint64_t *t,
				       const struct pt_regs___kernel *saved)
{
	at->ip = saved->pc;
	at->sp = saved->sp;
	at->bp = saved->regs[29];
	at->bx = saved->regs[30];
	t[TEMPORARY_X9] = saved->regs[9];
	t[TEMPORARY_X10] = saved->regs[10];
	t[TEMPORARY_X11] = saved->regs[11];
	t[TEMPORARY_X12] = saved->regs[12];
	t[TEMPORARY_X13] = saved->regs[13];
	t[TEMPORARY_X14] = saved->regs[14];
	t[TEMPORARY_X15] = saved->regs[15];
	t[TEMPORARY_X16] = saved->regs[16];
	t[TEMPORARY_X17] = saved->regs[17];
}

static __always_inline int64_t saved_call(const struct pt_regs___kernel *saved)
{
	return saved->syscallno;
}

static __always_inline uint64_t saved_result(const struct pt_regs___kernel *saved)
{
	return saved->regs[0];
}

static __always_inline void saved_arguments(uint64_t *ret, const struct pt_regs___kernel *saved)
{
	ret[0] = saved->regs[0];
	ret[1] = saved->regs[1];
	ret[2] = saved->regs[2];
	ret[3] = saved->regs[3];
	ret[4] = saved->regs[4];
	ret[5] = saved->regs[5];
}

static __always_inline int saved_is_compat(const struct pt_regs___kernel *saved)
{
	return (saved->pstate & PSTATE_32_BIT) != 0;
}

#define CONTEXT_IS_COMPAT(of) (((of)->pstate & PSTATE_32_BIT) != 0)
#define CONTEXT_IS_USER(of) (((of)->pstate & PSTATE_LEVEL) == 0)

#define CONTEXT_LEAF(at, t, of)                                                                    \
	do {                                                                                       \
		CONTEXT_READ((at)->ip, (of)->pc);                                                  \
		CONTEXT_READ((at)->sp, (of)->sp);                                                  \
		CONTEXT_READ((at)->bp, (of)->regs[29]);                                            \
		CONTEXT_READ((at)->bx, (of)->regs[30]);                                            \
		CONTEXT_READ((t)[TEMPORARY_X9], (of)->regs[9]);                                    \
		CONTEXT_READ((t)[TEMPORARY_X10], (of)->regs[10]);                                  \
		CONTEXT_READ((t)[TEMPORARY_X11], (of)->regs[11]);                                  \
		CONTEXT_READ((t)[TEMPORARY_X12], (of)->regs[12]);                                  \
		CONTEXT_READ((t)[TEMPORARY_X13], (of)->regs[13]);                                  \
		CONTEXT_READ((t)[TEMPORARY_X14], (of)->regs[14]);                                  \
		CONTEXT_READ((t)[TEMPORARY_X15], (of)->regs[15]);                                  \
		CONTEXT_READ((t)[TEMPORARY_X16], (of)->regs[16]);                                  \
		CONTEXT_READ((t)[TEMPORARY_X17], (of)->regs[17]);                                  \
	} while (0)

/* What a program on a probe is called with. */
#define probe_registers user_pt_regs

#define CONTEXT_CASE(number)                                                                       \
	case number:                                                                               \
		CONTEXT_READ(value, ctx->regs[number]);                                            \
		break;

/* A register by its number in instructions; those that hold arguments. */
static __always_inline uint64_t context_register(struct user_pt_regs *ctx, uint32_t number)
{
	uint64_t value = 0;

	switch (number) {
		CONTEXT_CASE(0)
		CONTEXT_CASE(1)
		CONTEXT_CASE(2)
		CONTEXT_CASE(3)
		CONTEXT_CASE(4)
		CONTEXT_CASE(5)
		CONTEXT_CASE(6)
		CONTEXT_CASE(7)
	}
	return value;
}

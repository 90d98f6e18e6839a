// SPDX-License-Identifier: Apache-2.0
#include "source/copy_registers.h"

#include <asm/perf_regs.h>
#include <stddef.h>

#include "base/cleanup.h"

#if !defined(__always_inline)
#define __always_inline inline __attribute__((always_inline))
#endif
#include "bpf/saved_place.h"

struct place {
	uint32_t bit;	 /* PERF_REG_*, asm/perf_regs.h */
	uint32_t offset; /* in struct wire_sample */
};

#define PLACE(bit, member)                                                                         \
	{                                                                                          \
		(bit), offsetof(struct wire_sample, member)                                        \
	}
#define TEMPORARY(bit, number) PLACE(bit, temporaries[number])

#if defined(__x86_64__)
/* Ascending by bit. */
static const struct place places[] = {
	TEMPORARY(PERF_REG_X86_AX, TEMPORARY_AX),
	PLACE(PERF_REG_X86_BX, bx),
	TEMPORARY(PERF_REG_X86_CX, TEMPORARY_CX),
	TEMPORARY(PERF_REG_X86_DX, TEMPORARY_DX),
	TEMPORARY(PERF_REG_X86_SI, TEMPORARY_SI),
	TEMPORARY(PERF_REG_X86_DI, TEMPORARY_DI),
	PLACE(PERF_REG_X86_BP, bp),
	PLACE(PERF_REG_X86_SP, sp),
	PLACE(PERF_REG_X86_IP, ip),
	TEMPORARY(PERF_REG_X86_R8, TEMPORARY_R8),
	TEMPORARY(PERF_REG_X86_R9, TEMPORARY_R9),
	TEMPORARY(PERF_REG_X86_R10, TEMPORARY_R10),
	TEMPORARY(PERF_REG_X86_R11, TEMPORARY_R11),
};

/* A system call leaves the address behind its instruction in ip and in rcx, whatever rcx was. */
static bool place_is_exact(const struct wire_sample *sample)
{
	struct saved_place at = { sample->ip, sample->sp, sample->bp, sample->bx, 0 };

	return sample->temporaries[TEMPORARY_CX] != sample->ip ||
	       has_new_place(&at, sample->temporaries);
}
#elif defined(__aarch64__)
static const struct place places[] = {
	TEMPORARY(PERF_REG_ARM64_X9, TEMPORARY_X9),
	TEMPORARY(PERF_REG_ARM64_X10, TEMPORARY_X10),
	TEMPORARY(PERF_REG_ARM64_X11, TEMPORARY_X11),
	TEMPORARY(PERF_REG_ARM64_X12, TEMPORARY_X12),
	TEMPORARY(PERF_REG_ARM64_X13, TEMPORARY_X13),
	TEMPORARY(PERF_REG_ARM64_X14, TEMPORARY_X14),
	TEMPORARY(PERF_REG_ARM64_X15, TEMPORARY_X15),
	TEMPORARY(PERF_REG_ARM64_X16, TEMPORARY_X16),
	TEMPORARY(PERF_REG_ARM64_X17, TEMPORARY_X17),
	PLACE(PERF_REG_ARM64_X29, bp),
	PLACE(PERF_REG_ARM64_LR, bx),
	PLACE(PERF_REG_ARM64_SP, sp),
	PLACE(PERF_REG_ARM64_PC, ip),
};

/* Nothing tells a system call from an interrupt; either way pc is where the thread goes on. */
static bool place_is_exact(const struct wire_sample *sample)
{
	(void)sample;
	return true;
}
#else
#error "copy_registers.c: the registers of this architecture are not described yet"
#endif

uint64_t copy_registers_mask(void)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		mask |= 1ULL << places[i].bit;
	return mask;
}

uint32_t copy_registers_count(void)
{
	return ARRAY_SIZE(places);
}

void copy_registers_place(struct wire_sample *sample, const uint64_t *values, bool kernel_mode)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		/* Kernels that did not save one say -1 (perf_get_regs_user). */
		uint64_t value = values[i] == UINT64_MAX ? 0 : values[i];

		*(uint64_t *)(void *)((char *)sample + places[i].offset) = value;
	}
	if (!kernel_mode || place_is_exact(sample))
		sample->flags |= SAMPLE_NEXT_IS_EXACT;
}

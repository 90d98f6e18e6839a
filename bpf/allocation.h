/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Calls that allocate memory, as probes see them: what they ask for, and which are sampled. */
#pragma once

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "registers.h"
#include "wire.h"

/* log2(1 + i/256) in 1/65536. */
const volatile uint32_t logarithms[WIRE_ALLOC_LOGARITHMS];

/* -log2 of a random number above 0 and up to 1, in 1/65536. */
static __always_inline uint64_t random_logarithm(void)
{
	uint32_t number = bpf_get_prandom_u32() | 1, place = 0, fraction, low, high;
	uint64_t logarithm;

#pragma unroll
	for (uint32_t step = 16; step; step /= 2)
		if (number >> (place + step))
			place += step;
	fraction = number << (31 - place) << 1; /* behind the point, of 1.xxx */
	low = logarithms[fraction >> 24];
	high = logarithms[(fraction >> 24) + 1];
	logarithm = ((uint64_t)place << 16) + low +
		    ((uint64_t)(high - low) * (fraction >> 8 & 0xffff) >> 16);
	return (32ULL << 16) - logarithm;
}

/* Bytes until the next sample; interval: below 2^36. */
static __always_inline int64_t draw(uint64_t mean)
{
	/* ln 2 in 1/65536. */
	return (int64_t)((mean * random_logarithm() >> 16) * 45426 >> 16) + 1;
}

/* What the call asks for; 0: nothing that counts here. */
static __always_inline uint64_t bytes_asked(struct probe_registers *ctx)
{
	uint64_t cookie = bpf_get_attach_cookie(ctx), other;
	uint64_t size = context_register(ctx, cookie & 15);

	other = context_register(ctx, cookie >> 4 & 15);
	switch (cookie >> 8 & 255) {
	case ALLOC_COUNTED: /* calloc */
		if (size >> 32 || other >> 32)
			return 0;
		size *= other;
		break;
	case ALLOC_UNLESS_NULL: /* malloc will be called for those */
		if (!other)
			return 0;
		break;
	case ALLOC_UNLESS_SMALL:
		if (other <= 16)
			return 0;
		break;
	}
	return size < WIRE_ALLOC_BYTES_MAX ? size : 0;
}

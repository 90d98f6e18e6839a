/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many bytes pass between two samples: exponentially distributed, so that the samples are a
 * Poisson process over the bytes. In integers only: a malloc may not touch the state of the
 * floating-point unit, of which programs can ask whether a result was exact.
 */
#pragma once

#include <stdint.h>

/* xorshift64*, Vigna 2016 (arXiv:1402.6246). *state: not 0. */
static inline uint64_t gap_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/*
 * floor(-ln(random / 2^64) * mean), to 28 bits. The logarithm to base 2, bit by bit: squaring doubles
 * it. mean: up to 2^40.
 */
static inline uint64_t gap_of(uint64_t random, uint64_t mean)
{
	enum { BITS = 28 };
	const uint64_t ln_2 = 2977044472; /* ln(2) * 2^32 */
	unsigned zeros;
	uint64_t m, fraction = 0;

	random |= 1;
	zeros = (unsigned)__builtin_clzll(random);
	m = random << zeros; /* 1 <= m < 2, with 63 bits behind the point */
	for (unsigned i = 0; i < BITS; i++) {
		m = (uint64_t)((unsigned __int128)m * m >> 64);
		fraction <<= 1;
		if (m >> 63)
			fraction |= 1;
		else
			m <<= 1;
	}
	m = ((uint64_t)zeros + 1) << BITS;
	return (uint64_t)((unsigned __int128)(m - fraction) * mean * ln_2 >> (BITS + 32));
}

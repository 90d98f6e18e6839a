// SPDX-License-Identifier: Apache-2.0
/*
 * inlines [SECONDS]
 *
 * outer() has middle() inlined into it in two places, and middle() has inner(), where all the time goes:
 * three quarters of it from the second place. The lines that tests look for end in a comment with a
 * name.
 */
#include "target.h"

#define INLINED static inline __attribute__((always_inline))

LEAF uint64_t outer(uint64_t value, unsigned int rounds);

INLINED uint64_t inner(uint64_t value, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++)
		value = value * 6364136223846793005ULL + (value >> 7) + i; /* innermost */
	return value;
}

INLINED uint64_t middle(uint64_t value, unsigned int rounds)
{
	return inner(value + 1, rounds); /* call of inner */
}

uint64_t outer(uint64_t value, unsigned int rounds)
{
	value = middle(value, rounds);	  /* first call of middle */
	return middle(value, 3 * rounds); /* second call of middle */
}

int main(int argc, char **argv)
{
	uint64_t value = 1;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped)
		value = outer(value, 20000); /* call of outer */
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}

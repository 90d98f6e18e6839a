// SPDX-License-Identifier: Apache-2.0
/*
 * fixed_work DEPTH ROUNDS
 *
 * ROUNDS times the same work (about 25 µs each) at the bottom of a recursion of DEPTH; prints the
 * CPU time that it took. Beside a profiler it takes longer: by what the samples cost the target,
 * interrupts and all.
 */
#include "target.h"

LEAF uint64_t leaf(uint64_t value);
FUNCTION uint64_t recurse(unsigned int depth, uint64_t value, unsigned int rounds);

uint64_t leaf(uint64_t value)
{
	return target_work(value, 20000);
}

/* All rounds at the bottom: the way down is made once. */
uint64_t recurse(unsigned int depth, uint64_t value, unsigned int rounds)
{
	if (depth > 1) {
		value = recurse(depth - 1, value, rounds);
		NO_TAIL_CALL(value);
		return value + depth;
	}
	while (rounds-- > 0)
		value = leaf(value);
	return value;
}

int main(int argc, char **argv)
{
	unsigned int depth, rounds;
	uint64_t value, begin;

	if (argc < 3)
		return 2;
	depth = (unsigned int)atoi(argv[1]);
	rounds = (unsigned int)atoi(argv[2]);
	target_ready();
	begin = target_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	value = recurse(depth ? depth : 1, 1, rounds);
	printf("{\"cpu_ns\": %llu, \"value\": %llu}\n",
	       (unsigned long long)(target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin),
	       (unsigned long long)value);
	return 0;
}

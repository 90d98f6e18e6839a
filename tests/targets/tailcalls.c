// SPDX-License-Identifier: Apache-2.0
/*
 * tailcalls [SECONDS]
 *
 * tail_first jumps to tail_second, which jumps to tail_last. True stack of a sample in tail_last:
 * main, spin, tail_last: the two that jumped have left nothing on the stack. -O2 is needed for
 * that, the build sets it.
 */
#include "target.h"

LEAF uint64_t tail_last(uint64_t value, unsigned int rounds);
LEAF uint64_t tail_second(uint64_t value, unsigned int rounds);
LEAF uint64_t tail_first(uint64_t value, unsigned int rounds);
FUNCTION uint64_t spin(uint64_t value);

uint64_t tail_last(uint64_t value, unsigned int rounds)
{
	return target_work(value, rounds);
}

/* Stack use of its own before the jump, so that the row at the jump is not the row at the entry. */
uint64_t tail_second(uint64_t value, unsigned int rounds)
{
	volatile uint64_t room[8] = { value, rounds };

	value = target_work(room[0], 2000);
	return tail_last(value + room[1], rounds);
}

uint64_t tail_first(uint64_t value, unsigned int rounds)
{
	value = target_work(value, 1000);
	return tail_second(value, rounds);
}

uint64_t spin(uint64_t value)
{
	value = tail_first(value, 20000);
	NO_TAIL_CALL(value);
	return value + 1;
}

int main(int argc, char **argv)
{
	uint64_t value = 1;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped)
		value = spin(value);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * longjmps [SECONDS]
 *
 * Descends 20 calls and comes back by longjmp, without the returns that the calls announced. True
 * stack: main, attempt, `descend` 1 to 20 times, bottom.
 */
#include <setjmp.h>

#include "target.h"

static jmp_buf back;

LEAF uint64_t bottom(uint64_t value);
FUNCTION uint64_t descend(int left, uint64_t value);
FUNCTION uint64_t attempt(uint64_t value);

uint64_t bottom(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t descend(int left, uint64_t value)
{
	if (left > 1)
		value = descend(left - 1, value);
	else
		value = bottom(value);
	if (left == 1)
		longjmp(back, (int)(value & 0xffff) + 1);
	return value + 1;
}

uint64_t attempt(uint64_t value)
{
	int result = setjmp(back);

	if (result != 0)
		return (uint64_t)result;
	return descend(20, value) + 1;
}

int main(int argc, char **argv)
{
	uint64_t value = 1;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped)
		value = attempt(value);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}

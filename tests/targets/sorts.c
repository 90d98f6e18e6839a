// SPDX-License-Identifier: Apache-2.0
/*
 * sorts [SECONDS]
 *
 * libc's qsort calls back a function that works. True stack: main, sort, qsort (and what of libc it
 * calls), compare.
 */
#include "target.h"

enum { COUNT = 256 };

LEAF int compare(const void *a, const void *b);
FUNCTION uint64_t sort(uint64_t value);

int compare(const void *a_, const void *b_)
{
	uint64_t a = target_work(*(const uint32_t *)a_, 500),
		 b = target_work(*(const uint32_t *)b_, 500);

	return (a > b) - (a < b);
}

uint64_t sort(uint64_t value)
{
	uint32_t numbers[COUNT];

	for (unsigned int i = 0; i < COUNT; i++)
		numbers[i] = (uint32_t)target_random(&value);
	qsort(numbers, COUNT, sizeof(*numbers), compare);
	return value + numbers[0];
}

int main(int argc, char **argv)
{
	uint64_t value = 1;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped)
		value = sort(value);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}

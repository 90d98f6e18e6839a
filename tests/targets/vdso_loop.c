// SPDX-License-Identifier: Apache-2.0
/*
 * vdso_loop [SECONDS]
 *
 * Reads CLOCK_MONOTONIC without end: most samples lie in the vdso. True stack: main, spin, libc's
 * clock_gettime, the vdso's __vdso_clock_gettime (where the clock source is one it can read).
 */
#include "target.h"

FUNCTION uint64_t spin(uint64_t value);

uint64_t spin(uint64_t value)
{
	for (int i = 0; i < 1000; i++)
		value += target_clock_ns(CLOCK_MONOTONIC);
	return value;
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

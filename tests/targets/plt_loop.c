// SPDX-License-Identifier: Apache-2.0
/*
 * plt_loop [SECONDS]
 *
 * Calls two functions of libtiny.so through the procedure linkage table and does nothing else, so
 * that many samples hit a stub. True stacks: main, spin, and then nothing, a stub, tiny_add or
 * tiny_mix.
 */
#include "target.h"

uint64_t tiny_add(uint64_t value);
uint64_t tiny_mix(uint64_t value);
FUNCTION uint64_t spin(uint64_t value);

uint64_t spin(uint64_t value)
{
	for (int i = 0; i < 1000; i++)
		value = tiny_mix(tiny_add(value));
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

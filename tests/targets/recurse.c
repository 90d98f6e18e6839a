// SPDX-License-Identifier: Apache-2.0
/*
 * recurse DEPTH [SECONDS [wide]]
 *
 * True stack of nearly every sample: _start, libc's start functions, main, `recurse` exactly DEPTH
 * times, leaf. With "wide", `recurse_wide` instead, whose frames are 200 KiB each (at most 30).
 * Linked dynamically, static and static-pie: the stacks are the same.
 */
#include <string.h>

#include "target.h"

enum { WIDE_BYTES = 200 * 1024, WIDE_MAX_DEPTH = 30 };

LEAF uint64_t leaf(uint64_t value);
FUNCTION uint64_t recurse(unsigned int depth, uint64_t value);
FUNCTION uint64_t recurse_wide(unsigned int depth, uint64_t value);

uint64_t leaf(uint64_t value)
{
	return target_work(value, 30000);
}

uint64_t recurse(unsigned int depth, uint64_t value)
{
	value = depth > 1 ? recurse(depth - 1, value) : leaf(value);
	NO_TAIL_CALL(value);
	return value + depth;
}

uint64_t recurse_wide(unsigned int depth, uint64_t value)
{
	volatile char room[WIDE_BYTES];

	room[depth] = (char)value;
	value = depth > 1 ? recurse_wide(depth - 1, value) : leaf(value);
	NO_TAIL_CALL(value);
	return value + (unsigned char)room[depth];
}

int main(int argc, char **argv)
{
	unsigned int depth = argc > 1 ? (unsigned int)atoi(argv[1]) : 10;
	int wide = argc > 3 && strcmp(argv[3], "wide") == 0;
	uint64_t value = (uint64_t)getpid();

	if (depth < 1 || (wide && depth > WIDE_MAX_DEPTH))
		return 2;
	target_begin(argc > 2 ? argv[2] : NULL);
	target_ready();
	while (!target_stopped)
		value = wide ? recurse_wide(depth, value) : recurse(depth, value);
	printf("{\"depth\": %u, \"value\": %llu}\n", depth, (unsigned long long)value);
	return 0;
}

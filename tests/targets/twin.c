// SPDX-License-Identifier: Apache-2.0
/*
 * twin [SECONDS]
 *
 * Built twice, as twin_left and twin_right: the same code at the same addresses under other names,
 * and without a build ID, so that nothing but the file tells one from the other.
 * True stack: _start, …, main, left (or right), left_leaf (or right_leaf).
 */
#include "target.h"

#define JOIN(a, b) a##b
#define NAME_LEAF(side) JOIN(side, _leaf)

FUNCTION uint64_t SIDE(uint64_t value);
LEAF uint64_t NAME_LEAF(SIDE)(uint64_t value);

uint64_t NAME_LEAF(SIDE)(uint64_t value)
{
	return target_work(value, 10000);
}

uint64_t SIDE(uint64_t value)
{
	while (!target_stopped)
		value = NAME_LEAF(SIDE)(value);
	NO_TAIL_CALL(value);
	return value;
}

int main(int argc, char **argv)
{
	uint64_t value;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	value = SIDE(1);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}

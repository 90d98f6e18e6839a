// SPDX-License-Identifier: Apache-2.0
/*
 * apart [SECONDS]
 *
 * Functions in pieces, far from each other. True stacks, about half of the samples each: main, visit
 * (its unlikely part, visit.cold, which gcc puts into .text.unlikely), unlikely, leaf; and main,
 * visit, far_away, which lies in a segment of its own 256 MiB further (--section-start), leaf.
 */
#include "target.h"

LEAF uint64_t leaf(uint64_t value);
FUNCTION uint64_t unlikely(uint64_t value) __attribute__((cold));
FUNCTION uint64_t far_away(uint64_t value) __attribute__((section(".text_far")));
FUNCTION uint64_t visit(uint64_t value, int often);

uint64_t leaf(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t unlikely(uint64_t value)
{
	volatile uint64_t room[20] = { value };

	value = leaf(room[0]);
	NO_TAIL_CALL(value);
	return value + room[1];
}

uint64_t far_away(uint64_t value)
{
	value = leaf(value);
	NO_TAIL_CALL(value);
	return value + 1;
}

/* What only leads to a cold function is cold itself, whatever it does there. */
uint64_t visit(uint64_t value, int often)
{
	volatile uint64_t room[4] = { value };

	if (often) {
		value = far_away(room[0]);
		NO_TAIL_CALL(value);
		return value + room[1];
	}
	room[2] = value * 3;
	value = unlikely(room[2]);
	NO_TAIL_CALL(value);
	room[3] = value;
	value = unlikely(room[3]);
	NO_TAIL_CALL(value);
	return value + room[2];
}

int main(int argc, char **argv)
{
	uint64_t value = (uint64_t)getpid();

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped) {
		value = visit(value, 1);
		value = visit(value, 1);
		value = visit(value, 0);
	}
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * untabled [SECONDS]
 *
 * Code of many shapes, built without any unwind table, with and without frame pointers, for glibc
 * and for musl. True stacks: main, turn, and then one of
 *   by_switch, leaf                  a jump table
 *   by_pointer, pointed, leaf        a function that only a pointer knows
 *   by_tail, tail_end                by_tail jumps there: main, turn, tail_end
 *   by_alloca, leaf                  a stack pointer that nobody knows
 *   by_aligned, leaf                 an aligned frame with a variable array
 *   by_early, leaf                   registers saved on one path only
 *   by_depth (3 to 12 times), leaf
 *   by_sort, the C library's qsort, compare
 *   by_print, the C library's snprintf
 *   by_error                         behind a call that never returns
 */
#include <alloca.h>
#include <string.h>

#include "target.h"

FUNCTION uint64_t leaf(uint64_t value);
FUNCTION uint64_t by_switch(uint64_t value);
FUNCTION uint64_t by_pointer(uint64_t value);
FUNCTION uint64_t by_tail(uint64_t value);
FUNCTION uint64_t tail_end(uint64_t value);
FUNCTION uint64_t by_alloca(uint64_t value);
FUNCTION uint64_t by_aligned(uint64_t value);
FUNCTION uint64_t by_early(uint64_t value);
FUNCTION uint64_t by_depth(uint64_t value);
FUNCTION uint64_t by_sort(uint64_t value);
FUNCTION uint64_t by_print(uint64_t value);
FUNCTION uint64_t by_error(uint64_t value);
FUNCTION void turn(uint64_t *value);
FUNCTION __attribute__((noreturn)) void give_up(uint64_t value);

uint64_t leaf(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t by_switch(uint64_t value)
{
	volatile uint64_t kept[3] = { value, value + 1, value + 2 };

	switch (value >> 60) {
	case 0:
		value = leaf(kept[1]) + 3;
		break;
	case 1:
		value = leaf(kept[2]) * 5;
		break;
	case 3:
		value = leaf(value) ^ kept[1];
		break;
	case 4:
		value = leaf(value + 9) - 1;
		break;
	case 7:
		value = leaf(kept[0]) + kept[2];
		break;
	case 8:
		value = leaf(leaf(kept[1])) + 8;
		break;
	case 12:
		value = leaf(kept[1]) * 13;
		break;
	case 13:
		value = 7 * leaf(kept[2]);
		break;
	default:
		value = leaf(value - 1);
		break;
	}
	NO_TAIL_CALL(value);
	return value + kept[1];
}

static FUNCTION uint64_t pointed(uint64_t value)
{
	uint64_t more = leaf(value ^ 0x55);

	NO_TAIL_CALL(more);
	return more + value;
}

static uint64_t (*volatile pointers[])(uint64_t) = { pointed, pointed };

uint64_t by_pointer(uint64_t value)
{
	value = pointers[value & 1](value);
	NO_TAIL_CALL(value);
	return value + 1;
}

uint64_t tail_end(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t by_tail(uint64_t value)
{
	return tail_end(value + 11);
}

uint64_t by_alloca(uint64_t value)
{
	volatile char *room = alloca(16 + (value & 0xff0));

	room[0] = (char)value;
	value = leaf(value);
	NO_TAIL_CALL(value);
	return value + (unsigned char)room[0];
}

uint64_t by_aligned(uint64_t value)
{
	volatile char wide[64] __attribute__((aligned(64))) = { (char)value };
	volatile char *room = alloca(16 + (value & 0x7f0));

	room[1] = wide[0];
	value = leaf(value + (unsigned char)wide[0]);
	NO_TAIL_CALL(value);
	return value + (unsigned char)room[1];
}

uint64_t by_early(uint64_t value)
{
	uint64_t sum = value;

	if ((value & 7) == 0)
		return value * 3;
	for (int i = 0; i < 2; i++) {
		sum += leaf(sum + value);
		NO_TAIL_CALL(sum);
	}
	return sum ^ value;
}

uint64_t by_depth(uint64_t value)
{
	volatile uint64_t kept = value;
	uint64_t left = value & 15, more;

	more = left > 3 ? by_depth((value & ~15ULL) | (left > 12 ? 12 : left - 1)) : leaf(value);
	NO_TAIL_CALL(more);
	return more + kept;
}

static FUNCTION int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t by_sort(uint64_t value)
{
	static uint64_t numbers[400];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		numbers[i] = target_random(&value);
	qsort(numbers, sizeof(numbers) / sizeof(numbers[0]), sizeof(numbers[0]), compare);
	return value + numbers[7];
}

uint64_t by_print(uint64_t value)
{
	char text[400];
	int length = 0;

	for (int i = 0; i < 10; i++)
		length += snprintf(text, sizeof(text), "%d %s %.9g %llx %30.20Lf", i, "text",
				   (double)value / 3.0, (unsigned long long)value,
				   (long double)value / 7.0L);
	NO_TAIL_CALL(length);
	return value + (uint64_t)length + (unsigned char)text[3];
}

void give_up(uint64_t value)
{
	printf("given up at %llu\n", (unsigned long long)value);
	exit(3);
}

/* Hardly ever is it given up; what follows the call in memory is other code. */
uint64_t by_error(uint64_t value)
{
	uint64_t result = target_work(value | 1, 20000);

	if (result == 0)
		give_up(value);
	NO_TAIL_CALL(result);
	return result;
}

void turn(uint64_t *value)
{
	static uint64_t (*const ways[])(uint64_t) = { by_switch,  by_pointer, by_tail, by_alloca,
						      by_aligned, by_early,   by_depth, by_sort,
						      by_print,   by_error };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		*value += ways[i](target_random(value));
}

int main(int argc, char **argv)
{
	uint64_t value = 88172645463325252ULL;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped)
		turn(&value);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}

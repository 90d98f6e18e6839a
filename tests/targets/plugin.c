// SPDX-License-Identifier: Apache-2.0
/*
 * A plugin, built several times: red, blue, green, grey. Their functions lie at the same offsets'
 * neighbourhood but have frames of different sizes, so that one's table is wrong for the other; tan
 * differs from red by the names alone.
 */
#include "target.h"

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(what) JOIN(COLOUR, what)

LEAF uint64_t NAME(_leaf)(uint64_t value);
FUNCTION uint64_t NAME(_middle)(uint64_t value);
FUNCTION __attribute__((visibility("default"))) uint64_t plugin_run(uint64_t value);

uint64_t NAME(_leaf)(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t NAME(_middle)(uint64_t value)
{
	volatile char room[ROOM_BYTES] = { (char)value };

	value = NAME(_leaf)(value);
	NO_TAIL_CALL(value);
	return value + (unsigned char)room[0];
}

uint64_t plugin_run(uint64_t value)
{
	value = NAME(_middle)(value);
	NO_TAIL_CALL(value);
	return value + 1;
}

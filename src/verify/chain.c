// SPDX-License-Identifier: Apache-2.0
/* The stacks that the program of program.c can have, written down once more, by hand. */
#include "base/cleanup.h"
#include "verify/program.h"

enum { DEPTH_MAX = 900 };

/* Ways from the root; a sample may be of any function on them. */
static const struct way {
	uint8_t functions[4];
	uint32_t count;
} ways[] = {
	{ { PROGRAM_WIDE, PROGRAM_BELOW_WIDE }, 2 },
	{ { PROGRAM_VARIABLE, PROGRAM_BELOW_VARIABLE }, 2 },
	{ { PROGRAM_SORT, PROGRAM_COMPARE }, 2 },
	{ { PROGRAM_RAISE, PROGRAM_HANDLE, PROGRAM_BELOW_HANDLE }, 3 },
	{ { PROGRAM_CALL_KERNEL }, 1 },
};

static bool is_beginning(const struct way *way, const uint8_t *functions, uint32_t count)
{
	if (count > way->count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (functions[i] != way->functions[i])
			return false;
	return true;
}

/* The function at the bottom tells how often it was recursed. */
static bool can_recurse(const uint8_t *functions, uint32_t count)
{
	uint32_t depth = 0, rest;

	while (depth < count && functions[depth] == PROGRAM_RECURSE)
		depth++;
	rest = count - depth;
	if (rest == 0)
		return depth <= DEPTH_MAX;
	if (rest > 1)
		return false;
	switch (functions[depth]) {
	case PROGRAM_BOTTOM_10:
		return depth == 10;
	case PROGRAM_BOTTOM_100:
		return depth == 100;
	case PROGRAM_BOTTOM_900:
		return depth == 900;
	default:
		return false;
	}
}

static bool can_be_split(const uint8_t *functions, uint32_t count)
{
	if (count == 0 || functions[0] != PROGRAM_SPLIT)
		return false;
	return count == 1 || (count == 2 && functions[1] < PROGRAM_PARTS);
}

bool program_can_have(const uint8_t *functions, uint32_t count)
{
	if (count == 0)
		return false;
	if (functions[0] == PROGRAM_MAIN && can_be_split(functions + 1, count - 1))
		return true;
	if (functions[0] != PROGRAM_MAIN && functions[0] != PROGRAM_THREAD)
		return false;
	if (count == 1)
		return true;
	if (functions[1] != PROGRAM_TURN)
		return false;
	functions += 2;
	count -= 2;
	for (uint32_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (is_beginning(&ways[i], functions, count))
			return true;
	return can_recurse(functions, count);
}

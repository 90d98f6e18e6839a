// SPDX-License-Identifier: Apache-2.0
/* The library of layout.c. */
#include "layout.h"

#include "target.h"

FUNCTION uint64_t between(step_fn next, unsigned int left, uint64_t value)
{
	volatile uint64_t room[6] = { value };

	value = next(left, room[0]);
	NO_TAIL_CALL(value);
	return value + room[1];
}

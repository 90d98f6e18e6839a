// SPDX-License-Identifier: Apache-2.0
#include "profile/freeze.h"

#include <stdlib.h>
#include <string.h>

uint32_t *freeze_map(uint32_t count)
{
	uint32_t *map = malloc((count + 1ULL) * sizeof(*map));

	if (map)
		memset(map, 0xff, (count + 1ULL) * sizeof(*map));
	return map;
}

/* The used old ids (marked by anything but FREEZE_UNUSED in `map`). NULL: out of memory. */
static uint32_t *freeze_list(const uint32_t *map, uint32_t count, uint32_t *ret_used)
{
	uint32_t *order = malloc((count + 1ULL) * sizeof(*order)), used = 0;

	for (uint32_t i = 0; order && i < count; i++)
		if (map[i] != FREEZE_UNUSED)
			order[used++] = i;
	*ret_used = used;
	return order;
}

uint32_t *freeze_compared(const uint32_t *map, uint32_t count, uint32_t *ret_used,
			  int (*compare)(const void *, const void *, void *), void *context)
{
	uint32_t *order = freeze_list(map, count, ret_used);

	if (order && *ret_used)
		qsort_r(order, *ret_used, sizeof(*order), compare, context);
	return order;
}

uint32_t *freeze_ordered(const uint32_t *map, uint32_t count, uint32_t *ret_used,
			 order_read_fn read, const void *context)
{
	uint32_t *order = freeze_list(map, count, ret_used);

	if (order && order_sort(order, *ret_used, read, context) < 0) {
		free(order);
		return NULL;
	}
	return order;
}

// SPDX-License-Identifier: Apache-2.0
#include "base/array.h"

void *array_grow(void *at, uint32_t *capacity, size_t element_size, uint64_t need)
{
	uint64_t size = *capacity ? *capacity : 8;
	void *grown;

	if (need > UINT32_MAX / 2)
		return NULL;
	while (size < need)
		size += size / 2;
	grown = reallocarray(at, size, element_size);
	if (grown)
		*capacity = (uint32_t)size;
	return grown;
}

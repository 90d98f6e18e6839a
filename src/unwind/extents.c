// SPDX-License-Identifier: Apache-2.0
#include "unwind/extents.h"

#include <errno.h>

static bool insert_at(struct extents *extents, uint32_t at, struct extent extent)
{
	if (!array_push(&extents->free))
		return false;
	memmove(extents->free.at + at + 1, extents->free.at + at,
		(extents->free.count - 1 - at) * sizeof(*extents->free.at));
	extents->free.at[at] = extent;
	return true;
}

static void remove_at(struct extents *extents, uint32_t at)
{
	extents->free.count--;
	memmove(extents->free.at + at, extents->free.at + at + 1,
		(extents->free.count - at) * sizeof(*extents->free.at));
}

int extents_init(struct extents *extents, uint32_t first, uint32_t count)
{
	*extents = (struct extents){};
	return insert_at(extents, 0, (struct extent){ first, count }) ? 0 : -ENOMEM;
}

void extents_fini(struct extents *extents)
{
	array_fini(&extents->free);
}

uint32_t extents_take(struct extents *extents, uint32_t count)
{
	for (uint32_t i = 0; i < extents->free.count; i++) {
		struct extent *extent = &extents->free.at[i];
		uint32_t first = extent->first;

		if (extent->count < count)
			continue;
		extent->first += count;
		extent->count -= count;
		if (extent->count == 0)
			remove_at(extents, i);
		return first;
	}
	return EXTENTS_NONE;
}

void extents_give(struct extents *extents, uint32_t first, uint32_t count)
{
	uint32_t i = 0;
	struct extent *before, *after;

	if (count == 0)
		return;
	while (i < extents->free.count && extents->free.at[i].first < first)
		i++;
	before = i > 0 ? &extents->free.at[i - 1] : NULL;
	after = i < extents->free.count ? &extents->free.at[i] : NULL;
	if (before && before->first + before->count == first) {
		before->count += count;
		if (after && first + count == after->first) {
			before->count += after->count;
			remove_at(extents, i);
		}
	} else if (after && first + count == after->first) {
		after->first = first;
		after->count += count;
	} else {
		(void)insert_at(extents, i, (struct extent){ first, count });
	}
}

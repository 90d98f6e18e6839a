// SPDX-License-Identifier: Apache-2.0
#include "profile/freeze.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "profile/sequences.h"

/* A location's function number i and its line, from the outermost one. */
static uint64_t read_line(const struct freezer *freezer, const struct profile_location *location,
			  uint32_t i)
{
	const struct profile_line *line =
		&freezer->old->lines.at[location->first_line + location->line_count - 1 - i];

	return freeze_pair(freezer->to.function[line->function],
			   line->line < UINT32_MAX ? line->line + 1 : UINT32_MAX);
}

/*
 * By mapping, then by address, then by functions and lines: files may hold addresses that are not
 * one place's, or none. Those that have only names come first, whatever their mapping, by
 * these: call trees are in that order, too, and sorted stacks need not be sorted again for them.
 */
static void read_locations(const void *context, struct order_entry *entries, uint32_t count,
			   uint32_t depth)
{
	const struct freezer *freezer = context;
	const struct profile *old = freezer->old;

	for (uint32_t i = 0; i < count; i++) {
		const struct profile_location *location = &old->locations.at[entries[i].position];
		uint32_t mapping = freezer->to.mapping[location->mapping];

		if (old->mappings.at[location->mapping].only_names)
			entries[i].key = depth == 0 ? 1
					 : depth <= location->line_count
						 ? read_line(freezer, location, depth - 1)
					 : depth == location->line_count + 1
						 ? freeze_pair(mapping, 0)
						 : 0;
		else
			entries[i].key = depth == 0   ? freeze_pair(mapping + 1, 1)
					 : depth == 1 ? location->address >> 32 << 1 | 1
					 : depth == 2 ? location->address << 32 | 1
					 : depth < location->line_count + 3
						 ? read_line(freezer, location, depth - 3)
						 : 0;
	}
}

int freeze_locations(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	struct profile *now = freezer->now;
	uint32_t used;
	cleanup(free) uint32_t *order = freeze_ordered(freezer->to.location, old->locations.count,
						       &used, read_locations, freezer);

	if (!order || !array_reserve(&now->locations, used) ||
	    !array_reserve(&now->lines, old->lines.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < used; i++) {
		struct profile_location *location = array_push(&now->locations);

		if (!location)
			return -ENOMEM;
		*location = old->locations.at[order[i]];
		location->mapping = freezer->to.mapping[location->mapping];
		if (now->mappings.at[location->mapping].only_names)
			location->address = 0;
		for (uint32_t k = 0; k < location->line_count; k++) {
			struct profile_line *line = array_push(&now->lines);

			if (!line)
				return -ENOMEM;
			*line = old->lines.at[location->first_line + k];
			line->function = freezer->to.function[line->function];
		}
		location->first_line = now->lines.count - location->line_count;
		freezer->to.location[order[i]] = i;
	}
	return 0;
}

/* From the root, so that stacks with a common trunk are neighbours. */
int freeze_stacks(struct freezer *freezer)
{
	struct profile *old = freezer->old, *now = freezer->now;
	cleanup(free) uint32_t *order = malloc((old->stacks.count + 1ULL) * sizeof(*order));
	struct sequences sequences = { .from_end = true };
	uint32_t used = 0;
	int r;

	/* In place: comparing wants the new ids, and nothing else needs the old ones any more. */
	for (uint32_t i = 0; i < old->stack_locations.count; i++)
		old->stack_locations.at[i] = freezer->to.location[old->stack_locations.at[i]];
	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < old->stacks.count; i++)
		if (freezer->to.stack[i] != FREEZE_UNUSED)
			order[used++] = i;
	sequences.words = old->stack_locations.at;
	sequences.runs = old->stacks.at;
	r = sequences_sort(&sequences, order, used);
	if (r < 0)
		return r;
	if (!array_reserve(&now->stacks, used) ||
	    !array_reserve(&now->stack_locations, old->stack_locations.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < used; i++) {
		struct profile_run run = old->stacks.at[order[i]];

		now->stacks.at[now->stacks.count++] =
			(struct profile_run){ now->stack_locations.count, run.count };
		if (run.count)
			memcpy(now->stack_locations.at + now->stack_locations.count,
			       old->stack_locations.at + run.first,
			       run.count * sizeof(*now->stack_locations.at));
		now->stack_locations.count += run.count;
		freezer->to.stack[order[i]] = i;
	}
	return 0;
}

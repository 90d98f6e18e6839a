// SPDX-License-Identifier: Apache-2.0
/* What no sample reaches is dropped. */
#include "profile/freeze.h"

#include <errno.h>

int freeze_mark(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	struct renumbering *to = &freezer->to;

	to->string = freeze_map(old->strings.offsets.count);
	to->mapping = freeze_map(old->mappings.count);
	to->function = freeze_map(old->functions.count);
	to->location = freeze_map(old->locations.count);
	to->stack = freeze_map(old->stacks.count);
	to->labels = freeze_map(old->label_sets.count);
	if (!to->string || !to->mapping || !to->function || !to->location || !to->stack ||
	    !to->labels)
		return -ENOMEM;
	to->string[0] = 0;
	to->labels[0] = 0;
	for (uint32_t i = 0; i < old->samples.count; i++) {
		to->stack[old->samples.at[i].stack] = 0;
		to->labels[old->samples.at[i].labels] = 0;
	}
	for (uint32_t i = 0; i < old->stacks.count; i++)
		for (uint32_t k = 0; to->stack[i] == 0 && k < old->stacks.at[i].count; k++)
			to->location[old->stack_locations.at[old->stacks.at[i].first + k]] = 0;
	for (uint32_t i = 0; i < old->locations.count; i++) {
		const struct profile_location *location = &old->locations.at[i];

		if (to->location[i] == FREEZE_UNUSED)
			continue;
		to->mapping[location->mapping] = 0;
		for (uint32_t k = 0; k < location->line_count; k++)
			to->function[old->lines.at[location->first_line + k].function] = 0;
	}
	for (uint32_t i = 0; i < old->functions.count; i++)
		if (to->function[i] == 0)
			to->string[old->functions.at[i].name] =
				to->string[old->functions.at[i].system_name] =
					to->string[old->functions.at[i].file] = 0;
	for (uint32_t i = 0; i < old->mappings.count; i++)
		if (to->mapping[i] == 0)
			to->string[old->mappings.at[i].file] =
				to->string[old->mappings.at[i].build_id] = 0;
	for (uint32_t i = 0; i < old->label_sets.count; i++)
		for (uint32_t k = 0; to->labels[i] == 0 && k < old->label_sets.at[i].count; k++) {
			uint32_t item = old->label_sets.at[i].first + k;

			to->string[old->label_items.at[item].key] =
				to->string[old->label_items.at[item].text] =
					to->string[old->label_items.at[item].unit] = 0;
		}
	for (uint32_t i = 0; i < old->types.count; i++)
		to->string[old->types.at[i].name] = to->string[old->types.at[i].unit] = 0;
	to->string[old->meta.drop_frames] = 0;
	to->string[old->meta.period_of.name] = to->string[old->meta.period_of.unit] = 0;
	for (uint32_t i = 0; i < old->comments.count; i++)
		to->string[old->comments.at[i]] = 0;
	return 0;
}

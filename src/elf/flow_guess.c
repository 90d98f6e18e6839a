// SPDX-License-Identifier: Apache-2.0
#include "elf/function_flow_parts.h"

#include <errno.h>

static bool is_cut(const struct function_flow *flow, uint64_t site)
{
	for (uint32_t i = 0; i < flow->cuts.count; i++)
		if (flow->cuts.at[i] == site)
			return true;
	return false;
}

int flow_guess(struct function_flow *flow, uint64_t site, uint64_t address, uint32_t state,
	       uint32_t origin)
{
	struct flow_item *item;

	flow_spend(flow, flow->cuts.count / 32);
	if (is_cut(flow, site))
		return 0;
	item = array_push(&flow->guesses);
	if (!item)
		return -ENOMEM;
	*item = (struct flow_item){ address, site, state, origin };
	return 0;
}

int flow_cut(struct function_flow *flow, uint64_t site)
{
	uint64_t *added;

	if (is_cut(flow, site))
		return WRONG_GUESS;
	added = array_push(&flow->cuts);
	if (!added)
		return -ENOMEM;
	*added = site;
	return WRONG_GUESS;
}

void flow_note_good(struct function_flow *flow, uint32_t origin)
{
	for (; origin && !flow->origins.at[origin].good; origin = flow->origins.at[origin].parent)
		flow->origins.at[origin].good = true;
}

int flow_blame_meeting(struct function_flow *flow, uint64_t address, uint32_t older, uint32_t newer)
{
	const struct flow_origin *origins = flow->origins.at;
	uint32_t origin = newer;

	if (!newer || (older && origins[older].begin == address && origins[newer].begin != address))
		origin = older;
	return flow_cut(flow, origins[origin].site);
}

uint64_t flow_blame_exit(struct function_flow *flow, uint32_t origin)
{
	const struct flow_origin *origins = flow->origins.at;
	uint32_t like_start = 0, hopeless = 0, steps = 0;

	for (uint32_t i = origin; i; i = origins[i].parent) {
		steps++;
		if (origins[i].good)
			continue;
		hopeless = i;
		if (origins[i].like_start)
			like_start = i;
	}
	flow_spend(flow, steps / 8);
	return origins[like_start ? like_start : hopeless ? hopeless : origin].site;
}

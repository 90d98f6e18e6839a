// SPDX-License-Identifier: Apache-2.0
#include "elf/function_flow_parts.h"

#include <errno.h>
#include <string.h>

enum { MAX_STATES = 1 << 14 };

static bool same_state(const void *context, uint32_t position, const void *key)
{
	const struct function_flow *flow = context;

	return memcmp(&flow->states.at[position], key, sizeof(struct frame_state)) == 0;
}

int flow_state(struct function_flow *flow, uint32_t *ret, const struct frame_state *state)
{
	uint64_t hash = hash_bytes(state, sizeof(*state));
	struct frame_state *added;
	int r;

	*ret = hash_index_find(&flow->by_state, hash, same_state, flow, state);
	if (*ret != HASH_ABSENT)
		return 0;
	if (flow->states.count >= MAX_STATES)
		return OUT_OF_BOUNDS;
	*ret = flow->states.count;
	added = array_push(&flow->states);
	if (!added)
		return -ENOMEM;
	*added = *state;
	r = hash_index_add(&flow->by_state, hash, *ret);
	return r;
}

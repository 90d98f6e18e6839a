// SPDX-License-Identifier: Apache-2.0
#include "elf/function_flow_parts.h"

#include "elf/code_looks.h"

/* The first start of a function behind the address, or UINT64_MAX. */
static uint64_t next_start(const struct function_flow *flow, uint64_t address)
{
	uint32_t low = 0, high = flow->starts.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (flow->starts.at[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < flow->starts.count ? flow->starts.at[low] : UINT64_MAX;
}

static bool jumps_agree(const struct function_flow *flow)
{
	const struct frame_state *first = &flow->states.at[flow->jumps.at[0].state];

	for (uint32_t i = 1; i < flow->jumps.count; i++)
		if (!frame_states_agree(first, &flow->states.at[flow->jumps.at[i].state]))
			return false;
	return true;
}

/*
 * What holds where the indirect jumps lead to that the code at the address may belong to: the last
 * one before it, for a switch's code stands behind it, and all that agree with that. Results as
 * above.
 */
static int state_behind_jump(struct function_flow *flow, uint64_t address, uint32_t *ret)
{
	const struct flow_jump *nearest = &flow->jumps.at[0];
	struct frame_state state;

	for (uint32_t i = 1; i < flow->jumps.count; i++) {
		const struct flow_jump *jump = &flow->jumps.at[i];

		if (jump->address < address &&
		    (jump->address > nearest->address || nearest->address >= address))
			nearest = jump;
	}
	state = flow->states.at[nearest->state];
	for (uint32_t i = 0; i < flow->jumps.count; i++) {
		const struct frame_state *other = &flow->states.at[flow->jumps.at[i].state];

		if (frame_states_agree(&state, other))
			state = frame_state_meet(&state, other);
	}
	flow_spend(flow, flow->jumps.count / 8);
	frame_state_return_from_call(&state, 0);
	return flow_state(flow, ret, &state);
}

/*
 * Guesses that the code in a hole between instructions belongs to a switch: what it begins with, and
 * where a symbol says that all of it is the function's, what stands behind each instruction that
 * does not go on.
 */
static int guess_hole(struct function_flow *flow, uint64_t from, uint64_t to)
{
	bool all = flow->list->functions.at[flow->number].size > 0, ends = true;
	uint32_t state;
	int r = state_behind_jump(flow, from, &state);

	while (from < to && r == 0) {
		struct instruction i;
		size_t size;
		const unsigned char *bytes;

		if (ends) {
			from = code_skip_padding(flow->code, from, to);
			if (from == to)
				break;
			if (!code_looks_like_start(flow->code, from))
				r = flow_guess(flow, from, from, state, 0);
		}
		bytes = code_bytes(flow->code, from, &size);
		if (!all || !bytes || !instruction_decode(&i, bytes, size, from))
			break;
		ends = i.kind == INSTRUCTION_JUMP || i.kind == INSTRUCTION_JUMP_INDIRECT ||
		       i.kind == INSTRUCTION_RETURN || i.kind == INSTRUCTION_STOP;
		from += i.length;
	}
	return r;
}

int flow_guess_switch(struct function_flow *flow)
{
	const struct code_function *function = &flow->list->functions.at[flow->number];
	cleanup(flow_runs_fini) struct flow_runs runs = {};
	uint64_t limit = next_start(flow, function->start), end = 0;
	int r;

	/* Where nobody says how far the function goes, one frame for all is some certainty. */
	if (flow->jumps.count == 0 || (!function->size && !jumps_agree(flow)))
		return 0;
	if (function->size && function->start + function->size < limit)
		limit = function->start + function->size;
	r = flow_runs_list(&runs, flow);
	flow_spend(flow, runs.list.count);
	for (uint32_t i = 0; i < runs.list.count && r == 0; i++) {
		const struct flow_run *run = &runs.list.at[i];

		if (run->start < function->start || run->start >= limit)
			continue;
		if (end && end < run->start)
			r = guess_hole(flow, end, run->start);
		if (run->end > end)
			end = run->end;
	}
	/* Behind the last one anything may be, unless a symbol says how far the function goes. */
	if (r == 0 && end && end < limit && limit != UINT64_MAX)
		r = guess_hole(flow, end, limit);
	return r;
}

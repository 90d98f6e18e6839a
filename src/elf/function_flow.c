// SPDX-License-Identifier: Apache-2.0
/*
 * One attempt follows everything from the start of the function. Paths that are certain come first,
 * guesses after them, one at a time; the frame that was there first is believed. When the attempt
 * contradicts itself, the guess to blame is left out and the next attempt begins from the start.
 */
#include "elf/function_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/cfi.h"
#include "elf/code_looks.h"
#include "elf/function_flow_parts.h"

enum {
	/* Guesses that may be wrong in one function, and how often it is begun anew. */
	MAX_CUTS = 512,
	MAX_ATTEMPTS = 12,
	/* A switch's code is found behind code that was found before. */
	MAX_SWITCH_ROUNDS = 48,
	KEPT_SLOTS = 4096,
};

void function_flow_fini(struct function_flow *flow)
{
	array_fini(&flow->starts);
	array_fini(&flow->pieces);
	array_fini(&flow->calls);
	array_fini(&flow->addresses_taken);
	array_fini(&flow->instructions);
	array_fini(&flow->states);
	array_fini(&flow->origins);
	array_fini(&flow->work);
	array_fini(&flow->guesses);
	array_fini(&flow->bad);
	array_fini(&flow->jumps);
	array_fini(&flow->cuts);
	hash_index_fini(&flow->by_address);
	hash_index_fini(&flow->by_state);
}

static void empty_index(struct hash_index *index)
{
	if (index->slots && index->mask < KEPT_SLOTS) {
		memset(index->slots, 0, ((size_t)index->mask + 1) * sizeof(*index->slots));
		index->count = 0;
	} else {
		hash_index_fini(index);
	}
}

static void begin(struct function_flow *flow, bool anew)
{
	/* What was decoded in the last attempt is good for the next one. */
	if (anew) {
		flow->instructions.count = 0;
		empty_index(&flow->by_address);
	}
	for (uint32_t i = 0; i < flow->instructions.count; i++)
		flow->instructions.at[i].state = NO_STATE;
	flow_spend(flow, flow->instructions.count / 8);
	flow->states.count = flow->origins.count = 0;
	flow->work.count = flow->guesses.count = flow->guesses_done = 0;
	flow->bad.count = flow->jumps.count = 0;
	flow->leaves = flow->returns = false;
	flow->changes = 0;
	flow->good = flow->ends = 0;
	empty_index(&flow->by_state);
}

/*
 * Looks for guesses that have led to nothing good. Returns 0, WRONG_GUESS, OUT_OF_BOUNDS or -ENOMEM.
 */
static int check(struct function_flow *flow)
{
	int r = 0;

	for (uint32_t i = 0; i < flow->bad.count && r >= 0 && flow->steps_left; i++)
		if (flow->bad.at[i].origin)
			r = flow_cut(flow, flow_blame_exit(flow, flow->bad.at[i].origin));
	if (flow->steps_left == 0)
		return r < 0 ? r : OUT_OF_BOUNDS;
	/* Code that is thought to be a switch's has to come back into the function, or out of it. */
	for (uint32_t i = 1; i < flow->origins.count && r >= 0; i++) {
		const struct flow_origin *origin = &flow->origins.at[i];

		if (origin->unasked && !origin->good && !origin->joined)
			r = flow_cut(flow, origin->site);
	}
	return r;
}

/* One attempt. Returns 0, WRONG_GUESS, OUT_OF_BOUNDS or -ENOMEM. */
static int attempt(struct function_flow *flow, bool anew)
{
	const struct code_function *function = &flow->list->functions.at[flow->number];
	const struct frame_state entry = frame_state_at_entry(function->outermost);
	uint64_t start = function->start;
	uint32_t state;
	int r;

	begin(flow, anew);
	if (!array_push(&flow->origins))
		return -ENOMEM;
	r = flow_state(flow, &state, &entry);
	if (r == 0)
		r = flow_branch(flow, start, state, 0);
	if (r == 0)
		r = flow_follow_all(flow);
	/* What may be a label only would take the rest of its function for a switch. */
	if (function->trust == FUNCTION_POINTER && !code_looks_like_start(flow->code, start))
		return r == 0 ? check(flow) : r;
	for (unsigned round = 0; r == 0 && round < MAX_SWITCH_ROUNDS; round++) {
		uint32_t guesses = flow->guesses.count;

		r = flow_guess_switch(flow);
		if (r == 0 && flow->guesses.count == guesses)
			break;
		if (r == 0)
			r = flow_follow_all(flow);
	}
	return r == 0 ? check(flow) : r;
}

/* A way out that no guess is to blame for. */
static bool is_contradictory(const struct function_flow *flow)
{
	for (uint32_t i = 0; i < flow->bad.count; i++)
		if (flow->bad.at[i].origin == 0)
			return true;
	return false;
}

static int add_piece(struct function_flow *flow, uint32_t first, uint64_t start, uint64_t end,
		     const struct wire_rule *rule)
{
	struct flow_piece *last =
		flow->pieces.count > first ? &flow->pieces.at[flow->pieces.count - 1] : NULL;

	if (last && last->end == start && memcmp(&last->rule, rule, sizeof(*rule)) == 0) {
		last->end = end;
		return 0;
	}
	last = array_push(&flow->pieces);
	if (!last)
		return -ENOMEM;
	*last = (struct flow_piece){ start, end, *rule,
				     1U + flow->list->functions.at[flow->number].trust };
	return 0;
}

/* known: the frames are right; else there is only to say that nobody knows them. */
static int add_pieces(struct function_flow *flow, bool known)
{
	const struct wire_rule unknown = { .cfa_words = CFI_UNKNOWN, .kind_and_step = RULE_NONE };
	uint32_t first = flow->pieces.count;
	cleanup(flow_runs_fini) struct flow_runs runs = {};
	int r = flow_runs_list(&runs, flow);

	for (uint32_t i = 0; i < runs.list.count && r == 0; i++) {
		const struct flow_run *run = &runs.list.at[i];

		for (uint32_t k = run->first; k <= run->last && r == 0; k++) {
			const struct flow_instruction *at = &flow->instructions.at[k];
			struct wire_rule rule = unknown;

			if (at->state == NO_STATE)
				continue;
			if (known)
				rule = frame_state_rule(&flow->states.at[at->state]);
			r = add_piece(flow, first, at->address, at->address + at->decoded.length,
				      &rule);
		}
	}
	return r;
}

/* Does all that was found out of a function that may be none make sense as one? */
static bool is_function(struct function_flow *flow, const struct code_function *function)
{
	if (flow->bad.count || flow->changes & 1u << REGISTER_BP)
		return false;
	if (flow->good > 0)
		return true;
	/* A switch's label may well lead to nothing but a call that does not come back. */
	if (code_looks_like_start(flow->code, function->start))
		return flow->ends > 0 || flow->cuts.count > 0 || function->trust == FUNCTION_TAKEN;
	return flow->ends > 0 && function->trust == FUNCTION_TAKEN;
}

/* Puts the functions that are called on the list. */
static int list_called(struct function_flow *flow, uint32_t first)
{
	int r = 0;

	for (uint32_t i = first; i < flow->calls.count && r == 0; i++) {
		struct flow_call *call = &flow->calls.at[i];

		if (!call->tail)
			r = function_list_add(flow->list, call->address, 0, FUNCTION_CERTAIN);
		call->to = function_list_find(flow->list, call->address);
	}
	return r;
}

int function_flow_follow(struct function_flow *flow, uint32_t number)
{
	uint32_t first_piece = flow->pieces.count, first_call = flow->calls.count;
	uint32_t first_taken = flow->addresses_taken.count;
	struct code_function *function = &flow->list->functions.at[number];
	unsigned limit = MAX_ATTEMPTS;
	bool known;
	int r;

	/* No second chance for what may be a label only. */
	if (function->trust == FUNCTION_POINTER &&
	    !code_looks_like_start(flow->code, function->start))
		limit = 1;
	flow->number = number;
	flow->cuts.count = 0;
	for (unsigned attempts = 1;; attempts++) {
		flow->calls.count = first_call;
		flow->addresses_taken.count = first_taken;
		r = attempt(flow, attempts == 1);
		if (r != WRONG_GUESS || attempts == limit || flow->cuts.count > MAX_CUTS)
			break;
	}
	if (r < 0)
		return r;
	known = r == 0 && !is_contradictory(flow);
	if (r != 0 ||
	    (function->trust != FUNCTION_CERTAIN && (!known || !is_function(flow, function)))) {
		flow->calls.count = first_call;
		flow->addresses_taken.count = first_taken;
	}
	function->followed = true;
	if (function->trust != FUNCTION_CERTAIN && (!known || !is_function(flow, function)))
		return 0;
	flow->given_up += !known;
	function->known = known;
	function->revised = !known || flow->cuts.count > 0;
	function->leaves = !known || flow->leaves;
	function->returns_itself = known && flow->returns;
	function->changes = known ? flow->changes : 0;
	r = add_pieces(flow, known);
	if (r < 0)
		return r;
	function->first_piece = first_piece;
	function->piece_count = flow->pieces.count - first_piece;
	function->first_call = first_call;
	function->call_count = flow->calls.count - first_call;
	return list_called(flow, first_call); /* may move *function */
}

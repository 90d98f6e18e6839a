// SPDX-License-Identifier: Apache-2.0
#include "elf/function_flow_parts.h"

#include <errno.h>
#include <string.h>

#include "elf/code_looks.h"

/* Interpreters' loops have some 20,000. */
enum { MAX_INSTRUCTIONS = 1 << 17 };

/* Is a call of what follows it there only to learn the code's own address? */
static bool takes_own_address(struct function_flow *flow, uint64_t next)
{
	struct instruction i;
	size_t size;
	const unsigned char *bytes = code_bytes(flow->code, next, &size);

	return bytes && instruction_decode(&i, bytes, size, next) && i.kind == INSTRUCTION_POP;
}

/*
 * The instruction at the address, decoded if it was not. Returns 0 (*ret HASH_ABSENT: there is
 * none), OUT_OF_BOUNDS or -ENOMEM.
 */
static int instruction_at(struct function_flow *flow, uint32_t *ret, uint64_t address)
{
	struct flow_instruction *added;
	struct instruction decoded;
	const unsigned char *bytes;
	size_t size = 0;

	*ret = hash_index_find(&flow->by_address, hash_u64(address), NULL, NULL, NULL);
	if (*ret != HASH_ABSENT)
		return 0;
	if (flow->instructions.count >= MAX_INSTRUCTIONS)
		return OUT_OF_BOUNDS;
	bytes = code_bytes(flow->code, address, &size);
	if (!bytes || !instruction_decode(&decoded, bytes, size, address))
		return 0;
	*ret = flow->instructions.count;
	added = array_push(&flow->instructions);
	if (!added)
		return -ENOMEM;
	*added = (struct flow_instruction){ decoded, address, NO_STATE, 0 };
	return hash_index_add(&flow->by_address, hash_u64(address), *ret);
}

/*
 * The number of the function that begins at the address, or HASH_ABSENT: none, or it is this one.
 * A label is no word against the frame, and what is less sure none at all.
 */
static uint32_t other_function(const struct function_flow *flow, uint64_t address,
			       const struct frame_state *state)
{
	uint32_t number = function_list_find(flow->list, address), trust;

	if (number == HASH_ABSENT || number == flow->number)
		return HASH_ABSENT;
	trust = flow->list->functions.at[number].trust;
	if (trust > FUNCTION_LABEL ||
	    (trust == FUNCTION_LABEL && !state->outermost && !frame_state_is_balanced(state)))
		return HASH_ABSENT;
	return number;
}

static int add_call(struct function_flow *flow, uint64_t address, bool tail)
{
	struct flow_call *call = array_push(&flow->calls);

	if (!call)
		return -ENOMEM;
	*call = (struct flow_call){ address, HASH_ABSENT, tail };
	return 0;
}

/* The function is left for its caller, or for code that returns there. */
static void leave(struct function_flow *flow, const struct frame_state *state, uint32_t origin)
{
	flow->changes |= frame_state_clobbered(state);
	flow->good++;
	flow_note_good(flow, origin);
}

/* The function is left with this frame, which is not the one to leave with. */
static int leave_badly(struct function_flow *flow, uint64_t address,
		       const struct frame_state *state, uint32_t origin)
{
	struct flow_exit *exit;

	if (state->outermost || state->registers[REGISTER_SP].kind != VALUE_CFA)
		return PATH_ENDS;
	exit = array_push(&flow->bad);
	if (!exit)
		return -ENOMEM;
	*exit = (struct flow_exit){ address, origin };
	return PATH_ENDS;
}

/* Control reaches the beginning of another function other than by a call. */
static int leave_for(struct function_flow *flow, uint64_t address, const struct frame_state *state,
		     uint32_t origin)
{
	int r;

	if (state->outermost)
		return PATH_ENDS;
	if (!frame_state_is_at_return(state))
		return leave_badly(flow, address, state, origin);
	leave(flow, state, origin);
	r = add_call(flow, address, true);
	return r < 0 ? r : PATH_ENDS;
}

/* Control reaches code that rows cover already, or no code at all. */
static int leave_code(struct function_flow *flow, uint64_t address, const struct frame_state *state,
		      uint32_t origin)
{
	if (code_range_of(flow->code, address))
		return leave_badly(flow, address, state, origin);
	flow->leaves = true;
	if (!state->outermost && frame_state_is_at_return(state))
		leave(flow, state, origin);
	else if (origin)
		return leave_badly(flow, address, state, origin);
	return PATH_ENDS;
}

static int return_to_caller(struct function_flow *flow, const struct flow_instruction *at,
			    const struct frame_state *state, uint32_t origin)
{
	if (state->outermost)
		return PATH_ENDS;
	/* Unless it goes somewhere else, or nobody knows where. */
	flow->leaves = true;
	if (frame_state_is_at_return(state)) {
		flow->returns = true;
		/* It takes its arguments off the stack: the caller's pointer is not where it was. */
		if (at->decoded.value)
			flow->changes |= 1u << REGISTER_SP;
		leave(flow, state, origin);
		return PATH_ENDS;
	}
	/* To an address that it has put there itself: a jump. */
	if (state->registers[REGISTER_SP].offset == -8)
		return PATH_ENDS;
	return leave_badly(flow, at->address, state, origin);
}

/* A path has come to code that another guess, or none, has led to before, with the same frame. */
static void join(struct function_flow *flow, uint32_t older, uint32_t newer)
{
	struct flow_origin *origins = flow->origins.at;

	if (origins[newer].first != origins[older].first)
		origins[origins[newer].first].joined = true;
}

static int jump_somewhere(struct function_flow *flow, const struct flow_instruction *at,
			  uint32_t state_number, uint32_t origin)
{
	const struct frame_state *state = &flow->states.at[state_number];
	const struct instruction *i = &at->decoded;
	struct flow_jump *jump;

	if (i->value && no_return_pointers_have(flow->no_return, (uint64_t)i->value))
		return PATH_ENDS;
	if (!state->outermost && frame_state_is_at_return(state)) {
		flow->leaves = true;
		leave(flow, state, origin);
	}
	if (i->value) /* through the pointer to a function */
		return PATH_ENDS;
	/* Back to where the switch begins, or on to the next step of an interpreter. */
	if (flow->jumps.count &&
	    frame_states_agree(state, &flow->states.at[flow->jumps.at[0].state]))
		join(flow, 0, origin);
	jump = array_push(&flow->jumps);
	if (!jump)
		return -ENOMEM;
	*jump = (struct flow_jump){ at->address, state_number };
	return PATH_ENDS;
}

/* Past a call of code at `to`. certain: it is known to come back. Results as above. */
static int call(struct function_flow *flow, uint64_t to, struct frame_state *state, bool *certain)
{
	uint32_t number = function_list_find(flow->list, to);
	uint16_t clobbered = 0;
	int r;

	if (code_range_of(flow->code, to)) {
		r = add_call(flow, to, false);
		if (r < 0)
			return r;
	}
	if (number != HASH_ABSENT) {
		const struct code_function *called = &flow->list->functions.at[number];

		if (!called->returns) {
			flow->ends++;
			return PATH_ENDS;
		}
		*certain = called->settled || number == flow->number;
		clobbered = called->clobbered;
	}
	frame_state_return_from_call(state, clobbered);
	return 0;
}

/*
 * Puts off going on behind the instruction `at`, which is right only if it comes back there.
 * Returns PATH_ENDS, OUT_OF_BOUNDS or -ENOMEM.
 */
static int guess_return(struct function_flow *flow, const struct flow_instruction *at,
			const struct frame_state *state, uint32_t origin)
{
	uint32_t number;
	int r = flow_state(flow, &number, state);

	if (r == 0)
		r = flow_guess(flow, at->address, at->address + at->decoded.length, number, origin);
	return r ? r : PATH_ENDS;
}

int flow_branch(struct function_flow *flow, uint64_t address, uint32_t state, uint32_t origin)
{
	struct flow_item *item = array_push(&flow->work);

	if (!item)
		return -ENOMEM;
	*item = (struct flow_item){ address, 0, state, origin };
	return 0;
}

/* The instruction that marks the outermost frame is a part of it. */
static int enter_outermost(struct function_flow *flow, uint32_t number, uint32_t *state)
{
	const struct instruction *i = &flow->instructions.at[number].decoded;
	struct frame_state after;

	if (i->kind != INSTRUCTION_CLEAR || i->a != REGISTER_BP)
		return 0;
	after = flow->states.at[*state];
	frame_state_apply(&after, i);
	if (after.outermost == flow->states.at[*state].outermost)
		return 0;
	after = flow->states.at[*state];
	after.outermost = 1;
	return flow_state(flow, state, &after);
}

/*
 * Makes one of the frame at an instruction and the frame *state, which arrives there. Returns 0 (go
 * on with *state), PATH_ENDS when nothing is new, or another result.
 */
static int arrive(struct function_flow *flow, uint32_t number, uint32_t *state, uint32_t origin)
{
	struct flow_instruction *at = &flow->instructions.at[number];
	const struct frame_state *old, *new;
	struct frame_state both;
	int r;

	if (flow->steps_left == 0)
		return OUT_OF_BOUNDS;
	flow_spend(flow, 1);
	if (at->state == NO_STATE) {
		at->state = *state;
		at->origin = origin;
		return 0;
	}
	if (at->state == *state) {
		join(flow, at->origin, origin);
		return PATH_ENDS;
	}
	old = &flow->states.at[at->state];
	new = &flow->states.at[*state];
	if (!frame_states_agree(old, new) && (origin || at->origin))
		return flow_blame_meeting(flow, at->address, at->origin, origin);
	both = frame_state_meet(old, new);
	r = flow_state(flow, state, &both);
	if (r)
		return r;
	join(flow, at->origin, origin);
	if (*state == at->state)
		return PATH_ENDS;
	at->state = *state;
	return 0;
}

/*
 * "cmp a, b; jne" that is not taken: the two are equal. Returns false when they cannot be, as in all
 * but the last turn of a loop that moves the stack pointer down, page by page.
 */
static bool learn_equality(const struct function_flow *flow, uint32_t number,
			   struct frame_state *state)
{
	const struct flow_instruction *at = &flow->instructions.at[number];
	const struct instruction *i = number ? &at[-1].decoded : NULL;

	if (!i || !at->decoded.not_equal || i->kind != INSTRUCTION_COMPARE ||
	    at[-1].address + i->length != at->address || i->a == REGISTER_NONE ||
	    i->b == REGISTER_NONE)
		return true;
	return frame_state_equal(state, i->a, i->b);
}

/* Does another function begin behind the instruction? Then a call does not come back there. */
static bool is_followed_by_start(struct function_flow *flow, uint64_t next)
{
	uint32_t number =
		function_list_find(flow->list, code_skip_padding(flow->code, next, next + 16));

	return number != HASH_ABSENT && number != flow->number &&
	       flow->list->functions.at[number].trust == FUNCTION_CERTAIN;
}

/* Notes the address of code that an instruction names. Returns 0 or -ENOMEM. */
static int note_address(struct function_flow *flow, const struct instruction *i)
{
	uint64_t address = i->kind == INSTRUCTION_ADDRESS ? (uint64_t)i->value : i->immediate;
	uint64_t *taken;

	if (!address || !code_range_of(flow->code, address))
		return 0;
	taken = array_push(&flow->addresses_taken);
	if (!taken)
		return -ENOMEM;
	*taken = address;
	return 0;
}

/* Follows instruction `number`, before which *state_at holds. Returns 0 to go on behind it. */
static int pass(struct function_flow *flow, uint32_t number, uint32_t *state_at, uint32_t origin)
{
	const struct flow_instruction at = flow->instructions.at[number];
	const struct instruction *i = &at.decoded;
	uint64_t next = at.address + i->length, to = (uint64_t)i->value;
	struct frame_state state;
	bool certain = false;
	int r = note_address(flow, i);

	if (r < 0 || !frame_state_is_touched(&flow->states.at[*state_at], i))
		return r;
	state = flow->states.at[*state_at];

	switch ((enum instruction_kind)i->kind) {
	case INSTRUCTION_STOP:
		flow->ends++;
		return PATH_ENDS;
	case INSTRUCTION_RETURN:
		return return_to_caller(flow, &at, &state, origin);
	case INSTRUCTION_JUMP_INDIRECT:
		return jump_somewhere(flow, &at, *state_at, origin);
	case INSTRUCTION_JUMP:
		r = flow_branch(flow, to, *state_at, origin);
		return r < 0 ? r : PATH_ENDS;
	case INSTRUCTION_BRANCH:
		frame_state_apply(&state, i);
		r = flow_state(flow, state_at, &state);
		if (r == 0)
			r = flow_branch(flow, to, *state_at, origin);
		if (r == 0 && !learn_equality(flow, number, &state))
			return PATH_ENDS;
		break;
	case INSTRUCTION_CALL_INDIRECT:
		if (to && no_return_pointers_have(flow->no_return, to))
			return PATH_ENDS;
		if (is_followed_by_start(flow, next))
			return PATH_ENDS;
		frame_state_return_from_call(&state, 0);
		return guess_return(flow, &at, &state, origin);
	case INSTRUCTION_CALL:
		if (to == next && takes_own_address(flow, next)) {
			const struct instruction push = { .kind = INSTRUCTION_PUSH,
							  .a = REGISTER_NONE,
							  .b = REGISTER_NONE };

			frame_state_apply(&state, &push);
			break;
		}
		r = call(flow, to, &state, &certain);
		if (r == 0 && is_followed_by_start(flow, next))
			return PATH_ENDS;
		if (r || certain)
			break;
		return guess_return(flow, &at, &state, origin);
	default:
		frame_state_apply(&state, i);
		break;
	}
	/* Most instructions change nothing that is known. */
	if (r || memcmp(&state, &flow->states.at[*state_at], sizeof(state)) == 0)
		return r;
	return flow_state(flow, state_at, &state);
}

/*
 * Does the function's symbol say that it has ended where control goes on to? After a call that is
 * told to come back nobody would say so; else only padding is believed, for _init is put together
 * from pieces of which the first has the symbol.
 */
static bool is_end(struct function_flow *flow, uint64_t address, bool by_guess)
{
	const struct code_function *function = &flow->list->functions.at[flow->number];

	if (!function->size || address != function->start + function->size)
		return false;
	return by_guess || code_skip_padding(flow->code, address, address + 1) != address;
}

/* Follows a path until it ends. Returns 0 then, or another result. */
static int follow(struct function_flow *flow, const struct flow_item *item)
{
	uint64_t address = item->address;
	uint32_t state = item->state, number;
	/* By going on behind an instruction, not by a jump. */
	bool goes_on = item->site && item->site != address;
	int r = 0;

	while (r == 0) {
		const struct frame_state *at = &flow->states.at[state];

		number = other_function(flow, address, at);
		if (number != HASH_ABSENT) {
			r = leave_for(flow, address, at, item->origin);
			break;
		}
		if (goes_on && is_end(flow, address, item->origin)) {
			r = item->origin ? leave_badly(flow, address, at, item->origin) : PATH_ENDS;
			break;
		}
		r = instruction_at(flow, &number, address);
		if (r == 0 && number == HASH_ABSENT)
			r = leave_code(flow, address, at, item->origin);
		if (r == 0)
			r = enter_outermost(flow, number, &state);
		if (r == 0)
			r = arrive(flow, number, &state, item->origin);
		if (r == 0) {
			address += flow->instructions.at[number].decoded.length;
			r = pass(flow, number, &state, item->origin);
			goes_on = true;
		}
	}
	return r == PATH_ENDS ? 0 : r;
}

/* ---- all paths ---- */

/* Follows a guess as a path with an origin of its own. */
static int follow_guess(struct function_flow *flow, const struct flow_item *item)
{
	struct flow_item path = *item;
	struct flow_origin *origin = array_push(&flow->origins);

	if (!origin)
		return -ENOMEM;
	*origin = (struct flow_origin){ .site = item->site,
					.begin = item->address,
					.parent = item->origin,
					.first = flow->origins.at[item->origin].first,
					.unasked = item->site == item->address,
					.like_start =
						code_looks_like_start(flow->code, item->address) };
	path.origin = flow->origins.count - 1;
	if (!item->origin)
		flow->origins.at[path.origin].first = path.origin;
	return follow(flow, &path);
}

int flow_follow_all(struct function_flow *flow)
{
	int r = 0;

	while (r == 0) {
		struct flow_item item;

		if (flow->work.count) {
			item = flow->work.at[--flow->work.count];
			r = follow(flow, &item);
		} else if (flow->guesses_done < flow->guesses.count) {
			item = flow->guesses.at[flow->guesses_done++];
			r = follow_guess(flow, &item);
		} else {
			return 0;
		}
	}
	return r;
}

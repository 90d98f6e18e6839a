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

enum {
	/* Interpreters' loops have some 20,000. */
	MAX_INSTRUCTIONS = 1 << 17,
	MAX_STATES = 1 << 14,
	/* Guesses that may be wrong in one function, and how often it is begun anew. */
	MAX_CUTS = 512,
	MAX_ATTEMPTS = 12,
	/* A switch's code is found behind code that was found before. */
	MAX_SWITCH_ROUNDS = 48,
	NO_STATE = UINT32_MAX,
	KEPT_SLOTS = 4096,
};

/* Results of what follows a path; 0: go on, below 0: a negative errno. */
enum {
	PATH_ENDS = 1,
	WRONG_GUESS,   /* it was added to flow->cuts */
	OUT_OF_BOUNDS, /* a limit is reached */
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

/* Counts work that is no instruction's. */
static void spend(struct function_flow *flow, uint64_t steps)
{
	flow->steps_left -= steps < flow->steps_left ? steps : flow->steps_left;
}

/* ---- states ---- */

static bool same_state(const void *context, uint32_t position, const void *key)
{
	const struct function_flow *flow = context;

	return memcmp(&flow->states.at[position], key, sizeof(struct frame_state)) == 0;
}

/* The number of a state. Returns 0, OUT_OF_BOUNDS or -ENOMEM. */
static int state_number(struct function_flow *flow, uint32_t *ret, const struct frame_state *state)
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

/* ---- guesses ---- */

static bool is_cut(const struct function_flow *flow, uint64_t site)
{
	for (uint32_t i = 0; i < flow->cuts.count; i++)
		if (flow->cuts.at[i] == site)
			return true;
	return false;
}

/* Puts off going on at `address`, which is right only if the guess at `site` is. */
static int guess(struct function_flow *flow, uint64_t site, uint64_t address, uint32_t state,
		 uint32_t origin)
{
	struct flow_item *item;

	spend(flow, flow->cuts.count / 32);
	if (is_cut(flow, site))
		return 0;
	item = array_push(&flow->guesses);
	if (!item)
		return -ENOMEM;
	*item = (struct flow_item){ address, site, state, origin };
	return 0;
}

/* Leaves a guess out of the next attempt. Returns WRONG_GUESS or -ENOMEM. */
static int cut(struct function_flow *flow, uint64_t site)
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

static void note_good(struct function_flow *flow, uint32_t origin)
{
	for (; origin && !flow->origins.at[origin].good; origin = flow->origins.at[origin].parent)
		flow->origins.at[origin].good = true;
}

/*
 * Two paths meet at an address with different frames. The guess that leads right to it is the worse
 * one: what follows a call that does not come back is code that something else leads to.
 */
static int blame_meeting(struct function_flow *flow, uint64_t address, uint32_t older,
			 uint32_t newer)
{
	const struct flow_origin *origins = flow->origins.at;
	uint32_t origin = newer;

	if (!newer || (older && origins[older].begin == address && origins[newer].begin != address))
		origin = older;
	return cut(flow, origins[origin].site);
}

/* Of the guesses that lead to a wrong way out, the one to blame. */
static uint64_t blame_exit(struct function_flow *flow, uint32_t origin)
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
	spend(flow, steps / 8);
	return origins[like_start ? like_start : hopeless ? hopeless : origin].site;
}

/* ---- one instruction ---- */

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
	note_good(flow, origin);
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
	int r = state_number(flow, &number, state);

	if (r == 0)
		r = guess(flow, at->address, at->address + at->decoded.length, number, origin);
	return r ? r : PATH_ENDS;
}

/* Puts a path on the list of those to be followed. */
static int branch(struct function_flow *flow, uint64_t address, uint32_t state, uint32_t origin)
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
	return state_number(flow, state, &after);
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
	spend(flow, 1);
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
		return blame_meeting(flow, at->address, at->origin, origin);
	both = frame_state_meet(old, new);
	r = state_number(flow, state, &both);
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

/* The first instruction in [from, to) that is no padding; `to` when there is none. */
static uint64_t skip_padding(struct function_flow *flow, uint64_t from, uint64_t to)
{
	while (from < to) {
		struct instruction i;
		size_t size;
		const unsigned char *bytes = code_bytes(flow->code, from, &size);

		if (!bytes || !instruction_decode(&i, bytes, size, from))
			return to;
		if (i.kind != INSTRUCTION_NOP && bytes[0] != 0xcc)
			return from;
		from += i.length;
	}
	return to;
}

/* Does another function begin behind the instruction? Then a call does not come back there. */
static bool is_followed_by_start(struct function_flow *flow, uint64_t next)
{
	uint32_t number = function_list_find(flow->list, skip_padding(flow, next, next + 16));

	return number != HASH_ABSENT && number != flow->number &&
	       flow->list->functions.at[number].trust == FUNCTION_CERTAIN;
}

/* Is a call of what follows it there only to learn the code's own address? */
static bool takes_own_address(struct function_flow *flow, uint64_t next)
{
	struct instruction i;
	size_t size;
	const unsigned char *bytes = code_bytes(flow->code, next, &size);

	return bytes && instruction_decode(&i, bytes, size, next) && i.kind == INSTRUCTION_POP;
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
		r = branch(flow, to, *state_at, origin);
		return r < 0 ? r : PATH_ENDS;
	case INSTRUCTION_BRANCH:
		frame_state_apply(&state, i);
		r = state_number(flow, state_at, &state);
		if (r == 0)
			r = branch(flow, to, *state_at, origin);
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
	return state_number(flow, state_at, &state);
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
	return by_guess || skip_padding(flow, address, address + 1) != address;
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

/* ---- guesses, once nothing else is left to follow ---- */

static bool is_preserved(uint8_t number)
{
	return number == REGISTER_BX || number == REGISTER_BP ||
	       (number >= 12 && number < REGISTERS);
}

/* Does the code look like the beginning of a function? */
static bool looks_like_start(struct function_flow *flow, uint64_t address)
{
	for (unsigned n = 0; n < 4; n++) {
		struct instruction i;
		size_t size;
		const unsigned char *bytes = code_bytes(flow->code, address, &size);

		if (!bytes || !instruction_decode(&i, bytes, size, address))
			return false;
		if (i.kind != INSTRUCTION_NOP)
			return i.kind == INSTRUCTION_ENTRY ||
			       (i.kind == INSTRUCTION_PUSH && is_preserved(i.a)) ||
			       (i.kind == INSTRUCTION_ADD && i.a == REGISTER_SP &&
				i.b == REGISTER_SP && i.value < 0);
		address += i.length;
	}
	return false;
}

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
					.like_start = looks_like_start(flow, item->address) };
	path.origin = flow->origins.count - 1;
	if (!item->origin)
		flow->origins.at[path.origin].first = path.origin;
	return follow(flow, &path);
}

static int follow_all(struct function_flow *flow)
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

/* ---- switches ---- */

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
	spend(flow, flow->jumps.count / 8);
	frame_state_return_from_call(&state, 0);
	return state_number(flow, ret, &state);
}

/* Instructions that were found one behind the other. */
struct run {
	uint64_t start, end;
	uint32_t first, last; /* in flow.instructions */
};

struct runs {
	ARRAY_OF(struct run) list;
};

static void runs_fini_cleanup(struct runs *runs)
{
	array_fini(&runs->list);
}

static int compare_runs(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* All instructions, as runs in the order of their addresses. Returns 0 or -ENOMEM. */
static int list_runs(struct runs *ret, const struct function_flow *flow)
{
	struct run *run = NULL;

	for (uint32_t i = 0; i < flow->instructions.count; i++) {
		const struct flow_instruction *at = &flow->instructions.at[i];

		if (at->state == NO_STATE)
			continue;
		if (!run || run->end != at->address) {
			run = array_push(&ret->list);
			if (!run)
				return -ENOMEM;
			*run = (struct run){ at->address, at->address, i, i };
		}
		run->end += at->decoded.length;
		run->last = i;
	}
	if (ret->list.count)
		qsort(ret->list.at, ret->list.count, sizeof(*ret->list.at), compare_runs);
	return 0;
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
			from = skip_padding(flow, from, to);
			if (from == to)
				break;
			if (!looks_like_start(flow, from))
				r = guess(flow, from, from, state, 0);
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

/*
 * Code that nothing leads to, in a function with an indirect jump, is what that jumps to. One
 * round: new code shows new holes.
 */
static int guess_switch(struct function_flow *flow)
{
	const struct code_function *function = &flow->list->functions.at[flow->number];
	cleanup(runs_fini) struct runs runs = {};
	uint64_t limit = next_start(flow, function->start), end = 0;
	int r;

	/* Where nobody says how far the function goes, one frame for all is some certainty. */
	if (flow->jumps.count == 0 || (!function->size && !jumps_agree(flow)))
		return 0;
	if (function->size && function->start + function->size < limit)
		limit = function->start + function->size;
	r = list_runs(&runs, flow);
	spend(flow, runs.list.count);
	for (uint32_t i = 0; i < runs.list.count && r == 0; i++) {
		const struct run *run = &runs.list.at[i];

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

/* ---- the whole function ---- */

static void begin(struct function_flow *flow, bool anew)
{
	/* What was decoded in the last attempt is good for the next one. */
	if (anew) {
		flow->instructions.count = 0;
		empty_index(&flow->by_address);
	}
	for (uint32_t i = 0; i < flow->instructions.count; i++)
		flow->instructions.at[i].state = NO_STATE;
	spend(flow, flow->instructions.count / 8);
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
			r = cut(flow, blame_exit(flow, flow->bad.at[i].origin));
	if (flow->steps_left == 0)
		return r < 0 ? r : OUT_OF_BOUNDS;
	/* Code that is thought to be a switch's has to come back into the function, or out of it. */
	for (uint32_t i = 1; i < flow->origins.count && r >= 0; i++) {
		const struct flow_origin *origin = &flow->origins.at[i];

		if (origin->unasked && !origin->good && !origin->joined)
			r = cut(flow, origin->site);
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
	r = state_number(flow, &state, &entry);
	if (r == 0)
		r = branch(flow, start, state, 0);
	if (r == 0)
		r = follow_all(flow);
	/* What may be a label only would take the rest of its function for a switch. */
	if (function->trust == FUNCTION_POINTER && !looks_like_start(flow, start))
		return r == 0 ? check(flow) : r;
	for (unsigned round = 0; r == 0 && round < MAX_SWITCH_ROUNDS; round++) {
		uint32_t guesses = flow->guesses.count;

		r = guess_switch(flow);
		if (r == 0 && flow->guesses.count == guesses)
			break;
		if (r == 0)
			r = follow_all(flow);
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
	cleanup(runs_fini) struct runs runs = {};
	int r = list_runs(&runs, flow);

	for (uint32_t i = 0; i < runs.list.count && r == 0; i++) {
		const struct run *run = &runs.list.at[i];

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
	if (looks_like_start(flow, function->start))
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
	if (function->trust == FUNCTION_POINTER && !looks_like_start(flow, function->start))
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame at every instruction of a function, found by following its control flow from its start.
 *
 * What the decoder cannot know is tried and checked: that a call comes back, and where an indirect
 * jump goes to. A path that then returns with the stack pointer in the wrong place, or meets
 * another path with another frame, was a wrong guess and is taken back.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"
#include "elf/code.h"
#include "elf/frame_state.h"
#include "elf/function_list.h"
#include "elf/no_return.h"

/* What holds in [start, end). */
struct flow_piece {
	uint64_t start, end; /* ELF addresses */
	struct wire_rule rule;
	uint32_t trust; /* 1 + enum function_trust of its function: the less, the surer */
};

/* Control goes to another function. */
struct flow_call {
	uint64_t address;
	uint32_t to; /* its number in the list, HASH_ABSENT: it is not there */
	bool tail;   /* by a jump, for good */
};

struct flow_instruction {
	struct instruction decoded;
	uint64_t address;
	uint32_t state;	 /* before it; in flow.states */
	uint32_t origin; /* the guess by which it was first reached; in flow.origins */
};

/* A guess: that the call at `site` comes back, or that the code at `site` belongs to a switch. */
struct flow_origin {
	uint64_t site, begin; /* begin: where it leads to */
	uint32_t parent;      /* the guess before it, 0: none */
	uint32_t first;	      /* the first one of those */
	bool good;	      /* a way out of the function behind it is as it should be */
	bool joined;	      /* it has come to what was known without it */
	bool unasked;	      /* nothing leads to it but the guess; such ones have no parent */
	bool like_start;      /* what follows looks like the beginning of a function */
};

/* A place to go on from. */
struct flow_item {
	uint64_t address;
	uint64_t site; /* of the guess to make, 0: none */
	uint32_t state, origin;
};

/* An indirect jump, and the state before it. */
struct flow_jump {
	uint64_t address;
	uint32_t state;
};

struct flow_exit {
	uint64_t address;
	uint32_t origin;
};

struct function_flow {
	/* Set before the first call: */
	struct code *code;
	struct function_list *list;
	const struct no_return_pointers *no_return;
	uint64_t steps_left;	   /* instructions that may still be looked at, in all functions */
	ARRAY_OF(uint64_t) starts; /* of the functions known, ascending; may lack some */

	/* What comes out, of all functions: */
	ARRAY_OF(struct flow_piece) pieces; /* of one function: ascending */
	ARRAY_OF(struct flow_call) calls;
	ARRAY_OF(uint64_t) addresses_taken; /* code addresses that instructions name */
	uint32_t given_up;		    /* functions that contradict themselves */

	/* private: of the function under way */
	uint32_t number;
	ARRAY_OF(struct flow_instruction) instructions;
	struct hash_index by_address;
	ARRAY_OF(struct frame_state) states;
	struct hash_index by_state;
	ARRAY_OF(struct flow_origin) origins;
	ARRAY_OF(struct flow_item) work, guesses;
	uint32_t guesses_done;
	ARRAY_OF(struct flow_exit) bad;
	ARRAY_OF(struct flow_jump) jumps;
	ARRAY_OF(uint64_t) cuts; /* guesses that turned out wrong */
	bool leaves, returns;
	uint16_t changes;
	uint32_t good; /* ways out that are as they should be */
	uint32_t ends; /* calls that are known not to come back, and the like */
};

void function_flow_fini(struct function_flow *flow);
static inline void function_flow_fini_cleanup(struct function_flow *flow)
{
	function_flow_fini(flow);
}
/*
 * Follows function `number` of the list: appends its pieces and its calls, adds the functions that it
 * calls to the list, and notes there what it has shown. What may be no function and makes no sense
 * as one is left as it was. Returns 0 or -ENOMEM.
 */
int function_flow_follow(struct function_flow *flow, uint32_t number);

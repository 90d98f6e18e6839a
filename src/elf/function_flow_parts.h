/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that follow a function (function_flow.c, flow_*.c) know of each other. */
#pragma once

#include "elf/function_flow.h"

/* Results of what follows a path; 0: go on, below 0: a negative errno. */
enum {
	PATH_ENDS = 1,
	WRONG_GUESS,   /* it was added to flow->cuts */
	OUT_OF_BOUNDS, /* a limit is reached */
};

/* flow_instruction.state of what was decoded, but not reached in this attempt. */
#define NO_STATE UINT32_MAX

/* Counts work that is no instruction's. */
static inline void flow_spend(struct function_flow *flow, uint64_t steps)
{
	flow->steps_left -= steps < flow->steps_left ? steps : flow->steps_left;
}

/* The number of a state. Returns 0, OUT_OF_BOUNDS or -ENOMEM. */
int flow_state(struct function_flow *flow, uint32_t *ret, const struct frame_state *state);

/*
 * Puts off going on at `address`, which is right only if the guess at `site` is; origin: the guess
 * that leads there. Returns 0 or -ENOMEM.
 */
int flow_guess(struct function_flow *flow, uint64_t site, uint64_t address, uint32_t state,
	       uint32_t origin);
/* Leaves a guess out of the next attempt. Returns WRONG_GUESS or -ENOMEM. */
int flow_cut(struct function_flow *flow, uint64_t site);
/* The guess has led to a way out that is as it should be, and so have those before it. */
void flow_note_good(struct function_flow *flow, uint32_t origin);
/*
 * Two paths meet at an address with different frames. The guess that leads right to it is the worse
 * one: what follows a call that does not come back is code that something else leads to. older,
 * newer: their guesses. Returns WRONG_GUESS or -ENOMEM.
 */
int flow_blame_meeting(struct function_flow *flow, uint64_t address, uint32_t older,
		       uint32_t newer);
/* Of the guesses that lead to a wrong way out, the site of the one to blame. */
uint64_t flow_blame_exit(struct function_flow *flow, uint32_t origin);

/* Puts a path on the list of those to be followed. Returns 0 or -ENOMEM. */
int flow_branch(struct function_flow *flow, uint64_t address, uint32_t state, uint32_t origin);
/* Follows all paths, the certain ones first. Returns 0, WRONG_GUESS, OUT_OF_BOUNDS or -ENOMEM. */
int flow_follow_all(struct function_flow *flow);
/*
 * Code that nothing leads to, in a function with an indirect jump, is what that jumps to: adds
 * guesses of one round; new code shows new holes. Returns 0, OUT_OF_BOUNDS or -ENOMEM.
 */
int flow_guess_switch(struct function_flow *flow);

/* Instructions that were found one behind the other. */
struct flow_run {
	uint64_t start, end;
	uint32_t first, last; /* in flow.instructions */
};

struct flow_runs {
	ARRAY_OF(struct flow_run) list;
};

static inline void flow_runs_fini_cleanup(struct flow_runs *runs)
{
	array_fini(&runs->list);
}
/* All instructions, as runs in the order of their addresses. Returns 0 or -ENOMEM. */
int flow_runs_list(struct flow_runs *ret, const struct function_flow *flow);

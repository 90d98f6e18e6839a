/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a function's frame before one of its instructions: which registers and stack
 * words hold the stack's addresses or the caller's registers. Instructions change it; what they
 * make of it that cannot be followed is forgotten, never guessed.
 *
 * "CFA" is what call frame information means by it: the stack pointer before the call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bpf/wire.h"
#include "elf/instruction.h"

enum frame_value_kind {
	VALUE_UNKNOWN,
	VALUE_CFA,	      /* CFA + offset */
	VALUE_BASE,	      /* the stack pointer as it was aligned last, + offset */
	VALUE_CALLER_BP,      /* the caller's rbp */
	VALUE_CALLER_BX,      /* the caller's rbx */
	VALUE_RETURN_ADDRESS, /* where this function returns to */
};

struct frame_value {
	uint32_t kind : 4;
	int32_t offset : 28; /* bytes */
};

/* A stack word that holds something. */
struct frame_slot {
	struct frame_value at;	  /* VALUE_CFA or VALUE_BASE */
	struct frame_value value; /* never VALUE_UNKNOWN */
};

enum { FRAME_SLOTS = 12 };

/* Without padding, unused slots zero, slots ascending: equal states have equal bytes. */
struct frame_state {
	struct frame_value registers[REGISTERS];
	struct frame_slot slots[FRAME_SLOTS];
	uint16_t known; /* one bit for each register that holds something */
	uint8_t slot_count;
	uint8_t after_syscall : 1; /* a system call lies behind it */
	uint8_t outermost : 1;	   /* the frame has no caller */
	uint8_t unused : 6;
};

/* At the first instruction of a function; outermost: of one that is not called. */
struct frame_state frame_state_at_entry(bool outermost);
/* Past an instruction, which is not a CALL. For what may be branched to it is the same. */
void frame_state_apply(struct frame_state *state, const struct instruction *instruction);
/* Whether that may make a difference: most instructions have nothing to do with what is known. */
bool frame_state_is_touched(const struct frame_state *state, const struct instruction *instruction);
/*
 * Past a call that came back. clobbered: one bit for each preserved register (REGISTER_BX,
 * REGISTER_BP, REGISTER_SP) that the function called does not preserve.
 */
void frame_state_return_from_call(struct frame_state *state, uint16_t clobbered);
/* Past "cmp a, b" that found the two equal. Returns false where they cannot be. */
bool frame_state_equal(struct frame_state *state, uint8_t a, uint8_t b);

/* What holds whichever of the two does. */
struct frame_state frame_state_meet(const struct frame_state *a, const struct frame_state *b);
/* Do both find the caller's frame in the same way? What else they know may differ. */
bool frame_states_agree(const struct frame_state *a, const struct frame_state *b);

/* Is the stack pointer where it has to be for a return? */
bool frame_state_is_balanced(const struct frame_state *state);
/* Does it point to the return address at least? Arguments were taken off the stack, or put there. */
bool frame_state_is_at_return(const struct frame_state *state);
/* The registers, as `clobbered` above, that are not the caller's again; REGISTER_SP too. */
uint16_t frame_state_clobbered(const struct frame_state *state);

/* The walker's rule, or RULE_NONE with CFI_UNKNOWN (elf/cfi.h) where there is none. */
struct wire_rule frame_state_rule(const struct frame_state *state);

// SPDX-License-Identifier: Apache-2.0
/*
 * Rules of machines with a link register: the return address has been saved at a place that counts from the
 * CFA, or not (struct wire_rule). Whether it is signed there (DW_CFA_AARCH64_negate_ra_state) makes no
 * difference to a walk, which takes any signature off.
 */
#include "elf/cfi.h"
#include "elf/cfi_rule.h"

/* Words from the CFA down to where the register was saved; 0: it was not; below 0: nobody can tell. */
static int32_t saved_words(const struct cfi_register *saved)
{
	switch (saved->how) {
	case SAVED_UNSPECIFIED:
	case SAVED_SAME:
	case SAVED_UNDEFINED: /* no better guess than what is in it */
		return 0;
	case SAVED_OFFSET:
		if (saved->offset % 8 == 0 && saved->offset < 0 &&
		    saved->offset >= -8 * (int64_t)UINT16_MAX)
			return (int32_t)(-saved->offset / 8);
		return -1;
	default:
		return -1;
	}
}

/*
 * What glibc says of its resolver, to which the linkage table jumps with two words pushed, the second being
 * the return address: that they lie above the CFA (sysdeps/aarch64/dl-trampoline.S). Yet the frame ends there.
 * Once both are popped again the register has it, although this is not said.
 */
static bool is_behind_push(const struct cfi_register *link)
{
	return link->how == SAVED_OFFSET && link->offset == 8;
}

static uint32_t temporary_of(const struct cfi_machine *machine, uint64_t number)
{
	uint32_t i = 0;

	while (i < WIRE_TEMPORARIES && machine->temporaries[i] != number)
		i++;
	return i;
}

struct wire_rule cfi_link_rule_of(const struct cfi_machine *machine, const struct cfi_state *state,
				  bool signal_frame)
{
	const struct wire_rule none = { .cfa_words = CFI_UNKNOWN, .kind_and_step = RULE_NONE };
	const struct cfi_register *link = &state->columns[COLUMN_RETURN_ADDRESS];
	int32_t link_words = saved_words(link), distance = 0;
	int32_t bp_words = saved_words(&state->columns[COLUMN_FRAME_POINTER]);
	int64_t offset = state->offset;
	uint32_t temporary = 0;
	struct wire_rule rule = {};

	if (link->how == SAVED_UNDEFINED)
		return (struct wire_rule){ .kind_and_step = RULE_END };
	/* Only the kernel's trampoline was ever described so. */
	if (signal_frame)
		return (struct wire_rule){ .kind_and_step = RULE_SIGNAL };
	if (is_behind_push(link)) {
		if (__builtin_add_overflow(offset, 2 * 8, &offset))
			return none;
		link_words = offset == 0 ? 0 : 1;
		bp_words += bp_words > 0 ? 2 : 0;
	}
	if (state->cfa != CFA_OFFSET || offset % 8 != 0 || offset < 0 ||
	    offset / 8 > RULE_MAX_CFA_WORDS || link_words < 0 || bp_words < 0)
		return none;
	if (bp_words) {
		distance = bp_words - link_words;
		if (distance == 0 || distance > INT8_MAX || distance < INT8_MIN)
			return none;
	}
	if (state->number == machine->stack_pointer) {
		rule.kind_and_step = RULE_SP;
	} else if (state->number == machine->frame_pointer) {
		rule.kind_and_step = RULE_BP;
	} else {
		temporary = temporary_of(machine, state->number);
		if (temporary == WIRE_TEMPORARIES)
			return none;
		rule.kind_and_step = RULE_TEMPORARY;
		rule.bx_slot = temporary;
	}
	rule.cfa_words = (int32_t)(offset / 8);
	rule.steps = (uint16_t)link_words;
	rule.bp_slot = (uint8_t)(int8_t)distance;
	return rule;
}

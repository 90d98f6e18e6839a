// SPDX-License-Identifier: Apache-2.0
/*
 * A rule is exact or it is RULE_NONE: whatever is not recognised to the last operation is given up,
 * because a wrong rule invents callers, and none is counted and told.
 */
#include "elf/cfi_rule.h"

#include <dwarf.h>
#include <elf.h>

#include "base/bytes.h"
#include "elf/cfi.h"

/*
 * System V ABI, AMD64 supplement, figure 3.36 "DWARF Register Number Mapping"; DWARF for the Arm 64-bit
 * Architecture, section 4.1.
 */
static const struct cfi_machine machines[] = {
	{ EM_X86_64, .stack_pointer = 7, .frame_pointer = 6, .return_address = 16, .base = 3,
	  .return_address_offset = -8,
	  .temporaries = { [TEMPORARY_AX] = 0,
			   [TEMPORARY_DX] = 1,
			   [TEMPORARY_CX] = 2,
			   [TEMPORARY_SI] = 4,
			   [TEMPORARY_DI] = 5,
			   [TEMPORARY_R8] = 8,
			   [TEMPORARY_R9] = 9,
			   [TEMPORARY_R10] = 10,
			   [TEMPORARY_R11] = 11 } },
	{ EM_AARCH64, .stack_pointer = 31, .frame_pointer = 29, .return_address = 30,
	  .base = CFI_NO_REGISTER, .link_register = true,
	  .temporaries = { [TEMPORARY_X9] = 9,
			   [TEMPORARY_X10] = 10,
			   [TEMPORARY_X11] = 11,
			   [TEMPORARY_X12] = 12,
			   [TEMPORARY_X13] = 13,
			   [TEMPORARY_X14] = 14,
			   [TEMPORARY_X15] = 15,
			   [TEMPORARY_X16] = 16,
			   [TEMPORARY_X17] = 17 } },
};

const struct cfi_machine *cfi_machine_of(uint16_t elf_machine)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].elf_machine == elf_machine)
			return &machines[i];
	return NULL;
}

enum expression_kind {
	EXPRESSION_OTHER,
	EXPRESSION_ADDRESS, /* number + offset */
	EXPRESSION_VALUE,   /* what is stored at number + offset (+ 8 * index), plus `added` */
	EXPRESSION_PLT,	    /* number + offset + ((return_address & 15) >= threshold ? 8 : 0) */
};

struct expression {
	enum expression_kind kind;
	uint32_t number;
	int64_t offset;
	uint64_t added;
	uint8_t threshold;
	bool indexed; /* by this register: */
	uint8_t index;
};

/*
 * What the linkers write for a lazy PLT entry, in which one push lies between two jumps (binutils
 * bfd/elfxx-x86.c, elf_x86_64_eh_frame_lazy_plt): the CFA is 8 bytes further once the push is past.
 */
static bool is_plt(struct reader *reader, const struct cfi_machine *machine, uint8_t *ret)
{
	uint8_t threshold;

	if (reader_u8(reader) != DW_OP_breg0 + machine->return_address ||
	    reader_sleb(reader) != 0 || reader_u8(reader) != DW_OP_lit15 ||
	    reader_u8(reader) != DW_OP_and)
		return false;
	threshold = reader_u8(reader) - DW_OP_lit0;
	if (threshold > 15 || reader_u8(reader) != DW_OP_ge || reader_u8(reader) != DW_OP_lit3 ||
	    reader_u8(reader) != DW_OP_shl || reader_u8(reader) != DW_OP_plus)
		return false;
	*ret = threshold;
	return !reader->overrun && reader_left(reader) == 0;
}

/* Reads on when 8 times a register is added here. operation: the first one, read already. */
static bool read_index(struct expression *e, struct reader *reader, uint8_t operation)
{
	struct reader ahead = *reader;

	if (operation < DW_OP_breg0 || operation > DW_OP_breg31 || reader_sleb(&ahead) != 0 ||
	    reader_u8(&ahead) != DW_OP_lit8 || reader_u8(&ahead) != DW_OP_mul ||
	    reader_u8(&ahead) != DW_OP_plus)
		return false;
	e->indexed = true;
	e->index = operation - DW_OP_breg0;
	*reader = ahead;
	return true;
}

static struct expression expression_of(const struct cfi_machine *machine,
				       const struct cfi_expression *bytes)
{
	struct reader reader = reader_of(bytes->at, bytes->size);
	const struct expression other = { EXPRESSION_OTHER };
	struct expression e = { EXPRESSION_ADDRESS };
	uint8_t operation = reader_u8(&reader);

	if (operation < DW_OP_breg0 || operation > DW_OP_breg31)
		return other;
	e.number = operation - DW_OP_breg0;
	e.offset = reader_sleb(&reader);
	if (reader.overrun)
		return other;
	if (reader_left(&reader) == 0)
		return e;
	operation = reader_u8(&reader);
	if (read_index(&e, &reader, operation))
		operation = reader_u8(&reader);
	if (operation == DW_OP_deref) {
		e.kind = EXPRESSION_VALUE;
		if (reader_left(&reader) == 0)
			return e;
		if (reader_u8(&reader) != DW_OP_plus_uconst)
			return other;
		e.added = reader_uleb(&reader);
		return reader.overrun || reader_left(&reader) > 0 ? other : e;
	}
	if (e.indexed)
		return other;
	reader = reader_of(bytes->at, bytes->size);
	reader_u8(&reader);
	reader_sleb(&reader);
	if (is_plt(&reader, machine, &e.threshold)) {
		e.kind = EXPRESSION_PLT;
		return e;
	}
	return other;
}

static bool is_saved_at(const struct cfi_machine *machine, const struct cfi_register *saved,
			uint32_t number, int64_t offset)
{
	struct expression e;

	if (saved->how != SAVED_EXPRESSION)
		return false;
	e = expression_of(machine, &saved->expression);
	return e.kind == EXPRESSION_ADDRESS && e.number == number && e.offset == offset;
}

/*
 * The trampoline to which a signal handler returns, as glibc describes it (sysdeps/unix/sysv/linux/
 * x86_64/libc_sigaction.c): the stack pointer points to struct ucontext, whose uc_mcontext holds
 * the registers at these offsets (the kernel's asm/ucontext.h and asm/sigcontext.h).
 */
static bool is_signal_trampoline(const struct cfi_machine *machine, const struct cfi_state *state)
{
	enum { UCONTEXT_RBP = 120, UCONTEXT_RSP = 160, UCONTEXT_RIP = 168 };
	uint32_t sp = machine->stack_pointer;
	struct expression cfa;

	if (state->cfa != CFA_EXPRESSION)
		return false;
	cfa = expression_of(machine, &state->expression);
	return cfa.kind == EXPRESSION_VALUE && cfa.number == sp && cfa.offset == UCONTEXT_RSP &&
	       cfa.added == 0 &&
	       is_saved_at(machine, &state->columns[COLUMN_RETURN_ADDRESS], sp, UCONTEXT_RIP) &&
	       is_saved_at(machine, &state->columns[COLUMN_FRAME_POINTER], sp, UCONTEXT_RBP);
}

/*
 * Where the caller's frame pointer or base register is, in words below the CFA (bp_slot and bx_slot
 * of struct wire_rule). Returns below 0 when no slot can tell it.
 */
static int saved_slot(const struct cfi_machine *machine, const struct cfi_register *saved,
		      const struct expression *cfa)
{
	int64_t offset = saved->offset;
	struct expression e;

	switch (saved->how) {
	case SAVED_UNSPECIFIED:
	case SAVED_SAME:
	case SAVED_UNDEFINED: /* no better guess than what is in it; nothing may rely on it */
		return 0;
	case SAVED_OFFSET:
		break;
	case SAVED_EXPRESSION:
		e = expression_of(machine, &saved->expression);
		/*
		 * Left over from the body of a function with RULE_DRAP: at its return only the
		 * return address is left of the frame, and all registers have their old values.
		 */
		if (e.kind == EXPRESSION_ADDRESS && e.number == machine->frame_pointer &&
		    cfa->kind == EXPRESSION_ADDRESS && cfa->number == machine->stack_pointer &&
		    cfa->offset == -machine->return_address_offset)
			return 0;
		if (cfa->kind != EXPRESSION_ADDRESS || e.kind != EXPRESSION_ADDRESS ||
		    e.number != cfa->number ||
		    __builtin_sub_overflow(e.offset, cfa->offset, &offset))
			return -1;
		break;
	default:
		return -1;
	}
	/* Below the stack pointer: not saved yet, or restored already. It holds. */
	if (cfa->number == machine->stack_pointer && cfa->kind == EXPRESSION_ADDRESS &&
	    offset < 0 && offset < -cfa->offset)
		return 0;
	if (offset % 8 != 0 || offset > -8 || offset < -8 * UINT8_MAX)
		return -1;
	return (int)(-offset / 8);
}

/* The caller's base register, for RULE_DRAP in words below the frame pointer. */
static uint8_t base_slot(const struct cfi_machine *machine, const struct cfi_register *saved,
			 const struct expression *cfa, enum wire_rule_kind kind)
{
	const struct expression frame = { EXPRESSION_ADDRESS, machine->frame_pointer };
	int slot = 0;

	if (kind != RULE_DRAP)
		slot = saved_slot(machine, saved, cfa);
	else if (saved->how == SAVED_OFFSET)
		slot = -1;
	else
		slot = saved_slot(machine, saved, &frame);
	return slot < 0 || slot >= RULE_BX_LOST ? RULE_BX_LOST : (uint8_t)slot;
}

static enum wire_temporary temporary_of(const struct cfi_machine *machine, uint64_t number)
{
	uint32_t i = 0;

	while (i < WIRE_TEMPORARIES && machine->temporaries[i] != number)
		i++;
	return (enum wire_temporary)i;
}

/* The kind of rule that finds such a CFA, or RULE_NONE. */
static enum wire_rule_kind kind_of(const struct cfi_machine *machine, const struct cfi_state *state,
				   const struct expression *cfa)
{
	switch (cfa->kind) {
	case EXPRESSION_ADDRESS:
		if (cfa->number == machine->stack_pointer)
			return RULE_SP;
		if (cfa->number == machine->frame_pointer)
			return RULE_BP;
		if (cfa->number == machine->base)
			return RULE_BX;
		return temporary_of(machine, cfa->number) < WIRE_TEMPORARIES ? RULE_TEMPORARY
									     : RULE_NONE;
	case EXPRESSION_PLT:
		return cfa->number == machine->stack_pointer ? RULE_PLT : RULE_NONE;
	case EXPRESSION_VALUE:
		if (cfa->indexed && temporary_of(machine, cfa->index) == WIRE_TEMPORARIES)
			return RULE_NONE;
		/*
		 * A function that aligns its stack and still has to reach its arguments (gcc's
		 * "dynamic realign argument pointer"): the CFA was stored in the frame, rbp is the
		 * frame's base.
		 */
		if (cfa->number == machine->frame_pointer && cfa->added == 0 && !cfa->indexed &&
		    is_saved_at(machine, &state->columns[COLUMN_FRAME_POINTER],
				machine->frame_pointer, 0))
			return RULE_DRAP;
		/* Assembly code that aligns its stack keeps the old stack pointer in its frame. */
		return cfa->number == machine->stack_pointer ||
				       cfa->number == machine->frame_pointer
			       ? RULE_STORED
			       : RULE_NONE;
	default:
		return RULE_NONE;
	}
}

/* What `steps` of RULE_STORED says of such a CFA. */
static uint16_t stored_steps(const struct cfi_machine *machine, const struct expression *cfa)
{
	uint32_t steps = (uint32_t)(cfa->added / 8);

	if (cfa->indexed)
		steps |= (1 + temporary_of(machine, cfa->index)) << RULE_STORED_INDEX_SHIFT;
	if (cfa->number == machine->frame_pointer)
		steps |= RULE_STORED_FROM_BP;
	return (uint16_t)steps;
}

/* Is the return address in a register, by itself off the stack? */
static bool is_linked(const struct cfi_machine *machine, const struct cfi_state *state)
{
	const struct cfi_register *saved = &state->columns[COLUMN_RETURN_ADDRESS];

	return saved->how == SAVED_REGISTER &&
	       temporary_of(machine, (uint64_t)saved->offset) < WIRE_TEMPORARIES &&
	       state->cfa == CFA_OFFSET && state->number == machine->stack_pointer &&
	       state->offset >= 0;
}

/* As saved_slot, of a register that is where it was or at CFA + offset; below 0 for all others. */
static int plain_slot(const struct cfi_register *saved, bool by_sp, int64_t cfa_offset)
{
	if (saved->how <= SAVED_UNDEFINED)
		return 0;
	if (saved->how != SAVED_OFFSET || saved->offset % 8 != 0 || saved->offset > -8 ||
	    saved->offset < -8 * (RULE_BX_LOST - 1))
		return -1;
	return by_sp && saved->offset < -cfa_offset ? 0 : (int)(-saved->offset / 8);
}

/*
 * Nearly all rows count from the stack or the frame pointer, and have all that was saved at places that count
 * from the CFA. Returns false for all others.
 */
static bool plain_rule(struct wire_rule *ret, const struct cfi_machine *machine,
		       const struct cfi_state *state)
{
	const struct cfi_register *ra = &state->columns[COLUMN_RETURN_ADDRESS];
	bool by_sp = state->number == machine->stack_pointer;
	int bp, bx;

	if (state->cfa != CFA_OFFSET || (!by_sp && state->number != machine->frame_pointer) ||
	    ra->how != SAVED_OFFSET || ra->offset != machine->return_address_offset ||
	    state->offset % 8 != 0 || state->offset < 0 || state->offset / 8 > RULE_MAX_CFA_WORDS)
		return false;
	bp = plain_slot(&state->columns[COLUMN_FRAME_POINTER], by_sp, state->offset);
	bx = plain_slot(&state->columns[COLUMN_BASE], by_sp, state->offset);
	if (bp < 0 || bx < 0)
		return false;
	*ret = (struct wire_rule){ .cfa_words = (int32_t)(state->offset / 8),
				   .bp_slot = (uint8_t)bp,
				   .bx_slot = (uint32_t)bx,
				   .kind_and_step = by_sp ? RULE_SP : RULE_BP };
	return true;
}

struct wire_rule cfi_rule_of(const struct cfi_machine *machine, const struct cfi_state *state,
			     bool signal_frame)
{
	const struct wire_rule none = { .cfa_words = CFI_UNKNOWN, .kind_and_step = RULE_NONE };
	const struct cfi_register *ra = &state->columns[COLUMN_RETURN_ADDRESS];
	const struct cfi_register *bp = &state->columns[COLUMN_FRAME_POINTER];
	struct expression cfa = { EXPRESSION_OTHER };
	enum wire_rule_kind kind;
	struct wire_rule rule = {};
	int slot;

	if (machine->link_register)
		return cfi_link_rule_of(machine, state, signal_frame);
	if (!signal_frame && plain_rule(&rule, machine, state))
		return rule;
	if (ra->how == SAVED_UNDEFINED)
		return (struct wire_rule){ .kind_and_step = RULE_END };
	if (signal_frame)
		return is_signal_trampoline(machine, state)
			       ? (struct wire_rule){ .kind_and_step = RULE_SIGNAL }
			       : none;
	if (state->cfa == CFA_OFFSET && state->number <= UINT8_MAX)
		cfa = (struct expression){ EXPRESSION_ADDRESS, (uint32_t)state->number,
					   state->offset };
	else if (state->cfa == CFA_EXPRESSION)
		cfa = expression_of(machine, &state->expression);
	/* No frame is so large; negating and multiplying slots then stay in range. */
	if (cfa.offset % 8 != 0 || cfa.offset / 8 > RULE_MAX_CFA_WORDS ||
	    cfa.offset / 8 < -RULE_MAX_CFA_WORDS || cfa.added % 8 != 0 ||
	    cfa.added / 8 > RULE_STORED_ADDED)
		return none;
	kind = kind_of(machine, state, &cfa);
	slot = kind == RULE_DRAP ? 0 : saved_slot(machine, bp, &cfa);
	if (kind == RULE_TEMPORARY) {
		if (is_saved_at(machine, bp, machine->frame_pointer, 0))
			slot = RULE_BP_IN_FRAME;
		else if (slot == RULE_BP_IN_FRAME)
			slot = -1;
	}
	if (kind == RULE_NONE || slot < 0)
		return none;
	rule.cfa_words = (int32_t)(cfa.offset / 8);
	rule.bp_slot = (uint8_t)slot;
	rule.bx_slot = base_slot(machine, &state->columns[COLUMN_BASE], &cfa, kind);
	if (kind == RULE_PLT)
		rule.steps = cfa.threshold;
	if (kind == RULE_STORED)
		rule.steps = stored_steps(machine, &cfa);
	if (kind == RULE_TEMPORARY)
		rule.steps = temporary_of(machine, cfa.number);
	if (is_linked(machine, state)) {
		kind = RULE_LINK;
		rule.steps = temporary_of(machine, (uint64_t)ra->offset);
	} else if (ra->how != SAVED_OFFSET || ra->offset != machine->return_address_offset) {
		return none;
	}
	/* Nothing is saved in a stub, nor while the return address is off the stack. */
	if ((kind == RULE_PLT || kind == RULE_LINK) && (rule.bp_slot || rule.bx_slot))
		return none;
	rule.kind_and_step = kind;
	return rule;
}

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

/* System V ABI, AMD64 supplement, figure 3.36 "DWARF Register Number Mapping". */
static const struct cfi_machine machines[] = {
	{ EM_X86_64, .stack_pointer = 7, .frame_pointer = 6, .return_address = 16,
	  .return_address_offset = -8 },
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
	EXPRESSION_VALUE,   /* what is stored at number + offset */
	EXPRESSION_PLT,	    /* number + offset + ((return_address & 15) >= threshold ? 8 : 0) */
};

struct expression {
	enum expression_kind kind;
	uint32_t number;
	int64_t offset;
	uint8_t threshold;
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
	if (reader_left(&reader) == 1 && reader_u8(&reader) == DW_OP_deref) {
		e.kind = EXPRESSION_VALUE;
		return e;
	}
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
	       is_saved_at(machine, &state->return_address, sp, UCONTEXT_RIP) &&
	       is_saved_at(machine, &state->frame_pointer, sp, UCONTEXT_RBP);
}

/*
 * Where the caller's frame pointer is, in words below the CFA (bp_slot of struct wire_rule).
 * cfa: an EXPRESSION_ADDRESS or EXPRESSION_PLT. Returns below 0 when no slot can tell it.
 */
static int frame_pointer_slot(const struct cfi_machine *machine, const struct cfi_register *saved,
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
		 * return address is left of the frame, and rbp has its old value again.
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

struct wire_rule cfi_rule_of(const struct cfi_machine *machine, const struct cfi_state *state,
			     bool signal_frame)
{
	const struct wire_rule none = { .cfa_offset = CFI_UNKNOWN, .kind_and_step = RULE_NONE };
	struct expression cfa = { EXPRESSION_OTHER };
	struct wire_rule rule = {};
	int slot;

	if (state->return_address.how == SAVED_UNDEFINED)
		return (struct wire_rule){ .kind_and_step = RULE_END };
	if (signal_frame)
		return is_signal_trampoline(machine, state)
			       ? (struct wire_rule){ .kind_and_step = RULE_SIGNAL }
			       : none;
	if (state->return_address.how != SAVED_OFFSET ||
	    state->return_address.offset != machine->return_address_offset)
		return none;
	if (state->cfa == CFA_OFFSET && state->number <= UINT8_MAX)
		cfa = (struct expression){ EXPRESSION_ADDRESS, (uint32_t)state->number,
					   state->offset };
	else if (state->cfa == CFA_EXPRESSION)
		cfa = expression_of(machine, &state->expression);
	/* A frame is not larger than this; negating and multiplying slots then stay in range. */
	if (cfa.offset > INT32_MAX / 2 || cfa.offset < INT32_MIN / 2)
		return none;
	rule.cfa_offset = (int32_t)cfa.offset;
	/*
	 * A function that aligns its stack and still has to reach its arguments (gcc's "dynamic
	 * realign argument pointer"): the CFA was stored in the frame, rbp is the frame's base.
	 */
	if (cfa.kind == EXPRESSION_VALUE && cfa.number == machine->frame_pointer &&
	    is_saved_at(machine, &state->frame_pointer, machine->frame_pointer, 0)) {
		rule.kind_and_step = RULE_DRAP;
		return rule;
	}
	if (cfa.kind != EXPRESSION_ADDRESS && cfa.kind != EXPRESSION_PLT)
		return none;
	slot = frame_pointer_slot(machine, &state->frame_pointer, &cfa);
	if (slot < 0)
		return none;
	rule.bp_slot = (uint8_t)slot;
	if (cfa.kind == EXPRESSION_PLT) {
		if (cfa.number != machine->stack_pointer || slot != 0)
			return none;
		rule.kind_and_step = RULE_PLT;
		rule.steps = cfa.threshold;
	} else if (cfa.number == machine->stack_pointer) {
		rule.kind_and_step = RULE_SP;
	} else if (cfa.number == machine->frame_pointer) {
		rule.kind_and_step = RULE_BP;
	} else {
		return none;
	}
	return rule;
}

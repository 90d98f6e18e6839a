// SPDX-License-Identifier: Apache-2.0
/*
 * Stores through pointers that are not followed are taken to leave the frame's saved registers
 * alone, and calls to preserve rbx, rbp and rsp (System V ABI, AMD64 supplement, figure 3.4) unless
 * the caller knows better. Everything else is forgotten as soon as it may have changed.
 */
#include "elf/frame_state.h"

#include <string.h>

#include "elf/cfi.h"

enum {
	WORD = 8,
	/* No frame is so large; sums of two stay in range. */
	MAX_OFFSET = 1 << 26,
	/* rax, rcx, rdx, rsi, rdi, r8 to r11 */
	CALL_CLOBBERED = 1u << REGISTER_AX | 1u << REGISTER_CX | 1u << REGISTER_DX |
			 1u << REGISTER_SI | 1u << REGISTER_DI | 0xfu << 8,
};

_Static_assert(sizeof(struct frame_state) == REGISTERS * 4 + FRAME_SLOTS * 8 + 4,
	       "compared and hashed as bytes");

static const struct frame_value unknown;

static bool same_value(struct frame_value a, struct frame_value b)
{
	return a.kind == b.kind && a.offset == b.offset;
}

static bool is_address(struct frame_value value)
{
	return value.kind == VALUE_CFA || value.kind == VALUE_BASE;
}

static struct frame_value moved(struct frame_value value, int64_t by)
{
	if (!is_address(value) || by > MAX_OFFSET || by < -MAX_OFFSET)
		return unknown;
	by += value.offset;
	if (by > MAX_OFFSET || by < -MAX_OFFSET)
		return unknown;
	value.offset = (int32_t)by;
	return value;
}

/* ---- stack words ---- */

static void drop_slot(struct frame_state *state, uint32_t at)
{
	state->slot_count--;
	memmove(&state->slots[at], &state->slots[at + 1],
		(state->slot_count - at) * sizeof(state->slots[0]));
	state->slots[state->slot_count] = (struct frame_slot){};
}

static struct frame_value load(const struct frame_state *state, struct frame_value address)
{
	for (uint32_t i = 0; i < state->slot_count; i++)
		if (same_value(state->slots[i].at, address))
			return state->slots[i].value;
	return unknown;
}

static bool is_before(struct frame_value a, struct frame_value b)
{
	return a.kind != b.kind ? a.kind < b.kind : a.offset < b.offset;
}

static void store(struct frame_state *state, struct frame_value address, uint32_t size,
		  struct frame_value value)
{
	uint32_t at = 0;

	if (!is_address(address))
		return;
	for (uint32_t i = state->slot_count; i-- > 0;) {
		const struct frame_slot *slot = &state->slots[i];

		if (slot->at.kind == address.kind &&
		    slot->at.offset < address.offset + (int32_t)size &&
		    address.offset < slot->at.offset + WORD)
			drop_slot(state, i);
	}
	if (value.kind == VALUE_UNKNOWN || size != WORD || state->slot_count == FRAME_SLOTS)
		return;
	while (at < state->slot_count && is_before(state->slots[at].at, address))
		at++;
	memmove(&state->slots[at + 1], &state->slots[at],
		(state->slot_count - at) * sizeof(state->slots[0]));
	state->slots[at] = (struct frame_slot){ address, value };
	state->slot_count++;
}

/* Forgets the stack words below the stack pointer: whoever uses them next need not ask. */
static void drop_below(struct frame_state *state)
{
	struct frame_value sp = state->registers[REGISTER_SP];

	for (uint32_t i = state->slot_count; i-- > 0;) {
		struct frame_value at = state->slots[i].at;

		if ((at.kind == sp.kind && at.offset < sp.offset) ||
		    (at.kind == VALUE_BASE && sp.kind == VALUE_CFA))
			drop_slot(state, i);
	}
}

/* ---- registers ---- */

static void set(struct frame_state *state, uint8_t number, struct frame_value value)
{
	struct frame_value old = state->registers[number];

	state->registers[number] = value;
	if (value.kind == VALUE_UNKNOWN)
		state->known &= (uint16_t) ~(1u << number);
	else
		state->known |= (uint16_t)(1u << number);
	/* Words below the stack pointer that were written ahead of it (the red zone) are kept. */
	if (number == REGISTER_SP && is_address(value) &&
	    (old.kind != value.kind || old.offset < value.offset))
		drop_below(state);
}

static bool has_base(const struct frame_state *state)
{
	for (unsigned i = 0; i < REGISTERS; i++)
		if (state->registers[i].kind == VALUE_BASE)
			return true;
	for (uint32_t i = 0; i < state->slot_count; i++)
		if (state->slots[i].at.kind == VALUE_BASE ||
		    state->slots[i].value.kind == VALUE_BASE)
			return true;
	return false;
}

/* What counts from a BASE has no meaning any more once there is a new one. */
static void drop_base(struct frame_state *state)
{
	for (uint8_t i = 0; i < REGISTERS; i++)
		if (state->registers[i].kind == VALUE_BASE)
			set(state, i, unknown);
	for (uint32_t i = state->slot_count; i-- > 0;)
		if (state->slots[i].at.kind == VALUE_BASE ||
		    state->slots[i].value.kind == VALUE_BASE)
			drop_slot(state, i);
}

static void align(struct frame_state *state, uint8_t number)
{
	/* An aligned pointer to something else is no reason to forget the frame's own BASE. */
	if (!is_address(state->registers[number]) || (number != REGISTER_SP && has_base(state))) {
		set(state, number, unknown);
		return;
	}
	drop_base(state);
	set(state, number, (struct frame_value){ .kind = VALUE_BASE });
}

static void push(struct frame_state *state, struct frame_value value)
{
	set(state, REGISTER_SP, moved(state->registers[REGISTER_SP], -WORD));
	store(state, state->registers[REGISTER_SP], WORD, value);
}

static struct frame_value pop(struct frame_state *state)
{
	struct frame_value sp = state->registers[REGISTER_SP], value = load(state, sp);

	set(state, REGISTER_SP, moved(sp, WORD));
	return value;
}

static bool is_saved(const struct frame_state *state, enum frame_value_kind kind)
{
	for (uint32_t i = 0; i < state->slot_count; i++)
		if (state->slots[i].value.kind == kind)
			return true;
	return false;
}

/*
 * Clearing rbp without having saved it is what code does that nobody called ("outermost stack
 * frame", System V ABI 3.4.1). Behind a system call that is a new thread, in clone and its like.
 */
static void clear(struct frame_state *state, uint8_t number)
{
	if (number == REGISTER_BP && state->after_syscall &&
	    state->registers[number].kind == VALUE_CALLER_BP && !is_saved(state, VALUE_CALLER_BP))
		state->outermost = 1;
	set(state, number, unknown);
}

struct frame_state frame_state_at_entry(bool outermost)
{
	struct frame_state state = { .outermost = outermost };

	set(&state, REGISTER_SP, (struct frame_value){ VALUE_CFA, -WORD });
	set(&state, REGISTER_BP, (struct frame_value){ .kind = VALUE_CALLER_BP });
	set(&state, REGISTER_BX, (struct frame_value){ .kind = VALUE_CALLER_BX });
	store(&state, state.registers[REGISTER_SP], WORD,
	      (struct frame_value){ .kind = VALUE_RETURN_ADDRESS });
	return state;
}

static void forget(struct frame_state *state, uint16_t written)
{
	for (uint8_t i = 0; i < REGISTERS; i++)
		if (written & state->known & 1u << i)
			set(state, i, unknown);
}

bool frame_state_is_touched(const struct frame_state *state, const struct instruction *i)
{
	uint16_t known = state->known & (uint16_t)~i->written;
	uint32_t a = i->a < REGISTERS ? 1u << i->a : 0, b = i->b < REGISTERS ? 1u << i->b : 0;

	if (known != state->known)
		return true;
	switch ((enum instruction_kind)i->kind) {
	case INSTRUCTION_OTHER:
	case INSTRUCTION_NOP:
	case INSTRUCTION_ENTRY:
	case INSTRUCTION_COMPARE:
		return false;
	case INSTRUCTION_ADDRESS:
	case INSTRUCTION_CLEAR:
	case INSTRUCTION_ALIGN:
		return known & a;
	case INSTRUCTION_STORE:
		return known & b;
	case INSTRUCTION_MOVE:
	case INSTRUCTION_ADD:
	case INSTRUCTION_EXCHANGE:
	case INSTRUCTION_LOAD:
		return known & (a | b);
	default:
		return true;
	}
}

void frame_state_apply(struct frame_state *state, const struct instruction *i)
{
	struct frame_value *r = state->registers, value;

	switch ((enum instruction_kind)i->kind) {
	case INSTRUCTION_MOVE:
		set(state, i->a, r[i->b]);
		break;
	case INSTRUCTION_ADD:
		set(state, i->a, moved(r[i->b], i->value));
		break;
	case INSTRUCTION_ADDRESS:
		set(state, i->a, unknown);
		break;
	case INSTRUCTION_CLEAR:
		clear(state, i->a);
		break;
	case INSTRUCTION_ALIGN:
		align(state, i->a);
		break;
	case INSTRUCTION_EXCHANGE:
		value = r[i->a];
		set(state, i->a, r[i->b]);
		set(state, i->b, value);
		break;
	case INSTRUCTION_LOAD:
		set(state, i->a, load(state, moved(r[i->b], i->value)));
		break;
	case INSTRUCTION_STORE:
		store(state, moved(r[i->b], i->value), i->size,
		      i->a == REGISTER_NONE ? unknown : r[i->a]);
		break;
	case INSTRUCTION_PUSH:
		if (i->a != REGISTER_NONE)
			value = r[i->a];
		else
			value = i->b == REGISTER_NONE ? unknown
						      : load(state, moved(r[i->b], i->value));
		push(state, value);
		break;
	case INSTRUCTION_POP:
		value = pop(state);
		if (i->a != REGISTER_NONE)
			set(state, i->a, value);
		else if (i->b != REGISTER_NONE)
			store(state, moved(r[i->b], i->value), WORD, value);
		break;
	case INSTRUCTION_ENTER:
		push(state, r[REGISTER_BP]);
		set(state, REGISTER_BP, r[REGISTER_SP]);
		set(state, REGISTER_SP, moved(r[REGISTER_SP], -i->value));
		break;
	case INSTRUCTION_LEAVE:
		set(state, REGISTER_SP, r[REGISTER_BP]);
		set(state, REGISTER_BP, pop(state));
		break;
	case INSTRUCTION_SYSCALL:
		state->after_syscall = 1;
		break;
	case INSTRUCTION_OTHER:
	case INSTRUCTION_NOP:
	case INSTRUCTION_ENTRY:
	case INSTRUCTION_COMPARE:
	case INSTRUCTION_CALL:
	case INSTRUCTION_CALL_INDIRECT:
	case INSTRUCTION_JUMP:
	case INSTRUCTION_JUMP_INDIRECT:
	case INSTRUCTION_BRANCH:
	case INSTRUCTION_RETURN:
	case INSTRUCTION_STOP:
		break;
	}
	forget(state, i->written);
}

void frame_state_return_from_call(struct frame_state *state, uint16_t clobbered)
{
	drop_below(state);
	forget(state, CALL_CLOBBERED | clobbered);
}

bool frame_state_equal(struct frame_state *state, uint8_t a, uint8_t b)
{
	struct frame_value *r = state->registers;

	if (r[a].kind == VALUE_UNKNOWN)
		set(state, a, r[b]);
	else if (r[b].kind == VALUE_UNKNOWN)
		set(state, b, r[a]);
	else if (is_address(r[a]) && r[a].kind == r[b].kind)
		return r[a].offset == r[b].offset;
	return true;
}

/* ---- two states ---- */

struct frame_state frame_state_meet(const struct frame_state *a, const struct frame_state *b)
{
	struct frame_state both = { .after_syscall = a->after_syscall & b->after_syscall,
				    .outermost = a->outermost & b->outermost };

	for (uint8_t i = 0; i < REGISTERS; i++)
		if (same_value(a->registers[i], b->registers[i]))
			set(&both, i, a->registers[i]);
	for (uint32_t i = 0; i < a->slot_count; i++) {
		const struct frame_slot *slot = &a->slots[i];

		if (same_value(load(b, slot->at), slot->value))
			both.slots[both.slot_count++] = *slot;
	}
	return both;
}

/* Is rbp the frame pointer, as "push rbp; mov rbp, rsp" makes it? */
static bool has_frame_pointer(const struct frame_state *state)
{
	const struct frame_value bp = state->registers[REGISTER_BP];

	return bp.kind == VALUE_CFA && bp.offset == -2 * WORD &&
	       load(state, bp).kind == VALUE_CALLER_BP;
}

bool frame_states_agree(const struct frame_state *a, const struct frame_state *b)
{
	return a->outermost == b->outermost &&
	       (a->outermost || same_value(a->registers[REGISTER_SP], b->registers[REGISTER_SP]) ||
		(has_frame_pointer(a) && has_frame_pointer(b)));
}

static bool has_return_address(const struct frame_state *state)
{
	return load(state, (struct frame_value){ VALUE_CFA, -WORD }).kind == VALUE_RETURN_ADDRESS;
}

bool frame_state_is_balanced(const struct frame_state *state)
{
	const struct frame_value sp = state->registers[REGISTER_SP];

	return sp.kind == VALUE_CFA && sp.offset == -WORD && has_return_address(state);
}

bool frame_state_is_at_return(const struct frame_state *state)
{
	return load(state, state->registers[REGISTER_SP]).kind == VALUE_RETURN_ADDRESS;
}

uint16_t frame_state_clobbered(const struct frame_state *state)
{
	uint16_t clobbered = 0;

	if (!frame_state_is_balanced(state))
		clobbered |= 1u << REGISTER_SP;
	if (state->registers[REGISTER_BP].kind != VALUE_CALLER_BP)
		clobbered |= 1u << REGISTER_BP;
	if (state->registers[REGISTER_BX].kind != VALUE_CALLER_BX)
		clobbered |= 1u << REGISTER_BX;
	return clobbered;
}

/* ---- rules ---- */

static const struct wire_rule no_rule = { .cfa_words = CFI_UNKNOWN, .kind_and_step = RULE_NONE };

/* enum wire_temporary of a register, or WIRE_TEMPORARIES. */
static uint16_t temporary_of(uint8_t number)
{
	static const uint8_t numbers[WIRE_TEMPORARIES] = {
		[TEMPORARY_AX] = REGISTER_AX, [TEMPORARY_DX] = REGISTER_DX,
		[TEMPORARY_CX] = REGISTER_CX, [TEMPORARY_SI] = REGISTER_SI,
		[TEMPORARY_DI] = REGISTER_DI, [TEMPORARY_R8] = 8,
		[TEMPORARY_R9] = 9,	      [TEMPORARY_R10] = 10,
		[TEMPORARY_R11] = 11,
	};
	uint16_t i = 0;

	while (i < WIRE_TEMPORARIES && numbers[i] != number)
		i++;
	return i;
}

/*
 * Where a preserved register of the caller is: a slot (struct wire_rule) counted from the place
 * `from`, 0: in the register, or -1: nobody can tell.
 */
static int saved_slot(const struct frame_state *state, uint8_t number, enum frame_value_kind kind,
		      struct frame_value from)
{
	const struct frame_value sp = state->registers[REGISTER_SP];

	/* The one that was saved first lasts longest. */
	for (uint32_t i = state->slot_count; i-- > 0;) {
		const struct frame_slot *slot = &state->slots[i];
		int32_t below = from.offset - slot->at.offset;

		if (slot->value.kind == kind && slot->at.kind == from.kind && below > 0 &&
		    below % WORD == 0 && below / WORD < RULE_BX_LOST &&
		    (sp.kind != slot->at.kind || slot->at.offset >= sp.offset))
			return below / WORD;
	}
	return state->registers[number].kind == kind ? 0 : -1;
}

/* CFA = register + 8 * words; returns false when it is not. */
static bool counts_from(struct wire_rule *rule, struct frame_value value)
{
	if (value.kind != VALUE_CFA || value.offset % WORD || value.offset > 0)
		return false;
	rule->cfa_words = -value.offset / WORD;
	return true;
}

/* The CFA, or a place not far below it, in a stack word that is found by the stack pointer or rbp. */
static bool find_stored(struct wire_rule *rule, const struct frame_state *state, uint8_t by)
{
	const struct frame_value from = state->registers[by];

	for (uint32_t i = 0; i < state->slot_count && is_address(from); i++) {
		const struct frame_slot *slot = &state->slots[i];
		int32_t above = slot->at.offset - from.offset, added = -slot->value.offset;

		if (slot->value.kind != VALUE_CFA || slot->at.kind != from.kind || above % WORD ||
		    (by == REGISTER_SP && above < 0) || added % WORD || added < 0 ||
		    added / WORD > RULE_STORED_ADDED)
			continue;
		rule->kind_and_step = RULE_STORED;
		rule->cfa_words = above / WORD;
		rule->steps = (uint16_t)(added / WORD);
		if (by == REGISTER_BP)
			rule->steps |= RULE_STORED_FROM_BP;
		return true;
	}
	return false;
}

/* Does rbp point to where the caller's was saved? */
static bool is_bp_at_bp(const struct frame_state *state)
{
	const struct frame_value bp = state->registers[REGISTER_BP];

	return is_address(bp) && load(state, bp).kind == VALUE_CALLER_BP;
}

/* The CFA in a stack word that rbp points near to, and the caller's rbp right at it. */
static bool find_drap(struct wire_rule *rule, const struct frame_state *state)
{
	const struct frame_value bp = state->registers[REGISTER_BP];

	if (!is_bp_at_bp(state))
		return false;
	for (uint32_t i = 0; i < state->slot_count; i++) {
		const struct frame_slot *slot = &state->slots[i];
		int32_t above = slot->at.offset - bp.offset;

		if (slot->value.kind != VALUE_CFA || slot->value.offset != 0 ||
		    slot->at.kind != bp.kind || above % WORD)
			continue;
		rule->kind_and_step = RULE_DRAP;
		rule->cfa_words = above / WORD;
		return true;
	}
	return false;
}

static bool find_temporary(struct wire_rule *rule, const struct frame_state *state)
{
	for (uint8_t i = 0; i < REGISTERS; i++) {
		rule->steps = temporary_of(i);
		rule->kind_and_step = RULE_TEMPORARY;
		if (rule->steps < WIRE_TEMPORARIES && counts_from(rule, state->registers[i]))
			return true;
	}
	return false;
}

/* How the CFA is found, in the order in which compilers tell it. */
static bool find_cfa(struct wire_rule *rule, const struct frame_state *state)
{
	const struct frame_value *r = state->registers;

	rule->kind_and_step = RULE_BP;
	if (has_frame_pointer(state))
		return counts_from(rule, r[REGISTER_BP]);
	rule->kind_and_step = RULE_SP;
	if (counts_from(rule, r[REGISTER_SP]))
		return rule->cfa_words > 0;
	rule->kind_and_step = RULE_BP;
	if (counts_from(rule, r[REGISTER_BP]))
		return true;
	if (find_drap(rule, state) || find_stored(rule, state, REGISTER_SP) ||
	    find_stored(rule, state, REGISTER_BP))
		return true;
	rule->kind_and_step = RULE_BX;
	return counts_from(rule, r[REGISTER_BX]) || find_temporary(rule, state);
}

/* The return address was taken off the stack into a register, as vfork must. */
static bool find_link(struct wire_rule *rule, const struct frame_state *state)
{
	const struct frame_value *r = state->registers;

	if (r[REGISTER_BP].kind != VALUE_CALLER_BP || r[REGISTER_BX].kind != VALUE_CALLER_BX ||
	    !counts_from(rule, r[REGISTER_SP]))
		return false;
	rule->kind_and_step = RULE_LINK;
	for (uint8_t i = 0; i < REGISTERS; i++) {
		rule->steps = temporary_of(i);
		if (rule->steps < WIRE_TEMPORARIES && r[i].kind == VALUE_RETURN_ADDRESS)
			return true;
	}
	return false;
}

struct wire_rule frame_state_rule(const struct frame_state *state)
{
	const struct frame_value cfa = { .kind = VALUE_CFA };
	struct frame_value bx_from = cfa;
	struct wire_rule rule = {};
	int slot;

	if (state->outermost)
		return (struct wire_rule){ .kind_and_step = RULE_END };
	if (!has_return_address(state))
		return find_link(&rule, state) ? rule : no_rule;
	if (!find_cfa(&rule, state))
		return no_rule;
	if (rule.kind_and_step == RULE_DRAP) {
		bx_from = state->registers[REGISTER_BP];
	} else {
		slot = saved_slot(state, REGISTER_BP, VALUE_CALLER_BP, cfa);
		if (slot < 0 && rule.kind_and_step == RULE_TEMPORARY && is_bp_at_bp(state))
			slot = RULE_BP_IN_FRAME;
		if (slot < 0)
			return no_rule;
		rule.bp_slot = (uint8_t)slot;
	}
	slot = saved_slot(state, REGISTER_BX, VALUE_CALLER_BX, bx_from);
	rule.bx_slot = slot < 0 ? RULE_BX_LOST : (uint8_t)slot;
	return rule;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A step by a rule, aarch64: calls leave the return address in a register, from where functions that call
 * others save it anywhere in their frames. See walk.h.
 *
 * A frame that was left by frame pointer tells no stack pointer (r->loose). Where the next one's rule counts
 * from the stack pointer, its CFA is still found by the frame pointer: that leads to where the caller's was
 * saved, and the rule says how far from the CFA this is.
 */
#pragma once

#include "walk_registers.h"

/*
 * Offsets in struct rt_sigframe, to which sp points in the signal trampoline: 128 bytes of siginfo, and the
 * registers in uc_mcontext of struct ucontext, 176 bytes behind them (arch/arm64/kernel/signal.c,
 * include/uapi/asm/ucontext.h and sigcontext.h).
 */
#define SIGFRAME_X0 312
#define SIGFRAME_X29 544
#define SIGFRAME_X30 552
#define SIGFRAME_SP 560
#define SIGFRAME_PC 568
/* Behind them the kernel puts first what tells of the floating point registers: FPSIMD_MAGIC, and its size. */
#define SIGFRAME_RECORD 592
#define SIGFRAME_FPSIMD 0x0000021046508001ULL
/* How far below the stack pointer to which it leads such a frame may begin, in words. */
#define SIGFRAME_WORDS 512
#define SIGFRAME_TRIES 4

static inline int walk_is_sigframe(uint64_t place, void *memory)
{
	uint64_t record = 0;

	return walk_read(&record, place + SIGFRAME_RECORD, memory) == 0 &&
	       record == SIGFRAME_FPSIMD;
}

/* The signal's frame below this address that leads to this stack pointer; 0: there is none. */
static inline uint64_t walk_find_sigframe(uint64_t below, uint64_t sp, void *memory)
{
	uint64_t from = below - 8 * SIGFRAME_WORDS, place;

	for (int i = 0; i < SIGFRAME_TRIES && from < below; i++) {
		place = walk_search(from, (uint32_t)((below - from) / 8), sp, memory);
		if (!place)
			return 0;
		if (walk_is_sigframe(place - SIGFRAME_SP, memory))
			return place - SIGFRAME_SP;
		from = place + 8;
	}
	return 0;
}

/*
 * While the kernel returns from a signal, it gives back the interrupted code's registers one after the other,
 * and the program counter as the last one. Then the frame from which it reads them is no longer at the stack
 * pointer, but below, or on the alternate stack.
 */
static inline uint64_t walk_left_sigframe(const struct walk_registers *r, void *memory)
{
	uint64_t place, end;

	if (!r->first || r->sp & 7 || walk_is_sigframe(r->sp, memory))
		return r->sp;
	place = walk_find_sigframe(r->sp, r->sp, memory);
	if (!place) {
		end = walk_signal_stack(memory);
		if (end > 8 * SIGFRAME_WORDS)
			place = walk_find_sigframe(end, r->sp, memory);
	}
	return place ? place : r->sp;
}

static inline int walk_step_signal(struct walk_registers *r, void *memory)
{
	uint64_t bp = 0, link = 0, sp = 0, pc = 0, at;

	if (r->loose)
		return walk_step_frame_pointer(r, 0, memory);
	at = walk_left_sigframe(r, memory);
	if (walk_read(&bp, at + SIGFRAME_X29, memory) < 0 ||
	    walk_read(&link, at + SIGFRAME_X30, memory) < 0 ||
	    walk_read(&sp, at + SIGFRAME_SP, memory) < 0 ||
	    walk_read(&pc, at + SIGFRAME_PC, memory) < 0)
		return WALK_NOT_PRESENT;
	r->context = at + SIGFRAME_X0;
	r->ip = pc;
	r->bp = bp;
	r->bx = link;
	r->sp = sp; /* a handler may run on another stack: no order to check */
	r->exact = 1;
	r->interrupted = 1;
	return WALK_OUTCOME_COUNT;
}

/*
 * Has a signal handler been set up, all but the link register, which the kernel writes last? Then this still
 * is the interrupted code's.
 */
static inline int walk_is_entering_handler(const struct walk_registers *r, void *memory)
{
	uint64_t link = 0;

	return r->first && r->exact && walk_is_sigframe(r->sp, memory) &&
	       walk_read(&link, r->sp + SIGFRAME_X30, memory) == 0 && link == r->bx;
}

/* How large a frame of the unwinder may be, in words; and how many of them are looked at in a walk. */
#define WALK_UNWINDER_WORDS 1024
#define WALK_UNWINDERS_MAX 4

/* As of struct walk_registers, which tells by what. Returns 0, or why there is none. */
static inline int walk_link_cfa(uint64_t *ret, const struct walk_registers *r, uint64_t rule,
				uint64_t bp_words, void *memory)
{
	int64_t offset = ((int64_t)(rule << 40) >> 40) * 8;
	uint64_t kind = rule >> 56 & RULE_KIND_MASK, number = rule >> 24 & 0xff, at = 0;

	if (kind == RULE_BP) {
		*ret = r->bp + offset;
	} else if (kind == RULE_TEMPORARY) {
		at = walk_temporary(number, memory);
		if (r->interrupted && (!r->context || number >= WIRE_TEMPORARIES ||
				       walk_read(&at, r->context + 8 * (9 + number), memory) < 0))
			return WALK_NO_ROW;
		*ret = at + offset;
		if (*ret - r->sp >= WALK_FRAME_POINTER_REACH || *ret & 7)
			return WALK_NO_ROW;
	} else if (r->loose) {
		*ret = r->bp + 8 * bp_words;
		if (r->bp < r->sp || r->bp - r->sp >= WALK_FRAME_POINTER_REACH || r->bp & 7)
			return WALK_BAD_FRAME_POINTER;
	} else {
		*ret = r->sp + offset;
	}
	return WALK_OUTCOME_COUNT;
}

/* In a struct _Unwind_Context (libgcc/unwind-dw2.c), from its CFA on. */
#define CONTEXT_RA 8
#define CONTEXT_FLAGS 48
#define CONTEXT_EXTENDED                                                                           \
	1 /* EXTENDED_CONTEXT_BIT: the upper two bits of the flags, in all of them */
#define CONTEXT_TRIES 4

/*
 * The address of the CFA in the first context of the frame that has the value at this offset; 0: there is
 * none. words: of the frame.
 */
static inline uint64_t walk_find_context(uint64_t from, uint64_t words, uint64_t value,
					 uint64_t offset, void *memory)
{
	uint64_t end = from + 8 * words, flags = 0, place;

	for (int i = 0; i < CONTEXT_TRIES && from < end; i++) {
		place = walk_search(from, (uint32_t)((end - from) / 8), value, memory);
		if (!place)
			return 0;
		if (walk_read(&flags, place - offset + CONTEXT_FLAGS, memory) == 0 &&
		    flags >> 62 == CONTEXT_EXTENDED)
			return place - offset;
		from = place + 8;
	}
	return 0;
}

/*
 * Before libgcc's unwinder jumps to a landing pad (__builtin_eh_return), it puts that function's registers in
 * place of those that its own frame has saved, at last the landing pad's address in place of the return
 * address. In the frame lie two contexts: one describes the frame itself, with the return address that it
 * had, the other the frame with the landing pad, with the stack pointer there.
 *
 * saved: the return address as it lies in the frame. Changes *cfa, *saved and *exact if need be.
 */
static inline void walk_link_unwinder(struct walk_registers *r, uint64_t *cfa, uint64_t *saved,
				      uint32_t *exact, void *memory)
{
	uint64_t words = (*cfa - r->sp) / 8, place, before = 0, sp = 0;

	if (words > WALK_UNWINDER_WORDS || r->unwinders >= WALK_UNWINDERS_MAX)
		return;
	r->unwinders++;
	place = walk_find_context(r->sp, words, *cfa, 0, memory);
	if (!place || walk_read(&before, place + CONTEXT_RA, memory) < 0 || !before ||
	    walk_address(before) == walk_address(*saved))
		return;
	place = walk_find_context(r->sp, words, *saved, CONTEXT_RA, memory);
	if (place && walk_read(&sp, place, memory) == 0 && sp > *cfa && !(sp & 15) &&
	    sp - *cfa < WALK_FRAME_POINTER_REACH) {
		*cfa = sp;
		*exact = 1;
	} else {
		*saved = before;
	}
}

/*
 * One step by a rule as walk_rule_pack gives it.
 * Returns WALK_OUTCOME_COUNT to go on, else why the walk ends.
 */
static inline int walk_step_rule(struct walk_registers *r, uint64_t rule, void *memory)
{
	uint64_t link_words = rule >> 32 & 0xffff, bp_words = rule >> 48 & 0xff;
	uint64_t kind = rule >> 56 & RULE_KIND_MASK;
	uint64_t cfa = 0, bp = r->bp, ip = r->bx;
	uint32_t exact = 0;
	int outcome;

	if (bp_words)
		bp_words = link_words + (uint64_t)((int64_t)(bp_words << 56) >> 56);
	if (kind == RULE_END)
		return WALK_COMPLETE;
	if (kind == RULE_SIGNAL)
		return walk_step_signal(r, memory);
	/* Nothing leads on by what was never saved, or by a stack pointer that is not known. */
	if ((kind != RULE_SP && kind != RULE_UNWINDER && kind != RULE_BP &&
	     kind != RULE_TEMPORARY) ||
	    (!link_words && !r->first && !r->exact) ||
	    (r->loose && kind != RULE_BP && kind != RULE_TEMPORARY && !bp_words))
		return walk_step_frame_pointer(r, 0, memory);
	outcome = walk_link_cfa(&cfa, r, rule, bp_words, memory);
	if (outcome != WALK_OUTCOME_COUNT)
		return outcome;
	if (cfa == r->sp && !link_words && walk_is_entering_handler(r, memory))
		return walk_step_signal(r, memory);
	/* A function that has not begun, or calls nothing, has no frame. */
	if (cfa < r->sp || (cfa == r->sp && link_words))
		return WALK_NO_PROGRESS;
	if (bp_words && walk_read(&bp, cfa - 8 * bp_words, memory) < 0)
		return WALK_NOT_PRESENT;
	if (link_words && walk_read(&ip, cfa - 8 * link_words, memory) < 0)
		return WALK_NOT_PRESENT;
	if (kind == RULE_UNWINDER && !r->loose)
		walk_link_unwinder(r, &cfa, &ip, &exact, memory);
	ip = walk_address(ip);
	if (ip == 0) /* a root that is entered without a return address */
		return WALK_COMPLETE;
	r->ip = ip;
	r->sp = cfa;
	r->bp = bp;
	r->bx = 0;
	r->exact = exact;
	r->loose = 0;
	r->context = 0;
	return WALK_OUTCOME_COUNT;
}

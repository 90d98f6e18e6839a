/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A step by a rule, x86-64: the return address lies on the stack, where the call has put it. See walk.h. */
#pragma once

#include "walk_registers.h"
#include "walk_unwinder.h"

/* Where a temporary lies in a struct sigcontext, from rbx on: r8 to r15, di, si, bp, bx, dx, ax, cx. */
static inline int64_t walk_context_offset(uint64_t temporary)
{
	if (temporary >= TEMPORARY_R8)
		return 8 * ((int64_t)(temporary - TEMPORARY_R8) - 11);
	return temporary == TEMPORARY_AX   ? 16
	       : temporary == TEMPORARY_DX ? 8
	       : temporary == TEMPORARY_CX ? 24
	       : temporary == TEMPORARY_SI ? -16
					   : -24;
}

/* Offsets in struct ucontext, to which rsp points in the signal trampoline: asm/ucontext.h. */
#define UCONTEXT_RBP 120
#define UCONTEXT_RBX 128
#define UCONTEXT_RSP 160
#define UCONTEXT_RIP 168

/*
 * One step by a rule as walk_rule_pack gives it.
 * Returns WALK_OUTCOME_COUNT to go on, else why the walk ends.
 */
static inline int walk_step_rule(struct walk_registers *r, uint64_t rule, void *memory)
{
	int64_t offset = ((int64_t)(rule << 40) >> 40) * 8;
	uint64_t bx_slot = rule >> 24 & 0xff, steps = rule >> 32 & 0xffff;
	uint64_t slot = rule >> 48 & 0xff, kind = rule >> 56 & RULE_KIND_MASK;
	uint64_t cfa, ip = 0, bp = r->bp;
	uint64_t landing = r->landing, context = r->context;
	uint32_t exact = (rule & WALK_NEXT_EXACT) != 0;

	r->landing = 0;
	r->context = 0;
	/* Nearly all of them are these two. */
	if (kind == RULE_SP) {
		cfa = r->sp + offset;
	} else if (kind == RULE_BP) {
		if (landing)
			return walk_to_landing_pad(r, landing, memory);
		cfa = r->bp + offset;
	} else if (kind == RULE_END) {
		return WALK_COMPLETE;
	} else if (kind == RULE_SIGNAL) {
		if (walk_read(&bp, r->sp + UCONTEXT_RBP, memory) < 0 ||
		    walk_read(&cfa, r->sp + UCONTEXT_RSP, memory) < 0 ||
		    walk_read(&ip, r->sp + UCONTEXT_RIP, memory) < 0)
			return WALK_NOT_PRESENT;
		r->bx_at = r->context = r->sp + UCONTEXT_RBX;
		r->ip = ip;
		r->bp = bp;
		r->sp = cfa; /* a handler may run on another stack: no order to check */
		r->exact = 1;
		r->interrupted = 1;
		return WALK_OUTCOME_COUNT;
	} else if (kind == RULE_LINK) {
		if (!r->first)
			return WALK_NO_ROW;
		r->ip = walk_temporary(steps, memory);
		r->sp += offset; /* may stay: the return address is off the stack */
		r->exact = exact;
		return WALK_OUTCOME_COUNT;
	} else if (kind == RULE_RESUME) {
		/* Also where a signal interrupted it: then rbx was saved with the rest. */
		if (!r->exact)
			return WALK_NO_ROW;
		if (walk_fetch_bx(r, memory) < 0)
			return WALK_NOT_PRESENT;
		ip = r->bx;
		if (steps && walk_read(&ip, r->bx + 8 * steps, memory) < 0)
			return WALK_NOT_PRESENT;
		if (!ip)
			return WALK_NO_ROW;
		r->ip = ip;
		r->sp += offset;
		r->exact = 1;
		return WALK_OUTCOME_COUNT;
	} else if (kind == RULE_BX) {
		if (walk_fetch_bx(r, memory) < 0)
			return WALK_NOT_PRESENT;
		if (!r->bx)
			return WALK_NO_ROW;
		cfa = r->bx + offset;
	} else if (kind == RULE_TEMPORARY) {
		cfa = walk_temporary(steps, memory);
		if (r->interrupted &&
		    (!context || walk_read(&cfa, context + walk_context_offset(steps), memory) < 0))
			return WALK_NO_ROW;
		cfa += offset;
		/* Without a promise that it was kept: to be believed like a frame pointer. */
		if (cfa - r->sp >= WALK_FRAME_POINTER_REACH || cfa & 7)
			return WALK_NO_ROW;
		/* gcc goes on to say so when rbp has been restored. */
		if (slot == RULE_BP_IN_FRAME) {
			slot = 0;
			if (r->bp >= r->sp && r->bp < cfa && walk_read(&bp, r->bp, memory) < 0)
				return WALK_NOT_PRESENT;
		}
	} else if (kind == RULE_UNWINDER) {
		cfa = r->bp + offset;
	} else if (kind == RULE_PLT) {
		cfa = r->sp + offset + ((r->ip & 15) >= steps ? 8 : 0);
	} else if (kind == RULE_STORED) {
		uint64_t at = (steps & RULE_STORED_FROM_BP ? r->bp : r->sp) + offset;

		if (steps & RULE_STORED_INDEX) {
			if (!r->first)
				return WALK_NO_ROW;
			steps -= 1 << RULE_STORED_INDEX_SHIFT;
			at += 8 * walk_temporary(steps >> RULE_STORED_INDEX_SHIFT & 0xf, memory);
		}
		if (walk_read(&cfa, at, memory) < 0)
			return WALK_NOT_PRESENT;
		cfa += 8 * (steps & RULE_STORED_ADDED);
	} else if (kind == RULE_DRAP) {
		if (landing)
			return walk_to_landing_pad(r, landing, memory);
		if (walk_read(&cfa, r->bp + offset, memory) < 0 ||
		    walk_read(&bp, r->bp, memory) < 0)
			return WALK_NOT_PRESENT;
		slot = 0;
	} else if (kind == RULE_FRAME) {
		if (!r->bp || r->bp & 7)
			return WALK_BAD_FRAME_POINTER;
		cfa = r->bp + offset;
	} else if (kind == RULE_DEPTH) {
		uint64_t owner = 0, end = 0;

		if (walk_read(&cfa, r->sp + 8 * steps, memory) < 0 ||
		    walk_read(&owner, r->sp + 8 * steps + 8, memory) < 0 ||
		    (owner && walk_read(&end, owner + 8, memory) < 0))
			return WALK_NOT_PRESENT;
		cfa = (owner ? end - cfa : cfa) + offset;
	} else {
		return walk_step_frame_pointer(r, 0, memory);
	}
	/*
	 * Other stacks have no order. A leaf may have taken its return address off the stack already
	 * (OCaml's caml_c_call, Go's rawVforkSyscall).
	 */
	if (kind != RULE_FRAME && kind != RULE_DEPTH &&
	    (cfa < r->sp || (cfa == r->sp && !(r->first && kind == RULE_SP))))
		return WALK_NO_PROGRESS;
	/* The saved rbp lies below the return address. */
	if (slot && walk_read(&bp, cfa - 8 * slot, memory) < 0)
		return WALK_NOT_PRESENT;
	if (walk_read(&ip, cfa - 8, memory) < 0)
		return WALK_NOT_PRESENT;
	if (ip == 0) /* a root that is entered without a return address */
		return WALK_COMPLETE;
	if (kind == RULE_UNWINDER)
		cfa = walk_unwinder(r, cfa, &ip, bp, &exact, memory);
	if (bx_slot == RULE_BX_LOST)
		r->bx = r->bx_at = 0;
	else if (bx_slot)
		r->bx_at = (kind == RULE_DRAP ? r->bp : cfa) - 8 * bx_slot;
	r->ip = ip;
	r->sp = cfa;
	r->bp = bp;
	r->exact = exact;
	return WALK_OUTCOME_COUNT;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walker: from a frame's registers to its caller's, by unwind tables, else by frame pointer.
 *
 * The same source runs in the kernel (cpu.bpf.c) and in user space (src/unwind/walk.c). The host
 * defines, before including this file:
 *
 *     int walk_read(uint64_t *ret, uint64_t address, void *memory)   0, or below 0: not readable
 *     uint64_t walk_find(uint32_t table, uint64_t elf_address, void *memory)
 *                                    the rule there, see walk_rule_pack, or WALK_FIND_*
 *     uint64_t walk_temporary(uint64_t number, void *memory)
 *                                    the leaf's register (enum wire_temporary); 0: not known
 *     uint64_t walk_search(uint64_t from, uint32_t words, uint64_t value, void *memory)
 *                                    address of the first of so many words that is the value; 0:
 *                                    none is, or they cannot be read
 *
 * Reads go upwards where possible: a host may fetch more than it was asked for.
 * Nothing here holds state beyond struct walk_registers and the leaf's temporaries, so a walk that
 * stops in the kernel can go on elsewhere. Registers: x86-64 System V ABI, rbp may be anything.
 */
#pragma once

#include "walk_registers.h"
#include "walk_unwinder.h"

/*
 * One step without a table: the frame begins with "push rbp; mov rbp, rsp" and is past it.
 * unknown: code of which nothing is known, so that it may well have no frame pointer.
 * Returns WALK_OUTCOME_COUNT to go on, else why the walk ends.
 */
static inline int walk_step_frame_pointer(struct walk_registers *r, int unknown, void *memory)
{
	uint64_t bp = r->bp, next_bp = 0, next_ip = 0;

	/* The ABI marks the outermost frame by a zero rbp; in a leaf it may be any value. */
	if (bp == 0)
		return r->first || unknown ? WALK_BAD_FRAME_POINTER : WALK_COMPLETE;
	if (bp < r->sp || bp - r->sp >= WALK_FRAME_POINTER_REACH || bp & 7)
		return WALK_BAD_FRAME_POINTER;
	if (walk_read(&next_bp, bp, memory) < 0 || walk_read(&next_ip, bp + 8, memory) < 0)
		return WALK_NOT_PRESENT;
	if (next_ip == 0)
		return r->first ? WALK_BAD_FRAME_POINTER : WALK_COMPLETE;
	r->ip = next_ip;
	r->sp = bp + 16;
	r->bp = next_bp;
	r->exact = 0;
	return WALK_OUTCOME_COUNT;
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

/*
 * One step. mapping: the executable mapping that holds walk_lookup_address(r).
 * Returns WALK_OUTCOME_COUNT when *r is now the caller's, WALK_COMPLETE when this frame is the
 * outermost one, else why the caller could not be found (*r is unchanged, but for rbx maybe having
 * been fetched).
 */
static inline int walk_step(struct walk_registers *r, const struct wire_mapping *mapping,
			    void *memory)
{
	uint64_t rule;

	r->planted = 0;
	/*
	 * Boost.Context's make_fcontext (PHP's fibers, too) has put there both the address to which
	 * the context's function returns and, as its rbp, the same address: such a stack begins here.
	 */
	if (r->bp == r->ip && !r->exact)
		return WALK_COMPLETE;
	if (mapping->flags & MAPPING_NO_CFI)
		return walk_step_frame_pointer(r, mapping->flags & MAPPING_UNKNOWN, memory);
	if (!mapping->table)
		return WALK_NO_TABLE;
	rule = walk_find(mapping->table, walk_lookup_address(r) - mapping->bias, memory);
	if (rule == WALK_FIND_NO_TABLE)
		return WALK_NO_TABLE;
	if (rule == WALK_FIND_NO_ROW)
		return walk_step_frame_pointer(r, 0, memory);
	if (!r->exact && rule & WALK_FIRST_BYTE) {
		uint64_t kind = rule >> 56 & RULE_KIND_MASK;

		r->planted = kind == RULE_SIGNAL || kind == RULE_END;
	}
	return walk_step_rule(r, rule, memory);
}

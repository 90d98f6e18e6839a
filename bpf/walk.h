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
 *
 * Reads go upwards where possible: a host may fetch more than it was asked for.
 * Nothing here holds state beyond struct walk_registers, so a walk that stops in the kernel can go
 * on elsewhere. Registers: x86-64 System V ABI, rbp may be anything.
 */
#pragma once

#include "table.h"
#include "wire.h"

/*
 * A rule as it is at one address, in 64 bits: bits 0-31 CFA offset (signed), 32-47 the threshold of
 * RULE_PLT, 48-55 the slot of the saved rbp, 56-63 enum wire_rule_kind.
 * distance: bytes from the row's address to the one that was looked up.
 */
static inline uint64_t walk_rule_pack(const struct wire_rule *rule, uint32_t distance)
{
	uint32_t kind = rule->kind_and_step & RULE_KIND_MASK;
	int32_t offset = rule_cfa_offset(rule, distance);
	uint64_t slot = (uint64_t)rule_bp_slot(rule, offset);

	return (uint32_t)offset | (uint64_t)(kind == RULE_PLT ? rule->steps : 0) << 32 | slot << 48 |
	       (uint64_t)kind << 56;
}

struct walk_registers {
	uint64_t ip, sp, bp;
	uint32_t exact; /* ip is the address of the frame itself, not of the instruction after a call */
	uint32_t first; /* no frame has been walked yet */
};

/* A frame pointer is believed within this distance of the stack pointer. */
#define WALK_FRAME_POINTER_REACH (1024 * 1024)

/* The address to look up: a return address may be the first byte of the next function. */
static inline uint64_t walk_lookup_address(const struct walk_registers *r)
{
	return r->exact ? r->ip : r->ip - 1;
}

/*
 * One step without a table: the frame begins with "push rbp; mov rbp, rsp" and is past it.
 * Returns WALK_OUTCOME_COUNT to go on, else why the walk ends.
 */
static inline int walk_step_frame_pointer(struct walk_registers *r, void *memory)
{
	uint64_t bp = r->bp, next_bp = 0, next_ip = 0;

	/* The ABI marks the outermost frame by a zero rbp; in a leaf it may be any value. */
	if (bp == 0)
		return r->first ? WALK_BAD_FRAME_POINTER : WALK_COMPLETE;
	if (bp < r->sp || bp - r->sp >= WALK_FRAME_POINTER_REACH || bp & 7)
		return WALK_BAD_FRAME_POINTER;
	if (walk_read(&next_bp, bp, memory) < 0 || walk_read(&next_ip, bp + 8, memory) < 0)
		return WALK_NOT_PRESENT;
	if (next_ip == 0)
		return WALK_COMPLETE;
	r->ip = next_ip;
	r->sp = bp + 16;
	r->bp = next_bp;
	r->exact = 0;
	return WALK_OUTCOME_COUNT;
}

/* Offsets in struct ucontext, to which rsp points in the signal trampoline: asm/ucontext.h. */
#define UCONTEXT_RBP 120
#define UCONTEXT_RSP 160
#define UCONTEXT_RIP 168

/*
 * One step by a rule as walk_rule_pack gives it.
 * Returns WALK_OUTCOME_COUNT to go on, else why the walk ends.
 */
static inline int walk_step_rule(struct walk_registers *r, uint64_t rule, void *memory)
{
	int64_t offset = (int32_t)rule;
	uint64_t threshold = rule >> 32 & 0xffff, slot = rule >> 48 & 0xff, kind = rule >> 56;
	uint64_t cfa, ip = 0, bp = r->bp;

	if (kind == RULE_END)
		return WALK_COMPLETE;
	if (kind == RULE_NONE)
		return walk_step_frame_pointer(r, memory);
	if (kind == RULE_SIGNAL) {
		if (walk_read(&bp, r->sp + UCONTEXT_RBP, memory) < 0 ||
		    walk_read(&cfa, r->sp + UCONTEXT_RSP, memory) < 0 ||
		    walk_read(&ip, r->sp + UCONTEXT_RIP, memory) < 0)
			return WALK_NOT_PRESENT;
		r->ip = ip;
		r->bp = bp;
		r->sp = cfa; /* a handler may run on another stack: no order to check */
		r->exact = 1;
		return WALK_OUTCOME_COUNT;
	}
	if (kind == RULE_BP) {
		cfa = r->bp + offset;
	} else if (kind == RULE_PLT) {
		cfa = r->sp + offset + ((r->ip & 15) >= threshold ? 8 : 0);
	} else if (kind == RULE_DRAP) {
		if (walk_read(&cfa, r->bp + offset, memory) < 0 ||
		    walk_read(&bp, r->bp, memory) < 0)
			return WALK_NOT_PRESENT;
		slot = 0;
	} else {
		cfa = r->sp + offset;
	}
	if (cfa <= r->sp)
		return WALK_NO_PROGRESS;
	/* The saved rbp lies below the return address. */
	if (slot && walk_read(&bp, cfa - 8 * slot, memory) < 0)
		return WALK_NOT_PRESENT;
	if (walk_read(&ip, cfa - 8, memory) < 0)
		return WALK_NOT_PRESENT;
	if (ip == 0) /* a root that is entered without a return address */
		return WALK_COMPLETE;
	r->ip = ip;
	r->sp = cfa;
	r->bp = bp;
	r->exact = 0;
	return WALK_OUTCOME_COUNT;
}

/*
 * One step. mapping: the executable mapping that holds walk_lookup_address(r).
 * Returns WALK_OUTCOME_COUNT when *r is now the caller's, WALK_COMPLETE when this frame is the
 * outermost one, else why the caller could not be found (*r is unchanged).
 */
static inline int walk_step(struct walk_registers *r, const struct wire_mapping *mapping,
			    void *memory)
{
	uint64_t rule;

	if (mapping->flags & MAPPING_NO_CFI)
		return walk_step_frame_pointer(r, memory);
	if (!mapping->table)
		return WALK_NO_TABLE;
	rule = walk_find(mapping->table, walk_lookup_address(r) - mapping->bias, memory);
	if (rule == WALK_FIND_NO_TABLE)
		return WALK_NO_TABLE;
	if (rule == WALK_FIND_NO_ROW)
		return walk_step_frame_pointer(r, memory);
	return walk_step_rule(r, rule, memory);
}

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
 *     uint64_t walk_signal_stack(void *memory)
 *                                    where the thread's alternate signal stack ends; 0: not known
 *
 * Reads go upwards where possible: a host may fetch more than it was asked for.
 * Nothing here holds state beyond struct walk_registers and the leaf's temporaries, so a walk that
 * stops in the kernel can go on elsewhere. Registers: x86-64 System V ABI, rbp may be anything; or
 * Procedure Call Standard for the Arm 64-bit Architecture.
 */
#pragma once

#include "walk_registers.h"

/*
 * One step without a table: the frame pointer leads to the caller's, and the return address lies above
 * that, as "push rbp; mov rbp, rsp" or "stp x29, x30, [sp, -n]!; mov x29, sp" have made it.
 * unknown: code of which nothing is known, so that it may well have no frame pointer.
 * Returns WALK_OUTCOME_COUNT to go on, else why the walk ends.
 */
static inline int walk_step_frame_pointer(struct walk_registers *r, int unknown, void *memory)
{
	uint64_t bp = r->bp, next_bp = 0, next_ip = 0;

	/* The ABI marks the outermost frame by a zero rbp; in a leaf it may be any value. */
	if (bp == 0)
		return (r->first && !walk_is_entry(r)) || unknown ? WALK_BAD_FRAME_POINTER
								  : WALK_COMPLETE;
	if (bp < r->sp || bp - r->sp >= WALK_FRAME_POINTER_REACH || bp & 7)
		return WALK_BAD_FRAME_POINTER;
	if (walk_read(&next_bp, bp, memory) < 0 || walk_read(&next_ip, bp + 8, memory) < 0)
		return WALK_NOT_PRESENT;
	next_ip = walk_address(next_ip);
	if (next_ip == 0)
		return r->first ? WALK_BAD_FRAME_POINTER : WALK_COMPLETE;
	r->ip = next_ip;
	r->sp = bp + 16;
	r->bp = next_bp;
	r->exact = 0;
	walk_passed_frame_pointer(r);
	return WALK_OUTCOME_COUNT;
}

#if defined(WIRE_LINK_REGISTER)
#include "walk_aarch64.h"
#else
#include "walk_x86_64.h"
#endif

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

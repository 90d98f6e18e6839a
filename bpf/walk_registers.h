/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a walk knows of a frame, and a rule as it is at one address. See walk.h. */
#pragma once

#include "table.h"
#include "wire.h"

/*
 * A rule as it is at one address, in 64 bits: bits 0-23 CFA offset in words (signed), 24-31 the
 * slot of the saved rbx, 32-47 `steps` where they are no steps but a number (RULE_PLT, ...), 48-55
 * the slot of the saved rbp, 56-59 enum wire_rule_kind, and two flags.
 * distance: bytes from the row's address to the one that was looked up.
 */
#define WALK_NEXT_EXACT (1ULL << 62) /* RULE_NEXT_EXACT */
#define WALK_FIRST_BYTE (1ULL << 63)	 /* the address is the row's first */

static inline uint64_t walk_rule_pack(const struct wire_rule *rule, uint32_t distance)
{
	int32_t words = rule_cfa_words(rule, distance);
	uint64_t kind = rule->kind_and_step & (RULE_KIND_MASK | RULE_NEXT_EXACT);
	uint64_t steps = rule->kind_and_step & (RULE_STEPS_PUSH | RULE_STEPS_POP) ? 0 : rule->steps;

	return ((uint64_t)words & 0xffffff) | (uint64_t)rule_bx_slot(rule, words) << 24 |
	       steps << 32 | (uint64_t)rule_bp_slot(rule, words) << 48 | kind << 56 |
	       (distance == 0 ? WALK_FIRST_BYTE : 0);
}

struct walk_registers {
	uint64_t ip, sp, bp;
	/*
	 * With a link register bx is that, 0 where it has nothing to tell any more; bx_at is always 0.
	 * Else rbx: hardly a frame is found by it. So it is only noted where the caller's was saved (bx_at;
	 * 0: not at all, bx holds), and read when it is asked for. bx 0, bx_at 0: not known.
	 */
	uint64_t bx, bx_at;
	uint32_t exact; /* ip is the address of the frame itself, not of the instruction after a call */
	uint32_t first; /* no frame has been walked yet */
	uint32_t interrupted; /* a signal frame has been walked: the temporaries were other code's */
	/*
	 * Not 0: this frame is what a signal has interrupted, and there, with rbx, are its registers (struct
	 * sigcontext, arch/x86/include/uapi/asm/sigcontext.h; on aarch64 from x0 on).
	 */
	uint64_t context;
	/*
	 * 1: the frame walked last was not called, its return address was put there: it begins at
	 * that address, a byte behind the one that was looked up. Else 0.
	 */
	uint32_t planted;
	/*
	 * Not 0: rbp is no longer that of this frame but of the one with a landing pad to which it
	 * is about to be left, of which the unwinder's struct _Unwind_Context there tells more.
	 */
	uint64_t landing;
	uint32_t unwinders; /* frames so far of which walk_unwinder has searched the stack */
	uint32_t loose; /* sp is not known, only that it is no less than that (walk_aarch64.h) */
};

/* A frame pointer is believed within this distance of the stack pointer. */
#define WALK_FRAME_POINTER_REACH (1024 * 1024)

/* Reads rbx if it was saved. Returns 0, or below 0: not readable (*r is unchanged). */
static inline int walk_fetch_bx(struct walk_registers *r, void *memory)
{
	uint64_t bx = 0;

	if (!r->bx_at)
		return 0;
	if (walk_read(&bx, r->bx_at, memory) < 0)
		return -1;
	r->bx = bx;
	r->bx_at = 0;
	return 0;
}

/* The address to look up: a return address may be the first byte of the next function. */
static inline uint64_t walk_lookup_address(const struct walk_registers *r)
{
	return r->exact ? r->ip : r->ip - 1;
}

#if defined(WIRE_LINK_REGISTER)
/* Frames have it anywhere, so what is above it is not the end of this one. */
static inline void walk_passed_frame_pointer(struct walk_registers *r)
{
	r->bx = 0;
	r->loose = 1;
}

/*
 * A return address without its signature (pointer authentication), which lies in the bits that no
 * address of user space has: those are below 2^48, but for programs that ask for higher ones.
 */
static inline uint64_t walk_address(uint64_t signed_address)
{
	return signed_address & ((1ULL << 48) - 1);
}

/* Does a program begin there? The kernel starts it without a frame, and without a return address. */
static inline int walk_is_entry(const struct walk_registers *r)
{
	return r->exact && r->bx == 0;
}
#else
static inline int walk_is_entry(const struct walk_registers *r)
{
	(void)r;
	return 0;
}

static inline void walk_passed_frame_pointer(struct walk_registers *r)
{
	(void)r;
}

static inline uint64_t walk_address(uint64_t address)
{
	return address;
}
#endif

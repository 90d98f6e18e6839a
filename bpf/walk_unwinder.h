/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* C++ exceptions in flight: the way through libgcc's unwinder. See walk.h. */
#pragma once

#include "walk_registers.h"

/* How large a frame of the unwinder and its distance from the landing pad's may be, in words. */
#define WALK_UNWINDER_WORDS 512
#define WALK_UNWOUND_WORDS 8192
/*
 * Exceptions that are under way at once, one in a destructor that another has called. Who makes
 * every frame look like the unwinder's must not make the kernel search for 0.1 s.
 */
#define WALK_UNWINDERS_MAX 4

/* Offsets in struct _Unwind_Context on x86-64, and its size: libgcc/unwind-dw2.c. */
#define CONTEXT_RBP 48  /* address of the rbp that was saved */
#define CONTEXT_CFA 144 /* the stack pointer in the frame that it describes */
#define CONTEXT_RA 152  /* where that frame goes on */
#define CONTEXT_BYTES 240

/*
 * Before libgcc's unwinder jumps to a landing pad (__builtin_eh_return), it puts that function's
 * registers in place of those that its own frame has saved, in the order of their DWARF numbers: at
 * last a return address into that function. Its frame begins right above the place where the same
 * return address was found, until the landing pad's address is written there: to rcx, or rcx bytes
 * further than the other one.
 *
 * That all this has begun is told by two struct _Unwind_Context in the unwinder's frame. The first
 * describes that frame itself, with the return address that it had; the second the frame of the
 * landing pad.
 *
 * cfa, *ip, bp: as they were found for the unwinder's caller. Returns the caller's stack pointer,
 * and changes *ip, *exact and r->landing if need be.
 */
static inline uint64_t walk_unwinder(struct walk_registers *r, uint64_t cfa, uint64_t *ip,
				     uint64_t bp, uint32_t *exact, void *memory)
{
	uint64_t words = (cfa - r->sp) / 8, place, before = 0, landing_pad = 0, slot = 0;
	uint64_t other, sp = 0;

	if (words > WALK_UNWINDER_WORDS || r->unwinders >= WALK_UNWINDERS_MAX)
		return cfa;
	r->unwinders++;
	place = walk_search(r->sp, words, cfa, memory);
	if (!place || walk_read(&before, place + 8, memory) < 0 || !before)
		return cfa;
	other = place + CONTEXT_BYTES - CONTEXT_CFA;
	if (before == *ip) {
		/* Maybe rbp has been exchanged already, and the return address has not. */
		if (walk_read(&slot, other + CONTEXT_RBP, memory) == 0 && slot > cfa &&
		    walk_read(&before, slot, memory) == 0 && before == bp)
			r->landing = other;
		return cfa;
	}
	if (r->first) {
		place = walk_temporary(TEMPORARY_CX, memory);
		if (place < WALK_FRAME_POINTER_REACH)
			place += cfa - 8;
		if (place - cfa < WALK_FRAME_POINTER_REACH &&
		    walk_read(&landing_pad, place, memory) == 0 && landing_pad &&
		    walk_search(r->sp, words, landing_pad, memory)) {
			*ip = landing_pad;
			*exact = 1;
			return place + 8;
		}
	}
	/* A function that aligns its stack has the same return address a second time, lower. */
	if (walk_read(&sp, other + CONTEXT_CFA, memory) == 0 && sp > cfa &&
	    walk_read(&landing_pad, sp - 8, memory) == 0 && landing_pad == *ip)
		return sp;
	place = walk_search(cfa, WALK_UNWOUND_WORDS, *ip, memory);
	if (place)
		return place + 8;
	*ip = before;
	return cfa;
}

/* From a frame whose rbp is that of the one with the landing pad to that one. */
static inline int walk_to_landing_pad(struct walk_registers *r, uint64_t context, void *memory)
{
	uint64_t ip = 0, sp = 0;

	if (walk_read(&sp, context + CONTEXT_CFA, memory) < 0 ||
	    walk_read(&ip, context + CONTEXT_RA, memory) < 0)
		return WALK_NOT_PRESENT;
	if (sp <= r->sp)
		return WALK_NO_PROGRESS;
	r->ip = ip;
	r->sp = sp;
	r->exact = 1;
	return WALK_OUTCOME_COUNT;
}

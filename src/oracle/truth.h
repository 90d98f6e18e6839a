/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The true stack of a thread, from watching it: whom it called, what it returned from.
 *
 * A frame is a return address and the place where it lies (its slot). It is there from the call on
 * until the stack pointer is above its slot, however it came there: by a return, by longjmp, by an
 * exception. A jump leaves it as it is. So nothing here knows of unwind tables, nor of the compiler.
 *
 * Stack pointers that are set (from another register, from memory) and not moved may lead to
 * another stack: to one that was left before, at the same place or, for a language that moves its
 * stacks, at another with the same return addresses; or to a new one. Signals: the kernel has
 * written what it interrupted into the frame of the handler (asm/sigframe.h, asm/ucontext.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "oracle/code.h"

enum truth_kind {
	TRUTH_CALLED,
	TRUTH_PLANTED, /* nobody called: the return address was written below a new stack's end */
	TRUTH_INTERRUPTED, /* by a signal */
};

struct truth_stack;

struct truth_frame {
	uint64_t slot;	  /* where the return address lies; INTERRUPTED: struct ucontext */
	uint64_t address; /* where it goes on: a return address, or the interrupted instruction */
	uint64_t sp;	  /* INTERRUPTED: the stack pointer there */
	uint64_t bp;	  /* CALLED: rbp at the call, which it will have again after the return */
	uint8_t kind;	  /* enum truth_kind */
	bool exact;	  /* `address` was about to be executed: nothing was called */
	bool lifted;	  /* the return address was taken off its slot, into a register */
	struct truth_stack *came_from; /* INTERRUPTED: as in struct truth_thread, at that moment */
};

struct truth_stack {
	ARRAY_OF(struct truth_frame) frames; /* outermost first */
	uint64_t base;			     /* the stack pointer with which it began */
	uint64_t sp;			     /* while no thread is on it: where it was left */
	uint64_t left;			     /* when that was, a count; 0: a thread is on it */
	bool dead;
	/*
	 * Code that set the stack pointer and went on to call: what it called has begun on top of
	 * `below` frames that are not its callers. Those are on the stack it came from.
	 */
	struct truth_stack *from; /* NULL: none */
	uint32_t below;
};

#define TRUTH_COUNTS(COUNT)                                                                        \
	COUNT(CALLS, "calls")                                                                      \
	COUNT(RETURNS, "returns")                                                                  \
	COUNT(ELSEWHERE, "elsewhere") /* returns that did not go where the call came from */       \
	COUNT(UNWOUND, "unwound")     /* frames left without a return */                           \
	COUNT(LIFTED, "lifted")	      /* return addresses taken into a register */                 \
	COUNT(RELOCATED, "relocated") /* ... and put elsewhere on the stack */                     \
	COUNT(SIGNALS, "signals")                                                                  \
	COUNT(SIGRETURNS, "sigreturns")                                                            \
	COUNT(INJECTED, "injected") /* calls that a signal handler has made up */                  \
	COUNT(SWITCHES, "switches") /* to a stack that was left before */                          \
	COUNT(MOVED, "moved")	    /* the same, found at another place */                         \
	COUNT(STACKS, "stacks")	    /* begun */

enum truth_count {
#define COUNT(name, text) TRUTH_##name,
	TRUTH_COUNTS(COUNT)
#undef COUNT
		TRUTH_COUNT_COUNT
};

/* Of a process. */
struct truth {
	ARRAY_OF(struct truth_stack *) stacks;
	uint64_t counts[TRUTH_COUNT_COUNT];
	uint64_t clock;
	/* Reads a word of the process's memory. Returns whether it could. */
	bool (*read)(void *context, uint64_t address, uint64_t *ret);
	/* Is there executable memory at the address? */
	bool (*is_code)(void *context, uint64_t address);
	void *context;
};

struct truth_thread {
	struct truth_stack *stack;
	struct truth_stack *came_from; /* the stack pointer was set; not called or jumped since */
};

/* What happened between two stops of a thread. */
struct truth_step {
	enum code_kind kind; /* of the instruction at `ip` */
	uint8_t size;
	uint64_t ip, sp, bp, ax; /* before */
	uint64_t to_ip, to_sp;
	bool signalled; /* a signal was handed over */
};

/* A thread begins with this stack pointer; whatever it had before is gone (exec). */
void truth_begin(struct truth *truth, struct truth_thread *thread, uint64_t sp);
void truth_step(struct truth *truth, struct truth_thread *thread, const struct truth_step *step);
void truth_end(struct truth_thread *thread);

struct truth_caller {
	uint64_t address; /* to look up: in the call, or the interrupted instruction */
	bool exact;
	bool planted; /* then, does the address stand for itself or for a call? Only who planted it knows */
	bool changing;	    /* the signal's handler is about to change where it goes on */
	bool last_of_stack; /* the next one is on the stack from which it was switched to this one */
	const struct truth_frame *frame;
};

/*
 * The callers of the code that the thread executes, innermost first, behind callers[0], which is that
 * code itself, up to `limit` with it. arrived: take code that has just set the stack pointer to
 * another stack for code of that stack; else it belongs to the one that it came from.
 * Returns how many there are, with callers[0].
 */
uint32_t truth_list(const struct truth *truth, const struct truth_thread *thread,
		    struct truth_caller *callers, uint32_t limit, bool arrived);
void truth_fini(struct truth *truth);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the code of a Go function tells, x86-64: where the caller's rbp is saved, and where the
 * stack pointer is moved to another stack. A few bytes are looked at, at places where Go's compiler
 * and assembler put them (cmd/internal/obj/x86/obj6.go, preprocess); nothing is disassembled.
 */
#pragma once

#include "base/array.h"
#include "base/file_window.h"
#include "elf/object.h"

/* The code of an object, read through a window. */
struct go_code {
	const struct object *object;	      /* borrowed */
	const struct object_segment *segment; /* that the window lies over; NULL: none yet */
	struct file_window window;
};

void go_code_init(struct go_code *code, const struct object *object);
/* Does all of [start, end) lie in one executable segment, in the file? */
bool go_code_covers(struct go_code *code, uint64_t start, uint64_t end);
/* The code at an address, good until the next call; NULL when it is not all there. */
const unsigned char *go_code_at(struct go_code *code, uint64_t address, size_t size);

/* Between `start` and `end` the stack pointer is `delta` bytes below where it was at the entry. */
struct go_step {
	uint64_t start, end; /* ELF addresses */
	int32_t delta;
};

/* The steps of one function, ascending, without gaps. */
struct go_steps {
	ARRAY_OF(struct go_step) list;
};

/* How a function treats rbp. */
struct go_frame {
	uint64_t saved_from; /* from this address on the caller's is saved; 0: never */
	uint8_t slot;	     /* at CFA - 8 * slot */
	uint64_t from; /* from this address on rbp is CFA - 16, while the frame stands; 0: never */
	bool restored_early; /* it gets the caller's back before the frame is given up */
};

/* assembly: hand-written code, which may save it later than at the first step. */
struct go_frame go_code_frame(struct go_code *code, const struct go_steps *steps, bool assembly);
/*
 * Bytes of the instruction that ends at `address` and gives up the frame by an addition to rsp; 0:
 * it is another one.
 */
unsigned go_code_frame_end(struct go_code *code, uint64_t address);

/* Where rsp gets a value that is not a sum: behind the first and behind the last such instruction. */
struct go_switch {
	uint64_t first, last; /* 0, 0: nowhere; the same: only once */
};

/* start, end: of the function; only the first some thousand bytes are looked at. */
struct go_switch go_code_switch(struct go_code *code, uint64_t start, uint64_t end);

/*
 * A stretch of runtime.asmcgocall in which it is on the system's stack and has noted there how to
 * get back: see RULE_DEPTH, bpf/wire.h.
 */
struct go_call {
	uint64_t switched; /* rsp is on the other stack from here on */
	uint64_t from, to; /* the note is there */
	uint16_t words;	   /* at rsp + 8 * words */
};

enum { GO_CALLS = 4 };

/* Returns how many stretches there are, ascending. */
unsigned go_code_calls(struct go_code *code, uint64_t start, uint64_t end,
		       struct go_call ret[GO_CALLS]);
/* runtime.gogo, which leaves for a goroutine that waits: a gobuf at rbx tells where it is. */
struct go_resume {
	uint64_t from; /* rsp is the goroutine's from here on, and its pc in the gobuf */
	uint64_t last; /* the jump: rbx is its pc */
};

bool go_code_resume(struct go_code *code, uint64_t start, uint64_t end, struct go_resume *ret);
/* Is it the code to which signal handlers return? */
bool go_code_is_signal_return(struct go_code *code, uint64_t start);

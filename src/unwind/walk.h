/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walker of the kernel half (bpf/walk.h), compiled for user space: finishes walks that the
 * kernel half had to leave, from the registers and the piece of stack in the sample.
 */
#pragma once

#include <stdint.h>

#include "bpf/wire.h"
#include "unwind/table_store.h"

/* What lies farther behind the end of a copy is on another stack: no frame is that large. */
#define WALK_FRAME_BYTES_MAX (1ULL << 20)

struct walk_input {
	const struct table_store *store;
	const struct wire_mapping *mappings; /* ascending, of the process at the moment */
	uint32_t mapping_count;
	uint64_t ip, sp, bp; /* registers of the first frame */
	uint64_t bx;         /* likewise; 0: not known */
	const uint64_t *temporaries; /* of the leaf, by enum wire_temporary; 0: not known */
	bool exact;          /* ip is that frame's own address, not a return address */
	bool leaf;           /* no frame was walked before it */
	bool loose;          /* sp is only known not to be less */
	const unsigned char *stack; /* the memory from stack_address on */
	uint64_t stack_address;
	uint32_t stack_bytes;
	const unsigned char *other; /* of another stack, from other_address on */
	uint64_t other_address;
	uint32_t other_bytes; /* 0: none */
	const unsigned char *far; /* struct wire_far_line, ascending, not aligned */
	uint32_t far_lines; /* 0: none */
	/*
	 * Instead of copies, when it is set: reads a word of the process's memory. Returns 0, or
	 * below 0: not readable.
	 */
	int (*read)(uint64_t *ret, uint64_t address, void *read_context);
	void *read_context;
	uint64_t *unread; /* set to the address that could not be read; NULL: not wanted */
};

/* Where a walk has ended, to go on from. */
struct walk_end {
	uint64_t ip, sp, bp, bx; /* registers of the frame whose caller could not be found */
	uint64_t address;	 /* the one that was looked up for it */
};

/* end: may be NULL. The rest as walk_run. */
enum walk_outcome walk_run_to(const struct walk_input *input, uint64_t *addresses, uint32_t limit,
			      uint32_t *count, struct walk_end *end);

/*
 * Walks until the end or until something is missing.
 * addresses: room for `limit` look-up addresses, leaf first; *count: how many there are. Unless
 * complete or too deep, the last one is that of the frame whose caller could not be found.
 * missing: when the result is WALK_NO_TABLE, the address that needs one; may be NULL.
 * Returns why the walk ended; never WALK_OUTCOME_COUNT.
 */
enum walk_outcome walk_run(const struct walk_input *input, uint64_t *addresses, uint32_t limit,
			   uint32_t *count, uint64_t *missing);

/* The mapping that holds the address, or NULL. mappings: ascending. */
const struct wire_mapping *walk_mapping(const struct wire_mapping *mappings, uint32_t count,
					uint64_t address);

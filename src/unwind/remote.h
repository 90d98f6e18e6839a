/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second way to walk a copied stack: libunwind (unw_init_remote(3)) over the copy and the objects' files,
 * which knows nothing of unwind tables. What it needs of the files it asks for through callbacks.
 *
 * libunwind believes what files say of themselves: this belongs into a process that may crash and may run
 * for ever, see reader/answer_walk.c.
 *
 * Code has other addresses in each process. libunwind sees it where whoever calls has it appear, always at
 * the same place for the same code: so what it has found out about a frame in one process holds for all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bpf/wire.h"

/* Registers, all 0 where they are not known. temporaries: by enum wire_temporary. */
struct remote_registers {
	uint64_t ip, sp, bp, bx;
	uint64_t temporaries[WIRE_TEMPORARIES];
};

/* Executable code of an object that has .eh_frame_hdr (Linux Standard Base, "Exception Frames"), as it appears. */
struct remote_code {
	uint64_t start, end;
	uint64_t header_address; /* of .eh_frame_hdr: what its entries count from */
	uint64_t table_address;	 /* of the search table behind its head */
	uint32_t entries;	 /* of that table */
};

struct remote_objects {
	/* Where code of the process appears; what is no code stays what it is. And back. */
	uint64_t (*appear)(void *context, uint64_t address);
	uint64_t (*real)(void *context, uint64_t appearance);
	/* What holds the code that appears there. Returns 0, or below 0: nothing that could be searched. */
	int (*code)(void *context, struct remote_code *ret, uint64_t appearance);
	/* The word of an object that appears there. Returns 0, or below 0: not to be had. */
	int (*read)(void *context, uint64_t *ret, uint64_t appearance);
	void *context;
};

struct remote_input {
	struct remote_registers leaf;
	bool exact; /* leaf.ip is the address of the frame itself, not of the instruction after a call */
	const unsigned char *stack; /* the memory from stack_address on, `stack_bytes` of it */
	uint64_t stack_address;
	uint32_t stack_bytes;
	const struct remote_objects *objects;
};

/* The first frame that is not in the list. */
struct remote_end {
	uint64_t ip, sp, bp, bx;
	bool exact;
};

struct remote_walker;

/* NULL: out of memory. */
struct remote_walker *remote_walker_new(void);
void remote_walker_free(struct remote_walker *walker);
/*
 * addresses: room for `limit` look-up addresses, leaf first; *count: how many frames have a caller that was
 * found, or are outermost. Unless the result is WALK_COMPLETE, *end is where to go on.
 */
enum walk_outcome remote_walk(struct remote_walker *walker, const struct remote_input *input,
			      uint64_t *addresses, uint32_t limit, uint32_t *count,
			      struct remote_end *end);

/* One for each architecture: the register with libunwind's number. Returns 0, or below 0: not known. */
int remote_register(const struct remote_registers *registers, int number, uint64_t *ret);
/* libunwind's numbers of what is called bp and bx here. */
extern const int remote_number_of_bp, remote_number_of_bx;
/* Callers have it, too: bx is not the link register, which tells of the leaf, or what a signal interrupted. */
extern const bool remote_bx_lasts;

/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that are known of an object whose code is decoded: where they begin, and why. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"

/* How surely a function begins at an address, the surest first. */
enum function_trust {
	FUNCTION_CERTAIN, /* a function's symbol, a call, or what the loader calls */
	FUNCTION_LABEL,	  /* a symbol that assembly code has left without a type */
	FUNCTION_TAKEN,	  /* an instruction names the address */
	FUNCTION_POINTER, /* the address lies in data: a function's, or that of a switch's label */
};

struct code_function {
	uint64_t start; /* ELF address */
	uint64_t size;	/* as its symbol says; 0: not told */
	uint8_t trust;	/* enum function_trust */
	bool outermost; /* not called: the program's entry */
	/* What following it has shown (elf/function_flow.h): */
	bool followed;
	bool known;   /* what follows was found out, else it is assumed */
	bool revised; /* a guess was wrong: with more known of others it may come out better */
	bool leaves;  /* a path through it comes back, as far as anybody can tell */
	bool returns_itself; /* by an instruction that was seen */
	uint16_t changes;    /* bits of REGISTER_BX, REGISTER_BP, REGISTER_SP: not preserved */
	uint32_t first_piece, piece_count, first_call, call_count;
	/* What is believed of it when it is called; functions it ends in by a jump included: */
	bool settled; /* whether it returns is known, not just assumed */
	bool returns;
	uint16_t clobbered; /* as `changes` */
};

struct function_list {
	ARRAY_OF(struct code_function) functions; /* in the order in which they were found */
	struct hash_index by_start;
	uint32_t limit; /* no more than so many */
};

void function_list_fini(struct function_list *list);
static inline void function_list_fini_cleanup(struct function_list *list)
{
	function_list_fini(list);
}
/*
 * Adds a function, or adds to what is known of it. size: 0 when it is not known.
 * Returns 0 (also when the limit is reached and it is left out) or -ENOMEM.
 */
int function_list_add(struct function_list *list, uint64_t start, uint64_t size,
		      enum function_trust trust);
/* The number of the function that begins there, or HASH_ABSENT. */
uint32_t function_list_find(const struct function_list *list, uint64_t start);

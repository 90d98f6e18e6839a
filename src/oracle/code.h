/* SPDX-License-Identifier: Apache-2.0 */
/* What an instruction does to the stack of calls: told from its bytes, remembered by address. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"

enum code_kind {
	CODE_OTHER,  /* changes rsp by a distance if at all: push, sub, lea 8(%rsp), leave, ... */
	CODE_CALL,   /* pushes the address behind itself and goes elsewhere */
	CODE_RETURN, /* takes an address off the stack and goes there */
	CODE_JUMP,   /* goes where a register or memory says */
	CODE_SYSCALL,
	CODE_POP,      /* takes a word off the stack, into another register or memory */
	CODE_SETS_SP,  /* rsp from another register, whatever it was before */
	CODE_LOADS_SP, /* rsp from memory */
	CODE_UNKNOWN,  /* bytes that cannot be read or decoded: it will fault */
};

struct code {
	uint64_t address;
	uint8_t size;
	uint8_t kind; /* enum code_kind */
};

struct code_cache {
	ARRAY_OF(struct code) known;
	struct hash_index index; /* by address */
};

enum { CODE_MAX_BYTES = 15 };

/*
 * The instruction at an address; `read` is only called for one that is not known yet, and gives as
 * many of `size` bytes as there are. Good until the next call.
 */
const struct code *code_at(struct code_cache *cache, uint64_t address,
			   size_t (*read)(void *context, uint64_t address, void *ret, size_t size),
			   void *context);
/* After code was unmapped or replaced. Code that changes itself is not noticed. */
void code_forget(struct code_cache *cache);

/*
 * The text of the first instruction in the bytes, in AT&T syntax, and its size in bytes; 0: there is none.
 */
size_t code_text(char *ret, size_t ret_size, uint64_t address, const void *bytes, size_t size);

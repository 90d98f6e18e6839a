/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions with which an object gives out memory, and where each can be probed cheaply.
 *
 * What a probe costs is decided by the instruction below it: x86-64 kernels emulate push of a register,
 * relative jumps and a one-byte nop within the trap (arch/x86/kernel/uprobes.c, branch_setup_xol_ops
 * and push_setup_xol_ops), and single-step a copy of any other one, which takes ten times as long. A
 * longer nop is left alone, too: for that newer kernels map a page into the process and never take it
 * away. So a site is the first emulated instruction that is passed by each call while registers still
 * hold the arguments.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "elf/object.h"

enum allocation_function {
	ALLOCATION_MALLOC,
	ALLOCATION_CALLOC,
	ALLOCATION_REALLOC,
	ALLOCATION_MEMALIGN,
	ALLOCATION_ALIGNED_ALLOC,
	ALLOCATION_POSIX_MEMALIGN,
	ALLOCATION_VALLOC,
	ALLOCATION_MALLOCX, /* jemalloc's own */
	ALLOCATION_RALLOCX,
	ALLOCATION_NEW, /* C++'s, of which there are eight */
	/* Those that take memory back: by its address alone, or with more that is known of it. */
	ALLOCATION_FREE,
	ALLOCATION_DELETE,
	ALLOCATION_FUNCTIONS
};

enum allocation_outcome {
	ALLOCATION_SITE,     /* there is one */
	ALLOCATION_FORWARDS, /* each call calls another of these functions, which is probed */
	ALLOCATION_NO_SITE,  /* no cheap instruction */
	ALLOCATION_OUTCOMES
};

enum allocation_flags {
	/*
	 * Calls that only lead on to malloc, which counts them: of realloc and the like those without
	 * an old block, of memalign and the like those for an alignment up to 16.
	 */
	ALLOCATION_NULL_LEADS_ON = 1,
	ALLOCATION_SMALL_LEADS_ON = 2,
};

enum {
	ALLOCATION_SITES_MAX = 128,
	ALLOCATION_SLOTS_MAX = 1024,
	ALLOCATION_PROLOGUE_BYTES = 128, /* how far from the function's entry a site may be */
	ALLOCATION_STACK_MAX = 4096,
};

struct allocation_site {
	uint64_t entry, address; /* ELF addresses: of the function, of the instruction */
	enum allocation_function function;
	enum allocation_outcome outcome;
	uint32_t flags; /* enum allocation_flags */
	/*
	 * Numbers of registers (elf/instruction.h) that hold at the site: the size, or the block of those
	 * that take it back; the count of calloc, the old block of realloc, or the alignment of memalign,
	 * else REGISTER_NONE; where posix_memalign puts its result, or REGISTER_NONE where none holds it.
	 */
	uint8_t size_register, other_register, result_register;
	bool may_throw; /* it is left by an exception, too: operator new that is not nothrow */
	uint32_t stack_moved; /* how far rsp is below what it was at the entry, in bytes */
};

struct allocator {
	ARRAY_OF(struct allocation_site) sites; /* at most ALLOCATION_SITES_MAX */
	/*
	 * ELF addresses of pointers that ld.so sets to the process's malloc (which may be another
	 * object's), or, until it is called, back into the object itself.
	 */
	ARRAY_OF(uint64_t) slots; /* at most ALLOCATION_SLOTS_MAX */
	bool prefixed; /* the functions have names of their own (je_malloc), beside anybody's malloc */
	bool calls_new; /* operator new of another object is called from here */
};

/*
 * Returns 0, also for an object without any; -EOPNOTSUPP: profd was built without a decoder; or another
 * negative errno.
 */
int allocator_read(struct allocator *ret, const struct object *object);
void allocator_fini(struct allocator *allocator);
static inline void allocator_fini_cleanup(struct allocator *allocator)
{
	allocator_fini(allocator);
}
/* Does it take memory back? */
bool allocation_function_releases(enum allocation_function function);
/* As people write them; of one C++ operator for all. */
const char *allocation_function_name(enum allocation_function function);

/* SPDX-License-Identifier: Apache-2.0 */
/* What an ELF file itself tells of where its code is entered, and of calls that never come back. */
#pragma once

#include "elf/code.h"
#include "elf/function_list.h"

/*
 * Adds the functions that begin in `code`: the program's entry, symbols, what the loader calls, the
 * entries of procedure linkage tables. Returns 0 or a negative errno.
 */
int code_entries_list(struct function_list *ret, struct code *code,
		      const struct section_table *sections);
/*
 * Adds the addresses in `code` that lie in data, by themselves or as relocations put them there, as
 * FUNCTION_POINTER. Reads all of the data: for objects with much code that nothing else tells of.
 * Returns 0 or a negative errno.
 */
int code_entries_list_pointers(struct function_list *ret, struct code *code,
			       const struct section_table *sections);

/* How many bytes that would read. */
uint64_t code_entries_pointer_bytes(const struct code *code, const struct section_table *sections);
/*
 * Adds what the code that `covered` has rows for calls, jumps to or points to in `code`: assembly
 * without unwind information in a library that has it else. Reads all of that code. Returns 0 or a
 * negative errno.
 */
int code_entries_list_called(struct function_list *ret, struct code *code,
			     const struct cfi_table *covered);

/* ELF addresses of pointers that the loader sets to functions which never return (abort, exit). */
struct no_return_pointers {
	struct hash_index index; /* of hash_u64(address) */
	uint32_t count;
};

int no_return_pointers_read(struct no_return_pointers *ret, const struct object *object,
			    const struct section_table *sections);
void no_return_pointers_fini(struct no_return_pointers *pointers);
static inline void no_return_pointers_fini_cleanup(struct no_return_pointers *pointers)
{
	no_return_pointers_fini(pointers);
}
bool no_return_pointers_have(const struct no_return_pointers *pointers, uint64_t address);

/*
 * The code to which signal handlers return: the system call rt_sigreturn and nothing else. Calls
 * `found` with the ELF addresses of its beginning and its end, for each. Returns 0 or what found
 * returned below 0.
 */
int code_entries_find_sigreturn(struct code *code,
				int (*found)(void *context, uint64_t start, uint64_t end),
				void *context);

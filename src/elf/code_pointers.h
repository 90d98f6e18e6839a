/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of code that lie in an ELF file's data: what may be called through pointers. */
#pragma once

#include "elf/code.h"
#include "elf/function_list.h"

/*
 * Adds the addresses in `code` that lie in data, by themselves or as relocations put them there, as
 * FUNCTION_POINTER. Reads all of the data: for objects with much code that nothing else tells of.
 * Returns 0 or a negative errno.
 */
int code_pointers_list(struct function_list *ret, struct code *code,
		       const struct section_table *sections);
/* How many bytes that would read. */
uint64_t code_pointers_bytes(const struct code *code, const struct section_table *sections);

/* SPDX-License-Identifier: Apache-2.0 */
/* What an ELF file itself tells of where its code is entered. */
#pragma once

#include "elf/code.h"
#include "elf/function_list.h"

/*
 * Adds the functions that begin in `code`: the program's entry, symbols, what the loader calls, the
 * entries of procedure linkage tables. Returns 0 or a negative errno.
 */
int code_entries_list(struct function_list *ret, struct code *code,
		      const struct section_table *sections);

/* SPDX-License-Identifier: Apache-2.0 */
/* What code with rows tells of code without them. */
#pragma once

#include "elf/cfi.h"
#include "elf/code.h"
#include "elf/function_list.h"

/*
 * Adds what the code that `covered` has rows for calls, jumps to or points to in `code`: assembly
 * without unwind information in a library that has it else. Reads all of that code. Returns 0 or a
 * negative errno.
 */
int code_calls_list(struct function_list *ret, struct code *code, const struct cfi_table *covered);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the walker has to know of a few functions and CFI does not say: that the stack of a
 * coroutine begins there, that a frame may be about to be left for a landing pad.
 */
#pragma once

#include "elf/cfi.h"

/*
 * Changes the rows of `table`, which are those of `object`, where they belong to such a function:
 *
 * - glibc's __start_context, to which a function that makecontext has prepared returns, is
 *   RULE_END. It is entered without a call, so the byte before it is, too (return addresses are
 *   looked up one byte before).
 * - functions that leave by __builtin_eh_return (libgcc's unwinder): RULE_UNWINDER at their end and
 *   RULE_NEXT_EXACT in their last instructions.
 *
 * Returns 0 or a negative errno; then `table` still holds rows, if not all of these.
 */
int row_marks_add(struct cfi_table *table, const struct object *object);

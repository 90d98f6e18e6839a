/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of an object from everything that tells of its frames. What the compiler wrote comes
 * first; the others only fill the gaps that it leaves. Of what Go's compiler writes, its own table
 * comes before .debug_frame, which tells neither of rbp nor of other stacks.
 */
#pragma once

#include "elf/cfi.h"

/*
 * Fills the gaps (CFI_GAP, before the first row and behind the last one too) of `table` with what
 * `more` says there; everything else stays as it is. Both as cfi_read gives them, rows ascending.
 * Takes over the starts of functions that lie in gaps, and adds up the counts.
 * Returns 0 or a negative errno (-EFBIG: more rows than profd holds); then `table` is unchanged.
 */
int cfi_table_fill(struct cfi_table *table, const struct cfi_table *more);

/* As cfi_read, from all sources. Returns 0 (also without any rows) or a negative errno. */
int rows_read(struct cfi_table *ret, const struct object *object);

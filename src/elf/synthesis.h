/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows for code without call frame information, from the code itself: each function is decoded from
 * its start and followed, and what its instructions do to the frame becomes rows.
 *
 * A function that is not found has no rows; where the frame cannot be known the row says so
 * (CFI_UNKNOWN). Only x86-64.
 */
#pragma once

#include "elf/cfi.h"

/*
 * covered: the rows there are already; only their gaps are looked at, so that a file with full call
 * frame information costs next to nothing. Functions that it lists in gaps are decoded, too. As cfi_read otherwise; the work and the memory it takes
 * are limited whatever the file says. Returns 0 (also without any rows) or a negative errno.
 */
int synthesis_rows(struct cfi_table *ret, const struct object *object,
		   const struct cfi_table *covered);

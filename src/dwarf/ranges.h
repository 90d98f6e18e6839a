/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses that an entry covers (DWARF 5 sections 2.17, 7.25; DWARF 4 section 2.17.3). */
#pragma once

#include "dwarf/dwarf_file.h"

/* Takes [low, high), low below high. Returns 0 or a negative errno, which ends it. */
typedef int (*range_fn)(void *context, uint64_t low, uint64_t high);

/*
 * Calls `take` for each range of the entry, in the order of the file. Returns 0 (also when there are
 * none, or when the list makes no sense from somewhere on), or what `take` returned below 0.
 */
int ranges_each(struct dwarf_file *file, const struct dwarf_unit *unit, const struct entry *entry,
		range_fn take, void *context);

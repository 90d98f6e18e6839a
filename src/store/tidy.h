/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the history small, in steps that may be cut off at any moment:
 *
 *   10 s windows → 1 min when they are older than an hour → 10 min when older than a day,
 *
 * each time with one tree of call paths for what was several, addresses with the same function,
 * line and inlined functions as one, and rare stacks thinned without bias (thin.h); then the oldest
 * hours go, by age and by size.
 *
 * Names that no window refers to any more go, too: the name of an address stays for an hour at
 * least after the last window with it, and until then may be left out of windows.
 */
#pragma once

#include <stdint.h>

#include "store/store.h"

/*
 * Does what is due at now_ns (CLOCK_REALTIME), with a connection of its own, beside a profd that
 * writes. Returns 0; STORE_BUSY: another one is at it; STORE_MISSING, STORE_NEWER, STORE_DAMAGED
 * (the writer is told, and sets it aside), STORE_ABSENT; or a negative errno. Whenever it is not 0,
 * *why has a line for a person.
 */
int store_tidy(const struct store_options *options, int64_t now_ns, struct bytes *why);

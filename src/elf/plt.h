/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that entries of procedure linkage tables lead to: code of a few bytes that calls of
 * other objects' functions go through, and that has no symbols.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "elf/object.h"

/*
 * The entry that holds an ELF address, if it is one for a function with a name. Returns 0, -ENOENT or
 * another negative errno.
 */
int plt_find(const struct object *object, uint64_t address, uint64_t *ret_start);
/* Appends the name of the function that the entry at `start` leads to, "malloc@plt". Returns as above. */
int plt_name(const struct object *object, uint64_t start, struct bytes *ret);

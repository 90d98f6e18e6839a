/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses a call could return to, as the bytes before them tell. */
#pragma once

#include <stdint.h>

#include "elf/object.h"

enum { CALL_NONE, CALL_INDIRECT }; /* neither is the address of a function */

/*
 * Does an instruction that calls end at the ELF address? Bytes that look like one may be part of
 * another instruction. Returns where it leads (an ELF address), CALL_INDIRECT when that is not in
 * the instruction, or CALL_NONE; this also where the file cannot be read.
 */
uint64_t call_ends_at(const struct object *object, uint64_t address);

/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 instructions as people read them: AT&T's syntax, which objdump writes, too. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { DISASSEMBLY_TEXT_BYTES = 128 };

/*
 * Writes the instruction at ELF address `address`, "(bad)" where there is none; bytes: `size` of them, at
 * least one. *ret_target: where it leads, if it says so, as a call does; 0: nowhere.
 * Returns how many bytes it has, or -EOPNOTSUPP: profd was built without a decoder.
 */
int disassemble(char ret[DISASSEMBLY_TEXT_BYTES], uint64_t *ret_target, const unsigned char *bytes,
		size_t size, uint64_t address);

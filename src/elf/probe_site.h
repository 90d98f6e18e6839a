/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a function a probe is cheap, see elf/allocator.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROBE_ARGUMENTS_MAX = 3 };

struct probe_site {
	uint32_t offset;			/* of the instruction, from the function's entry */
	uint8_t registers[PROBE_ARGUMENTS_MAX]; /* that hold the arguments there, or REGISTER_NONE */
	uint32_t stack_moved;
};

/* Does the kernel emulate the instruction of these `length` bytes? */
bool is_emulated_instruction(const unsigned char *bytes, size_t length);
/*
 * Looks for the first cheap instruction of the function whose code begins with these `size` bytes, at
 * ELF address `entry`. registers: PROBE_ARGUMENTS_MAX of them, that hold arguments at the entry, or
 * REGISTER_NONE; the first `count` have to be held by some register at the site. Returns whether there
 * is one.
 */
bool probe_site_find(struct probe_site *ret, const unsigned char *code, size_t size, uint64_t entry,
		     const uint8_t *registers, unsigned count);

/* SPDX-License-Identifier: Apache-2.0 */
/* What sections hold: elements all of one size, and strings. */
#pragma once

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/sections.h"

/*
 * Calls `take` with each whole element of the section, in chunks, as far as 512 MiB; element: its
 * size; address: the ELF address of the chunk. A short file ends it early. Returns 0, a negative
 * errno, or what take returned below 0.
 */
int section_for_each(int fd, const Elf64_Shdr *section, size_t element,
		     int (*take)(void *context, const void *elements, size_t count,
				 uint64_t address),
		     void *context);
/*
 * The strings of the section with this number (sh_link of what refers to them): *ret_size bytes and
 * a NUL behind them, which the caller frees; *ret stays as it is where there are none. Returns 0 or
 * a negative errno.
 */
int section_read_names(char **ret, uint64_t *ret_size, int fd, const struct section_table *sections,
		       uint32_t number);

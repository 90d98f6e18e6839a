/* SPDX-License-Identifier: Apache-2.0 */
/* What code looks like, as compilers write it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "elf/code.h"

/* The first instruction in [from, to), ELF addresses, that is no padding; `to`: there is none. */
uint64_t code_skip_padding(struct code *code, uint64_t from, uint64_t to);
/* Does the code at the ELF address look like the beginning of a function? */
bool code_looks_like_start(struct code *code, uint64_t address);

/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several names of the same code people know it by. */
#pragma once

#include <stdbool.h>

enum symbol_binding { SYMBOL_LOCAL, SYMBOL_WEAK, SYMBOL_GLOBAL };

/*
 * Whether of two names for the same code a reader expects `a` rather than `b`: one that others can
 * call before a local one, then fewest leading underscores, then global before weak, then the
 * shorter, then the first in the alphabet. So glibc's weak `puts` comes before its `_IO_puts`.
 */
bool symbol_name_preferred(const char *a, enum symbol_binding a_binding, const char *b,
			   enum symbol_binding b_binding);

/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What stands for bytes that are not UTF-8: U+FFFD. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/*
 * Puts the code point at `text` into *ret. size: bytes there are, at least 1.
 * Returns how many bytes it takes, 1 to 4, or 0 when they are not UTF-8 (*ret is untouched).
 */
size_t utf8_next(uint32_t *ret, const char *text, size_t size);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names as they may be shown. They come out of files and processes that anybody may have made, so
 * nothing of a name may steer a terminal, close a tag, or look like something that it is not.
 *
 * "Clean" text is valid UTF-8 in which every byte shows: control characters, bidirectional marks
 * and other invisible ones are written as \x1b or \u202e, and bytes that are not UTF-8 as U+FFFD.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define TEXT_INVALID UINT32_MAX

/* The same where it is no ASCII. */
uint32_t text_next_of_many(const char **at);
/*
 * The next code point of a NUL-terminated text (utf8_next says what counts as UTF-8), and moves
 * on. TEXT_INVALID: one byte that is no part of UTF-8 was skipped. 0: the end, stays there.
 */
static inline uint32_t text_next(const char **at)
{
	unsigned char c = (unsigned char)**at;

	if (c >= 0x80)
		return text_next_of_many(at);
	*at += c != 0;
	return c;
}
/* Columns of a character in a terminal and in a fixed-width font: 0, 1 or 2. */
unsigned text_char_columns(uint32_t c);
/* Whether it would act on its surroundings, or not show at all. */
bool text_is_hidden(uint32_t c);

/* Adds `text` made clean. */
void escape_clean(struct bytes *bytes, const char *text);

/*
 * The rest take clean text.
 * columns of a text; the bytes of the longest beginning that fits into `columns`.
 */
size_t text_columns(const char *text);
size_t text_fit(const char *text, size_t columns);
/* Adds as much as fits into `columns`, an ellipsis for what does not. Returns the columns used. */
size_t text_add_clipped(struct bytes *bytes, const char *text, size_t columns);
/* Adds `size` bytes for XML text and quoted attributes: & < > " ' (">" also breaks up "]]>"). */
void escape_xml(struct bytes *bytes, const char *text, size_t size);
/* Adds 1234567 as "1,234,567". */
void text_add_count(struct bytes *bytes, int64_t count);
/* Adds an amount of memory as "72.1 MiB"; below one KiB as "512 bytes". */
void text_add_size(struct bytes *bytes, int64_t size);
/* Adds "1,234 samples", "1 sample", "72.1 MiB" (of "bytes"): an amount in its unit, which is clean. */
void text_add_amount(struct bytes *bytes, int64_t amount, const char *unit);

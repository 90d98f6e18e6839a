/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to write (a growing buffer) and bytes not to be trusted (a bounded reader).
 *
 * Both remember the first failure instead of reporting every call: a formatter writes on and asks
 * once at the end; a parser reads zeros past the end and asks once whether it ran over.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	char *at;
	size_t size, capacity;
	bool failed; /* out of memory: contents are incomplete */
};

void bytes_fini(struct bytes *bytes);
static inline void bytes_fini_cleanup(struct bytes *bytes)
{
	bytes_fini(bytes);
}
void bytes_add(struct bytes *bytes, const void *data, size_t size);
void bytes_add_str(struct bytes *bytes, const char *text);
void bytes_add_char(struct bytes *bytes, char c);
void bytes_add_format(struct bytes *bytes, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The contents as a string owned by `bytes`; "" when empty, NULL when out of memory. */
const char *bytes_str(struct bytes *bytes);

struct reader {
	const unsigned char *at, *end;
	bool overrun; /* something past the end was asked for */
};

static inline struct reader reader_of(const void *data, size_t size)
{
	const unsigned char *at = data;

	/* Nothing may be nowhere: NULL has no end. */
	return (struct reader){ at, size ? at + size : at, false };
}

static inline size_t reader_left(const struct reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

/* The next `size` bytes, borrowed, or NULL past the end. */
static inline const unsigned char *reader_take(struct reader *reader, size_t size)
{
	const unsigned char *taken = reader->at;

	if (size > reader_left(reader)) {
		reader->overrun = true;
		reader->at = reader->end;
		return NULL;
	}
	reader->at += size;
	return taken;
}

#define READER_DEFINE(type, name)                                                                  \
	static inline type reader_##name(struct reader *reader)                                    \
	{                                                                                          \
		const unsigned char *taken = reader_take(reader, sizeof(type));                    \
		type value = 0;                                                                    \
		if (taken)                                                                         \
			memcpy(&value, taken, sizeof(value));                                      \
		return value;                                                                      \
	}
READER_DEFINE(uint8_t, u8)
READER_DEFINE(uint16_t, u16)
READER_DEFINE(uint32_t, u32)
READER_DEFINE(uint64_t, u64)
#undef READER_DEFINE

/* LEB128 as DWARF 5 section 7.6 defines it; bits past 64 are dropped. */
uint64_t reader_uleb(struct reader *reader);
int64_t reader_sleb(struct reader *reader);

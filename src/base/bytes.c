// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

static bool grow(struct bytes *bytes, size_t more)
{
	size_t capacity = bytes->capacity ? bytes->capacity : 256;
	char *grown;

	if (bytes->failed || more > SIZE_MAX / 4 - bytes->size) {
		bytes->failed = true;
		return false;
	}
	while (capacity < bytes->size + more)
		capacity *= 2;
	if (capacity == bytes->capacity)
		return true;
	grown = realloc(bytes->at, capacity);
	if (!grown) {
		bytes->failed = true;
		return false;
	}
	bytes->at = grown;
	bytes->capacity = capacity;
	return true;
}

void bytes_fini(struct bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct bytes){};
}

void bytes_add(struct bytes *bytes, const void *data, size_t size)
{
	if (!grow(bytes, size))
		return;
	if (size)
		memcpy(bytes->at + bytes->size, data, size);
	bytes->size += size;
}

void bytes_add_str(struct bytes *bytes, const char *text)
{
	bytes_add(bytes, text, strlen(text));
}

void bytes_add_char(struct bytes *bytes, char c)
{
	bytes_add(bytes, &c, 1);
}

void bytes_add_format(struct bytes *bytes, const char *format, ...)
{
	va_list list;
	int size;

	va_start(list, format);
	size = vsnprintf(NULL, 0, format, list);
	va_end(list);
	if (size < 0 || !grow(bytes, (size_t)size + 1)) {
		bytes->failed = true;
		return;
	}
	va_start(list, format);
	vsnprintf(bytes->at + bytes->size, (size_t)size + 1, format, list);
	va_end(list);
	bytes->size += (size_t)size;
}

const char *bytes_str(struct bytes *bytes)
{
	if (!grow(bytes, 1))
		return NULL;
	bytes->at[bytes->size] = '\0';
	return bytes->at;
}

uint64_t reader_uleb(struct reader *reader)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint8_t byte = reader_u8(reader);

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
}

int64_t reader_sleb(struct reader *reader)
{
	uint64_t value = 0;

	for (unsigned shift = 0;;) {
		uint8_t byte = reader_u8(reader);

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (byte & 0x80)
			continue;
		if (shift < 64 && byte & 0x40)
			value |= ~0ULL << shift;
		return (int64_t)value;
	}
}

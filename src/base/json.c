// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

struct json json_to(struct bytes *bytes)
{
	return (struct json){ .bytes = bytes };
}

/* How many characters stand as they are: a text is mostly one piece of them. */
static size_t plain_size(const char *text)
{
	size_t size = 0;

	while (text[size] >= 0x20 && text[size] < 0x7f && text[size] != '"' && text[size] != '\\')
		size++;
	return size;
}

static void add_text(struct bytes *bytes, const char *text)
{
	size_t size = strlen(text);
	uint32_t point;

	bytes_add_char(bytes, '"');
	while (size) {
		size_t length = plain_size(text);

		if (length) {
			bytes_add(bytes, text, length);
			text += length;
			size -= length;
			continue;
		}
		length = utf8_next(&point, text, size);
		if (!length)
			bytes_add_str(bytes, UTF8_REPLACEMENT);
		else if (point == '"' || point == '\\')
			bytes_add_format(bytes, "\\%c", (char)point);
		else if (point == '\n')
			bytes_add_str(bytes, "\\n");
		else if (point == '\t')
			bytes_add_str(bytes, "\\t");
		/* DEL and the C1 controls are legal, but a terminal may obey them. */
		else if (point < 0x20 || (point >= 0x7f && point < 0xa0))
			bytes_add_format(bytes, "\\u%04x", point);
		else
			bytes_add(bytes, text, length);
		length += !length;
		text += length;
		size -= length;
	}
	bytes_add_char(bytes, '"');
}

/* What stands before a value: a comma, a key. */
static void begin_value(struct json *json, const char *key)
{
	uint64_t bit = 1ULL << (json->depth % 64);

	if (json->has_element & bit)
		bytes_add_char(json->bytes, ',');
	json->has_element |= bit;
	if (key) {
		add_text(json->bytes, key);
		bytes_add_char(json->bytes, ':');
	}
}

static void open_value(struct json *json, const char *key, bool array)
{
	uint64_t bit;

	if (json->depth + 1 >= JSON_MAX_DEPTH) {
		json->bytes->failed = true;
		return;
	}
	begin_value(json, key);
	bytes_add_char(json->bytes, array ? '[' : '{');
	bit = 1ULL << ++json->depth;
	json->has_element &= ~bit;
	json->is_array = array ? json->is_array | bit : json->is_array & ~bit;
}

void json_object(struct json *json, const char *key)
{
	open_value(json, key, false);
}

void json_array(struct json *json, const char *key)
{
	open_value(json, key, true);
}

void json_end(struct json *json)
{
	if (json->depth == 0) {
		json->bytes->failed = true;
		return;
	}
	bytes_add_char(json->bytes, json->is_array >> json->depth & 1 ? ']' : '}');
	if (--json->depth == 0)
		bytes_add_char(json->bytes, '\n');
}

void json_string(struct json *json, const char *key, const char *text)
{
	begin_value(json, key);
	if (text)
		add_text(json->bytes, text);
	else
		bytes_add_str(json->bytes, "null");
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
	begin_value(json, key);
	bytes_add_format(json->bytes, "%" PRIu64, value);
}

void json_i64(struct json *json, const char *key, int64_t value)
{
	begin_value(json, key);
	bytes_add_format(json->bytes, "%" PRId64, value);
}

void json_double(struct json *json, const char *key, double value)
{
	char text[32];

	begin_value(json, key);
	if (!isfinite(value)) {
		bytes_add_str(json->bytes, "null");
		return;
	}
	/* 17 digits always read back; most values need fewer. */
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	bytes_add_str(json->bytes, text);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin_value(json, key);
	bytes_add_str(json->bytes, value ? "true" : "false");
}

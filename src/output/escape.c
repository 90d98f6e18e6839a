// SPDX-License-Identifier: Apache-2.0
#include "output/escape.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

uint32_t text_next_of_many(const char **at)
{
	uint32_t c;
	size_t size = utf8_next(&c, *at, strnlen(*at, 4));

	*at += size ? size : 1;
	return size ? c : TEXT_INVALID;
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(uint32_t c, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

bool text_is_hidden(uint32_t c)
{
	/* Unicode 15: categories Cc and Zl/Zp, what has no width in Cf, private and tag planes. */
	static const struct range hidden[] = {
		{ 0x00, 0x1f },	    { 0x7f, 0x9f },	{ 0xad, 0xad },	    { 0x34f, 0x34f },
		{ 0x61c, 0x61c },   { 0x115f, 0x1160 }, { 0x180b, 0x180f }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0xe0000, 0xe0fff },
	};

	if (c >= 0x20 && c < 0x7f)
		return false;
	/* The last two code points of every plane are no characters; XML forbids U+FFFE, U+FFFF. */
	return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef) ||
	       in_ranges(c, hidden, ARRAY_SIZE(hidden));
}

unsigned text_char_columns(uint32_t c)
{
	static const struct range wide[] = {
		{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },
		{ 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },
		{ 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f },
		{ 0x1f680, 0x1faff }, { 0x20000, 0x3fffd },
	};
	static const struct range combining[] = {
		{ 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x1ab0, 0x1aff },
		{ 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff }, { 0xfe20, 0xfe2f },
	};

	if (c < 0x300)
		return 1;
	if (in_ranges(c, combining, ARRAY_SIZE(combining)))
		return 0;
	return in_ranges(c, wide, ARRAY_SIZE(wide)) ? 2 : 1;
}

void escape_clean(struct bytes *bytes, const char *text)
{
	/* Nearly all names are plain ASCII: those are copied in one piece. */
	const char *at = text, *plain = text;
	uint32_t c;

	while (*at) {
		const char *start = at;

		c = text_next(&at);
		if (c != TEXT_INVALID && !text_is_hidden(c))
			continue;
		bytes_add(bytes, plain, (size_t)(start - plain));
		plain = at;
		if (c == TEXT_INVALID)
			bytes_add_str(bytes, UTF8_REPLACEMENT);
		else if (c < 0x100)
			bytes_add_format(bytes, "\\x%02" PRIx32, c);
		else
			bytes_add_format(bytes, "\\u%04" PRIx32, c);
	}
	bytes_add(bytes, plain, (size_t)(at - plain));
}

size_t text_columns(const char *text)
{
	size_t columns = 0;
	uint32_t c;

	while ((c = text_next(&text)))
		columns += text_char_columns(c);
	return columns;
}

/* text_fit that also tells the columns of what fits. */
static size_t fit(const char *text, size_t columns, size_t *ret_used)
{
	const char *at = text, *end = text;
	size_t used = 0;
	uint32_t c;

	while ((c = text_next(&at)) && used + text_char_columns(c) <= columns) {
		used += text_char_columns(c);
		end = at;
	}
	*ret_used = used;
	return (size_t)(end - text);
}

size_t text_fit(const char *text, size_t columns)
{
	size_t used;

	return fit(text, columns, &used);
}

size_t text_add_clipped(struct bytes *bytes, const char *text, size_t columns)
{
	size_t used, size = fit(text, columns, &used);

	if (!text[size] || !columns) {
		bytes_add(bytes, text, size);
		return used;
	}
	size = fit(text, columns - 1, &used);
	bytes_add(bytes, text, size);
	bytes_add_str(bytes, "…");
	return used + 1;
}

void escape_xml(struct bytes *bytes, const char *text, size_t size)
{
	const char *end = text + size, *plain = text;

	for (const char *at = text; at < end; at++) {
		const char *entity;

		switch (*at) {
		case '&':
			entity = "&amp;";
			break;
		case '<':
			entity = "&lt;";
			break;
		case '>':
			entity = "&gt;";
			break;
		case '"':
			entity = "&quot;";
			break;
		case '\'':
			entity = "&#39;";
			break;
		default:
			continue;
		}
		bytes_add(bytes, plain, (size_t)(at - plain));
		bytes_add_str(bytes, entity);
		plain = at + 1;
	}
	bytes_add(bytes, plain, (size_t)(end - plain));
}

void text_add_count(struct bytes *bytes, int64_t count)
{
	char digits[24];
	int size = snprintf(digits, sizeof(digits), "%" PRId64, count);

	for (int i = 0; i < size; i++) {
		if (i && (size - i) % 3 == 0 && digits[i - 1] != '-')
			bytes_add_char(bytes, ',');
		bytes_add_char(bytes, digits[i]);
	}
}

void text_add_size(struct bytes *bytes, int64_t size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double in_units = (double)size;
	unsigned unit = 0;

	/* What would be rounded to 1024.0 is one of the next. */
	while (fabs(in_units) >= 1023.95 && unit + 1 < ARRAY_SIZE(units)) {
		in_units /= 1024;
		unit++;
	}
	if (unit)
		bytes_add_format(bytes, "%.1f %s", in_units, units[unit]);
	else
		bytes_add_format(bytes, "%" PRId64 " %s", size, size == 1 ? "byte" : "bytes");
}

void text_add_amount(struct bytes *bytes, int64_t amount, const char *unit)
{
	if (strcmp(unit, "bytes") == 0) {
		text_add_size(bytes, amount);
		return;
	}
	text_add_count(bytes, amount);
	bytes_add_char(bytes, ' ');
	bytes_add_str(bytes, amount == 1 && strcmp(unit, "samples") == 0 ? "sample" : unit);
}

// SPDX-License-Identifier: Apache-2.0
#include "proc/maps.h"

#include <string.h>

struct cursor {
	const char *at, *end;
};

/* Reads hexadecimal (base 16) or decimal digits. False when there is none or it overflows. */
static bool take_number(struct cursor *c, uint64_t *ret, unsigned base)
{
	uint64_t value = 0;
	bool any = false;

	for (; c->at < c->end; c->at++, any = true) {
		unsigned digit;

		if (*c->at >= '0' && *c->at <= '9')
			digit = (unsigned)(*c->at - '0');
		else if (base == 16 && *c->at >= 'a' && *c->at <= 'f')
			digit = (unsigned)(*c->at - 'a') + 10;
		else
			break;
		if (value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	*ret = value;
	return any;
}

static bool take_char(struct cursor *c, char expected)
{
	return c->at < c->end && *c->at++ == expected;
}

static bool parse_line(struct maps_line *line, const char *text, size_t size)
{
	struct cursor c = { text, text + size };
	uint64_t major, minor;

	if (!take_number(&c, &line->start, 16) || !take_char(&c, '-') ||
	    !take_number(&c, &line->end, 16) || !take_char(&c, ' ') || c.end - c.at < 5)
		return false;
	line->executable = c.at[2] == 'x';
	line->shared = c.at[3] == 's';
	line->untouchable = memcmp(c.at, "---", 3) == 0;
	c.at += 4;
	if (!take_char(&c, ' ') || !take_number(&c, &line->file_offset, 16) ||
	    !take_char(&c, ' ') || !take_number(&c, &major, 16) || !take_char(&c, ':') ||
	    !take_number(&c, &minor, 16) || !take_char(&c, ' ') ||
	    !take_number(&c, &line->inode, 10))
		return false;
	if (line->start >= line->end || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	line->device_major = (uint32_t)major;
	line->device_minor = (uint32_t)minor;
	while (c.at < c.end && *c.at == ' ')
		c.at++;
	line->path = c.at;
	line->path_size = (size_t)(c.end - c.at);
	return true;
}

int maps_parse(const char *text, size_t size,
	       int (*handle)(void *context, const struct maps_line *line), void *context)
{
	int skipped = 0;

	for (size_t at = 0, length; at < size; at += length + 1) {
		const char *newline = memchr(text + at, '\n', size - at);
		struct maps_line line;

		length = newline ? (size_t)(newline - text) - at : size - at;
		if (parse_line(&line, text + at, length)) {
			int r = handle(context, &line);

			if (r < 0)
				return r;
		} else {
			skipped++;
		}
	}
	return skipped;
}

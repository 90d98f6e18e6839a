// SPDX-License-Identifier: Apache-2.0
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

int parse_u64(uint64_t *ret, const char *text, uint64_t max)
{
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, base);
	if (*end != '\0' || (base == 16 && end == text + 1))
		return -EINVAL;
	if (errno == ERANGE || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_duration(uint64_t *ret_ns, const char *text)
{
	static const struct {
		const char *suffix;
		double ns;
	} units[] = { { "", 1e9 },     { "s", 1e9 },	{ "ms", 1e6 },
		      { "us", 1e3 },   { "ns", 1.0 },	{ "m", 60e9 },
		      { "min", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 } };
	double value;
	char *end;

	/* strtod would also take "inf", "nan", hexadecimal and leading blanks. */
	if (!isdigit((unsigned char)text[0]) || text[1] == 'x' || text[1] == 'X')
		return -EINVAL;
	value = strtod(text, &end);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		value *= units[i].ns;
		if (value > 1e18)
			return -ERANGE;
		*ret_ns = (uint64_t)llround(value);
		return 0;
	}
	return -EINVAL;
}

int parse_size(uint64_t *ret_bytes, const char *text)
{
	static const char prefixes[] = "KMGT";
	const char *prefix;
	uint64_t scale = 1;
	double value;
	char *end;

	if (!isdigit((unsigned char)text[0]) || text[1] == 'x' || text[1] == 'X')
		return -EINVAL;
	value = strtod(text, &end);
	prefix = *end ? strchr(prefixes, *end) : NULL;
	if (prefix) {
		scale <<= 10 * (prefix - prefixes + 1);
		end++;
		if (*end == 'i' && end[1] == 'B')
			end++;
	}
	if (*end == 'B')
		end++;
	if (*end != '\0')
		return -EINVAL;
	value *= (double)scale;
	if (value > 0x1p62)
		return -ERANGE;
	*ret_bytes = (uint64_t)llround(value);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "input/type_name.h"

#include <string.h>

void type_name_clean(char ret[TYPE_NAME_BYTES + 1], const char *text, size_t size)
{
	size_t at;

	for (at = 0; at < size && at < TYPE_NAME_BYTES; at++)
		ret[at] = text[at] > ' ' && text[at] < 0x7f ? text[at] : '_';
	if (!at) /* files that name one of them would name none */
		ret[at++] = '_';
	ret[at] = '\0';
}

/* As output/pprof.c has it. */
static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr(".:@", c));
}

bool type_name_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && (is_word(*a) || is_word(*b)))
			return false;
	return *a == *b;
}

// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

size_t utf8_next(uint32_t *ret, const char *text, size_t size)
{
	/* By length: the lowest code point that needs it. */
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *at = (const unsigned char *)text;
	uint32_t point;
	size_t length;

	if (at[0] < 0x80) {
		*ret = at[0];
		return 1;
	}
	if ((at[0] & 0xe0) == 0xc0)
		length = 2, point = at[0] & 0x1f;
	else if ((at[0] & 0xf0) == 0xe0)
		length = 3, point = at[0] & 0x0f;
	else if ((at[0] & 0xf8) == 0xf0)
		length = 4, point = at[0] & 0x07;
	else
		return 0;
	if (length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (at[i] & 0x3f);
	}
	if (point < lowest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret = point;
	return length;
}

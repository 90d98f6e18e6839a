// SPDX-License-Identifier: Apache-2.0
/*
 * Names as they are shown: whatever bytes they are of, what comes out is valid UTF-8 without
 * anything hidden, fits where it was cut to, and stays as it is when cleaned again.
 */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "output/escape.h"

/* utf8_next takes whole, shortest forms only. */
static void check_utf8(const char *text, size_t size)
{
	for (size_t i = 0; i < size;) {
		uint32_t point = 0;
		size_t length = utf8_next(&point, text + i, size - i);

		FUZZ_CHECK(length <= 4 && length <= size - i);
		if (length)
			FUZZ_CHECK(point <= 0x10ffff && !(point >= 0xd800 && point < 0xe000) &&
				   length == (point < 0x80	? 1
					      : point < 0x800	? 2
					      : point < 0x10000 ? 3
								: 4));
		i += length ? length : 1;
	}
}

static void check_clean(const char *text, size_t size)
{
	const char *at = text;
	uint32_t c;

	while ((c = text_next(&at)))
		FUZZ_CHECK(c != TEXT_INVALID && !text_is_hidden(c));
	FUZZ_CHECK(at == text + size);
}

static void check_clipped(const char *clean, size_t columns)
{
	struct bytes clipped = {};
	size_t used = text_add_clipped(&clipped, clean, columns);
	const char *text = bytes_str(&clipped);

	FUZZ_CHECK(text && used <= columns && text_columns(text) == used);
	check_clean(text, clipped.size);
	if (text_columns(clean) <= columns)
		FUZZ_CHECK(strcmp(text, clean) == 0);
	FUZZ_CHECK(text_fit(clean, columns) <= strlen(clean));
	bytes_fini(&clipped);
}

static void check_xml(const char *clean)
{
	struct bytes xml = {};

	escape_xml(&xml, clean, strlen(clean));
	FUZZ_CHECK(bytes_str(&xml) && strlen(xml.at) == xml.size && !strpbrk(xml.at, "<>\"'"));
	for (const char *at = xml.at; (at = strchr(at, '&')); at++)
		FUZZ_CHECK(strchr(at, ';') && strcspn(at, ";") <= 5);
	bytes_fini(&xml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct bytes clean = {}, again = {};

	FUZZ_CHECK(text);
	check_utf8((const char *)data, size);
	escape_clean(&clean, text);
	FUZZ_CHECK(bytes_str(&clean) && strlen(clean.at) == clean.size);
	check_clean(clean.at, clean.size);
	escape_clean(&again, clean.at);
	FUZZ_CHECK(again.size == clean.size &&
		   (clean.size == 0 || memcmp(again.at, clean.at, clean.size) == 0));
	check_clipped(clean.at, size % 8);
	check_clipped(clean.at, 80);
	check_xml(clean.at);
	bytes_fini(&clean);
	bytes_fini(&again);
	free(text);
	return 0;
}

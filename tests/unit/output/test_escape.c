// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "output/escape.h"

static void assert_clean(const char *text, const char *want)
{
	struct bytes got = {};

	escape_clean(&got, text);
	assert_string_equal(bytes_str(&got), want);
	bytes_fini(&got);
}

static void clean_text_shows_every_byte(void **state)
{
	(void)state;
	assert_clean("", "");
	assert_clean("std::vector<int>::push_back(int&&)", "std::vector<int>::push_back(int&&)");
	assert_clean("na\xc3\xafve \xe6\xbc\xa2 \xf0\x9f\x98\x80", "na\xc3\xafve \xe6\xbc\xa2 \xf0\x9f\x98\x80");
	assert_clean("\x1b[31mred\a\n\t\x7f", "\\x1b[31mred\\x07\\x0a\\x09\\x7f");
	/* C1 controls steer terminals too; U+009B alone begins an escape code. */
	assert_clean("\xc2\x9b" "31m", "\\x9b31m");
	assert_clean("\xe2\x80\xae" "txt.exe", "\\u202etxt.exe");
	assert_clean("\xe2\x81\xa6\xe2\x80\x8b\xef\xbb\xbf", "\\u2066\\u200b\\ufeff");
	assert_clean("\xef\xbf\xbe\xf3\xa0\x81\x81", "\\ufffe\\ue0041");
}

static void what_is_not_utf8_is_replaced(void **state)
{
	(void)state;
	assert_clean("\xff", "\xef\xbf\xbd");
	assert_clean("a\xc3", "a\xef\xbf\xbd"); /* cut off by the end */
	assert_clean("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");
	assert_clean("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"); /* an overlong '/' */
	assert_clean("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
	assert_clean("\xf4\x90\x80\x80z", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
}

/* Whatever comes in, what comes out is clean already: cleaning it again changes nothing. */
static void cleaning_is_idempotent(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct bytes once = {}, twice = {};
		char text[12] = "";

		for (unsigned i = 0; i < sizeof(text) - 1; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = (char)(seed >> 24 ? seed >> 24 : 1);
		}
		escape_clean(&once, text);
		escape_clean(&twice, bytes_str(&once));
		assert_string_equal(bytes_str(&twice), once.at);
		for (size_t i = 0; i < once.size; i++)
			assert_true((unsigned char)once.at[i] >= 0x20 && once.at[i] != 0x7f);
		bytes_fini(&once);
		bytes_fini(&twice);
	}
}

static void assert_clipped(const char *text, size_t columns, const char *want)
{
	struct bytes got = {};
	size_t used = text_add_clipped(&got, text, columns);

	assert_string_equal(bytes_str(&got), want);
	assert_int_equal(used, text_columns(want));
	assert_true(used <= columns);
	bytes_fini(&got);
}

static void clipping_counts_columns(void **state)
{
	(void)state;
	assert_clipped("malloc", 6, "malloc");
	assert_clipped("malloc", 5, "mall…");
	assert_clipped("malloc", 1, "…");
	assert_clipped("malloc", 0, "");
	assert_clipped("\xe6\xbc\xa2\xe5\xad\x97", 4, "\xe6\xbc\xa2\xe5\xad\x97");
	assert_clipped("\xe6\xbc\xa2\xe5\xad\x97", 3, "\xe6\xbc\xa2…"); /* two columns each */
	assert_clipped("e\xcc\x81x", 2, "e\xcc\x81x"); /* an accent of its own takes none */
}

static void markup_is_escaped(void **state)
{
	struct bytes got = {};
	const char *text = "]]></script> & \"a\" 'b'";

	(void)state;
	escape_xml(&got, text, strlen(text));
	assert_string_equal(bytes_str(&got),
			    "]]&gt;&lt;/script&gt; &amp; &quot;a&quot; &#39;b&#39;");
	bytes_fini(&got);
}

static void counts_are_grouped(void **state)
{
	struct bytes got = {};

	(void)state;
	text_add_count(&got, 0);
	bytes_add_char(&got, ' ');
	text_add_count(&got, 999);
	bytes_add_char(&got, ' ');
	text_add_count(&got, 1234567);
	bytes_add_char(&got, ' ');
	text_add_count(&got, -123456);
	bytes_add_char(&got, ' ');
	text_add_count(&got, INT64_MIN);
	assert_string_equal(bytes_str(&got), "0 999 1,234,567 -123,456 -9,223,372,036,854,775,808");
	bytes_fini(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_text_shows_every_byte),
		cmocka_unit_test(what_is_not_utf8_is_replaced),
		cmocka_unit_test(cleaning_is_idempotent),
		cmocka_unit_test(clipping_counts_columns),
		cmocka_unit_test(markup_is_escaped),
		cmocka_unit_test(counts_are_grouped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <errno.h>
#include <string.h>

#include "test.h"

static bool matches(const char *expression, bool ignore_case, const char *text)
{
	cleanup(pattern_free) struct pattern *pattern = NULL;
	struct pattern_reason reason;

	assert_int_equal(pattern_new(&pattern, expression, ignore_case, &reason), 0);
	return pattern_matches(pattern, text);
}

static void test_matches_anywhere(void **state)
{
	(void)state;
	assert_true(matches("de", false, "abcdef"));
	assert_true(matches("^json::(de|en)code$", false, "json::decode"));
	assert_false(matches("^json::(de|en)code$", false, "json::decoder"));
	assert_true(matches("\\bmain\\b", false, "a main b"));
	assert_false(matches("\\bmain\\b", false, "domain"));
	assert_true(matches("", false, ""));
	assert_true(matches("", false, "anything"));
}

static void test_case(void **state)
{
	(void)state;
	assert_false(matches("malloc", false, "MALLOC"));
	assert_true(matches("malloc", true, "MALLOC"));
	assert_true(matches("\xc3\xa4rger", true, "\xc3\x84rger"));
}

static void test_bytes_that_are_no_utf8(void **state)
{
	(void)state;
	assert_true(matches("tail", false, "\xff\xfe tail"));
	assert_false(matches("^.$", false, "\xff"));
}

static void test_reason(void **state)
{
	struct pattern *pattern = NULL;
	struct pattern_reason reason;

	(void)state;
	assert_int_equal(pattern_new(&pattern, "a(b", false, &reason), -EINVAL);
	assert_non_null(strstr(reason.text, "at offset 3"));
	assert_int_equal(pattern_new(&pattern, "\xff", false, &reason), -EINVAL);
	assert_true(reason.text[0]);
	assert_null(pattern);
}

static void test_where(void **state)
{
	cleanup(pattern_free) struct pattern *pattern = NULL;
	struct pattern_reason reason;
	size_t begin, end;

	(void)state;
	assert_int_equal(pattern_new(&pattern, "c+", false, &reason), 0);
	assert_true(pattern_find(pattern, "abccd", &begin, &end));
	assert_int_equal(begin, 2);
	assert_int_equal(end, 4);
	assert_false(pattern_find(pattern, "abd", &begin, &end));
}

/* Without limits this would take until the end of days. */
static void test_hostile_text_ends(void **state)
{
	char text[2001];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(matches("(a+)+b", false, text));
	assert_false(matches("(a|aa)+$b", false, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches_anywhere),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_bytes_that_are_no_utf8),
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_hostile_text_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

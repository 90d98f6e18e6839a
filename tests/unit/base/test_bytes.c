// SPDX-License-Identifier: Apache-2.0
/* bytes, reader, parse, utf8, json. */
#include "test.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/utf8.h"

static void bytes_collect_what_is_added(void **state)
{
	struct bytes bytes = {};

	(void)state;
	assert_string_equal(bytes_str(&bytes), "");
	bytes_add(&bytes, "ab", 2);
	bytes_add_char(&bytes, 'c');
	bytes_add_str(&bytes, "de");
	bytes_add_format(&bytes, "%d-%s", 42, "f");
	assert_string_equal(bytes_str(&bytes), "abcde42-f");
	assert_int_equal(bytes.size, 9);
	for (unsigned i = 0; i < 1000; i++)
		bytes_add_format(&bytes, "%08u", i);
	assert_int_equal(bytes.size, 9 + 8000);
	assert_memory_equal(bytes_str(&bytes) + 9 + 7992, "00000999", 9);
	bytes_fini(&bytes);
}

static void bytes_remember_that_they_failed(void **state)
{
	struct bytes bytes = {};

	(void)state;
	bytes_add_str(&bytes, "kept");
	bytes_add(&bytes, "x", SIZE_MAX / 2);
	assert_true(bytes.failed);
	bytes_add_str(&bytes, "more");
	assert_int_equal(bytes.size, 4);
	assert_null(bytes_str(&bytes));
	bytes_fini(&bytes);
}

static void reader_stops_at_the_end(void **state)
{
	const unsigned char data[] = { 1, 2, 3, 4, 5, 6, 7 };
	struct reader reader = reader_of(data, sizeof(data));

	(void)state;
	assert_int_equal(reader_u32(&reader), 0x04030201);
	assert_int_equal(reader_left(&reader), 3);
	assert_int_equal(reader_u32(&reader), 0);
	assert_true(reader.overrun);
	assert_int_equal(reader_left(&reader), 0);
	assert_int_equal(reader_u8(&reader), 0);
	assert_null(reader_take(&reader, 1));
	reader = reader_of(data, sizeof(data));
	assert_null(reader_take(&reader, SIZE_MAX));
	reader = reader_of(data, sizeof(data));
	assert_ptr_equal(reader_take(&reader, 7), data);
	assert_false(reader.overrun);
}

/* The examples of DWARF 5, tables 7.7 and 7.8, and the ends of the range. */
static void leb128_reads_what_dwarf_says(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		uint64_t u;
		int64_t s;
	} cases[] = {
		{ "\x02", 1, 2, 2 },
		{ "\x7f", 1, 127, -1 },
		{ "\x80\x01", 2, 128, 128 },
		{ "\x81\x01", 2, 129, 129 },
		{ "\x7e", 1, 126, -2 },
		{ "\xff\x00", 2, 127, 127 },
		{ "\x81\x7f", 2, 16257, -127 },
		{ "\x80\x7f", 2, 16256, -128 },
		{ "\xff\x7e", 2, 16255, -129 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, UINT64_MAX, -1 },
		{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10, 1ULL << 63, INT64_MIN },
		/* Padded: more bytes than 64 bits need. */
		{ "\x82\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12, 2, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reader reader = reader_of(cases[i].bytes, cases[i].size);

		assert_int_equal(reader_uleb(&reader), cases[i].u);
		assert_int_equal(reader_left(&reader), 0);
		assert_false(reader.overrun);
		reader = reader_of(cases[i].bytes, cases[i].size);
		assert_true(reader_sleb(&reader) == cases[i].s);
		assert_false(reader.overrun);
	}
}

static void leb128_without_an_end_overruns(void **state)
{
	unsigned char data[300];

	(void)state;
	memset(data, 0xff, sizeof(data));
	for (size_t size = 0; size < sizeof(data); size++) {
		struct reader reader = reader_of(data, size);

		(void)reader_uleb(&reader);
		assert_true(reader.overrun);
		reader = reader_of(data, size);
		(void)reader_sleb(&reader);
		assert_true(reader.overrun);
		assert_int_equal(reader_left(&reader), 0);
	}
}

static void numbers_are_strict(void **state)
{
	static const char *const bad[] = { "",	"-1",	"+1",  " 1",  "1 ",  "1x",  "0x",
					   "x", "0x-1", "0xg", "1,2", "1.5", "0x 1" };
	uint64_t value = 7;

	(void)state;
	assert_ok(parse_u64(&value, "0", 0));
	assert_int_equal(value, 0);
	assert_ok(parse_u64(&value, "0x1F", 100));
	assert_int_equal(value, 31);
	assert_ok(parse_u64(&value, "010", 100)); /* not octal */
	assert_int_equal(value, 10);
	assert_ok(parse_u64(&value, "18446744073709551615", UINT64_MAX));
	assert_true(value == UINT64_MAX);
	assert_errno(parse_u64(&value, "18446744073709551616", UINT64_MAX), ERANGE);
	assert_errno(parse_u64(&value, "101", 100), ERANGE);
	value = 7;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_errno(parse_u64(&value, bad[i], UINT64_MAX), EINVAL);
	assert_int_equal(value, 7);
}

static void durations_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = { { "30", 30000000000 },    { "30s", 30000000000 },
		     { "1.5m", 90000000000 },  { "250ms", 250000000 },
		     { "2h", 7200000000000 },  { "0", 0 },
		     { "10us", 10000 },	       { "7ns", 7 },
		     { "1d", 86400000000000 }, { "5min", 300000000000 } };
	static const char *const bad[] = { "",	  "s",	"-1",  "inf", "nan", "0x10", "1x",
					   "1 s", " 1", "1ss", ".5s", "1e",  "1,5s" };
	uint64_t ns = 3;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_ok(parse_duration(&ns, good[i].text));
		assert_int_equal(ns, good[i].ns);
	}
	ns = 3;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_errno(parse_duration(&ns, bad[i]), EINVAL);
	assert_errno(parse_duration(&ns, "1e300"), ERANGE);
	assert_errno(parse_duration(&ns, "1e9999"), ERANGE);
	assert_errno(parse_duration(&ns, "99999999999999999999d"), ERANGE);
	assert_int_equal(ns, 3);
}

static void utf8_is_what_the_rfc_says(void **state)
{
	static const char *const bad[] = {
		"\x80",		    /* a continuation alone */
		"\xc3",		    /* cut short */
		"\xc3(",	    /* a wrong continuation */
		"\xc0\x80",	    /* NUL in two bytes */
		"\xe0\x80\xaf",	    /* '/' in three */
		"\xf0\x80\x80\x80", /* in four */
		"\xed\xa0\x80",	    /* a surrogate */
		"\xf4\x90\x80\x80", /* past U+10FFFF */
		"\xf8\x88\x80\x80\x80",
		"\xff",
	};
	uint32_t point = 5;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(utf8_next(&point, bad[i], strlen(bad[i])), 0);
	assert_int_equal(point, 5);
	assert_int_equal(utf8_next(&point, "\xe2\x82\xac", 2), 0); /* the rest is out of bounds */
	assert_int_equal(utf8_next(&point, "\xe2\x82\xac", 3), 3);
	assert_int_equal(point, 0x20ac);
	assert_int_equal(utf8_next(&point, "\xf4\x8f\xbf\xbf", 4), 4);
	assert_int_equal(point, 0x10ffff);
	assert_int_equal(utf8_next(&point, "\xdf\xbf", 2), 2);
	assert_int_equal(point, 0x7ff);
	assert_int_equal(utf8_next(&point, "", 1), 1);
	assert_int_equal(point, 0);
}

static void json_escapes_whatever_targets_are_called(void **state)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct json json = json_to(&text);

	(void)state;
	json_object(&json, NULL);
	json_u64(&json, "schema_version", 1);
	json_string(&json, "a\"b", "q\" \\ \n\t\x1b \x7f \xc2\x9b \xe2\x82\xac");
	json_string(&json, "bad", "x\xff\xc3y");
	json_string(&json, "none", NULL);
	json_array(&json, "list");
	json_i64(&json, NULL, -5);
	json_bool(&json, NULL, true);
	json_object(&json, NULL);
	json_end(&json);
	json_array(&json, NULL);
	json_end(&json);
	json_end(&json);
	json_u64(&json, "big", UINT64_MAX);
	json_end(&json);
	assert_string_equal(bytes_str(&text),
			    "{\"schema_version\":1,"
			    "\"a\\\"b\":\"q\\\" \\\\ \\n\\t\\u001b \\u007f \\u009b \xe2\x82\xac\","
			    "\"bad\":\"x\xef\xbf\xbd\xef\xbf\xbdy\",\"none\":null,"
			    "\"list\":[-5,true,{},[]],\"big\":18446744073709551615}\n");
}

static void json_numbers_read_back(void **state)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct json json = json_to(&text);

	(void)state;
	json_array(&json, NULL);
	json_double(&json, NULL, 0.1);
	json_double(&json, NULL, 99.8);
	json_double(&json, NULL, 1.0 / 3);
	json_double(&json, NULL, INFINITY);
	json_double(&json, NULL, NAN);
	json_double(&json, NULL, -2);
	json_end(&json);
	assert_string_equal(bytes_str(&text), "[0.1,99.8,0.3333333333333333,null,null,-2]\n");
}

static void json_notices_misuse(void **state)
{
	cleanup(bytes_fini) struct bytes text = {}, deep = {};
	struct json json = json_to(&text);

	(void)state;
	json_end(&json);
	assert_true(text.failed);
	json = json_to(&deep);
	for (unsigned i = 0; i < 2 * JSON_MAX_DEPTH; i++)
		json_array(&json, NULL);
	assert_true(deep.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_collect_what_is_added),
		cmocka_unit_test(bytes_remember_that_they_failed),
		cmocka_unit_test(reader_stops_at_the_end),
		cmocka_unit_test(leb128_reads_what_dwarf_says),
		cmocka_unit_test(leb128_without_an_end_overruns),
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(utf8_is_what_the_rfc_says),
		cmocka_unit_test(json_escapes_whatever_targets_are_called),
		cmocka_unit_test(json_numbers_read_back),
		cmocka_unit_test(json_notices_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

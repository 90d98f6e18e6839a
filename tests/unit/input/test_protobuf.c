// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include "base/cleanup.h"
#include "input/protobuf.h"

static void numbers_have_up_to_64_bits(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool is_whole;
		uint64_t want;
	} cases[] = {
		{ "\x00", 1, true, 0 },
		{ "\x7f", 1, true, 127 },
		{ "\x80\x01", 2, true, 128 },
		{ "\xac\x02", 2, true, 300 },
		{ "\x80\x80\x00", 3, true, 0 }, /* longer than it must be */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true, UINT64_MAX },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, false, 0 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, false, 0 },
		{ "\x80\x80", 2, false, 0 },
		{ "", 0, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reader reader = reader_of(cases[i].bytes, cases[i].size);
		uint64_t number = 0;

		assert_int_equal(protobuf_varint(&reader, &number), cases[i].is_whole);
		assert_true(number == cases[i].want);
		assert_int_equal(reader_left(&reader), cases[i].is_whole ? 0 : cases[i].size);
	}
}

static void fields_of_every_kind(void **state)
{
	static const char bytes[] = "\x08\x96\x01"			 /* 1: 150 */
				    "\x12\x03"				 /* 2: three bytes */
				    "abc\x1a\x00"			 /* 3: none */
				    "\x21\x01\x02\x03\x04\x05\x06\x07\x08" /* 4: 64 bits */
				    "\x2d\x01\x02\x03\x04"		 /* 5: 32 bits */
				    "\xf8\xff\xff\xff\x0f\x01";		 /* 2^29 - 1: 1 */
	struct reader reader = reader_of(bytes, sizeof(bytes) - 1);
	struct protobuf_field field;

	(void)state;
	assert_ok(protobuf_next(&reader, &field));
	assert_true(field.number == 1 && field.wire == PROTOBUF_VARINT && field.value == 150);
	assert_ok(protobuf_next(&reader, &field));
	assert_true(field.number == 2 && field.wire == PROTOBUF_BYTES);
	assert_int_equal(reader_left(&field.bytes), 3);
	assert_memory_equal(field.bytes.at, "abc", 3);
	assert_ok(protobuf_next(&reader, &field));
	assert_true(field.number == 3 && reader_left(&field.bytes) == 0);
	assert_ok(protobuf_next(&reader, &field));
	assert_true(field.number == 4 && field.value == 0x0807060504030201);
	assert_ok(protobuf_next(&reader, &field));
	assert_true(field.number == 5 && field.value == 0x04030201);
	assert_ok(protobuf_next(&reader, &field));
	assert_true(field.number == (1U << 29) - 1 && field.value == 1);
	assert_int_equal(protobuf_next(&reader, &field), PROTOBUF_END);
}

static void what_is_no_field_is_bad(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{ "\x08", 1 },			   /* no number */
		{ "\x08\x80", 2 },		   /* half of one */
		{ "\x12\x04" "abc", 5 },	   /* less than it says */
		{ "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 }, /* all that can be said */
		{ "\x12", 1 },
		{ "\x21\x01\x02\x03\x04\x05\x06\x07", 8 },
		{ "\x2d\x01\x02\x03", 4 },
		{ "\x00\x01", 2 },		   /* field 0 */
		{ "\x80\x80\x80\x80\x10\x01", 6 }, /* field 2^29 */
		{ "\x0b", 1 }, { "\x0c", 1 },	   /* groups */
		{ "\x0e\x01", 2 }, { "\x0f\x01", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* Of just that size, so that reading on would be seen. */
		cleanup(free) char *copy = malloc(cases[i].size);
		struct protobuf_field field;
		struct reader reader;

		assert_non_null(copy);
		memcpy(copy, cases[i].bytes, cases[i].size);
		reader = reader_of(copy, cases[i].size);
		assert_int_equal(protobuf_next(&reader, &field), PROTOBUF_BAD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_up_to_64_bits),
		cmocka_unit_test(fields_of_every_kind),
		cmocka_unit_test(what_is_no_field_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

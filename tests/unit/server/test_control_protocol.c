// SPDX-License-Identifier: Apache-2.0
#include "server/control_protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "test.h"

static const char *line_of(struct bytes *bytes)
{
	size_t start = 0;
	char *line = control_next_line(bytes, &start);

	assert_non_null(line);
	assert_int_equal(start, bytes->size);
	return line;
}

static void requests_come_back(void **state)
{
	const struct control_request requests[] = {
		{ .verb = CONTROL_STATUS, .id = 0 },
		{ .verb = CONTROL_CANCEL, .id = UINT64_MAX },
		{ CONTROL_CAPTURE, 7, 300, 99, 0, CONTROL_PID, "4242" },
		{ CONTROL_CAPTURE, 8, 1, 999, 0, CONTROL_COMM, "a name with blanks" },
		{ CONTROL_CAPTURE, 9, 5, 1, 0, CONTROL_ALL, "-" },
		{ CONTROL_RECORD, 11, 10, 0, CONTROL_ALLOC, CONTROL_PID, "4242" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		cleanup(bytes_fini) struct bytes bytes = {};
		struct control_request got = {};

		control_request_add(&bytes, &requests[i]);
		assert_ok(control_request_parse(&got, line_of(&bytes)));
		assert_int_equal(got.verb, requests[i].verb);
		assert_int_equal(got.id, requests[i].id);
		assert_int_equal(got.seconds, requests[i].seconds);
		assert_int_equal(got.hz, requests[i].hz);
		assert_int_equal(got.kind, requests[i].kind);
		assert_string_equal(got.value, requests[i].value);
	}
}

static void answers_come_back(void **state)
{
	const struct control_answer answers[] = {
		{ CONTROL_IS_STATUS, 1, 0, 0, 0, "{\"version\":\"1\"}" },
		{ CONTROL_CAPTURED, 2, 1700000000000000000, 1700000005000000000, 0, "" },
		{ CONTROL_RECORDED, 6, 0, 0, 12345, "" },
		{ CONTROL_ABSENT, 3, 0, 0, 0, "there is no unit nginx.service" },
		{ CONTROL_BUSY, 4, 0, 0, 0, "" },
		{ CONTROL_FAILED, UINT64_MAX, 0, 0, 0, "two\nlines" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		cleanup(bytes_fini) struct bytes bytes = {};
		struct control_answer got = {};

		control_answer_add(&bytes, &answers[i]);
		assert_ok(control_answer_parse(&got, line_of(&bytes)));
		assert_int_equal(got.result, answers[i].result);
		assert_int_equal(got.id, answers[i].id);
		assert_int_equal(got.from_ns, answers[i].from_ns);
		assert_int_equal(got.until_ns, answers[i].until_ns);
		assert_int_equal(got.size, answers[i].size);
		assert_string_equal(got.text,
				    answers[i].id == UINT64_MAX ? "two lines" : answers[i].text);
	}
}

static void nonsense_is_refused(void **state)
{
	static const char *const requests[] = {
		"",
		"status",
		"status ",
		"status x",

		"status 1 2",
		"status -1",
		"Status 1",
		"status 18446744073709551616",
		"cancel",
		"capture 1",
		"capture 1 5 99 pid",
		"capture 1 5 99 pid ",
		"capture 1 0 99 pid 1",
		"capture 1 301 99 pid 1",
		"capture 1 5 0 pid 1",
		"capture 1 5 1000 pid 1",
		"capture 1 5 99 pod x",
		"capture 1 5 99 pid 0",
		"capture 1 5 99 pid 12x",
		"capture 1 5 99 pid 2147483648",
		"capture 1 5 99 comm a\tb",
		"capture 0x1 5 99 pid 1",
		"record 1 5 99 pid 1",
		"record 1 5 cpu pid 1",
		"record 1 0 heap pid 1",
		"record 1 5 heap",
	};
	static const char *const answers[] = {
		"",
		"status 1",
		"status 1 []",
		"captured 1",
		"captured 1 2",
		"captured 1 2 2",
		"captured 1 3 2",
		"captured 1 1 2 3",
		"captured 1 1 9223372036854775808",
		"recorded 1",
		"recorded 1 0",
		"recorded 1 33554433",
		"recorded 1 5 6",
		"failed",
		"failed words",
		"done 1",
	};
	struct control_request request;
	struct control_answer answer;
	char line[CONTROL_VALUE_BYTES + 64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		assert_errno(control_request_parse(&request, requests[i]), EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		assert_errno(control_answer_parse(&answer, answers[i]), EBADMSG);
	snprintf(line, sizeof(line), "capture 1 5 99 comm %0*d", CONTROL_VALUE_BYTES, 0);
	assert_ok(control_request_parse(&request, line));
	snprintf(line, sizeof(line), "capture 1 5 99 comm %0*d", CONTROL_VALUE_BYTES + 1, 0);
	assert_errno(control_request_parse(&request, line), EBADMSG);
}

static void lines_come_in_pieces(void **state)
{
	cleanup(bytes_fini) struct bytes stream = {};
	size_t start = 0;

	(void)state;
	assert_null(control_next_line(&stream, &start));
	bytes_add_str(&stream, "one\n\ntw");
	assert_string_equal(control_next_line(&stream, &start), "one");
	assert_string_equal(control_next_line(&stream, &start), "");
	assert_null(control_next_line(&stream, &start));
	control_drop_lines(&stream, start);
	assert_int_equal(stream.size, 2);
	bytes_add_str(&stream, "o\n");
	start = 0;
	assert_string_equal(control_next_line(&stream, &start), "two");
	assert_int_equal(start, stream.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_come_back),
		cmocka_unit_test(answers_come_back),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(lines_come_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

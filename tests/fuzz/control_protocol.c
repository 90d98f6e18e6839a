// SPDX-License-Identifier: Apache-2.0
/* What is understood says the same when it is written again. */
#include "server/control_protocol.h"

#include <string.h>

#include "fuzz.h"

static void check_line(const char *line)
{
	struct control_request request, request_again;
	struct control_answer answer, answer_again;
	struct bytes text = {};
	size_t start = 0;
	char *again;

	if (control_request_parse(&request, line) == 0) {
		control_request_add(&text, &request);
		FUZZ_CHECK(text.size <= CONTROL_REQUEST_BYTES);
		again = control_next_line(&text, &start);
		FUZZ_CHECK(again && start == text.size);
		FUZZ_CHECK(control_request_parse(&request_again, again) == 0);
		FUZZ_CHECK(request.id == request_again.id && request.verb == request_again.verb &&
			   request.event == request_again.event && request.seconds == request_again.seconds &&
			   strcmp(request.value, request_again.value) == 0);
	}
	text.size = start = 0;
	if (control_answer_parse(&answer, line) == 0) {
		control_answer_add(&text, &answer);
		again = control_next_line(&text, &start);
		FUZZ_CHECK(again && start == text.size);
		FUZZ_CHECK(control_answer_parse(&answer_again, again) == 0);
		FUZZ_CHECK(answer.id == answer_again.id && answer.result == answer_again.result &&
			   answer.size == answer_again.size &&
			   answer.until_ns == answer_again.until_ns);
	}
	bytes_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes stream = {};
	size_t start = 0, before = 0;
	char *line;

	bytes_add(&stream, data, size);
	bytes_add_char(&stream, '\n');
	while ((line = control_next_line(&stream, &start))) {
		FUZZ_CHECK(start > before && start <= stream.size);
		before = start;
		check_line(line);
	}
	control_drop_lines(&stream, start);
	FUZZ_CHECK(stream.size == 0);
	bytes_fini(&stream);
	return 0;
}

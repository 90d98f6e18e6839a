// SPDX-License-Identifier: Apache-2.0
/*
 * A line each: the address of a request, "Host:", "Authorization:". Whatever comes, it ends up as clean
 * text that a query or the daemon may be handed.
 */
#include "server/request.h"

#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "server/access.h"
#include "server/listen.h"

static void check_clean(const char *text)
{
	size_t size = strlen(text);

	while (size) {
		uint32_t point = 0;
		size_t length = utf8_next(&point, text, size);

		FUZZ_CHECK(length && point >= ' ' && point != 0x7f);
		text += length;
		size -= length;
	}
}

static void check_request(const char *uri)
{
	struct request request = {};

	if (request_parse(&request, uri) != 0)
		return;
	FUZZ_CHECK(request.path[0] == '/' && request.kind < CONTROL_KINDS);
	FUZZ_CHECK(strlen(request.value) <= CONTROL_VALUE_BYTES);
	check_clean(request.path);
	check_clean(request.value);
	FUZZ_CHECK(request.parameter_count <= REQUEST_PARAMETERS);
	for (unsigned i = 0; i < request.parameter_count; i++) {
		check_clean(request.parameters[i].name);
		check_clean(request.parameters[i].value);
		FUZZ_CHECK(request_parameter(&request, request.parameters[i].name));
		if (request_is_time(request.parameters[i].value))
			FUZZ_CHECK(request.parameters[i].value[0] != '-');
	}
	/* What the daemon is told is what it understands. */
	if (request.kind != CONTROL_ALL) {
		struct control_request capture = { CONTROL_CAPTURE, 1, 1, 1, 0, request.kind, "" },
				       got;
		struct bytes line = {};
		size_t start = 0;
		char *text;

		memcpy(capture.value, request.value, strlen(request.value) + 1);
		control_request_add(&line, &capture);
		text = control_next_line(&line, &start);
		FUZZ_CHECK(text && start == line.size);
		FUZZ_CHECK(control_request_parse(&got, text) == 0);
		FUZZ_CHECK(strcmp(got.value, request.value) == 0);
		bytes_fini(&line);
	}
	request_fini(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char token[] = "0123456789abcdef";
	char text[8192], *rest = text, *uri, *host, *authorization;
	const struct settings settings = {};
	struct sockaddr_storage address;
	socklen_t address_size;

	if (size >= sizeof(text))
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	uri = strsep(&rest, "\n");
	host = strsep(&rest, "\n");
	authorization = strsep(&rest, "\n");
	check_request(uri);
	(void)access_host_is_ours(&settings, "machine", host);
	if (access_token_is_right(token, authorization))
		FUZZ_CHECK(strlen(authorization) > strlen(token));
	if (host && listen_parse(&address, &address_size, host) == 0)
		FUZZ_CHECK(address_size <= sizeof(address));
	return 0;
}

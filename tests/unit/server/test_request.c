// SPDX-License-Identifier: Apache-2.0
#include "server/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "test.h"

static void targets_are_prefixes(void **state)
{
	static const struct {
		const char *uri;
		enum control_kind kind;
		const char *value, *path;
	} rows[] = {
		{ "/", CONTROL_ALL, "-", "/" },
		{ "/pid/7/debug/pprof/", CONTROL_PID, "7", "/debug/pprof/" },
		{ "/unit/a%20b%2Fc/x", CONTROL_UNIT, "a b/c", "/x" },
		{ "/comm/a+b/x?y=1", CONTROL_COMM, "a+b", "/x" },
		{ "/container/0123/x%20y", CONTROL_CONTAINER, "0123", "/x y" },
		{ "/all/7/x", CONTROL_ALL, "-", "/all/7/x" },
		{ "/pids/7/x", CONTROL_ALL, "-", "/pids/7/x" },
		/* One prefix is enough. */
		{ "/pid/7/unit/a/x", CONTROL_PID, "7", "/unit/a/x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup(request_fini) struct request request = {};

		assert_ok(request_parse(&request, rows[i].uri));
		assert_int_equal(request.kind, rows[i].kind);
		assert_string_equal(request.value, rows[i].value);
		assert_string_equal(request.path, rows[i].path);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"http://h/",
		"*",
		"/%",
		"/%4",
		"/%zz",
		"/%00",
		"/%0a",
		"/%7f",
		"/%ff",
		"/%c3",
		"/pid/",
		"/pid/7",
		"/pid//x",
		"/pid/0/x",
		"/pid/-1/x",
		"/pid/x/y",
		"/unit/%09/x",
		"/?%",
		"/?a=%0d",
		"/pid/99999999999/x",
	};
	char uri[REQUEST_URI_BYTES + 2];
	struct request request;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(request_parse(&request, bad[i]), REQUEST_BAD);
		assert_non_null(request.why);
	}
	memset(uri, 'x', sizeof(uri));
	uri[0] = '/';
	uri[REQUEST_URI_BYTES + 1] = '\0';
	assert_int_equal(request_parse(&request, uri), REQUEST_LONG);
	uri[REQUEST_URI_BYTES] = '\0';
	assert_ok(request_parse(&request, uri));
	request_fini(&request);
}

static void parameters_are_decoded(void **state)
{
	cleanup(request_fini) struct request request = {};
	uint64_t value = 1;

	(void)state;
	assert_ok(request_parse(&request, "/x?a=1+2&&b&c=%26%3D&a=3&=d&n=17&e=+"));
	assert_string_equal(request_parameter(&request, "a"), "1 2");
	assert_string_equal(request_parameter(&request, "b"), "");
	assert_string_equal(request_parameter(&request, "c"), "&=");
	assert_string_equal(request_parameter(&request, ""), "d");
	assert_null(request_parameter(&request, "d"));
	assert_ok(request_number(&request, "n", 5, 1, 17, &value));
	assert_int_equal(value, 17);
	assert_ok(request_number(&request, "absent", 5, 1, 17, &value));
	assert_int_equal(value, 5);
	assert_errno(request_number(&request, "n", 5, 18, 20, &value), EINVAL);
	assert_errno(request_number(&request, "n", 5, 1, 16, &value), EINVAL);
	assert_errno(request_number(&request, "b", 5, 0, 16, &value), EINVAL);
	assert_errno(request_number(&request, "e", 5, 0, 16, &value), EINVAL);
}

static void parameters_are_few(void **state)
{
	char uri[256] = "/?";
	struct request request;

	(void)state;
	for (unsigned i = 0; i < REQUEST_PARAMETERS; i++)
		strcat(uri, "a=1&");
	assert_ok(request_parse(&request, uri));
	assert_int_equal(request.parameter_count, REQUEST_PARAMETERS);
	request_fini(&request);
	strcat(uri, "a=1");
	assert_int_equal(request_parse(&request, uri), REQUEST_LONG);
}

static void times_and_names(void **state)
{
	static const char *const times[] = {
		"10m",		"14:02:30", "2026-11-26T14:02Z", "@1764160000.5", "yesterday 14:02",
		"13:02..13:06", "1h-ago"
	};
	static const char *const no_times[] = { "", "-1", "--all", "a;b", "$x", "a\nb" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		assert_true(request_is_time(times[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no_times); i++)
		assert_false(request_is_time(no_times[i]));
	assert_true(request_is_name("-é*[a] b"));
	assert_false(request_is_name(""));
	assert_false(request_is_name("a\x1b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_prefixes),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(parameters_are_decoded),
		cmocka_unit_test(parameters_are_few),
		cmocka_unit_test(times_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

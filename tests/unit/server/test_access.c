// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include "base/cleanup.h"
#include "server/listen.h"
#include "test.h"

static void tokens(void **state)
{
	static const char token[] = "0123456789abcdef";

	(void)state;
	assert_true(access_token_is_right(token, "Bearer 0123456789abcdef"));
	assert_true(access_token_is_right(token, "basic eDowMTIzNDU2Nzg5YWJjZGVm")); /* x:... */
	assert_true(access_token_is_right(token, "Basic OjAxMjM0NTY3ODlhYmNkZWY="));
	assert_false(access_token_is_right(token, NULL));
	assert_false(access_token_is_right(token, ""));
	assert_false(access_token_is_right(token, "Bearer"));
	assert_false(access_token_is_right(token, "Bearer "));
	assert_false(access_token_is_right(token, "Bearer 0123456789abcdeg"));
	assert_false(access_token_is_right(token, "Bearer 0123456789abcde"));
	assert_false(access_token_is_right(token, "Bearer 0123456789abcdef0123456789abcdef"));
	assert_false(access_token_is_right(token, "Bearer0123456789abcdef"));
	assert_false(access_token_is_right(token, "Basic MDEyMzQ1Njc4OWFiY2RlZg==")); /* no user */
	assert_false(access_token_is_right(token, "Basic eDowMTIzNDU2Nzg5YWJjZGVm=x"));
	assert_false(token_is_good("0123456789abcde"));
	assert_true(token_is_good(token));
	assert_false(token_is_good("0123456789 abcdef"));
}

static void hosts(void **state)
{
	char *known[] = { (char *)"a.example" };
	struct settings settings = { .hosts = { known, 1, 1 } };

	(void)state;
	assert_true(access_host_is_ours(&settings, "m", NULL));
	assert_true(access_host_is_ours(&settings, "m", "A.example:80"));
	assert_true(access_host_is_ours(&settings, "m", "m"));
	assert_true(access_host_is_ours(&settings, "m", "192.0.2.7:80"));
	assert_true(access_host_is_ours(&settings, "m", "[2001:db8::1]"));
	assert_false(access_host_is_ours(&settings, "", ""));
	assert_false(access_host_is_ours(&settings, "m", "b.example"));
	assert_false(access_host_is_ours(&settings, "m", "a.example:80x"));
	assert_false(access_host_is_ours(&settings, "m", "a.example.b"));
	assert_false(access_host_is_ours(&settings, "m", "[a.example"));
}

static void addresses(void **state)
{
	static const struct {
		const char *text;
		bool is_good, is_loopback;
	} rows[] = {
		{ "127.0.0.1:80", true, true },
		{ "127.9.9.9:0", true, true },
		{ "[::1]:65535", true, true },
		{ "0.0.0.0:80", true, false },
		{ "[::]:80", true, false },
		{ "192.0.2.1:80", true, false },
		{ "[::ffff:127.0.0.1]:1", true, false },
		{ "127.0.0.1", false, false },
		{ "127.0.0.1:", false, false },
		{ "127.0.0.1:65536", false, false },
		{ "::1:80", false, false },
		{ "localhost:80", true, true },
		{ ":80", false, false },
		{ "[::1]80", false, false },
		{ "", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sockaddr_storage address = {};
		socklen_t size;

		assert_int_equal(listen_parse(&address, &size, rows[i].text) == 0, rows[i].is_good);
		if (rows[i].is_good)
			assert_int_equal(listen_is_loopback(&address), rows[i].is_loopback);
	}
}

static void other_sites(void **state)
{
	(void)state;
	assert_false(access_is_from_elsewhere(NULL, NULL));
	assert_false(access_is_from_elsewhere("same-origin", "cors"));
	assert_false(access_is_from_elsewhere("cross-site", "navigate"));
	assert_true(access_is_from_elsewhere("cross-site", "no-cors"));
	assert_true(access_is_from_elsewhere("same-site", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens),
		cmocka_unit_test(hosts),
		cmocka_unit_test(addresses),
		cmocka_unit_test(other_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* Where servers are looked for, in which order, and what counts as one. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fetch/servers.h"

static char folder[] = "/tmp/profd-servers-XXXXXX";

static void put(const char *name, const char *text)
{
	cleanup(bytes_fini) struct bytes path = {};
	cleanup(close) int fd = -1;

	bytes_add_format(&path, "%s/%s", folder, name);
	fd = open(bytes_str(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, text, strlen(text)));
}

static void assert_found(const char *given, const char *environment, enum servers_origin origin,
			 const char *servers)
{
	cleanup(bytes_fini) struct bytes found = {};

	assert_int_equal(servers_find(&found, given, environment, folder), origin);
	assert_string_equal(bytes_str(&found), servers);
}

static void what_is_nearest_counts(void **state)
{
	(void)state;
	assert_found(NULL, NULL, SERVERS_NONE, "");
	put("b.urls", "https://b.example\n");
	put("a.urls", "https://a.example/x\thttp://127.0.0.1:8002\n");
	put("c.txt", "https://c.example\n");
	put(".hidden.urls", "https://hidden.example\n");
	assert_found(NULL, NULL, SERVERS_FILES,
		     "https://a.example/x http://127.0.0.1:8002 https://b.example");
	assert_found(NULL, "https://e.example", SERVERS_ENVIRONMENT, "https://e.example");
	assert_found("https://g.example  http://h", "https://e.example", SERVERS_GIVEN,
		     "https://g.example http://h");
}

static void an_empty_variable_is_a_wish(void **state)
{
	(void)state;
	put("a.urls", "https://a.example\n");
	assert_found(NULL, "", SERVERS_NONE, "");
	assert_found(NULL, " \n", SERVERS_NONE, "");
}

static void what_is_no_address_is_left_out(void **state)
{
	(void)state;
	assert_found(NULL, "a.example ftp://f https:// https://b file:///srv -x",
		     SERVERS_ENVIRONMENT, "https://b file:///srv");
	/* How answers are to be verified goes along with the servers, but is none. */
	assert_found(NULL, "ima:enforcing https://b ima:ignore", SERVERS_ENVIRONMENT,
		     "ima:enforcing https://b ima:ignore");
	assert_found(NULL, "nonsense", SERVERS_NONE, "");
	assert_true(servers_are_good("https://a http://b"));
	assert_true(servers_are_good("ima:enforcing https://a"));
	assert_false(servers_are_good("ima:enforcing"));
	assert_false(servers_are_good(""));
	assert_false(servers_are_good("https://a b"));
}

static void lists_have_an_end(void **state)
{
	cleanup(bytes_fini) struct bytes text = {}, found = {};

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		bytes_add_format(&text, "https://server-%u.example ", i);
	assert_int_equal(servers_find(&found, bytes_str(&text), NULL, folder), SERVERS_GIVEN);
	assert_in_range(found.size, 1000, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_nearest_counts),
		cmocka_unit_test(an_empty_variable_is_a_wish),
		cmocka_unit_test(what_is_no_address_is_left_out),
		cmocka_unit_test(lists_have_an_end),
	};
	const char *const names[] = { "a.urls", "b.urls", "c.txt", ".hidden.urls" };
	int r;

	if (!mkdtemp(folder))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(folder);
	return r;
}

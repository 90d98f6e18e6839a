// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include "store/reader_parts.h"

static const struct program nginx = {
	.texts = { [PROGRAM_COMM] = "nginx",
		   [PROGRAM_EXE] = "/usr/sbin/nginx",
		   [PROGRAM_BUILD_ID] = "abcd",
		   [PROGRAM_USER] = "www-data",
		   [PROGRAM_CGROUP] = "/system.slice/nginx.service",
		   [PROGRAM_UNIT] = "nginx.service",
		   [PROGRAM_CONTAINER] = "0123456789abcdef0123456789abcdef",
		   [PROGRAM_POD] = "11-22" },
	.uid = 33,
};
static const struct program nothing = {
	.texts = { "", "", "", "", "", "", "", "" },
	.uid = -1,
};
static const int32_t pids[] = { 5, 42 };

#define CHOOSES(...) query_chooses(&(struct store_query){ __VA_ARGS__ }, &nginx, 42)

static void conditions_hold_or_not(void **state)
{
	(void)state;
	assert_true(CHOOSES(0));
	assert_true(CHOOSES(.pids = pids, .pid_count = 2));
	assert_false(CHOOSES(.pids = pids, .pid_count = 1));
	assert_true(CHOOSES(.comm = "ng*"));
	assert_true(CHOOSES(.comm = "x,nginx"));
	assert_false(CHOOSES(.comm = "ngin"));
	assert_true(CHOOSES(.exe = "nginx"));
	assert_true(CHOOSES(.exe = "/usr/*"));
	assert_false(CHOOSES(.exe = "/usr/bin/nginx"));
	assert_true(CHOOSES(.unit = "nginx.*"));
	assert_true(CHOOSES(.unit = "nginx"));
	assert_false(CHOOSES(.unit = "ngin"));
	assert_true(CHOOSES(.container = "0123456789ab"));
	assert_true(CHOOSES(.container = "012345"));
	assert_false(CHOOSES(.container = "01234"));
	assert_false(CHOOSES(.container = "123456789abc"));
	assert_true(CHOOSES(.pod = "11-22"));
	assert_false(CHOOSES(.pod = "11"));
	assert_true(CHOOSES(.user = "www-data"));
	assert_true(CHOOSES(.user = "33"));
	assert_false(CHOOSES(.user = "root"));
	assert_true(CHOOSES(.has_uid = true, .uid = 33));
	assert_false(CHOOSES(.has_uid = true, .uid = 0));
	assert_true(CHOOSES(.cgroup = "/system.slice"));
	assert_true(CHOOSES(.cgroup = "/system.slice/nginx.service/"));
	assert_true(CHOOSES(.cgroup = "/"));
	assert_false(CHOOSES(.cgroup = "/system"));
	assert_true(CHOOSES(.build_id = "abcd"));
	assert_false(CHOOSES(.build_id = "abc"));
	assert_false(CHOOSES(.comm = "nginx", .unit = "other"));
}

static void what_has_no_label_is_not_meant(void **state)
{
	const struct store_query queries[] = {
		{ .comm = "*" },     { .exe = "*" },	{ .unit = "*" },
		{ .container = "" }, { .pod = "" },	{ .user = "" },
		{ .has_uid = true }, { .cgroup = "/" }, { .pids = pids, .pid_count = 2 },
		{ .build_id = "x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
		if (query_chooses(&queries[i], &nothing, -1))
			fail_msg("query %zu", i);
	assert_true(query_chooses(&(struct store_query){ 0 }, &nothing, -1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_hold_or_not),
		cmocka_unit_test(what_has_no_label_is_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

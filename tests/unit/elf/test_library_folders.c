// SPDX-License-Identifier: Apache-2.0
/* Paths with tokens and lists of folders. What a whole search makes of them: session/test_prepare.c */
#include "test.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "elf/library_folders.h"

static void assert_expands(const char *text, unsigned lib, const char *expected)
{
	cleanup(bytes_fini) struct bytes path = {};

	(void)library_path_expand(&path, text, strlen(text), "/o", lib);
	assert_string_equal(bytes_str(&path), expected);
}

static void tokens_are_recognised_as_by_ld_so(void **state)
{
	char platform[64];

	(void)state;
	assert_expands("", 0, "");
	assert_expands("/a/b", 0, "/a/b");
	assert_expands("$ORIGIN", 0, "/o");
	assert_expands("${ORIGIN}", 0, "/o");
	assert_expands("$ORIGIN/../x${ORIGIN}y", 0, "/o/../x/oy");
	assert_expands("$ORIGIN$ORIGIN", 0, "/o/o");
	assert_expands("/$LIB/$LIB-x", 1, "/lib64/lib64-x");
	assert_expands("/$LIB", 2, "/lib");
	snprintf(platform, sizeof(platform), "<%s>", (const char *)getauxval(AT_PLATFORM));
	assert_expands("<$PLATFORM>", 0, platform);
	/* Not tokens. */
	assert_expands("$ORIGINAL/$LIB64/$LIB_", 1, "$ORIGINAL/$LIB64/$LIB_");
	assert_expands("$", 0, "$");
	assert_expands("${", 0, "${");
	assert_expands("${ORIGIN", 0, "${ORIGIN");
	assert_expands("${ORIGINx}", 0, "${ORIGINx}");
	assert_expands("$HOME/$$ORIGIN", 0, "$HOME/$/o");
}

static void only_lib_is_guessed(void **state)
{
	cleanup(bytes_fini) struct bytes path = {};

	(void)state;
	assert_false(library_path_expand(&path, "$ORIGIN/x", 9, "/o", 0));
	assert_true(library_path_expand(&path, "$LIB", 4, "/o", 0));
	assert_true(library_path_expand(&path, "$LIB", 4, "/o", 1));
	assert_false(library_path_expand(&path, "$LIB", 4, "/o", 2));
}

static void assert_list(const char *list, const char *separators, const char *expected)
{
	cleanup(library_folders_fini) struct library_folders folders = {};
	cleanup(bytes_fini) struct bytes text = {};
	const char *path;

	assert_ok(library_folders_add_list(&folders, list, separators, "/o"));
	path = folders.paths.at;
	for (uint32_t i = 0; i < folders.count; i++) {
		bytes_add_format(&text, "%s ", path);
		path += strlen(path) + 1;
	}
	assert_ptr_equal(path, folders.paths.at + folders.paths.size);
	assert_string_equal(bytes_str(&text), expected);
}

static void lists_are_split(void **state)
{
	struct utsname name;
	char expected[256];

	(void)state;
	assert_list("/a:$ORIGIN/b", ":", "/a /o/b ");
	assert_list("/a;b:/c", ":", "/a;b /c ");
	assert_list("/a;b:/c", ":;", "/a b /c ");
	assert_list("", ":", ". ");
	assert_list(":/a:", ":", ". /a . ");
	assert_ok(uname(&name));
	snprintf(expected, sizeof(expected), "/lib/%s-linux-gnu /lib64 /lib /z ", name.machine);
	assert_list("/$LIB:/z", ":", expected);
}

static void lists_have_limits(void **state)
{
	cleanup(bytes_fini) struct bytes many = {}, long_one = {};
	cleanup(library_folders_fini) struct library_folders folders = {}, longs = {};
	char origin[2000];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		bytes_add_str(&many, "/a:");
		bytes_add_str(&long_one, i % 10 ? "$ORIGIN" : "$ORIGIN:");
	}
	assert_ok(library_folders_add_list(&folders, bytes_str(&many), ":", "/o"));
	assert_int_equal(folders.count, LIBRARY_FOLDERS_MAX);
	memset(origin, 'o', sizeof(origin) - 1);
	origin[sizeof(origin) - 1] = '\0';
	/* 2 MB if all of it were written out. */
	assert_ok(library_folders_add_list(&longs, bytes_str(&long_one), ":", origin));
	assert_true(longs.count > 1);
	assert_true(longs.paths.size < 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_are_recognised_as_by_ld_so),
		cmocka_unit_test(only_lib_is_guessed),
		cmocka_unit_test(lists_are_split),
		cmocka_unit_test(lists_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Lists of folders with tokens in them, and the text of ld.so.conf. No file is opened: what an
 * include line asks for is only looked at.
 */
#include "elf/library_folders.h"

#include <string.h>

#include "elf/library_conf.h"
#include "fuzz.h"

enum { MAX_LIST_BYTES = 65536 + 3 * (4096 + 64) };

static int check_folder(void *context, const char *path)
{
	uint32_t *count = context;

	FUZZ_CHECK(path[0] == '/' && !strpbrk(path, "#=\n") &&
		   !strchr(" \t\r\f\v", path[strlen(path) - 1]));
	return ++*count == 100 ? -1 : 0;
}

static int check_include(void *context, const char *pattern)
{
	uint32_t *count = context;

	FUZZ_CHECK(pattern[0] && !strpbrk(pattern, " \t\r\f\v\n#"));
	return ++*count == 100 ? -1 : 0;
}

static void check_list(const char *list, const char *separators)
{
	struct library_folders folders = {};
	uint32_t count = 0;

	FUZZ_CHECK(library_folders_add_list(&folders, list, separators, "/origin") == 0);
	FUZZ_CHECK(folders.count >= 1 && folders.count <= LIBRARY_FOLDERS_MAX + 2);
	FUZZ_CHECK(folders.paths.size <= MAX_LIST_BYTES &&
		   !folders.paths.at[folders.paths.size - 1]);
	for (const char *at = folders.paths.at; at < folders.paths.at + folders.paths.size;
	     at += strlen(at) + 1, count++)
		FUZZ_CHECK(at[0]);
	FUZZ_CHECK(count == folders.count);
	library_folders_fini(&folders);
}

/* Without a token in it, a path stays as it is. */
static void check_expanded(const char *text)
{
	struct bytes path = {};
	bool more = library_path_expand(&path, text, strlen(text), "/origin", 0);

	if (!strchr(text, '$') && strlen(text) < 4096)
		FUZZ_CHECK(!more && path.size == strlen(text) &&
			   (path.size == 0 || memcmp(path.at, text, path.size) == 0));
	if (more)
		FUZZ_CHECK(strstr(text, "LIB"));
	bytes_fini(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct library_conf_handler handler = { check_folder, check_include };
	char *text = strndup((const char *)data, size);
	uint32_t count = 0;

	FUZZ_CHECK(text);
	check_expanded(text);
	check_list(text, ":");
	check_list(text, ":;");
	FUZZ_CHECK(library_conf_parse(text, &handler, &count) == (count >= 100 ? -1 : 0));
	free(text);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Everything here is a guess at what ld.so will do, made without running it: ld.so of the program
 * may be another build than ours, and goes by a cache of the configuration that may be older. A
 * wrong guess costs a look into a folder.
 */
#include "elf/library_folders.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum {
	MAX_PATH_BYTES = 4096,	 /* PATH_MAX: a longer one is of no use */
	MAX_PATHS_BYTES = 65536, /* of one list: "$ORIGIN$ORIGIN..." makes much out of little */
	MAX_CONF_BYTES = 65536,
	MAX_CONF_DEPTH = 4,
	MAX_CONF_FILES = 128,
};

void library_folders_fini(struct library_folders *folders)
{
	bytes_fini(&folders->paths);
	folders->count = 0;
}

static bool is_full(const struct library_folders *folders)
{
	return folders->count >= LIBRARY_FOLDERS_MAX || folders->paths.size > MAX_PATHS_BYTES;
}

/* Ends the path that was written behind the others. */
static int end_path(struct library_folders *folders)
{
	bytes_add_char(&folders->paths, '\0');
	folders->count++;
	return folders->paths.failed ? -ENOMEM : 0;
}

/* ---- tokens ---- */

/* "x86_64" or "aarch64": the first half of a Debian "multiarch" folder's name. */
static void add_machine(struct bytes *ret)
{
	struct utsname name;

	if (uname(&name) == 0)
		bytes_add_str(ret, name.machine);
}

static void add_lib(struct bytes *ret, unsigned guess)
{
	bytes_add_str(ret, guess == 1 ? "lib64" : "lib");
	if (guess == 0) {
		bytes_add_char(ret, '/');
		add_machine(ret);
		bytes_add_str(ret, "-linux-gnu");
	}
}

static bool is_identifier(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The length of the token `name` at `text`, which begins with '$': $NAME or ${NAME}; 0: another. */
static size_t token_size(const char *text, size_t size, const char *name)
{
	size_t braces = size > 1 && text[1] == '{', length = strlen(name);
	size_t all = 1 + braces + length + braces;

	if (all > size || memcmp(text + 1 + braces, name, length) != 0)
		return 0;
	if (braces)
		return text[all - 1] == '}' ? all : 0;
	return all < size && is_identifier(text[all]) ? 0 : all;
}

bool library_path_expand(struct bytes *ret, const char *text, size_t size, const char *origin,
			 unsigned lib)
{
	size_t begin = ret->size, token;
	bool guessed = false;

	while (size && ret->size - begin <= MAX_PATH_BYTES) {
		if (*text != '$') {
			bytes_add_char(ret, *text);
			token = 1;
		} else if ((token = token_size(text, size, "ORIGIN"))) {
			bytes_add_str(ret, origin);
		} else if ((token = token_size(text, size, "LIB"))) {
			add_lib(ret, lib);
			guessed = true;
		} else if ((token = token_size(text, size, "PLATFORM"))) {
			const char *platform = (const char *)getauxval(AT_PLATFORM);

			if (platform)
				bytes_add_str(ret, platform);
			else
				add_machine(ret);
		} else {
			bytes_add_char(ret, *text);
			token = 1;
		}
		text += token;
		size -= token;
	}
	return guessed && lib < 2;
}

/* ---- lists ---- */

int library_folders_add_list(struct library_folders *folders, const char *list,
			     const char *separators, const char *origin)
{
	for (;;) {
		size_t size = strcspn(list, separators);
		bool more = !is_full(folders);
		int r;

		for (unsigned lib = 0; more; lib++) {
			more = library_path_expand(&folders->paths, size ? list : ".",
						   size ? size : 1, origin, lib);
			r = end_path(folders);
			if (r < 0)
				return r;
		}
		list += size;
		if (!*list++)
			return 0;
	}
}

int library_folders_add_system(struct library_folders *folders)
{
	static const char *const above[] = { "/", "/usr/" };
	int r = 0;

	for (unsigned guess = 0; guess < 3; guess++) {
		for (unsigned i = 0; i < ARRAY_SIZE(above) && r == 0; i++) {
			bytes_add_str(&folders->paths, above[i]);
			add_lib(&folders->paths, guess);
			r = end_path(folders);
		}
	}
	return r;
}

/* ---- ld.so.conf ---- */

static int add_conf(struct library_folders *folders, const char *path, unsigned depth,
		    unsigned *files);

/* pattern: relative to the folder of the file `path` that includes it. */
static int add_included(struct library_folders *folders, const char *path, const char *pattern,
			unsigned depth, unsigned *files)
{
	cleanup(bytes_fini) struct bytes full = {};
	const char *slash = strrchr(path, '/'), *text;
	glob_t found = {};
	int r = 0;

	if (pattern[0] != '/' && slash)
		bytes_add(&full, path, (size_t)(slash + 1 - path));
	bytes_add_str(&full, pattern);
	text = bytes_str(&full);
	if (!text)
		return -ENOMEM;
	if (glob(text, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
			r = add_conf(folders, found.gl_pathv[i], depth + 1, files);
	globfree(&found);
	return r;
}

static int add_conf_line(struct library_folders *folders, const char *path, char *line,
			 unsigned depth, unsigned *files)
{
	static const char blanks[] = " \t\r\f\v";
	size_t size;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, blanks);
	size = strcspn(line, blanks);
	if (size == 7 && memcmp(line, "include", 7) == 0) {
		char *rest = NULL;
		int r = 0;

		for (char *pattern = strtok_r(line + size, blanks, &rest); pattern && r == 0;
		     pattern = strtok_r(NULL, blanks, &rest))
			r = add_included(folders, path, pattern, depth, files);
		return r;
	}
	/* "hwcap N NAME" lines are of the past; "FOLDER=libc6" names the kind of library. */
	line[strcspn(line, "=")] = '\0';
	for (size = strlen(line); size && strchr(blanks, line[size - 1]); size--)
		;
	if (line[0] != '/' || is_full(folders))
		return 0;
	bytes_add(&folders->paths, line, size);
	return end_path(folders);
}

static int add_conf(struct library_folders *folders, const char *path, unsigned depth,
		    unsigned *files)
{
	cleanup(bytes_fini) struct bytes text = {};
	char *rest = NULL;
	int r;

	if (depth > MAX_CONF_DEPTH || ++*files > MAX_CONF_FILES)
		return 0;
	r = fs_read(&text, AT_FDCWD, path, MAX_CONF_BYTES);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (!bytes_str(&text))
		return -ENOMEM;
	for (char *line = strtok_r(text.at, "\n", &rest); line && r == 0;
	     line = strtok_r(NULL, "\n", &rest))
		r = add_conf_line(folders, path, line, depth, files);
	return r;
}

int library_folders_add_conf(struct library_folders *folders, const char *path)
{
	unsigned files = 0;

	return add_conf(folders, path, 0, &files);
}

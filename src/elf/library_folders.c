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
#include "elf/library_conf.h"

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

/* A file that is being read. */
struct conf {
	struct library_folders *folders;
	const char *path;
	unsigned depth;
	unsigned *files;
};

static int add_conf(struct conf *conf);

/* pattern: relative to the folder of the file that includes it. */
static int add_included(void *context, const char *pattern)
{
	cleanup(bytes_fini) struct bytes full = {};
	const struct conf *conf = context;
	const char *slash = strrchr(conf->path, '/'), *text;
	glob_t found = {};
	int r = 0;

	if (pattern[0] != '/' && slash)
		bytes_add(&full, conf->path, (size_t)(slash + 1 - conf->path));
	bytes_add_str(&full, pattern);
	text = bytes_str(&full);
	if (!text)
		return -ENOMEM;
	if (glob(text, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc && r == 0; i++) {
			struct conf included = { conf->folders, found.gl_pathv[i], conf->depth + 1,
						 conf->files };

			r = add_conf(&included);
		}
	}
	globfree(&found);
	return r;
}

static int add_folder(void *context, const char *path)
{
	const struct conf *conf = context;

	if (is_full(conf->folders))
		return 0;
	bytes_add_str(&conf->folders->paths, path);
	return end_path(conf->folders);
}

static int add_conf(struct conf *conf)
{
	static const struct library_conf_handler handler = { add_folder, add_included };
	cleanup(bytes_fini) struct bytes text = {};
	int r;

	if (conf->depth > MAX_CONF_DEPTH || ++*conf->files > MAX_CONF_FILES)
		return 0;
	r = fs_read(&text, AT_FDCWD, conf->path, MAX_CONF_BYTES);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (!bytes_str(&text))
		return -ENOMEM;
	return library_conf_parse(text.at, &handler, conf);
}

int library_folders_add_conf(struct library_folders *folders, const char *path)
{
	unsigned files = 0;
	struct conf conf = { folders, path, 0, &files };

	return add_conf(&conf);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The order of ld.so(8), "DESCRIPTION", breadth first: what a program asks for itself comes before
 * what its libraries ask for, and a name that was found once is not looked for again.
 *
 * Left to be compiled when they are mapped: libraries of glibc-hwcaps folders, of dlopen, and of
 * programs that the command starts. Depth, files and looks into folders are bounded, whatever the
 * files say; a cycle ends at the first name that is there already.
 */
#include "session/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "elf/library_folders.h"
#include "elf/needed.h"
#include "session/pipeline.h"

enum {
	MAX_DEPTH = 32,	   /* of libraries that need libraries; real ones reach ten or so */
	MAX_PROGRAMS = 8,  /* that one leads to another; the kernel follows "#!" five times */
	MAX_LOOKS = 16384, /* attempts to open a file, a few microseconds each */
	NO_LOADER = -1,
};

/* Of compiling: somebody waits for the command to start. Most take 0.1 s or less. */
#define BUILD_BUDGET_NS 2000000000ULL

/* An object in the address space of the program, as ld.so would have it. */
struct loaded {
	struct object *object;
	struct needed needed;
	char *name; /* by which it was asked for */
	char *origin;
	struct library_folders rpath, runpath;
	int32_t loader; /* position of the one that asked for it, or NO_LOADER */
	unsigned depth;
};

/* The next one to look at: a script's interpreter, or what `env` starts. */
struct program {
	char *name;
	bool in_path; /* else a path */
};

struct search {
	struct workers *workers;
	struct object_cache *objects;
	struct prepare_files *files;
	char *const *environment;
	struct library_folders library_path, system;
	ARRAY_OF(struct program) programs;
	/* Of the current program; the first one is itself. Has its full size, so it never moves. */
	ARRAY_OF(struct loaded) loaded;
	unsigned looks;
};

static void loaded_fini(struct loaded *loaded)
{
	object_unref(loaded->object);
	needed_fini(&loaded->needed);
	library_folders_fini(&loaded->rpath);
	library_folders_fini(&loaded->runpath);
	free(loaded->name);
	free(loaded->origin);
}

static void forget_loaded(struct search *search)
{
	for (uint32_t i = 0; i < search->loaded.count; i++)
		loaded_fini(&search->loaded.at[i]);
	search->loaded.count = 0;
}

static void search_fini_cleanup(struct search *search)
{
	forget_loaded(search);
	array_fini(&search->loaded);
	for (uint32_t i = 0; i < search->programs.count; i++)
		free(search->programs.at[i].name);
	array_fini(&search->programs);
	library_folders_fini(&search->library_path);
	library_folders_fini(&search->system);
}

void prepare_files_fini(struct prepare_files *files)
{
	for (uint32_t i = 0; i < files->objects.count; i++)
		object_unref(files->objects.at[i]);
	array_fini(&files->objects);
}

static const char *variable(char *const *environment, const char *name, const char *absent)
{
	size_t size = strlen(name);

	for (; environment && *environment; environment++)
		if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
			return *environment + size + 1;
	return absent;
}

static int add_file(struct prepare_files *files, struct object *object)
{
	struct object **slot;

	for (uint32_t i = 0; i < files->objects.count; i++)
		if (files->objects.at[i] == object)
			return 0;
	slot = array_push(&files->objects);
	if (!slot)
		return -ENOMEM;
	*slot = object_ref(object);
	return 0;
}

/* ---- one object ---- */

/*
 * Opens a file. Who has not answered once is not waited for again: it is only a warm-up.
 * Returns a descriptor or a negative errno (-E2BIG: the search is over).
 */
static int open_file(struct search *search, struct program_file *ret, const char *path)
{
	int fd;

	*ret = (struct program_file){};
	if (search->looks >= MAX_LOOKS)
		return -E2BIG;
	search->looks++;
	fd = ask_program(search->workers, ret, path);
	if (fd != -EIO)
		return fd;
	search->looks = MAX_LOOKS;
	return -E2BIG;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* path: by which it was found; name: by which it was asked for. Returns 0 or a negative errno. */
static int load(struct search *search, struct object *object, const char *path, const char *name,
		int32_t loader)
{
	struct loaded *loaded;
	int r;

	if (search->files->objects.count >= PREPARE_MAX_FILES ||
	    search->loaded.count >= PREPARE_MAX_FILES)
		return -E2BIG;
	loaded = array_push(&search->loaded);
	if (!loaded)
		return -ENOMEM;
	loaded->object = object_ref(object);
	loaded->name = strdup(name);
	loaded->origin = folder_of(path);
	loaded->loader = loader;
	loaded->depth = loader == NO_LOADER ? 0 : search->loaded.at[loader].depth + 1;
	if (!loaded->name || !loaded->origin)
		return -ENOMEM;
	r = add_file(search->files, object);
	if (r < 0)
		return r;
	r = ask_needed(search->workers, &loaded->needed, object);
	if (r < 0)
		return r == -ENOMEM ? r : 0; /* cannot be read: it asks for nothing */
	if (loaded->needed.runpath)
		return library_folders_add_list(&loaded->runpath,
						needed_text(&loaded->needed,
							    loaded->needed.runpath),
						":", loaded->origin);
	if (loaded->needed.rpath)
		return library_folders_add_list(&loaded->rpath,
						needed_text(&loaded->needed, loaded->needed.rpath),
						":", loaded->origin);
	return 0;
}

/* ---- libraries ---- */

static bool is_loaded(const struct search *search, const char *name)
{
	for (uint32_t i = 0; i < search->loaded.count; i++) {
		const struct loaded *loaded = &search->loaded.at[i];

		if (strcmp(loaded->name, name) == 0 ||
		    strcmp(needed_text(&loaded->needed, loaded->needed.soname), name) == 0)
			return true;
	}
	return false;
}

enum { NOT_HERE = 1 };

/*
 * Loads the library at the path. Like ld.so it passes over what is for another machine.
 * Returns 0, NOT_HERE, or a negative errno that ends the search.
 */
static int try_path(struct search *search, const char *path, const char *name, int32_t loader)
{
	cleanup(program_file_fini) struct program_file file = {};
	cleanup(object_unref) struct object *object = NULL;
	int fd = open_file(search, &file, path), r;

	if (fd < 0)
		return fd == -E2BIG ? fd : NOT_HERE;
	/* By the name that mapping events will give it. */
	r = object_cache_get(search->objects, &object, fd, -1, &file.opened, file.path);
	if (r != 0)
		return r == -ENOMEM ? r : NOT_HERE;
	if (object->machine != search->loaded.at[0].object->machine)
		return NOT_HERE;
	for (uint32_t i = 0; i < search->loaded.count; i++)
		if (search->loaded.at[i].object == object)
			return 0; /* under another name */
	return load(search, object, path, name, loader);
}

static int try_folders(struct search *search, const struct library_folders *folders,
		       const char *name, int32_t loader)
{
	const char *folder = folders->paths.at;
	int r = NOT_HERE;

	for (uint32_t i = 0; i < folders->count && r == NOT_HERE; i++) {
		char path[PATH_MAX];
		int size = snprintf(path, sizeof(path), "%s/%s", folder, name);

		folder += strlen(folder) + 1;
		if (size > 0 && (size_t)size < sizeof(path))
			r = try_path(search, path, name, loader);
	}
	return r;
}

/* A name with a '/' is a path. */
static int try_name_as_path(struct search *search, const char *name, int32_t loader)
{
	bool more = true;
	int r = NOT_HERE;

	for (unsigned lib = 0; more && r == NOT_HERE; lib++) {
		cleanup(bytes_fini) struct bytes path = {};

		more = library_path_expand(&path, name, strlen(name),
					   search->loaded.at[loader].origin, lib);
		if (!bytes_str(&path))
			return -ENOMEM;
		r = try_path(search, path.at, name, loader);
	}
	return r;
}

/* `at`: position of who asks. Returns 0, NOT_HERE, or a negative errno that ends the search. */
static int find_library(struct search *search, const char *name, int32_t at)
{
	int r = NOT_HERE;

	if (!*name || is_loaded(search, name))
		return 0;
	if (strchr(name, '/'))
		return try_name_as_path(search, name, at);
	/* An rpath holds for all that is loaded below it, unless who asks has a runpath. */
	if (!search->loaded.at[at].needed.runpath)
		for (int32_t i = at; i != NO_LOADER && r == NOT_HERE;
		     i = search->loaded.at[i].loader)
			r = try_folders(search, &search->loaded.at[i].rpath, name, at);
	if (r == NOT_HERE)
		r = try_folders(search, &search->library_path, name, at);
	if (r == NOT_HERE)
		r = try_folders(search, &search->loaded.at[at].runpath, name, at);
	if (r == NOT_HERE)
		r = try_folders(search, &search->system, name, at);
	return r;
}

/* LD_PRELOAD and /etc/ld.so.preload: names or paths with blanks or colons between. */
static int load_preloads(struct search *search, const char *list)
{
	static const char separators[] = " :\t\n";
	int r = 0;

	for (list += strspn(list, separators); *list && r >= 0; list += strspn(list, separators)) {
		size_t size = strcspn(list, separators);
		cleanup(free) char *name = strndup(list, size);

		if (!name)
			return -ENOMEM;
		r = find_library(search, name, 0);
		list += size;
	}
	return r < 0 ? r : 0;
}

/* Everything that ld.so loads for the program in loaded.at[0]. */
static int load_libraries(struct search *search)
{
	const char *library_path = variable(search->environment, "LD_LIBRARY_PATH", "");
	cleanup(bytes_fini) struct bytes preload = {};
	const struct loaded *program = &search->loaded.at[0];
	const char *interpreter = needed_text(&program->needed, program->needed.interpreter);
	int r = 0;

	if (!*interpreter)
		return 0; /* linked statically */
	library_folders_fini(&search->library_path);
	if (*library_path)
		r = library_folders_add_list(&search->library_path, library_path, ":;",
					     program->origin);
	if (r == 0)
		r = try_path(search, interpreter, interpreter, 0);
	if (r >= 0)
		r = load_preloads(search, variable(search->environment, "LD_PRELOAD", ""));
	if (r >= 0 && fs_read(&preload, AT_FDCWD, "/etc/ld.so.preload", 65536) == 0 &&
	    bytes_str(&preload))
		r = load_preloads(search, preload.at);
	for (uint32_t i = 0; i < search->loaded.count && r >= 0; i++) {
		const struct needed *needed = &search->loaded.at[i].needed;

		if (search->loaded.at[i].depth >= MAX_DEPTH)
			continue;
		for (uint32_t k = 0; k < needed->names.count && r >= 0; k++)
			r = find_library(search, needed_text(needed, needed->names.at[k]),
					 (int32_t)i);
	}
	return r < 0 ? r : 0;
}

/* ---- programs ---- */

static int add_program(struct search *search, const char *name, bool in_path)
{
	struct program *program;

	if (search->programs.count >= MAX_PROGRAMS || !*name)
		return 0;
	program = array_push(&search->programs);
	if (!program)
		return -ENOMEM;
	*program = (struct program){ strdup(name), in_path };
	return program->name ? 0 : -ENOMEM;
}

/* A file that could be executed, by whomever. */
static int open_executable(struct search *search, struct program_file *ret, const char *path)
{
	cleanup(close) int fd = -1;

	program_file_fini(ret);
	fd = open_file(search, ret, path);
	return fd < 0 || ret->executable ? TAKE_FD(fd) : -EACCES;
}

/* As execvp(3) looks for it. Returns a descriptor or a negative errno. */
static int open_program(struct search *search, struct program_file *ret, const char *name,
			bool in_path)
{
	const char *folder = variable(search->environment, "PATH", "/bin:/usr/bin");
	int fd = -ENOENT;

	if (!in_path || strchr(name, '/'))
		return open_executable(search, ret, name);
	for (;;) {
		size_t length = strcspn(folder, ":");
		char path[PATH_MAX];
		int size = snprintf(path, sizeof(path), "%.*s%s%s",
				    length < PATH_MAX ? (int)length : PATH_MAX, folder,
				    length ? "/" : "", name);

		if (size > 0 && (size_t)size < sizeof(path))
			fd = open_executable(search, ret, path);
		folder += length;
		if (fd >= 0 || !*folder++)
			return fd;
	}
}

/* "env PROGRAM", "env -S PROGRAM ARGUMENT...", also with NAME=VALUE before (env(1), "Scripts"). */
static int follow_env(struct search *search, const char *argument)
{
	static const char blanks[] = " \t";
	cleanup(free) char *copy = strdup(argument);
	char *rest = NULL;

	if (!copy)
		return -ENOMEM;
	if (strncmp(copy, "-S", 2) != 0 && strncmp(copy, "--split-string", 14) != 0)
		return strchr(copy, '=') || copy[0] == '-' ? 0 : add_program(search, copy, true);
	memset(copy, ' ', copy[1] == 'S' ? 2 : copy[14] == '=' ? 15 : 14);
	for (char *word = strtok_r(copy, blanks, &rest); word; word = strtok_r(NULL, blanks, &rest))
		if (word[0] != '-' && !strchr(word, '='))
			return add_program(search, word, true);
	return 0;
}

static int follow_script(struct search *search, const struct script *script)
{
	const char *slash = strrchr(script->interpreter, '/');
	int r = add_program(search, script->interpreter, false);

	if (r == 0 && strcmp(slash ? slash + 1 : script->interpreter, "env") == 0)
		r = follow_env(search, script->argument);
	return r;
}

/* Returns 0 or a negative errno. */
static int add_program_files(struct search *search, const struct program *program)
{
	cleanup(program_file_fini) struct program_file file = {};
	cleanup(object_unref) struct object *object = NULL;
	struct script script;
	int fd = open_program(search, &file, program->name, program->in_path), r;

	if (fd < 0)
		return 0;
	if (script_parse(&script, file.beginning, file.size) == 0) {
		close(fd);
		return follow_script(search, &script);
	}
	r = object_cache_get(search->objects, &object, fd, -1, &file.opened, file.path);
	if (r == OBJECT_NOT_ELF)
		return add_program(search, "/bin/sh", false); /* execvp(3), ENOEXEC */
	if (r != 0)
		return r == -ENOMEM ? r : 0;
	forget_loaded(search);
	/* Its $ORIGIN is the folder that the kernel tells, without symbolic links. */
	r = load(search, object, object->path, program->name, NO_LOADER);
	return r == 0 ? load_libraries(search) : r;
}

int prepare_find(struct prepare_files *ret, struct workers *workers, struct object_cache *objects,
		 const char *program, char *const *environment, const char *conf)
{
	cleanup(search_fini) struct search search = { .workers = workers,
						      .objects = objects,
						      .files = ret,
						      .environment = environment };
	int r;

	*ret = (struct prepare_files){};
	if (!array_reserve(&search.loaded, PREPARE_MAX_FILES))
		return -ENOMEM;
	r = library_folders_add_conf(&search.system, conf);
	if (r == 0)
		r = library_folders_add_system(&search.system);
	if (r == 0)
		r = add_program(&search, program, true);
	for (uint32_t i = 0; i < search.programs.count && r == 0; i++) {
		struct program next = search.programs.at[i]; /* the array grows */

		r = add_program_files(&search, &next);
	}
	return r == -ENOMEM ? r : 0;
}

void prepare_command(struct pipeline *pipeline, const char *program, char *const *environment)
{
	cleanup(prepare_files_fini) struct prepare_files files = {};
	uint64_t begin_ns = pipeline->tables.cost_ns;
	struct table_store_figures before, now;
	struct object *vdso;
	uint32_t flags;

	if (prepare_find(&files, pipeline->workers, pipeline->processes.objects, program,
			 environment, "/etc/ld.so.conf") < 0)
		log_debug("not enough memory to find all libraries of %s", program);
	if (object_cache_get_vdso(pipeline->processes.objects, &vdso) == 0) {
		(void)object_tables_get(&pipeline->tables, vdso, true, clock_ns(CLOCK_MONOTONIC),
					&flags);
		object_unref(vdso);
	}
	table_store_figures(pipeline->store, &before);
	for (uint32_t i = 0; i < files.objects.count; i++) {
		(void)object_tables_get(&pipeline->tables, files.objects.at[i], true,
					clock_ns(CLOCK_MONOTONIC), &flags);
		table_store_figures(pipeline->store, &now);
		/* Those that come first are the ones that are needed. */
		if (now.evictions != before.evictions ||
		    pipeline->tables.cost_ns - begin_ns > BUILD_BUDGET_NS)
			break;
	}
	log_debug("%s: %u files found, %u tables compiled ahead", program, files.objects.count,
		  pipeline->tables.compiled);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables for a command before it runs: of its program and of the libraries that ld.so will
 * load, so that the walks of its first moments find them in place.
 *
 * Only a warm-up. What is found is a guess made by reading files; nothing is executed, and what it
 * misses is compiled once it is mapped.
 */
#pragma once

#include "base/array.h"
#include "proc/object_cache.h"

struct pipeline;

/* Programs before their libraries, and libraries in the order in which ld.so meets them. */
struct prepare_files {
	ARRAY_OF(struct object *) objects; /* references; each once */
};

enum { PREPARE_MAX_FILES = 256 };

void prepare_files_fini(struct prepare_files *files);
static inline void prepare_files_fini_cleanup(struct prepare_files *files)
{
	prepare_files_fini(files);
}

/*
 * The ELF files that a command will map: its program, a script's interpreter, the program that
 * "#!/usr/bin/env PROGRAM" leads to, and all their libraries, as ld.so(8) finds them.
 *
 * program: argv[0], looked up as execvp does. environment: of the command, for PATH,
 * LD_LIBRARY_PATH and LD_PRELOAD. conf: "/etc/ld.so.conf", which lists folders.
 * Returns 0, also when nothing is found, or -ENOMEM; *ret is good in any case.
 */
int prepare_find(struct prepare_files *ret, struct workers *workers, struct object_cache *objects,
		 const char *program, char *const *environment, const char *conf);
/*
 * Finds them and compiles their tables, nearest first, until there is no room for more or it has
 * taken too long. The next pipeline_publish shows the tables to the kernel half.
 */
void prepare_command(struct pipeline *pipeline, const char *program, char *const *environment);

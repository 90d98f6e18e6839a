/* SPDX-License-Identifier: Apache-2.0 */
/* The folders in which ld.so looks for libraries, from the lists that name them (ld.so(8)). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { LIBRARY_FOLDERS_MAX = 256 }; /* of one list; what goes beyond is left out */

/* Paths as `at` has them, one after another, each with its final NUL. */
struct library_folders {
	struct bytes paths;
	uint32_t count;
};

void library_folders_fini(struct library_folders *folders);
static inline void library_folders_fini_cleanup(struct library_folders *folders)
{
	library_folders_fini(folders);
}

/*
 * Appends a path as ld.so reads it ("Dynamic string tokens"): $ORIGIN is `origin`, the folder of
 * the object that asks; $PLATFORM is the kernel's word for the machine. $LIB depends on how ld.so
 * was built: `lib` is the number of a guess.
 * Returns whether another guess gives another path.
 */
bool library_path_expand(struct bytes *ret, const char *text, size_t size, const char *origin,
			 unsigned lib);

/* All return 0 or -ENOMEM. */

/* The items of a list: an rpath or LD_LIBRARY_PATH. separators: ":" or ":;". "": the current one. */
int library_folders_add_list(struct library_folders *folders, const char *list,
			     const char *separators, const char *origin);
/* What a configuration file of ldconfig(8) lists, "include" lines too. A missing one lists nothing. */
int library_folders_add_conf(struct library_folders *folders, const char *path);
/* Those that distributions build into ld.so. */
int library_folders_add_system(struct library_folders *folders);

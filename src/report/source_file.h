/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source files as profiles name them, found on this machine. A profile may name anything: nothing but
 * regular files of bounded size is read, and what is shown of them is for the caller to clean.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/bytes.h"

/* As `go tool pprof` has -source_path and -trim_path; borrowed, NULL: none. */
struct source_paths {
	const char *search; /* folders, ":" between them */
	const char *trim;   /* beginnings of recorded paths that are cut off, ":" between them */
};

struct source_file {
	char *path; /* where it was found; NULL: nowhere */
	struct bytes text;
	ARRAY_OF(uint32_t) lines; /* where each begins in the text, and the end */
	int64_t changed_ns;	  /* CLOCK_REALTIME */
	const char *why;	  /* there is no text, for people: "not found"; NULL: there is */
};

/*
 * Reads a file by its recorded path. Relative paths, and those of which something was cut off, are
 * looked for in the folders (the current one, without any) and in the folders above them; what follows
 * the name of such a folder in the path is looked for in that; at last the path as it is.
 * Returns 0, with or without a text, or -ENOMEM.
 */
int source_file_read(struct source_file *ret, const char *recorded,
		     const struct source_paths *paths);
void source_file_fini(struct source_file *file);
static inline void source_file_fini_cleanup(struct source_file *file)
{
	source_file_fini(file);
}
/*
 * Appends a line, from 1, without its end and with tabs as blanks; nothing for one that is not there.
 * Returns whether it is there.
 */
bool source_file_line(const struct source_file *file, uint32_t line, struct bytes *ret);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file of sections with NAME = VALUE, read with inih (its README has the format).
 *
 * inih goes on behind a mistake, cuts what is too long and joins lines that are indented: here the
 * file is read line by line beforehand, and every line that inih would take for something else is a
 * mistake.
 */
#pragma once

#include <stdarg.h>

struct config_file {
	const char *path;
	unsigned line;	   /* the one that is read, from 1 on */
	unsigned mistakes; /* so far */
	void *context;
	/* Called for each NAME = VALUE; `section` is "" above the first one. Returns 0 or -errno. */
	int (*entry)(struct config_file *file, const char *section, const char *name,
		     const char *value);
};

/* The longest line that inih takes whole. */
enum { CONFIG_FILE_LINE_MAX = 196, CONFIG_FILE_BYTES_MAX = 65536 };

/*
 * Reads file->path, which may be a link but must be a regular file. Mistakes have been logged, and
 * counted in file->mistakes. Returns 0, or a negative errno of open, read or `entry`, not logged.
 */
int config_file_read(struct config_file *file);
/* Logs "PATH:LINE: words" and counts it. */
void config_file_mistake(struct config_file *file, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* SPDX-License-Identifier: Apache-2.0 */
/* An output format: a row in a table. */
#pragma once

#include <stddef.h>

#include "output/stream.h"
#include "profile/profile.h"

struct writer {
	const char *name;      /* "flamegraph" */
	const char *aliases[3]; /* "svg"; NULL-terminated */
	const char *extensions[3]; /* ".svg"; NULL-terminated */
	const char *description;
	/* Writes a frozen profile. Returns 0 or a negative errno. */
	int (*write)(const struct profile *profile, struct stream *stream);
};

/* All formats, `writer_count` of them. */
extern const struct writer *const writers[];
extern const size_t writer_count;

/* By name or alias; NULL: no such format. */
const struct writer *writer_by_name(const char *name);
/* By the end of a file name, the longest extension wins; NULL: none fits. */
const struct writer *writer_by_path(const char *path);

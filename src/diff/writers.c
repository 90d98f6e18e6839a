// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/cleanup.h"
#include "diff/output.h"

const struct diff_writer *const diff_writers[] = { &diff_writer_text, &diff_writer_json,
						   &diff_writer_folded, &diff_writer_flamegraph,
						   &diff_writer_pprof };
const size_t diff_writer_count = ARRAY_SIZE(diff_writers);

const struct diff_writer *diff_writer_by_name(const char *name)
{
	for (size_t i = 0; i < diff_writer_count; i++) {
		if (strcmp(diff_writers[i]->name, name) == 0)
			return diff_writers[i];
		for (const char *const *alias = diff_writers[i]->aliases; *alias; alias++)
			if (strcmp(*alias, name) == 0)
				return diff_writers[i];
	}
	return NULL;
}

const struct diff_writer *diff_writer_by_path(const char *path)
{
	size_t size = strlen(path);

	for (size_t i = 0; i < diff_writer_count; i++)
		for (const char *const *at = diff_writers[i]->extensions; *at; at++)
			if (size > strlen(*at) && strcmp(path + size - strlen(*at), *at) == 0)
				return diff_writers[i];
	return NULL;
}

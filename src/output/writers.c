// SPDX-License-Identifier: Apache-2.0
/* The registry. A new format is a file with one struct, and a line here. */
#include "output/formats.h"

#include <string.h>

#include "base/cleanup.h"

const struct writer *const writers[] = {
	&writer_flamegraph,
	&writer_html,
	&writer_pprof,
	&writer_folded,
	&writer_speedscope,
	&writer_firefox,
	&writer_cpuprofile,
	&writer_text,
};
const size_t writer_count = ARRAY_SIZE(writers);

const struct writer *writer_by_name(const char *name)
{
	for (size_t i = 0; i < writer_count; i++) {
		if (strcmp(writers[i]->name, name) == 0)
			return writers[i];
		for (const char *const *alias = writers[i]->aliases; *alias; alias++)
			if (strcmp(*alias, name) == 0)
				return writers[i];
	}
	return NULL;
}

const struct writer *writer_by_path(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t size = strlen(name), longest = 0;
	const struct writer *found = NULL;

	for (size_t i = 0; i < writer_count; i++)
		for (const char *const *ext = writers[i]->extensions; *ext; ext++) {
			size_t length = strlen(*ext);

			if (length > longest && length <= size &&
			    strcmp(name + size - length, *ext) == 0) {
				longest = length;
				found = writers[i];
			}
		}
	return found;
}

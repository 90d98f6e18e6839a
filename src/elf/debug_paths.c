// SPDX-License-Identifier: Apache-2.0
#include "elf/debug_paths.h"

#include <string.h>

#include "base/cleanup.h"

unsigned debug_paths_add(struct bytes *ret, const struct object *object)
{
	/* Before the object's folder, and between it and the name in the link. */
	static const struct {
		const char *before, *between;
	} places[] = { { "", "" }, { "", ".debug/" }, { "/usr/lib/debug", "" } };
	const char *slash = strrchr(object->path, '/');
	unsigned count = 0;

	if (object->build_id_size > 1) {
		char hex[2 * OBJECT_BUILD_ID_MAX + 1];

		object_build_id_hex(object, hex);
		bytes_add_format(ret, "/usr/lib/debug/.build-id/%.2s/%s.debug", hex, hex + 2);
		bytes_add(ret, "", 1);
		count++;
	}
	if (!object->debug_link || object->path[0] != '/')
		return count;
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		bytes_add_str(ret, places[i].before);
		bytes_add(ret, object->path, (size_t)(slash + 1 - object->path));
		bytes_add_str(ret, places[i].between);
		bytes_add(ret, object->debug_link, strlen(object->debug_link) + 1);
		count++;
	}
	return count;
}

void debug_paths_add_packages(struct bytes *ret, const struct object *object)
{
	cleanup(bytes_fini) struct bytes files = {};

	if (object->path[0] == '/')
		bytes_add(&files, object->path, strlen(object->path) + 1);
	(void)debug_paths_add(&files, object);
	ret->failed |= files.failed;
	for (size_t at = 0, size; !files.failed && at < files.size; at += size) {
		size = strlen(files.at + at) + 1;
		bytes_add(ret, files.at + at, size - 1);
		bytes_add(ret, DEBUG_PACKAGE_SUFFIX, sizeof(DEBUG_PACKAGE_SUFFIX));
	}
}

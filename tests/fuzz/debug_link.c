// SPDX-License-Identifier: Apache-2.0
/*
 * .gnu_debuglink, and where the debug file may lie: the size of the section, the section, and the
 * path of the object. A link that we write is read as it was written.
 */
#include <errno.h>
#include <lzma.h>

#include "base/bytes.h"
#include "elf/debug_file.h"
#include "elf/debug_paths.h"
#include "elf_builder.h"

static struct object *make_object(const void *link, size_t size, const char *path)
{
	static struct elf_builder b;
	struct object *object;

	elf_builder_begin(&b);
	elf_builder_section(&b, ".gnu_debuglink", SHT_PROGBITS, link, size);
	FUZZ_CHECK(object_open(&object, memory_file_again(elf_builder_file(&b)), path) == 0);
	return object;
}

static void check_paths(const struct object *object)
{
	struct bytes paths = {};
	unsigned count = debug_paths_add(&paths, object), seen = 0;

	FUZZ_CHECK(count <= DEBUG_PATHS_MAX);
	for (size_t i = 0; i < paths.size; i++) {
		if (i == 0 || !paths.at[i - 1])
			FUZZ_CHECK(paths.at[i] == '/');
		seen += !paths.at[i];
	}
	FUZZ_CHECK(seen == count && (count == 0 || !paths.at[paths.size - 1]));
	bytes_fini(&paths);
}

/* name: made one that leads into no folder. */
static void check_written(char *name, const char *path)
{
	struct bytes link = {};
	struct object *object;
	uint32_t checksum;

	for (char *at = name; *at; at++)
		if (*at == '/')
			*at = ' ';
	checksum = lzma_crc32((const uint8_t *)name, strlen(name), 0);
	bytes_add(&link, name, strlen(name) + 1);
	while (link.size % 4)
		bytes_add_char(&link, '\0');
	bytes_add(&link, &checksum, sizeof(checksum));
	object = make_object(link.at, link.size, path);
	FUZZ_CHECK(object->debug_link && strcmp(object->debug_link, name) == 0 &&
		   object->debug_checksum == checksum);
	check_paths(object);
	/* Of two files the one that has the checksum. */
	FUZZ_CHECK(debug_file_belongs(object, memory_file(name, strlen(name))) == 0);
	FUZZ_CHECK(debug_file_belongs(object, memory_file("another", 7)) == -ENOENT ||
		   strcmp(name, "another") == 0);
	object_unref(object);
	bytes_fini(&link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	size_t link_size = reader_u16(&reader);
	const unsigned char *link;
	struct object *object;
	char *path, *name;

	if (link_size > reader_left(&reader))
		link_size = reader_left(&reader);
	link = reader_take(&reader, link_size);
	path = strndup((const char *)reader.at, reader_left(&reader));
	name = strndup((const char *)link, link_size);
	FUZZ_CHECK(path && name);
	object = make_object(link, link_size, path);
	if (object->debug_link)
		FUZZ_CHECK(object->debug_link[0] && !strchr(object->debug_link, '/') &&
			   memmem(link, link_size, object->debug_link,
				  strlen(object->debug_link) + 1));
	check_paths(object);
	object_unref(object);
	if (name[0] && strlen(name) < 4000)
		check_written(name, path);
	free(path);
	free(name);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The headers of an object file, and its table of sections: whatever they say, segments and
 * sections lie in the file, and no range of addresses wraps around.
 */
#include "elf/object_file.h"

#include <string.h>

#include "elf/debug_file.h"
#include "elf/sections.h"
#include "memory_file.h"

static void check_bias(const struct object *object, uint64_t start, uint64_t file_offset)
{
	bool explained = false;
	uint64_t bias;

	if (object_bias(object, &bias, start, file_offset, start % 2) != 0)
		return;
	/* Where it was mapped lies a segment's byte of that offset, once the bias is added. */
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];

		explained = explained ||
			    start - bias == segment->address + file_offset - segment->file_offset;
	}
	FUZZ_CHECK(explained);
}

static void check_object(const struct object *object, size_t size)
{
	char build_id[2 * OBJECT_BUILD_ID_MAX + 1];

	FUZZ_CHECK(object->segments.count > 0 && object->build_id_size <= OBJECT_BUILD_ID_MAX &&
		   object->identity.size == size);
	object_build_id_hex(object, build_id);
	FUZZ_CHECK(strlen(build_id) == 2 * object->build_id_size);
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i], *found;

		FUZZ_CHECK(segment->file_offset <= size &&
			   segment->file_size <= size - segment->file_offset);
		FUZZ_CHECK(segment->memory_size > 0 && segment->file_size <= segment->memory_size);
		FUZZ_CHECK(segment->address + segment->memory_size > segment->address);
		found = object_segment_of(object, segment->address);
		FUZZ_CHECK(!segment->executable || found);
		if (found)
			FUZZ_CHECK(found->executable && segment->address >= found->address &&
				   object_has_code(object, segment->address));
		check_bias(object, 0x7f0000000001, segment->file_offset);
		check_bias(object, segment->address, segment->file_offset & ~4095ULL);
	}
	check_bias(object, 0x7f0000000000, 0);
	check_bias(object, 0, UINT64_MAX);
}

static void check_sections(const struct section_table *table, size_t size)
{
	for (uint32_t i = 0; i < table->count; i++) {
		const Elf64_Shdr *section = section_table_at(table, i), *found;

		if (section->sh_type != SHT_NOBITS && section->sh_size)
			FUZZ_CHECK(section->sh_offset <= size &&
				   section->sh_size <= size - section->sh_offset);
		found = section_table_find(table, section->sh_type, NULL);
		FUZZ_CHECK(!found || found->sh_size > 0);
		if (section->sh_size)
			FUZZ_CHECK(found && found <= section);
	}
	FUZZ_CHECK(!section_table_at(table, table->count));
	(void)section_table_find(table, SHT_PROGBITS, ".text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memory_file(data, size);
	struct section_table sections = {};
	struct object *object;

	FUZZ_CHECK(section_table_read(&sections, fd) == 0);
	check_sections(&sections, size);
	section_table_fini(&sections);
	if (object_open(&object, memory_file_again(fd), "/folder/file") != 0)
		return 0;
	check_object(object, size);
	(void)debug_file_belongs(object, fd);
	object_unref(object);
	return 0;
}

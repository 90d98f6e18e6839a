// SPDX-License-Identifier: Apache-2.0
/*
 * Debug information: the input is the sections in the order below, each behind its size in two bytes;
 * the last one takes what is left. Whatever they say, answers keep their form, and no text is missing.
 */
#include "dwarf/dwarf.h"

#include <errno.h>

#include "base/bytes.h"
#include "elf_builder.h"

static const char *const names[] = {
	".debug_abbrev", ".debug_info",	    ".debug_line",
	".debug_str",	 ".debug_line_str", ".debug_addr",
	".debug_ranges", ".debug_rnglists", ".debug_str_offsets",
};

static struct object *make_object(struct reader *reader)
{
	static struct elf_builder b;

	elf_builder_begin(&b);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		size_t size = reader_u16(reader);

		if (size > reader_left(reader) || i == ARRAY_SIZE(names) - 1)
			size = reader_left(reader);
		if (size)
			elf_builder_section(&b, names[i], SHT_PROGBITS, reader_take(reader, size),
					    size);
	}
	return elf_builder_object(&b);
}

static void check_frames(struct dwarf *dwarf, const struct strtab *texts, uint64_t address)
{
	struct source_frames frames;
	struct bytes wanted = {};
	int r = dwarf_find(dwarf, address, &frames);

	if (r == DWARF_WANTS) {
		FUZZ_CHECK(dwarf_wanted(dwarf, &wanted) <= DWARF_WANTED_MAX);
		bytes_fini(&wanted);
		r = dwarf_find(dwarf, address, &frames);
	}
	FUZZ_CHECK(r == 0 || r == -ENOENT || r == DWARF_WANTS);
	if (r != 0)
		return;
	FUZZ_CHECK(frames.count >= 1 && frames.count <= SOURCE_MAX_FRAMES);
	for (uint32_t i = 0; i < frames.count; i++)
		FUZZ_CHECK(frames.at[i].name < texts->offsets.count &&
			   frames.at[i].file < texts->offsets.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	struct object *object = make_object(&reader);
	struct dwarf *dwarf = NULL;
	struct strtab texts = {};
	int r;

	FUZZ_CHECK(strtab_init(&texts) == 0);
	r = dwarf_new(&dwarf, object, memory_file_again(object->fd), &texts);
	FUZZ_CHECK(r == 0 || r == -ENOENT);
	if (r == 0)
		for (uint64_t address = ELF_BUILDER_TEXT - 8; address < ELF_BUILDER_TEXT + 0x400;
		     address += 13)
			check_frames(dwarf, &texts, address);
	dwarf_free(dwarf);
	strtab_fini(&texts);
	object_unref(object);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Packages of split units: the input is the ID of the one unit that the program has a skeleton of (8
 * bytes), the skeleton's version (4: GNU's, else 5), and the package's sections in the order below, each
 * behind its size in two bytes; the last one takes what is left. Whatever they say, answers keep their
 * form, and no text is missing.
 */
#include "dwarf/dwarf.h"

#include <dwarf.h>
#include <errno.h>

#include "base/bytes.h"
#include "elf_builder.h"

enum { CODE_BYTES = 0x400, ADDRESSES = 8 };

static const char *const names[] = {
	".debug_cu_index",	  ".debug_info.dwo",	 ".debug_abbrev.dwo", ".debug_str.dwo",
	".debug_str_offsets.dwo", ".debug_rnglists.dwo", ".debug_line.dwo",
};

/* A unit's header and its first entry: a range, and what leads to its other half. */
static struct object *make_program(uint64_t id, bool gnu)
{
	static const unsigned char abbrev_gnu[] = {
		1, DW_TAG_compile_unit, 0, DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8,
		/* DW_AT_GNU_dwo_id, DW_AT_GNU_dwo_name, DW_AT_GNU_addr_base */
		0xb1, 0x42, DW_FORM_data8, 0xb0, 0x42, DW_FORM_string, 0xb3, 0x42,
		DW_FORM_sec_offset, 0, 0, 0
	};
	static const unsigned char abbrev[] = { 1,
						DW_TAG_skeleton_unit,
						0,
						DW_AT_low_pc,
						DW_FORM_addr,
						DW_AT_high_pc,
						DW_FORM_data8,
						DW_AT_dwo_name,
						DW_FORM_string,
						DW_AT_addr_base,
						DW_FORM_sec_offset,
						0,
						0,
						0 };
	static struct elf_builder b;
	static const uint64_t text = ELF_BUILDER_TEXT, size = CODE_BYTES;
	uint32_t length = 0, zero = 0;
	struct bytes info = {};
	uint64_t addresses[ADDRESSES];
	struct object *object;
	int fd;

	bytes_add(&info, &length, sizeof(length));
	bytes_add(&info, gnu ? "\4" : "\5\0\4\x08", gnu ? 2 : 4);
	bytes_add(&info, &zero, sizeof(zero));
	bytes_add(&info, gnu ? (const void *)"\x08" : &id, gnu ? 1 : sizeof(id));
	bytes_add(&info, "\1", 1);
	bytes_add(&info, &text, sizeof(text));
	bytes_add(&info, &size, sizeof(size));
	if (gnu)
		bytes_add(&info, &id, sizeof(id));
	bytes_add(&info, "a.dwo", 6);
	bytes_add(&info, &zero, sizeof(zero));
	FUZZ_CHECK(!info.failed);
	length = (uint32_t)info.size - 4;
	memcpy(info.at, &length, sizeof(length));
	for (unsigned i = 0; i < ADDRESSES; i++)
		addresses[i] = text + i * size / ADDRESSES;
	elf_builder_begin(&b);
	elf_builder_section(&b, ".debug_info", SHT_PROGBITS, info.at, info.size);
	elf_builder_section(&b, ".debug_abbrev", SHT_PROGBITS, gnu ? abbrev_gnu : abbrev,
			    gnu ? sizeof(abbrev_gnu) : sizeof(abbrev));
	elf_builder_section(&b, ".debug_addr", SHT_PROGBITS, addresses, sizeof(addresses));
	bytes_fini(&info);
	/* The package is another file. */
	fd = memory_file_copy(elf_builder_file(&b));
	FUZZ_CHECK(object_open(&object, memory_file_again(fd), "/folder/program") == 0);
	return object;
}

static int make_package(struct reader *reader)
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
	return memory_file_again(elf_builder_file(&b));
}

static void check_frames(struct dwarf *dwarf, const struct strtab *texts, uint64_t address)
{
	struct source_frames frames;
	int r = dwarf_find(dwarf, address, &frames);

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
	uint64_t id = reader_u64(&reader);
	struct object *object = make_program(id, reader_u8(&reader) == 4);
	struct source_frames frames;
	struct dwarf *dwarf = NULL;
	struct strtab texts = {};
	struct bytes wanted = {};

	FUZZ_CHECK(strtab_init(&texts) == 0);
	FUZZ_CHECK(dwarf_new(&dwarf, object, memory_file_again(object->fd), &texts) == 0);
	FUZZ_CHECK(dwarf_find(dwarf, ELF_BUILDER_TEXT, &frames) == DWARF_WANTS);
	FUZZ_CHECK(dwarf_wanted(dwarf, &wanted) > 0);
	bytes_fini(&wanted);
	FUZZ_CHECK(dwarf_offer(dwarf, make_package(&reader)) == 0);
	for (uint64_t address = ELF_BUILDER_TEXT; address < ELF_BUILDER_TEXT + CODE_BYTES;
	     address += 13)
		check_frames(dwarf, &texts, address);
	dwarf_free(dwarf);
	strtab_fini(&texts);
	object_unref(object);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Call frame information alone: the input is flags, the size of .eh_frame, that, and .debug_frame.
 * The rows keep their promises, lie in the code, and the table that is made of them says the same.
 */
#include "elf/cfi.h"

#include <dwarf.h>

#include "base/bytes.h"
#include "elf_builder.h"
#include "rows_check.h"

enum {
	WITHOUT_SECTIONS = 1, /* .eh_frame is found by .eh_frame_hdr */
	COMPRESSED = 2,
	COMPRESSED_GNU = 4,
	WITH_BASES = 8, /* for pointers relative to .text and .got */
};

static void add_header(struct elf_builder *b, uint64_t eh_frame)
{
	unsigned char header[8] = { 1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_omit,
				    DW_EH_PE_omit };
	size_t size = sizeof(header);
	uint64_t at = elf_builder_add(b, header, &size);
	int32_t pointer = (int32_t)(eh_frame - (at + 4));

	memcpy(b->data + at - sizeof(b->head) + 4, &pointer, sizeof(pointer));
	elf_builder_segment(b, PT_GNU_EH_FRAME, at, size);
}

static struct object *make_object(struct reader *reader)
{
	static struct elf_builder b;
	uint8_t flags = reader_u8(reader);
	size_t size = reader_u16(reader);
	const Elf64_Shdr *section;
	struct object *object;

	elf_builder_begin(&b);
	if (size > reader_left(reader))
		size = reader_left(reader);
	section =
		elf_builder_section(&b, ".eh_frame", SHT_PROGBITS, reader_take(reader, size), size);
	add_header(&b, section->sh_offset);
	size = reader_left(reader);
	elf_builder_section(&b, flags & COMPRESSED_GNU ? ".zdebug_frame" : ".debug_frame",
			    SHT_PROGBITS, reader_take(reader, size), size)
		->sh_flags = flags & COMPRESSED ? SHF_COMPRESSED : 0;
	if (flags & WITH_BASES) {
		elf_builder_section(&b, ".text", SHT_PROGBITS, "", 1)->sh_addr = ELF_BUILDER_TEXT;
		elf_builder_section(&b, ".got", SHT_PROGBITS, "", 1);
	}
	if (flags & WITHOUT_SECTIONS)
		b.head.header.e_shoff = 0;
	object = elf_builder_object(&b);
	return object;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	struct object *object = make_object(&reader);
	struct cfi_table rows = {};

	if (cfi_read(&rows, object) == 0) {
		check_rows(&rows);
		for (uint32_t i = 0; i + 1 < rows.rows.count; i++)
			FUZZ_CHECK(is_gap_row(&rows.rows.at[i]) ||
				   object_segment_of(object, rows.rows.at[i].address));
		check_packing(&rows);
	}
	cfi_table_fini(&rows);
	object_unref(object);
	return 0;
}

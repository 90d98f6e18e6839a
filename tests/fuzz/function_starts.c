// SPDX-License-Identifier: Apache-2.0
/*
 * .eh_frame_hdr with the entries that it points to: the size of the first, that, and .eh_frame.
 * Both lie where make_corpus links them to, so that pointers between them are right.
 */
#include "elf/function_starts.h"

#include "base/bytes.h"
#include "elf_builder.h"

enum { HEADER_BYTES = 0x1000 };

static struct object *make_object(struct reader *reader, uint64_t *ret_header, size_t *ret_size)
{
	static struct elf_builder b;
	static unsigned char room[HEADER_BYTES];
	size_t size = reader_u16(reader), room_size = sizeof(room), rest;
	uint64_t at;

	elf_builder_begin(&b);
	if (size > reader_left(reader))
		size = reader_left(reader);
	if (size > sizeof(room))
		size = sizeof(room);
	memset(room, 0, sizeof(room));
	if (size)
		memcpy(room, reader_take(reader, size), size);
	at = elf_builder_add(&b, room, &room_size);
	elf_builder_segment(&b, PT_GNU_EH_FRAME, at, size);
	rest = reader_left(reader);
	elf_builder_add(&b, reader->at, &rest);
	*ret_header = ELF_BUILDER_BASE + at;
	*ret_size = size;
	return elf_builder_object(&b);
}

static void check_address(const struct function_starts *starts, uint64_t address)
{
	uint64_t start, size;

	if (function_starts_find(starts, address, &start, &size) == 0)
		FUZZ_CHECK(start <= address && address - start < size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	struct function_starts starts;
	struct object *object;
	uint64_t header;
	size_t header_size;

	object = make_object(&reader, &header, &header_size);
	FUZZ_CHECK(function_starts_init(&starts, object) == 0);
	FUZZ_CHECK(starts.count <= header_size / 8);
	/* Each look-up reads from the file. */
	for (uint32_t i = 0; i < starts.count && i < 12; i++) {
		int32_t start;

		memcpy(&start, data + 2 + 12 + 8 * i, sizeof(start));
		check_address(&starts, header + (uint64_t)start + i % 3 - 1);
	}
	check_address(&starts, 0);
	check_address(&starts, INT64_MAX);
	check_address(&starts, UINT64_MAX);
	object_unref(object);
	return 0;
}

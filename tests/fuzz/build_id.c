// SPDX-License-Identifier: Apache-2.0
/*
 * Notes with a build ID among them: the input as notes, and notes that are made of it (three bytes
 * and a description for each), of which the first build ID is found.
 */
#include "elf/build_id.h"

#include <elf.h>
#include <string.h>

#include "base/bytes.h"
#include "memory_file.h"

enum { CAPACITY = 64, OFFSET = 8 };

static void pad(struct bytes *notes, size_t align)
{
	while (notes->size % align)
		bytes_add_char(notes, '\0');
}

static void add_note(struct bytes *notes, const char *owner, uint32_t type, const void *data,
		     uint32_t size, size_t align)
{
	const Elf64_Nhdr header = { (uint32_t)strlen(owner) + 1, size, type };

	bytes_add(notes, &header, sizeof(header));
	bytes_add_str(notes, owner);
	bytes_add_char(notes, '\0');
	pad(notes, align);
	bytes_add(notes, data, size);
	pad(notes, align);
}

static void check_made(struct reader reader)
{
	size_t align = reader_u8(&reader) % 2 ? 8 : 4;
	const unsigned char *wanted = NULL, *id;
	uint32_t wanted_size = 0, size, found_size = 0;
	uint8_t found[CAPACITY];
	struct bytes notes = {};

	bytes_add(&notes, "profd  ", OFFSET);
	while (reader_left(&reader) > 3) {
		uint8_t owner = reader_u8(&reader), type = reader_u8(&reader);

		size = reader_u8(&reader);
		if (size > reader_left(&reader))
			size = (uint32_t)reader_left(&reader);
		id = reader_take(&reader, size);
		add_note(&notes, owner % 4 ? "GNU" : "stapsdt", type % 5, id, size, align);
		if (!wanted && owner % 4 && type % 5 == NT_GNU_BUILD_ID && size > 0 &&
		    size <= CAPACITY) {
			wanted = id;
			wanted_size = size;
		}
	}
	FUZZ_CHECK(build_id_read(found, &found_size, CAPACITY, memory_file(notes.at, notes.size),
				 OFFSET, notes.size - OFFSET, align) == 0);
	FUZZ_CHECK(found_size == wanted_size &&
		   (!wanted || memcmp(found, wanted, wanted_size) == 0));
	bytes_fini(&notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	uint64_t align = reader_u8(&reader);
	uint8_t found[CAPACITY];
	uint32_t found_size = 0;

	FUZZ_CHECK(build_id_read(found, &found_size, CAPACITY, memory_file(data, size), 1,
				 reader_left(&reader), align) == 0);
	FUZZ_CHECK(found_size <= CAPACITY);
	if (found_size)
		FUZZ_CHECK(memmem(data, size, found, found_size));
	if (size < 32768)
		check_made(reader_of(data, size));
	return 0;
}

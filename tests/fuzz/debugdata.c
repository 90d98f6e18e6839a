// SPDX-License-Identifier: Apache-2.0
/*
 * .gnu_debugdata: the bytes behind the first one, packed by us (an even number) or taken for
 * packed ones. What we packed comes out as it was, or (without bit 1) is read for its symbols.
 */
#include <lzma.h>

#include "base/bytes.h"
#include "elf/debug_file.h"
#include "elf/symbol_table.h"
#include "elf_builder.h"

/* An .xz file whose one block holds the bytes as they are: packing them would take longest. */
static size_t pack(uint8_t *ret, size_t capacity, const uint8_t *data, size_t size)
{
	lzma_options_lzma options = { .dict_size = LZMA_DICT_SIZE_MIN };
	lzma_filter filters[] = { { LZMA_FILTER_LZMA2, &options }, { LZMA_VLI_UNKNOWN, NULL } };
	lzma_stream_flags flags = { .check = LZMA_CHECK_CRC32 };
	lzma_block block = { .check = LZMA_CHECK_CRC32, .filters = filters };
	lzma_index *index = lzma_index_init(NULL);
	size_t at = LZMA_STREAM_HEADER_SIZE;

	FUZZ_CHECK(index && lzma_stream_header_encode(&flags, ret) == LZMA_OK);
	FUZZ_CHECK(lzma_block_uncomp_encode(&block, data, size, ret, &at, capacity) == LZMA_OK);
	FUZZ_CHECK(lzma_index_append(index, NULL, lzma_block_unpadded_size(&block), size) ==
		   LZMA_OK);
	FUZZ_CHECK(lzma_index_buffer_encode(index, ret, &at, capacity) == LZMA_OK);
	flags.backward_size = lzma_index_size(index);
	FUZZ_CHECK(lzma_stream_footer_encode(&flags, ret + at) == LZMA_OK);
	lzma_index_end(index, NULL);
	return at + LZMA_STREAM_HEADER_SIZE;
}

static void check_unpacked(const struct object *object, const uint8_t *data, size_t size,
			   bool packed_by_us)
{
	struct section_table sections = {};
	uint8_t *unpacked = malloc(size + 1);
	int fd;

	FUZZ_CHECK(unpacked && section_table_read(&sections, object->fd) == 0);
	fd = debug_file_unpack(object, &sections);
	if (packed_by_us)
		FUZZ_CHECK(fd >= 0 && pread(fd, unpacked, size + 1, 0) == (ssize_t)size &&
			   (size == 0 || memcmp(unpacked, data, size) == 0));
	if (fd >= 0)
		close(fd);
	section_table_fini(&sections);
	free(unpacked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t packed[2 * ELF_BUILDER_BYTES];
	static struct elf_builder b;
	bool packed_by_us = size && data[0] % 2 == 0;
	struct symbol_table *table;
	struct object *object;
	size_t packed_size;

	if (size < 2 || size > ELF_BUILDER_BYTES / 2)
		return 0;
	data++;
	size--;
	packed_size = packed_by_us ? pack(packed, sizeof(packed), data, size) : 0;
	elf_builder_begin(&b);
	elf_builder_text(&b);
	elf_builder_section(&b, ".gnu_debugdata", SHT_PROGBITS, packed_by_us ? packed : data,
			    packed_by_us ? packed_size : size);
	object = elf_builder_object(&b);
	if (data[-1] & 2) {
		check_unpacked(object, data, size, packed_by_us);
	} else if (symbol_table_new(&table, object, -1) == 0) {
		for (uint32_t i = 0; i < symbol_table_count(table); i++) {
			struct bytes name = {};

			(void)symbol_table_name(table, i, &name);
			bytes_fini(&name);
		}
		symbol_table_free(table);
	}
	object_unref(object);
	return 0;
}

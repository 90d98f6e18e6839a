// SPDX-License-Identifier: Apache-2.0
/* A Go program: its table found, all of its functions made into rows, some of them named. */
#include "elf/gopclntab.h"

#include "base/bytes.h"
#include "elf/object_file.h"
#include "memory_file.h"
#include "rows_check.h"

static void make_rows(const struct object *object)
{
	struct cfi_table rows = {};

	if (gopclntab_rows(&rows, object) == 0) {
		check_rows(&rows);
		check_packing(&rows);
	}
	cfi_table_fini(&rows);
}

static void name_functions(const struct gopclntab *table)
{
	for (uint32_t i = 0; i < table->count && i < 64; i++) {
		struct bytes name = {};

		(void)gopclntab_name(table, i, &name);
		FUZZ_CHECK(name.size < 1 << 20);
		bytes_fini(&name);
	}
	for (uint32_t i = 0; i < table->object->segments.count; i++) {
		const struct object_segment *segment = &table->object->segments.at[i];
		uint64_t step = segment->memory_size / 64 + 1, start, size;
		uint32_t number;

		for (uint64_t k = 0; k < 64; k++) {
			uint64_t address = segment->address + k * step;

			if (gopclntab_find(table, address, &start, &size, &number) == 0)
				FUZZ_CHECK(address - start < size && number < table->count);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memory_file_again(memory_file(data, size));
	struct gopclntab table;
	struct object *object;

	if (object_open(&object, fd, "/fuzz") != 0)
		return 0;
	if (gopclntab_open(&table, object) == 0)
		name_functions(&table);
	make_rows(object);
	object_unref(object);
	return 0;
}

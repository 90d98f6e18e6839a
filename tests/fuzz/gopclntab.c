// SPDX-License-Identifier: Apache-2.0
/*
 * A Go program: its table found, all of its functions made into rows, some of them named, and some
 * addresses of each with their lines.
 */
#include "elf/gopclntab_lines.h"

#include <errno.h>

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

static void find_lines(const struct gopclntab *table)
{
	struct gopclntab_cursor *cursor = malloc(sizeof(*cursor));
	struct gopclntab_function function;
	struct gopclntab_lines *lines = NULL;
	struct source_frames frames;
	struct strtab texts = {};

	FUZZ_CHECK(cursor && strtab_init(&texts) == 0);
	FUZZ_CHECK(gopclntab_lines_new(&lines, table) == 0);
	gopclntab_cursor_init(cursor, table);
	for (uint32_t i = 0; i < table->count && i < 64; i++) {
		if (!gopclntab_cursor_function(cursor, &function, i))
			continue;
		for (uint64_t k = 0; k < 64 && k < function.end - function.start; k += 3) {
			int r = gopclntab_lines_find(lines, function.start + k, &texts, &frames);

			FUZZ_CHECK(r == 0 || r == -ENOENT);
			FUZZ_CHECK(r != 0 ||
				   (frames.count >= 1 && frames.count <= SOURCE_MAX_FRAMES));
			for (uint32_t n = 0; r == 0 && n < frames.count; n++)
				FUZZ_CHECK(frames.at[n].name < texts.offsets.count &&
					   frames.at[n].file < texts.offsets.count);
		}
	}
	gopclntab_lines_free(lines);
	strtab_fini(&texts);
	free(cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memory_file_again(memory_file(data, size));
	struct gopclntab table;
	struct object *object;

	if (object_open(&object, fd, "/fuzz") != 0)
		return 0;
	if (gopclntab_open(&table, object) == 0) {
		name_functions(&table);
		if (table.count)
			find_lines(&table);
	}
	make_rows(object);
	object_unref(object);
	return 0;
}

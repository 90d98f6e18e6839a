// SPDX-License-Identifier: Apache-2.0
/*
 * A whole object file: headers, call frame information down to a table that is searched, function
 * starts and symbols with their names.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "elf/cfi.h"
#include "elf/object_file.h"
#include "elf/symbol_table.h"
#include "unwind/table_store.h"

static void look_up(const struct table_store *store, uint32_t id, uint64_t address)
{
	uint64_t found = table_store_find_rule(store, id, address);

	if (found != WALK_FIND_NO_ROW && found != WALK_FIND_NO_TABLE)
		FUZZ_CHECK(table_store_rule(store, (uint32_t)(found >> 16)));
}

static void walk_tables(const struct object *object)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	struct unwind_table built = {};
	struct table_store *store;
	struct cfi_table rows = {};
	uint32_t id;

	if (cfi_read(&rows, object) < 0)
		return;
	for (uint32_t i = 1; i < rows.rows.count; i++)
		FUZZ_CHECK(rows.rows.at[i - 1].address < rows.rows.at[i].address);
	for (uint32_t i = 1; i < rows.functions.count; i++)
		FUZZ_CHECK(rows.functions.at[i - 1] < rows.functions.at[i]);
	FUZZ_CHECK(table_store_new(&store, &no_kernel, 1 << 20) == 0);
	if (unwind_table_build(&built, &rows) == 0 &&
	    table_store_add(store, &id, &built, 1) == 0)
		for (uint32_t i = 0; i < rows.rows.count; i++) {
			look_up(store, id, rows.rows.at[i].address - 1);
			look_up(store, id, rows.rows.at[i].address);
		}
	unwind_table_fini(&built);
	table_store_free(store);
	cfi_table_fini(&rows);
}

static void name_symbols(struct object *object)
{
	struct symbol_table *table;

	if (symbol_table_new(&table, object, NULL, 0) < 0)
		return;
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t step = segment->memory_size / 64 + 1;

		for (uint64_t k = 0; k < 64; k++) {
			struct symbol_extent extent;
			struct bytes name = {};

			if (symbol_table_find(table, segment->address + k * step, &extent) == 0) {
				(void)symbol_table_name(table, extent.number, &name);
				FUZZ_CHECK(name.size < 1 << 20);
			}
			bytes_fini(&name);
		}
	}
	symbol_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char build_id[2 * OBJECT_BUILD_ID_MAX + 1];
	struct object *object;
	uint64_t bias;

	FUZZ_CHECK(fd >= 0);
	if (size)
		FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
	/* No debug file is to be found: the input is all there is. */
	if (object_open(&object, fd, "/fuzz") != 0)
		return 0;
	object_build_id_hex(object, build_id);
	(void)object_bias(object, &bias, 0x7f0000000000, 0, true);
	(void)object_bias(object, &bias, 0x7f0000000000, UINT64_MAX, true);
	(void)object_segment_of(object, 0x1000);
	walk_tables(object);
	name_symbols(object);
	object_unref(object);
	return 0;
}

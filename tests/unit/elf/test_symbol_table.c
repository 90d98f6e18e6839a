// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>

#include "elf/elf_image.h"
#include "elf/object_file.h"
#include "elf/symbol_name.h"
#include "elf/symbol_table.h"

/* "name+offset" of an address, "-" without a name. */
static void check(const struct symbol_table *table, uint64_t address, const char *expected)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct symbol_extent extent;

	if (symbol_table_find(table, address, &extent) < 0) {
		bytes_add_str(&text, "-");
	} else {
		assert_ok(symbol_table_name(table, extent.number, &text));
		bytes_add_format(&text, "+%lu", (unsigned long)(address - extent.start));
	}
	assert_string_equal(bytes_str(&text), expected);
}

static struct symbol_table *build(const struct image_symbol *symbols, unsigned count)
{
	cleanup(object_unref) struct object *object = NULL;
	struct symbol_table *table = NULL;
	struct image image;

	image_make(&image, symbols, count);
	assert_ok(object_open(&object, image_open(&image), "/x/image"));
	assert_ok(symbol_table_new(&table, object, -1));
	return table;
}

#define T IMAGE_TEXT

static void test_extents(void **state)
{
	static const struct image_symbol symbols[] = {
		{ "outer", T + 0x100, 0x100, STT_FUNC, STB_GLOBAL },
		{ "inner", T + 0x140, 0x10, STT_FUNC, STB_LOCAL },
		{ "overlapping", T + 0x1f0, 0x20, STT_FUNC, STB_LOCAL },
		{ "object", T + 0x300, 0x10, STT_OBJECT, STB_GLOBAL },
		{ "ifunc", T + 0x400, 8, STT_GNU_IFUNC, STB_GLOBAL },
		{ "sized_label", T + 0x500, 8, STT_NOTYPE, STB_LOCAL },
		{ "too_long", T + 0xff0, UINT64_MAX, STT_FUNC, STB_LOCAL },
		{ "outside", T + 0x5000, 8, STT_FUNC, STB_LOCAL },
		{ "versioned@@GLIBC_2.34", T + 0x600, 8, STT_FUNC, STB_LOCAL },
		{ "?microsoft@@YAXXZ", T + 0x610, 8, STT_FUNC, STB_LOCAL },
	};
	cleanup(symbol_table_free) struct symbol_table *table = build(symbols, 10);

	(void)state;
	check(table, 0, "-");
	check(table, UINT64_MAX, "-");
	check(table, T + 0xff, "-");
	check(table, T + 0x100, "outer+0");
	check(table, T + 0x13f, "outer+63");
	check(table, T + 0x140, "inner+0");
	check(table, T + 0x14f, "inner+15");
	check(table, T + 0x150, "outer+80");
	check(table, T + 0x1ef, "outer+239");
	check(table, T + 0x1ff, "overlapping+15"); /* the smaller one of two */
	check(table, T + 0x20f, "overlapping+31");
	check(table, T + 0x210, "-"); /* no further than its size */
	check(table, T + 0x300, "-");
	check(table, T + 0x407, "ifunc+7");
	check(table, T + 0x408, "-");
	check(table, T + 0x500, "sized_label+0");
	check(table, T + 0x600, "versioned+0");
	check(table, T + 0x610, "?microsoft@@YAXXZ+0");
	check(table, T + 0xfff, "too_long+15");
	check(table, T + 0x1000, "-");
	check(table, T + 0x5000, "-");
}

static void test_symbols_without_size(void **state)
{
	static const struct image_symbol symbols[] = {
		{ "asm_one", T + 0x100, 0, STT_FUNC, STB_LOCAL },
		{ "asm_two", T + 0x180, 0, STT_NOTYPE, STB_GLOBAL },
		{ "function", T + 0x200, 0x40, STT_FUNC, STB_GLOBAL },
		{ "label_inside", T + 0x210, 0, STT_NOTYPE, STB_GLOBAL },
		{ "local_label", T + 0x300, 0, STT_NOTYPE, STB_LOCAL },
		{ "same_place", T + 0x400, 0, STT_FUNC, STB_GLOBAL },
		{ "same_place_sized", T + 0x400, 8, STT_FUNC, STB_LOCAL },
		{ "last", T + 0xf00, 0, STT_FUNC, STB_LOCAL },
		{ "etext", T + 0x1000, 0, STT_NOTYPE, STB_GLOBAL },
	};
	cleanup(symbol_table_free) struct symbol_table *table = build(symbols, 9);
	struct symbol_extent extent;

	(void)state;
	check(table, T + 0x100, "asm_one+0");
	check(table, T + 0x17f, "asm_one+127");
	check(table, T + 0x180, "asm_two+0");
	check(table, T + 0x1ff, "asm_two+127");
	check(table, T + 0x220, "function+32");
	check(table, T + 0x240, "-");
	check(table, T + 0x300, "-");
	check(table, T + 0x407, "same_place_sized+7");
	check(table, T + 0x408, "-"); /* the sized one says where the function ends */
	check(table, T + 0xfff, "last+255");
	check(table, T + 0x1000, "-");
	assert_ok(symbol_table_find(table, T + 0x100, &extent));
	assert_int_equal(extent.size, 0);
}

static void test_aliases(void **state)
{
	static const struct image_symbol symbols[] = {
		{ "_IO_puts", T + 0x100, 8, STT_FUNC, STB_GLOBAL },
		{ "puts", T + 0x100, 8, STT_FUNC, STB_WEAK },
		{ "__GI_puts", T + 0x100, 8, STT_FUNC, STB_LOCAL },
		{ "local", T + 0x200, 8, STT_FUNC, STB_LOCAL },
		{ "__exported", T + 0x200, 8, STT_FUNC, STB_GLOBAL },
		{ "weak", T + 0x300, 8, STT_FUNC, STB_WEAK },
		{ "global", T + 0x300, 8, STT_FUNC, STB_GLOBAL },
		{ "longer", T + 0x400, 8, STT_FUNC, STB_GLOBAL },
		{ "short", T + 0x400, 8, STT_FUNC, STB_GLOBAL },
		{ "b", T + 0x500, 8, STT_FUNC, STB_GLOBAL },
		{ "a", T + 0x500, 8, STT_FUNC, STB_GLOBAL },
	};
	cleanup(symbol_table_free) struct symbol_table *table = build(symbols, 11);

	(void)state;
	check(table, T + 0x100, "puts+0");
	check(table, T + 0x200, "__exported+0");
	check(table, T + 0x300, "global+0");
	check(table, T + 0x400, "short+0");
	check(table, T + 0x500, "a+0");
	assert_false(symbol_name_preferred("a", SYMBOL_WEAK, "a", SYMBOL_WEAK));
}

static void test_lying_tables(void **state)
{
	static const struct image_symbol symbol = { "f", T, 8, STT_FUNC, STB_GLOBAL };
	cleanup(object_unref) struct object *object = NULL;
	cleanup(symbol_table_free) struct symbol_table *table = NULL;
	cleanup(bytes_fini) struct bytes name = {};
	struct symbol_extent extent;
	struct image image;

	(void)state;
	/* Names outside of the string table, and a string table without an end. */
	image_make(&image, &symbol, 1);
	image.symbols[1].st_name = UINT32_MAX;
	assert_ok(object_open(&object, image_open(&image), "/x"));
	assert_ok(symbol_table_new(&table, object, -1));
	assert_ok(symbol_table_find(table, T, &extent));
	assert_errno(symbol_table_name(table, extent.number, &name), ENOENT);

	memset(image.strings, 'x', sizeof(image.strings));
	image.symbols[1].st_name = 1;
	image.sections[3].sh_size = 1000;
	symbol_table_free(table);
	object_unref(object);
	assert_ok(object_open(&object, image_open(&image), "/x"));
	assert_ok(symbol_table_new(&table, object, -1));
	assert_ok(symbol_table_find(table, T, &extent));
	assert_ok(symbol_table_name(table, extent.number, &name));
	assert_int_equal(name.size, 999);

	/* A section that runs past the end of the file is none. */
	image.sections[2].sh_size = 0x100000;
	symbol_table_free(table);
	object_unref(object);
	assert_ok(object_open(&object, image_open(&image), "/x"));
	assert_ok(symbol_table_new(&table, object, -1));
	assert_int_equal(symbol_table_count(table), 0);
}

static int own_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
	(void)size;
	*(uint64_t *)bias = info->dlpi_addr;
	return 1; /* the program itself comes first */
}

static void test_own_functions(void **state)
{
	cleanup(object_unref) struct object *object = NULL;
	cleanup(symbol_table_free) struct symbol_table *table = NULL;
	uint64_t bias = 0;

	(void)state;
	assert_ok(object_open(&object, open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
			      "/proc/self/exe"));
	assert_ok(symbol_table_new(&table, object, -1));
	dl_iterate_phdr(own_bias, &bias);
	check(table, (uintptr_t)test_own_functions - bias, "test_own_functions+0");
	check(table, (uintptr_t)test_own_functions + 9 - bias, "test_own_functions+9");
	check(table, (uintptr_t)symbol_table_find - bias, "symbol_table_find+0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extents),	      cmocka_unit_test(test_symbols_without_size),
		cmocka_unit_test(test_aliases),	      cmocka_unit_test(test_lying_tables),
		cmocka_unit_test(test_own_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

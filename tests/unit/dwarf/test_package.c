// SPDX-License-Identifier: Apache-2.0
/*
 * Packages of split units, of version 2, written by hand; those that tools write, of version 5, too,
 * are in tests/dwarf/agreement.py.
 */
#include "made.h"

enum {
	UNIT = 1,
	FUNCTION,
	UNITS = 3,   /* skeletons */
	PACKED = 2,  /* of which so many are in the package */
	COLUMNS = 4, /* of its index */
	SLOTS = 4,
	FIRST_ID = 0x1000,
	UNIT_BYTES = 0x1000, /* of code */
};

struct package {
	struct bytes info, abbrev, texts, offsets, index;
};

static void package_fini_cleanup(struct package *package)
{
	bytes_fini(&package->info);
	bytes_fini(&package->abbrev);
	bytes_fini(&package->texts);
	bytes_fini(&package->offsets);
	bytes_fini(&package->index);
}

static size_t begin_unit(struct bytes *info, uint32_t abbreviations)
{
	size_t start = info->size;

	u32(info, 0);
	bytes_add(info, "\4\0", 2);
	u32(info, abbreviations);
	u8(info, 8);
	return start;
}

static void end_unit(struct bytes *info, size_t start)
{
	uint32_t size = (uint32_t)(info->size - start - 4);

	memcpy(info->at + start, &size, sizeof(size));
}

/* A program of three units, all of whose debug information is elsewhere. */
static struct dwarf *open_program(struct object **ret)
{
	cleanup(bytes_fini) struct bytes abbrev = {}, info = {};
	static struct elf_builder b;
	struct dwarf *dwarf;
	int fd;

	abbreviation(&abbrev, UNIT, DW_TAG_compile_unit, false,
		     (const unsigned[]){ DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8,
					 DW_AT_GNU_dwo_id, DW_FORM_data8, DW_AT_GNU_dwo_name,
					 DW_FORM_string, 0 });
	u8(&abbrev, 0);
	for (unsigned i = 0; i < UNITS; i++) {
		char name[] = { (char)('a' + i), '.', 'd', 'w', 'o', 0 };
		size_t start = begin_unit(&info, 0);

		uleb(&info, UNIT);
		u64(&info, ELF_BUILDER_TEXT + i * UNIT_BYTES);
		u64(&info, UNIT_BYTES);
		u64(&info, FIRST_ID + i);
		bytes_add(&info, name, sizeof(name));
		end_unit(&info, start);
	}
	elf_builder_begin(&b);
	elf_builder_section(&b, ".debug_abbrev", SHT_PROGBITS, abbrev.at, abbrev.size);
	elf_builder_section(&b, ".debug_info", SHT_PROGBITS, info.at, info.size);
	fd = memory_file_copy(elf_builder_file(&b)); /* the package is another one */
	assert_ok(object_open(ret, memory_file_again(fd), "/folder/program"));
	assert_ok(dwarf_new(&dwarf, *ret, memory_file_again(fd), &texts));
	return dwarf;
}

/* Where a unit's parts begin, and how large they are, as the columns of the index have them. */
struct parts {
	uint32_t at[COLUMNS], size[COLUMNS];
};

static void sizes_of(const struct package *package, uint32_t ret[COLUMNS])
{
	ret[0] = (uint32_t)package->info.size;
	ret[1] = (uint32_t)package->abbrev.size;
	ret[2] = (uint32_t)package->offsets.size;
	ret[3] = (uint32_t)package->texts.size; /* as .debug_line.dwo: not there */
}

/* A unit with one function, which has another number among the declarations of each unit. */
static void add_unit(struct package *package, unsigned number, struct parts *ret)
{
	char name[] = { 'f', (char)('0' + number), 0 };
	unsigned function = FUNCTION + 5 * number;
	size_t start;

	sizes_of(package, ret->at);
	abbreviation(&package->abbrev, UNIT, DW_TAG_compile_unit, true,
		     (const unsigned[]){ DW_AT_GNU_dwo_id, DW_FORM_data8, 0 });
	abbreviation(&package->abbrev, function, DW_TAG_subprogram, false,
		     (const unsigned[]){ DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8,
					 DW_AT_name, DW_FORM_GNU_str_index, 0 });
	u8(&package->abbrev, 0);
	u32(&package->offsets, (uint32_t)package->texts.size);
	bytes_add(&package->texts, name, sizeof(name));
	start = begin_unit(&package->info, 0);
	uleb(&package->info, UNIT);
	u64(&package->info, FIRST_ID + number);
	uleb(&package->info, function);
	u64(&package->info, ELF_BUILDER_TEXT + number * UNIT_BYTES);
	u64(&package->info, UNIT_BYTES);
	uleb(&package->info, 0); /* the first text of the unit's own */
	u8(&package->info, 0);
	end_unit(&package->info, start);
	sizes_of(package, ret->size);
	for (unsigned i = 0; i < COLUMNS; i++)
		ret->size[i] -= ret->at[i];
	ret->at[3] = ret->size[3] = 0;
}

static void make_package(struct package *ret)
{
	static const uint32_t columns[COLUMNS] = { 1, 3, 6, 4 }; /* DW_SECT_* */
	struct parts parts[PACKED];

	for (unsigned i = 0; i < PACKED; i++)
		add_unit(ret, i, &parts[i]);
	u32(&ret->index, 2);
	u32(&ret->index, COLUMNS);
	u32(&ret->index, PACKED);
	u32(&ret->index, SLOTS);
	/* The last unit stands first. */
	for (unsigned i = 0; i < SLOTS; i++)
		u64(&ret->index, i && i <= PACKED ? FIRST_ID + PACKED - i : 0);
	for (unsigned i = 0; i < SLOTS; i++)
		u32(&ret->index, i && i <= PACKED ? PACKED + 1 - i : 0);
	bytes_add(&ret->index, columns, sizeof(columns));
	for (unsigned i = 0; i < PACKED; i++)
		bytes_add(&ret->index, parts[i].at, sizeof(parts[i].at));
	for (unsigned i = 0; i < PACKED; i++)
		bytes_add(&ret->index, parts[i].size, sizeof(parts[i].size));
}

static int package_file(const struct package *package)
{
	static struct elf_builder b;
	const struct {
		const char *name;
		const struct bytes *bytes;
	} sections[] = {
		{ ".debug_info.dwo", &package->info },
		{ ".debug_abbrev.dwo", &package->abbrev },
		{ ".debug_str.dwo", &package->texts },
		{ ".debug_str_offsets.dwo", &package->offsets },
		{ ".debug_cu_index", &package->index },
	};

	elf_builder_begin(&b);
	for (unsigned i = 0; i < ARRAY_SIZE(sections); i++)
		elf_builder_section(&b, sections[i].name, SHT_PROGBITS, sections[i].bytes->at,
				    sections[i].bytes->size);
	return memory_file_again(elf_builder_file(&b));
}

static int find(struct dwarf *dwarf, unsigned unit, struct source_frames *ret)
{
	return dwarf_find(dwarf, ELF_BUILDER_TEXT + unit * UNIT_BYTES + 3, ret);
}

static void check_wanted(struct dwarf *dwarf, const char *path)
{
	cleanup(bytes_fini) struct bytes wanted = {};

	assert_int_equal(dwarf_wanted(dwarf, &wanted), 1);
	assert_string_equal(bytes_str(&wanted), path);
}

/* What it knows of each unit after this package was offered: 0, a negative errno, or DWARF_WANTS. */
static void offer(const struct package *package, int ret[UNITS])
{
	struct source_frames frames;
	struct object *object;
	struct dwarf *dwarf = open_program(&object);

	for (unsigned i = 0; i < UNITS; i++)
		assert_int_equal(find(dwarf, i, &frames), DWARF_WANTS);
	check_wanted(dwarf, ".dwp");
	assert_ok(dwarf_offer(dwarf, package_file(package)));
	for (unsigned i = 0; i < UNITS; i++) {
		char name[] = { 'f', (char)('0' + i), 0 };

		ret[i] = find(dwarf, i, &frames);
		if (ret[i] == DWARF_WANTS) {
			char path[] = { (char)('a' + i), '.', 'd', 'w', 'o', 0 };

			check_wanted(dwarf, path);
		}
		if (ret[i])
			continue;
		assert_int_equal(frames.count, 1);
		check_frame(&frames.at[0], name, "", 0);
	}
	dwarf_free(dwarf);
	object_unref(object);
}

static void units_are_found_in_a_package(void **state)
{
	cleanup(package_fini) struct package package = {};
	int found[UNITS];

	(void)state;
	make_package(&package);
	offer(&package, found);
	assert_int_equal(found[0], 0);
	assert_int_equal(found[1], 0);
	/* It is not in there, and may be in a file of its own. */
	assert_int_equal(found[2], DWARF_WANTS);
}

static void put(struct package *package, size_t offset, uint32_t value)
{
	assert_true(offset + sizeof(value) <= package->index.size);
	memcpy(package->index.at + offset, &value, sizeof(value));
}

/* Places in the index. */
enum {
	VERSION = 0,
	COLUMN_COUNT = 4,
	ROW_COUNT = 8,
	SLOT_COUNT = 12,
	IDS = 16,
	ROWS = IDS + 8 * SLOTS,
	NAMES = ROWS + 4 * SLOTS,
	OFFSETS = NAMES + 4 * COLUMNS,
	SIZES = OFFSETS + 4 * COLUMNS * PACKED,
	INDEX_BYTES = SIZES + 4 * COLUMNS * PACKED,
};

static void packages_of_others_are_not_used(void **state)
{
	cleanup(package_fini) struct package package = {};
	int found[UNITS];

	(void)state;
	make_package(&package);
	put(&package, IDS + 8, 7);
	put(&package, IDS + 16, 8);
	offer(&package, found);
	for (unsigned i = 0; i < UNITS; i++)
		assert_int_equal(found[i], DWARF_WANTS);
}

/* None of it is a package: the units' own files are asked for. */
static void heads_that_make_no_sense(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} lies[] = {
		{ VERSION, 0 },
		{ VERSION, 3 },
		{ COLUMN_COUNT, 17 },
		{ COLUMN_COUNT, 5 },
		{ COLUMN_COUNT, UINT32_MAX },
		{ ROW_COUNT, 3 },
		{ ROW_COUNT, UINT32_MAX },
		{ SLOT_COUNT, 0 },
		{ SLOT_COUNT, 1 },
		{ SLOT_COUNT, 8 },
		{ SLOT_COUNT, (1 << 20) + 1 },
		{ SLOT_COUNT, UINT32_MAX },
	};
	int found[UNITS];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		cleanup(package_fini) struct package package = {};

		make_package(&package);
		assert_int_equal(package.index.size, INDEX_BYTES);
		put(&package, lies[i].offset, lies[i].value);
		offer(&package, found);
		for (unsigned k = 0; k < UNITS; k++)
			assert_int_equal(found[k], DWARF_WANTS);
	}
	for (size_t size = 1; size < INDEX_BYTES; size++) {
		cleanup(package_fini) struct package package = {};

		make_package(&package);
		package.index.size = size;
		offer(&package, found);
		assert_int_equal(found[0], DWARF_WANTS);
	}
}

/* Of the first unit: nothing is known, or nothing true. The second one is as it was. */
static void rows_that_make_no_sense(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} lies[] = {
		{ OFFSETS, 1 }, /* in the middle of its header */
		{ OFFSETS, UINT32_MAX },
		{ SIZES, 0 },
		{ SIZES, 5 },
		{ SIZES, UINT32_MAX },
		{ OFFSETS + 4, UINT32_MAX },
		{ SIZES + 4, 0 },
		{ SIZES + 4, 3 },
		{ SIZES + 8, UINT32_MAX },
		{ OFFSETS + 12, 1 }, /* of a section that is not there */
		{ SIZES + 12, 1 },
		{ ROWS + 8, 2 }, /* it is the other one's */
		{ ROWS + 8, 0 },
		{ ROWS + 8, 3 },
	};
	int found[UNITS];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		cleanup(package_fini) struct package package = {};

		make_package(&package);
		put(&package, lies[i].offset, lies[i].value);
		offer(&package, found);
		assert_true(found[0] == -ENOENT || found[0] == DWARF_WANTS);
		assert_int_equal(found[1], 0);
	}
}

/* As no hash table is; whoever looked it up there would go over all of them. */
static void many_slots_with_one_id(void **state)
{
	enum { MANY = 1 << 12 };
	cleanup(package_fini) struct package package = {}, many = {};
	int found[UNITS];

	(void)state;
	make_package(&package);
	bytes_add(&many.index, package.index.at, IDS);
	for (unsigned i = 0; i < MANY; i++)
		u64(&many.index, FIRST_ID);
	for (unsigned i = 0; i < MANY; i++)
		u32(&many.index, 1);
	bytes_add(&many.index, package.index.at + NAMES, INDEX_BYTES - NAMES);
	package.index.size = 0;
	bytes_add(&package.index, many.index.at, many.index.size);
	put(&package, SLOT_COUNT, MANY);
	offer(&package, found);
	assert_int_equal(found[0], 0);
	assert_int_equal(found[1], DWARF_WANTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_found_in_a_package),
		cmocka_unit_test(packages_of_others_are_not_used),
		cmocka_unit_test(heads_that_make_no_sense),
		cmocka_unit_test(rows_that_make_no_sense),
		cmocka_unit_test(many_slots_with_one_id),
	};

	return cmocka_run_group_tests(tests, make_texts, free_texts);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Call frame information of real files with bytes changed, and instructions at random: nothing
 * crashes or reads outside (sanitizers watch), and the rows keep what elf/cfi.h promises of them.
 *
 * PROFD_MUTATIONS=N: so many rounds of each, for longer runs.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "bpf/table.h"
#include "elf/cfi.h"
#include "elf/cfi_image.h"
#include "elf/object_file.h"
#include "elf/sections.h"
#include "unwind/table.h"

enum { ROUNDS = 100, MAX_FILE_BYTES = 4 << 20, LOOKUPS = 200 };

static uint32_t rounds(void)
{
	const char *text = getenv("PROFD_MUTATIONS");

	return text ? (uint32_t)strtoul(text, NULL, 10) : ROUNDS;
}

static void check_rows(const struct cfi_table *table, const struct object *object)
{
	uint32_t count = table->rows.count;

	for (uint32_t i = 0; i < count; i++) {
		const struct cfi_row *row = &table->rows.at[i];

		assert_true(row->rule.kind_and_step < RULE_KIND_COUNT);
		if (i + 1 == count) {
			assert_int_equal(row->rule.kind_and_step, RULE_NONE);
			assert_int_equal(row->rule.cfa_words, CFI_GAP);
			break;
		}
		assert_true(row->address < row[1].address);
		assert_memory_not_equal(&row->rule, &row[1].rule, sizeof(row->rule));
		if (row->rule.kind_and_step != RULE_NONE)
			assert_non_null(object_segment_of(object, row->address));
	}
	for (uint32_t i = 1; i < table->functions.count; i++)
		assert_true(table->functions.at[i - 1] < table->functions.at[i]);
}

static void check_table(const struct unwind_table *table)
{
	uint32_t pages = table->block_offset.count;

	assert_ok(unwind_table_check(table));
	for (unsigned i = 0; i < LOOKUPS && pages; i++) {
		uint32_t page = (uint32_t)random() % pages, found;

		if (table->block_offset.at[page] == UINT32_MAX)
			continue;
		assert_true(table->block_size.at[page] <= WIRE_CHUNK_BYTES);
		found = table_block_search(table->blocks.at, table->blocks.count,
					   table->block_offset.at[page], (uint16_t)random());
		assert_true(found >> 16 < table->rules.count);
	}
}

/* Returns the number of rows. */
static uint32_t examine(int fd)
{
	cleanup(object_unref) struct object *object = NULL;
	struct unwind_table table = {};
	struct cfi_table rows = {};
	uint32_t count = 0;

	if (object_open(&object, fd, "/mutated") != 0 || cfi_read(&rows, object) < 0)
		return 0;
	count = rows.rows.count;
	check_rows(&rows, object);
	if (unwind_table_build(&table, &rows) == 0)
		check_table(&table);
	unwind_table_fini(&table);
	cfi_table_fini(&rows);
	return count;
}

static const Elf64_Shdr *find(const struct section_table *sections, const char *name)
{
	const Elf64_Shdr *found = section_table_find(sections, SHT_PROGBITS, name);

	return found ? found : section_table_find(sections, SHT_X86_64_UNWIND, name);
}

/* A byte that is likely to matter: sizes and ends, instructions, or anything. */
static unsigned char random_byte(void)
{
	static const unsigned char favourites[] = { 0,	  0xff, 0x7f, 0x80, 0x01, 0x0a, 0x0b, 0x0c,
						    0x0f, 0x10, 0x16, 0x41, 0x86, 0x90, 0x77 };

	return random() % 2 ? (unsigned char)random()
			    : favourites[(size_t)random() % ARRAY_SIZE(favourites)];
}

static void mutate(const char *path, bool sections_too)
{
	cleanup(section_table_fini) struct section_table sections = {};
	cleanup(free) unsigned char *data = NULL;
	cleanup(close) int fd = open(path, O_RDONLY | O_CLOEXEC), copy = -1;
	uint32_t before, survived = 0;
	uint64_t start, size;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > MAX_FILE_BYTES)
		return; /* not on this machine */
	assert_ok(section_table_read(&sections, fd));
	assert_non_null(find(&sections, ".eh_frame"));
	start = find(&sections, ".eh_frame")->sh_offset;
	size = find(&sections, ".eh_frame")->sh_size;
	data = malloc((size_t)st.st_size);
	assert_non_null(data);
	assert_int_equal(pread(fd, data, (size_t)st.st_size, 0), st.st_size);
	if (!sections_too)
		memset(data + offsetof(Elf64_Ehdr, e_shoff), 0, 8);
	copy = memfd_create("mutated", MFD_CLOEXEC);
	assert_int_equal(write(copy, data, (size_t)st.st_size), st.st_size);
	before = examine(dup(copy));
	assert_true(before > 0);
	for (uint32_t round = 0; round < rounds(); round++) {
		uint64_t places[64];
		/* Many changes mostly cut the list of entries short; few leave much to read. */
		unsigned count = 1 + (unsigned)random() % (round % 4 ? 8 : ARRAY_SIZE(places));

		for (unsigned i = 0; i < count; i++) {
			unsigned char byte = random_byte();

			places[i] = start + (uint64_t)random() % size;
			/* Near the beginning lie the common entries; without them little is left. */
			if (round % 4 == 0 && random() % 4 == 0)
				places[i] = start + (uint64_t)random() % size % 256;
			if (random() % 64 == 0)
				places[i] = (uint64_t)random() % 1024;
			assert_int_equal(pwrite(copy, &byte, 1, (off_t)places[i]), 1);
		}
		survived += examine(dup(copy)) > before / 2;
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(pwrite(copy, data + places[i], 1, (off_t)places[i]), 1);
	}
	/* If hardly a row were left, hardly anything was reached. */
	assert_true(survived >= rounds() / 4);
	assert_int_equal(examine(dup(copy)), before);
}

static void test_real_files(void **state)
{
	(void)state;
	srandom(31);
	mutate("/lib64/ld-linux-x86-64.so.2", true);
	mutate("/lib64/ld-linux-x86-64.so.2", false);
	mutate("/lib/x86_64-linux-gnu/libc.so.6", true);
	mutate("/usr/lib/x86_64-linux-gnu/libz.so.1", true);
}

static void test_random_programs(void **state)
{
	uint32_t rows = 0;

	(void)state;
	srandom(32);
	for (uint32_t round = 0; round < rounds() * 10; round++) {
		struct cfi_list list = { .eh_frame = true };
		size_t cie = cfi_cie(&list, random() % 4 ? "zR" : "zRS");

		for (unsigned i = 0; i < 40; i++) {
			unsigned char program[64];
			size_t size = (size_t)random() % sizeof(program);

			for (size_t k = 0; k < size; k++)
				program[k] = random() % 3 ? random_byte()
							  : (unsigned char)(random() % 0x30);
			cfi_fde(&list, cie, CFI_TEXT + (uint64_t)random() % 0x10000,
				(uint64_t)random() % 256, program, size);
		}
		rows += examine(
			cfi_image_file(&list, random() % 2 ? &list.bytes : NULL, 0, random() % 4));
		bytes_fini(&list.bytes);
	}
	assert_true(rows >= rounds());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_files),
		cmocka_unit_test(test_random_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

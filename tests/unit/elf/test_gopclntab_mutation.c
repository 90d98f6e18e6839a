// SPDX-License-Identifier: Apache-2.0
/*
 * Go's tables with bytes changed, made by hand in every layout and from a real program: nothing
 * crashes or reads outside (sanitizers watch), and what comes out keeps what elf/cfi.h and
 * elf/gopclntab.h promise.
 *
 * PROFD_MUTATIONS=N: so many rounds of each, for longer runs.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "elf/go_image.h"
#include "elf/gopclntab_lines.h"
#include "elf/rows.h"
#include "elf/sections.h"

enum { ROUNDS = 2000, LOOKUPS = 20, MAX_FILE_BYTES = 16 << 20 };

static uint32_t rounds(void)
{
	const char *text = getenv("PROFD_MUTATIONS");

	return text ? (uint32_t)strtoul(text, NULL, 10) : ROUNDS;
}

static void check_rows(const struct object *object)
{
	struct cfi_table rows = {};
	uint32_t count;

	assert_ok(gopclntab_rows(&rows, object));
	count = rows.rows.count;
	for (uint32_t i = 0; i < count; i++) {
		const struct cfi_row *row = &rows.rows.at[i];

		assert_true((row->rule.kind_and_step & RULE_KIND_MASK) < RULE_KIND_COUNT);
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
	for (uint32_t i = 1; i < rows.functions.count; i++)
		assert_true(rows.functions.at[i - 1] < rows.functions.at[i]);
	cfi_table_fini(&rows);
}

static void look_up(const struct gopclntab *table, uint64_t address)
{
	cleanup(bytes_fini) struct bytes name = {};
	uint64_t start, size;
	uint32_t number;

	if (gopclntab_find(table, address, &start, &size, &number) < 0)
		return;
	assert_true(address - start < size);
	assert_true(number < table->count);
	if (gopclntab_name(table, number, &name) == 0)
		assert_true(name.size > 0 && name.size < 1 << 20);
}

/* Where some addresses come from. */
static void look_up_lines(const struct gopclntab *table)
{
	cleanup(gopclntab_lines_free) struct gopclntab_lines *lines = NULL;
	const struct object_segment *code = NULL;
	static struct source_frames frames;
	struct strtab texts;

	for (uint32_t i = 0; i < table->object->segments.count && !code; i++)
		if (table->object->segments.at[i].executable)
			code = &table->object->segments.at[i];
	if (!code || !code->memory_size)
		return;
	assert_ok(strtab_init(&texts));
	assert_ok(gopclntab_lines_new(&lines, table));
	for (unsigned i = 0; i < LOOKUPS; i++) {
		/* The function with lines in images made by hand; anywhere. */
		uint64_t limit = i % 2 ? GO_FUNCTION_BYTES : code->memory_size;
		uint64_t address = code->address + (uint64_t)random() % limit;
		int r = gopclntab_lines_find(lines, address, &texts, &frames);

		assert_true(r == 0 || r == -ENOENT);
		if (r != 0)
			continue;
		assert_in_range(frames.count, 1, SOURCE_MAX_FRAMES);
		for (uint32_t k = 0; k < frames.count; k++)
			assert_true(frames.at[k].name < texts.offsets.count &&
				    frames.at[k].file < texts.offsets.count);
	}
	strtab_fini(&texts);
}

static void examine(int fd)
{
	cleanup(object_unref) struct object *object = NULL;
	struct gopclntab table;

	if (object_open(&object, fd, "/mutated") != 0)
		return;
	assert_ok(gopclntab_open(&table, object));
	check_rows(object);
	if (table.count)
		look_up_lines(&table);
	for (unsigned i = 0; i < LOOKUPS && table.count; i++) {
		look_up(&table, GO_TEXT + (uint64_t)random() % GO_TEXT_BYTES);
		look_up(&table, (uint64_t)random() << 33 ^ (uint64_t)random());
	}
}

/* Some bytes of the file, at places in [from, to), become others. */
static void spoil(unsigned char *bytes, uint32_t from, uint32_t to)
{
	for (unsigned count = 1 + (unsigned)random() % 3; count > 0; count--) {
		unsigned char *at = bytes + from + (unsigned long)random() % (to - from);

		switch (random() % 4) {
		case 0:
			*at ^= (unsigned char)(1 << random() % 8);
			break;
		case 1:
			*at = (unsigned char)random();
			break;
		case 2:
			*at = random() % 2 ? 0xff : 0x80;
			break;
		default:
			*at = 0;
			break;
		}
	}
}

static const struct go_image_function functions[] = {
	GO_FUNCTION("main.main", 0, "\x55\x48\x89\xe5\x48\x83\xec\x10\x90\x48\x83\xc4\x10\x5d\xc3",
		    { 1, 0 }, { 7, 8 }, { 5, 24 }, { 1, 8 }, { 1, 0 }),
	GO_FUNCTION("crosscall2", GOPCLNTAB_ASSEMBLY,
		    "\x9c\x48\x83\xec\x20\x48\x89\x3c\x24\x48\x89\x6c\x24\x10\x90\xc3", { 1, 0 },
		    { 4, 8 }, { 10, 40 }, { 1, 0 }),
	GO_FUNCTION("time.now", GOPCLNTAB_SP_WRITE,
		    "\x48\x83\xec\x18\x48\x89\x6c\x24\x10\x48\x8d\x6c\x24\x10\x48\x8b\x62\x38"
		    "\x4c\x89\xe4\x48\x8b\x6c\x24\x10\x48\x83\xc4\x18\xc3",
		    { 4, 0 }, { 26, 24 }, { 1, 0 }),
	GO_FUNCTION("gogo", GOPCLNTAB_SP_WRITE, "\x90\x48\x8b\x23\x90\x48\x8b\x5b\x08\xff\xe3",
		    { 11, 0 }),
	GO_FUNCTION("runtime.asmcgocall", GOPCLNTAB_SP_WRITE,
		    "\x48\x8b\x66\x38\x48\x83\xec\x10\x48\x83\xe4\xf0\x48\x89\x7c\x24\x08"
		    "\x48\x89\x3c\x24\xff\xd0\x48\x89\xf4\xc3",
		    { 27, 0 }),
	GO_FUNCTION("runtime.systemstack", GOPCLNTAB_SP_WRITE,
		    "\x48\x8b\x5a\x38\x48\x89\xdc\xff\xd7\x48\x8b\x60\x38\xc3", { 14, 0 }),
	GO_FUNCTION("runtime.goexit", GOPCLNTAB_TOP_FRAME, "\x90\xc3", { 2, 0 }),
	GO_FUNCTION("main.large", 0, "\x55\xc3", { 1, 0 }, { 1, 1 << 24 }),
};

static const struct go_image_lines lines = {
	.files = { { 10, 0 }, { 10, 1 }, { 20, 0 } },
	.lines = { { 10, 12 }, { 10, 30 }, { 10, 41 }, { 10, 13 } },
	.inlined = { { 10, -1 }, { 10, 0 }, { 10, 1 }, { 10, 2 } },
	.start_line = 11,
	.calls = { { "main.a", 5, 29 }, { "main.b", 15, 40 }, { "main.c", 25, 50 } },
};

static void images_made_by_hand(void **state)
{
	static const uint32_t magics[] = { GOPCLNTAB_1_16, GOPCLNTAB_1_18, GOPCLNTAB_1_20 };
	struct go_image image;

	(void)state;
	srandom(1);
	for (uint32_t round = 0; round < rounds(); round++) {
		uint32_t count = ARRAY_SIZE(functions), table = GO_DATA_OFFSET;

		go_image_make(&image, magics[round % 3], functions, count);
		go_image_add_lines(&image, magics[round % 3], count, 0, &lines);
		if (magics[round % 3] != GOPCLNTAB_1_16)
			go_image_put_module(&image, magics[round % 3] == GOPCLNTAB_1_18 ? 38 : 40);
		if (random() % 4 == 0)
			go_image_name_section(&image, GO_SECTION_TABLE, ".data");
		switch (random() % 7) {
		case 0: /* the header */
			spoil(image.bytes, table, table + 72);
			break;
		case 1: /* names and tables */
			spoil(image.bytes, table + GO_NAMES, table + image.names_end);
			spoil(image.bytes, table + GO_VALUES, table + image.values_end);
			break;
		case 2: /* index and functions */
			spoil(image.bytes, table + GO_FUNCTIONS,
			      table + go_image_description(count, count));
			break;
		case 3: /* lines */
			spoil(image.bytes, table + GO_LINES, table + GO_LINES + 96);
			break;
		case 4: /* inlined calls, and where they are described */
			spoil(image.bytes, table + GO_CALLS - GO_DATA,
			      table + GO_CALLS - GO_DATA + 60);
			spoil(image.bytes, table + GO_MODULE - GO_DATA,
			      table + GO_MODULE - GO_DATA + 8 * 44);
			break;
		case 5: /* code */
			spoil(image.bytes, GO_TEXT_OFFSET, GO_TEXT_OFFSET + 64 * count);
			break;
		default: /* ELF */
			spoil(image.bytes, 0, 0x200 + 64 * GO_SECTIONS);
			break;
		}
		examine(image_file(image.bytes, sizeof(image.bytes)));
	}
}

/* A program that the Go distribution brings, or -1. */
static int open_program(void)
{
	static const char *const places[] = { "/usr/lib/go/bin/gofmt", "/usr/local/go/bin/gofmt",
					      "/usr/bin/gofmt" };
	int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(places) && fd < 0; i++)
		fd = open(places[i], O_RDONLY | O_CLOEXEC);
	return fd;
}

static void a_real_program(void **state)
{
	cleanup(section_table_fini) struct section_table sections = {};
	cleanup(close) int program = open_program(), copy = memfd_create("go", MFD_CLOEXEC);
	const Elf64_Shdr *table;
	struct stat st;

	(void)state;
	if (program < 0)
		skip();
	assert_ok(fstat(program, &st));
	assert_true(st.st_size < MAX_FILE_BYTES);
	while (sendfile(copy, program, NULL, (size_t)st.st_size) > 0)
		;
	assert_ok(section_table_read(&sections, copy));
	table = section_table_find(&sections, SHT_PROGBITS, ".gopclntab");
	assert_non_null(table);
	srandom(2);
	for (uint32_t round = 0; round < rounds() / 50; round++) {
		/* In the header, in its index, anywhere. */
		uint64_t limit = round % 3 == 0 ? 72 : table->sh_size;
		unsigned char before[64], after[64];
		off_t at = (off_t)(table->sh_offset + (uint64_t)random() % (limit - 64));

		assert_int_equal(pread(copy, before, sizeof(before), at), sizeof(before));
		memcpy(after, before, sizeof(after));
		spoil(after, 0, sizeof(after));
		assert_int_equal(pwrite(copy, after, sizeof(after), at), sizeof(after));
		examine(fcntl(copy, F_DUPFD_CLOEXEC, 0));
		assert_int_equal(pwrite(copy, before, sizeof(before), at), sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_made_by_hand),
		cmocka_unit_test(a_real_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

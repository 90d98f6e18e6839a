// SPDX-License-Identifier: Apache-2.0
/*
 * Debug information written by hand: what no compiler writes. What compilers write is compared with
 * other readers in tests/dwarf.
 */
#include "made.h"

enum { MANY_ROWS = 9 << 20 };

struct sections {
	struct bytes abbrev, info, line;
};

static void sections_fini_cleanup(struct sections *sections)
{
	bytes_fini(&sections->abbrev);
	bytes_fini(&sections->info);
	bytes_fini(&sections->line);
}

enum { UNIT = 1, FUNCTION, INLINED, PATTERN };

/* The header of a unit of DWARF 4, and its entry. */
static void begin_unit(struct sections *sections, uint64_t size)
{
	struct bytes *info = &sections->info, *abbrev = &sections->abbrev;

	abbreviation(abbrev, UNIT, DW_TAG_compile_unit, true,
		     (const unsigned[]){ DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8,
					 DW_AT_stmt_list, DW_FORM_sec_offset, DW_AT_comp_dir,
					 DW_FORM_string, 0 });
	abbreviation(abbrev, FUNCTION, DW_TAG_subprogram, true,
		     (const unsigned[]){ DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8,
					 DW_AT_name, DW_FORM_string, 0 });
	abbreviation(abbrev, INLINED, DW_TAG_inlined_subroutine, true,
		     (const unsigned[]){ DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8,
					 DW_AT_abstract_origin, DW_FORM_ref4, DW_AT_call_file,
					 DW_FORM_data1, DW_AT_call_line, DW_FORM_data1, 0 });
	abbreviation(abbrev, PATTERN, DW_TAG_subprogram, false,
		     (const unsigned[]){ DW_AT_abstract_origin, DW_FORM_ref4, 0 });
	u8(abbrev, 0);
	u32(info, 0); /* its size, see end_unit */
	bytes_add(info, "\4\0", 2);
	u32(info, 0);
	u8(info, 8);
	uleb(info, UNIT);
	u64(info, ELF_BUILDER_TEXT);
	u64(info, size);
	u32(info, 0);
	bytes_add(info, "/where", 7);
}

static void end_unit(struct sections *sections)
{
	uint32_t size;

	u8(&sections->info, 0);
	size = (uint32_t)sections->info.size - 4;
	memcpy(sections->info.at, &size, sizeof(size));
}

static void function(struct sections *sections, uint64_t start, uint64_t size, const char *name)
{
	uleb(&sections->info, FUNCTION);
	u64(&sections->info, start);
	u64(&sections->info, size);
	bytes_add(&sections->info, name, strlen(name) + 1);
}

static void inlined(struct sections *sections, uint64_t start, uint64_t size, uint32_t origin,
		    unsigned line)
{
	uleb(&sections->info, INLINED);
	u64(&sections->info, start);
	u64(&sections->info, size);
	u32(&sections->info, origin);
	u8(&sections->info, 1);
	u8(&sections->info, line);
}

/* A line table of version 4 with one file, a.c, and this program. */
static void line_table(struct bytes *ret, const struct bytes *program)
{
	static const unsigned char head[] = {
		1,   1,	  1,   (unsigned char)-1,
		4,   10, /* opcode_base */
		0,   1,	  1,   1,
		1,   0,	  0,   0,
		1, /* operands of each opcode */
		0, /* no folders */
		'a', '.', 'c', 0,
		0,   0,	  0,   0,
	};

	u32(ret, (uint32_t)(2 + 4 + sizeof(head) + program->size));
	bytes_add(ret, "\4\0", 2);
	u32(ret, sizeof(head));
	bytes_add(ret, head, sizeof(head));
	bytes_add(ret, program->at, program->size);
}

static void set_address(struct bytes *program, uint64_t address)
{
	bytes_add(program, "\0\x09\x02", 3);
	u64(program, address);
}

static void end_sequence(struct bytes *program)
{
	bytes_add(program, "\0\1\1", 3);
}

static struct dwarf *open_sections(struct sections *sections, struct object **ret)
{
	static struct elf_builder b;
	struct dwarf *dwarf = NULL;
	Elf64_Shdr *line;
	int fd;

	elf_builder_begin(&b);
	elf_builder_section(&b, ".debug_abbrev", SHT_PROGBITS, sections->abbrev.at,
			    sections->abbrev.size);
	elf_builder_section(&b, ".debug_info", SHT_PROGBITS, sections->info.at,
			    sections->info.size);
	/* Large ones lie behind everything else. */
	line = elf_builder_section(&b, ".debug_line", SHT_PROGBITS, NULL, 0);
	line->sh_offset = 1 << 20;
	line->sh_size = sections->line.size;
	fd = elf_builder_file(&b);
	assert_true(pwrite(fd, sections->line.at, sections->line.size, 1 << 20) ==
		    (ssize_t)sections->line.size);
	assert_ok(object_open(ret, memory_file_again(fd), "/folder/file"));
	assert_ok(dwarf_new(&dwarf, *ret, memory_file_again(fd), &texts));
	return dwarf;
}

static void inlined_functions_are_found(void **state)
{
	cleanup(sections_fini) struct sections sections = {};
	cleanup(bytes_fini) struct bytes program = {};
	struct source_frames frames;
	struct object *object;
	struct dwarf *dwarf;
	uint32_t pattern;

	(void)state;
	begin_unit(&sections, 0x1000);
	pattern = (uint32_t)sections.info.size;
	function(&sections, 0, 0, "inner"); /* nowhere */
	u8(&sections.info, 0);
	function(&sections, ELF_BUILDER_TEXT, 0x100, "outer");
	inlined(&sections, ELF_BUILDER_TEXT + 0x10, 0x10, pattern, 7);
	u8(&sections.info, 0);
	u8(&sections.info, 0);
	end_unit(&sections);
	set_address(&program, ELF_BUILDER_TEXT);
	u8(&program, DW_LNS_copy);
	bytes_add(&program, "\2\x10\3\4\1", 5); /* 16 bytes and 4 lines further, a row */
	bytes_add(&program, "\2\x70", 2);
	end_sequence(&program);
	line_table(&sections.line, &program);
	dwarf = open_sections(&sections, &object);

	assert_ok(dwarf_find(dwarf, ELF_BUILDER_TEXT + 3, &frames));
	assert_int_equal(frames.count, 1);
	check_frame(&frames.at[0], "outer", "/where/a.c", 1);
	assert_ok(dwarf_find(dwarf, ELF_BUILDER_TEXT + 0x12, &frames));
	assert_int_equal(frames.count, 2);
	check_frame(&frames.at[0], "inner", "/where/a.c", 5);
	check_frame(&frames.at[1], "outer", "/where/a.c", 7);
	/* Behind the last row, and behind the unit. */
	assert_ok(dwarf_find(dwarf, ELF_BUILDER_TEXT + 0x90, &frames));
	check_frame(&frames.at[0], "outer", "", 0);
	assert_int_equal(dwarf_find(dwarf, ELF_BUILDER_TEXT + 0x2000, &frames), -ENOENT);
	dwarf_free(dwarf);
	object_unref(object);
}

/* Each of two entries says that the other one is its pattern. */
static void a_ring_of_patterns_ends(void **state)
{
	cleanup(sections_fini) struct sections sections = {};
	struct source_frames frames;
	struct object *object;
	struct dwarf *dwarf;
	uint32_t first;

	(void)state;
	begin_unit(&sections, 0x1000);
	first = (uint32_t)sections.info.size;
	uleb(&sections.info, PATTERN);
	u32(&sections.info, first + 5);
	uleb(&sections.info, PATTERN);
	u32(&sections.info, first);
	function(&sections, ELF_BUILDER_TEXT, 0x100, "outer");
	inlined(&sections, ELF_BUILDER_TEXT, 0x10, first, 7);
	u8(&sections.info, 0);
	u8(&sections.info, 0);
	end_unit(&sections);
	dwarf = open_sections(&sections, &object);
	assert_ok(dwarf_find(dwarf, ELF_BUILDER_TEXT + 3, &frames));
	assert_int_equal(frames.count, 2);
	check_frame(&frames.at[0], "", "", 0);
	check_frame(&frames.at[1], "outer", "", 7);
	dwarf_free(dwarf);
	object_unref(object);
}

/* The unit with the function that all tests have, at its beginning. */
static void begin_outer(struct sections *sections)
{
	begin_unit(sections, 0x1000);
	function(sections, ELF_BUILDER_TEXT, 0x100, "outer");
}

/* What is known of an address near that beginning. */
static void find_once(struct sections *sections, struct source_frames *ret)
{
	struct object *object;
	struct dwarf *dwarf;

	end_unit(sections);
	dwarf = open_sections(sections, &object);
	assert_ok(dwarf_find(dwarf, ELF_BUILDER_TEXT + 3, ret));
	dwarf_free(dwarf);
	object_unref(object);
}

/* Functions inlined into each other deeper than anybody shows: the outermost one is not lost. */
static void deep_chains_are_cut(void **state)
{
	enum { DEPTH = 1000 };
	cleanup(sections_fini) struct sections sections = {};
	struct source_frames frames;

	(void)state;
	begin_outer(&sections);
	for (unsigned i = 0; i < DEPTH; i++)
		inlined(&sections, ELF_BUILDER_TEXT, 0x10, 11, 7);
	for (unsigned i = 0; i < DEPTH + 1; i++)
		u8(&sections.info, 0);
	find_once(&sections, &frames);
	assert_int_equal(frames.count, SOURCE_MAX_FRAMES);
	check_frame(&frames.at[SOURCE_MAX_FRAMES - 1], "outer", "", 7);
}

/* More rows than anybody has: the function is known, its lines are not. */
static void too_many_rows_are_none(void **state)
{
	cleanup(sections_fini) struct sections sections = {};
	cleanup(bytes_fini) struct bytes program = {};
	struct source_frames frames;

	(void)state;
	begin_outer(&sections);
	u8(&sections.info, 0);
	set_address(&program, ELF_BUILDER_TEXT);
	for (unsigned i = 0; i < MANY_ROWS; i++)
		u8(&program, 10 + 4 + 2); /* a byte and a line further */
	end_sequence(&program);
	line_table(&sections.line, &program);
	find_once(&sections, &frames);
	assert_int_equal(frames.count, 1);
	check_frame(&frames.at[0], "outer", "", 0);
}

/* The path that is wanted for a skeleton that was compiled there (NULL: does not say) and has this name. */
static void check_wanted(const char *folder, const char *name, const char *path)
{
	cleanup(sections_fini) struct sections sections = {};
	cleanup(bytes_fini) struct bytes wanted = {};
	struct bytes *info = &sections.info;
	struct source_frames frames;
	struct object *object;
	struct dwarf *dwarf;

	abbreviation(&sections.abbrev, UNIT, DW_TAG_compile_unit, true,
		     (const unsigned[]){ DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8,
					 DW_AT_GNU_dwo_id, DW_FORM_data8, DW_AT_GNU_dwo_name,
					 DW_FORM_string, folder ? DW_AT_comp_dir : 0,
					 DW_FORM_string, 0 });
	u8(&sections.abbrev, 0);
	u32(info, 0);
	bytes_add(info, "\4\0", 2);
	u32(info, 0);
	u8(info, 8);
	uleb(info, UNIT);
	u64(info, ELF_BUILDER_TEXT);
	u64(info, 0x1000);
	u64(info, 1);
	bytes_add(info, name, strlen(name) + 1);
	if (folder)
		bytes_add(info, folder, strlen(folder) + 1);
	end_unit(&sections);
	dwarf = open_sections(&sections, &object);
	/* First a package of all of them is asked for, wherever those are. */
	assert_int_equal(dwarf_find(dwarf, ELF_BUILDER_TEXT + 3, &frames), DWARF_WANTS);
	assert_int_equal(dwarf_wanted(dwarf, &wanted), 1);
	assert_string_equal(bytes_str(&wanted), ".dwp");
	wanted.size = 0;
	(void)dwarf_find(dwarf, ELF_BUILDER_TEXT + 3, &frames);
	assert_int_equal(dwarf_wanted(dwarf, &wanted), path != NULL);
	if (path)
		assert_string_equal(bytes_str(&wanted), path);
	dwarf_free(dwarf);
	assert_ok(dwarf_new(&dwarf, object, memory_file_again(object->fd), &texts));
	assert_int_equal(dwarf_find(dwarf, ELF_BUILDER_TEXT + 3, &frames), DWARF_WANTS);
	dwarf_want_no_more(dwarf);
	assert_errno(dwarf_find(dwarf, ELF_BUILDER_TEXT + 3, &frames), ENOENT);
	assert_int_equal(dwarf_wanted(dwarf, &wanted), 0);
	dwarf_free(dwarf);
	object_unref(object);
}

/* Relative paths count from the folder of the object. */
static void split_files_are_wanted_where_they_were_made(void **state)
{
	static char long_name[5000];

	(void)state;
	check_wanted("/where", "a.dwo", "/where/a.dwo");
	check_wanted("/where", "/there/a.dwo", "/there/a.dwo");
	check_wanted(NULL, "/there/a.dwo", "/there/a.dwo");
	check_wanted(NULL, "a.dwo", "a.dwo");
	check_wanted("", "a.dwo", "a.dwo");
	memset(long_name, 'a', sizeof(long_name) - 1);
	check_wanted("/where", long_name, NULL); /* no path is so long */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inlined_functions_are_found),
		cmocka_unit_test(a_ring_of_patterns_ends),
		cmocka_unit_test(deep_chains_are_cut),
		cmocka_unit_test(too_many_rows_are_none),
		cmocka_unit_test(split_files_are_wanted_where_they_were_made),
	};

	return cmocka_run_group_tests(tests, make_texts, free_texts);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Files, lines and inlined calls of Go functions, in the layout of every version. Real programs are
 * in tests/dwarf/go_lines.py.
 */
#include "test.h"

#include <errno.h>

#include "elf/go_image.h"
#include "elf/gopclntab_lines.h"

/* Layouts, and the word that tells where inlined calls are described. */
static const struct version {
	uint32_t magic;
	unsigned data_word;
} versions[] = {
	{ GOPCLNTAB_1_16, 0 },
	{ GOPCLNTAB_1_18, 38 },
	{ GOPCLNTAB_1_20, 40 },
	{ GOPCLNTAB_1_20, 43 }, /* Go 1.27 */
};

static const struct go_image_function functions[] = {
	GO_FUNCTION("main.first", 0, "\x90\xc3", { 2, 0 }),
	GO_FUNCTION("main.main", 0, "\x90\xc3", { 2, 0 }),
	GO_FUNCTION("main.last", 0, "\x90\xc3", { 2, 0 }),
};

/* main.smaller is inlined into main.small, and that into main.main, of 40 bytes. */
static const struct go_image_lines plain = {
	.files = { { 10, 0 }, { 10, 1 }, { 20, 0 } },
	.lines = { { 10, 12 }, { 10, 30 }, { 10, 41 }, { 10, 13 } },
	.inlined = { { 10, -1 }, { 10, 0 }, { 10, 1 }, { 10, -1 } },
	.start_line = 11,
	.calls = { { "main.small", 5, 29 }, { "main.smaller", 15, 40 } },
};

enum { NUMBER = 1, MAIN = GO_TEXT + NUMBER * GO_FUNCTION_BYTES };

static void make(struct go_image *image, const struct version *version,
		 const struct go_image_lines *lines)
{
	go_image_make(image, version->magic, functions, ARRAY_SIZE(functions));
	go_image_add_lines(image, version->magic, ARRAY_SIZE(functions), NUMBER, lines);
	if (version->data_word)
		go_image_put_module(image, version->data_word);
}

/* The frames as "NAME FILE:LINE START_LINE|..."; "" when there are none. */
static const char *frames_at(const struct go_image *image, uint64_t address, uint32_t *ret_count)
{
	cleanup(object_unref) struct object *object = go_image_open(image);
	cleanup(gopclntab_lines_free) struct gopclntab_lines *lines = NULL;
	static struct source_frames frames;
	static char text[8192];
	struct gopclntab table;
	struct strtab texts;
	size_t size = 0;
	int r;

	assert_ok(strtab_init(&texts));
	assert_non_null(object);
	assert_ok(gopclntab_open(&table, object));
	assert_int_equal(table.count, ARRAY_SIZE(functions));
	assert_ok(gopclntab_lines_new(&lines, &table));
	r = gopclntab_lines_find(lines, address, &texts, &frames);
	text[0] = '\0';
	if (r != 0)
		assert_errno(r, ENOENT);
	for (uint32_t i = 0; r == 0 && i < frames.count; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s %s:%u %u",
					 i ? "|" : "", strtab_get(&texts, frames.at[i].name),
					 strtab_get(&texts, frames.at[i].file), frames.at[i].line,
					 frames.at[i].start_line);
	if (ret_count)
		*ret_count = frames.count;
	strtab_fini(&texts);
	return text;
}

#define ASSERT_FRAMES(image, address, expected)                                                    \
	assert_string_equal(frames_at(image, address, NULL), expected)

static void every_version_is_read(void **state)
{
	struct go_image image;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		bool is_new = versions[i].magic == GOPCLNTAB_1_20;

		make(&image, &versions[i], &plain);
		ASSERT_FRAMES(&image, MAIN,
			      is_new ? "main.main /src/main.go:12 11"
				     : "main.main /src/main.go:12 0");
		ASSERT_FRAMES(&image, MAIN + 10,
			      is_new ? "main.small /src/other.go:30 29|main.main /src/main.go:12 11"
				     : "main.small /src/other.go:30 0|main.main /src/main.go:12 0");
		ASSERT_FRAMES(
			&image, MAIN + 29,
			is_new ? "main.smaller /src/main.go:41 40|main.small /src/other.go:30 "
				 "29|main.main /src/main.go:12 11"
			       : "main.smaller /src/main.go:41 0|main.small /src/other.go:30 "
				 "0|main.main /src/main.go:12 0");
		ASSERT_FRAMES(&image, MAIN + 39,
			      is_new ? "main.main /src/main.go:13 11"
				     : "main.main /src/main.go:13 0");
		/* Behind its last instruction; in functions without lines; outside. */
		ASSERT_FRAMES(&image, MAIN + 40, "");
		ASSERT_FRAMES(&image, MAIN - 1, "");
		ASSERT_FRAMES(&image, MAIN + GO_FUNCTION_BYTES, "");
		ASSERT_FRAMES(&image, GO_TEXT - 1, "");
		ASSERT_FRAMES(&image, UINT64_MAX, "");
	}
}

/* Before the loader has put addresses in place. */
static void relocations_tell_where_calls_are_described(void **state)
{
	struct go_image image;

	(void)state;
	for (size_t i = 1; i < ARRAY_SIZE(versions); i++) {
		unsigned words[] = { 0, 1, 22, 37, 39, versions[i].data_word };
		unsigned char *data = image.bytes + GO_DATA_OFFSET;

		make(&image, &versions[i], &plain);
		for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
			uint64_t place = GO_MODULE + 8 * words[k];
			Elf64_Rela relocation = { place, ELF64_R_INFO(0, R_X86_64_RELATIVE), 0 };

			memcpy(&relocation.r_addend, data + (place - GO_DATA), 8);
			memset(data + (place - GO_DATA), 0, 8);
			memcpy(data + (GO_RELOCATIONS - GO_DATA) + k * sizeof(relocation),
			       &relocation, sizeof(relocation));
		}
		assert_non_null(strstr(frames_at(&image, MAIN + 10, NULL), "main.small "));
		/* Nothing tells: no inlined calls, but lines. */
		memset(data + (GO_RELOCATIONS - GO_DATA), 0, sizeof(Elf64_Rela));
		assert_null(strstr(frames_at(&image, MAIN + 10, NULL), "main.small "));
		assert_non_null(strstr(frames_at(&image, MAIN + 10, NULL), "/src/other.go:30"));
	}
}

static void calls_that_go_in_circles_end(void **state)
{
	struct go_image_lines lines = plain;
	struct go_image image;
	uint32_t count;

	(void)state;
	lines.calls[0].place = 25;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		const char *text;

		make(&image, &versions[i], &lines);
		text = frames_at(&image, MAIN + 15, &count);
		assert_int_equal(count, SOURCE_MAX_FRAMES);
		assert_memory_equal(text, "main.small ", 11);
		assert_memory_equal(strrchr(text, '|'), "|main.main :0 ", 14);
	}
}

/* In whatever order its addresses are asked for. */
static void a_very_large_function_is_read_in_parts(void **state)
{
	enum { STEPS = 1800, STEP_BYTES = 2, OTHER = 64 };
	struct go_image_lines nothing = { .lines = { { 1, 10 } } };
	cleanup(gopclntab_lines_free) struct gopclntab_lines *lines = NULL;
	cleanup(object_unref) struct object *object = NULL;
	static struct source_frames frames;
	unsigned char *table, *values;
	struct gopclntab go;
	struct go_image image;
	struct strtab texts;

	(void)state;
	go_image_make(&image, GOPCLNTAB_1_18, functions, 1);
	go_image_add_lines(&image, GOPCLNTAB_1_18, 1, 0, &nothing);
	table = go_image_table(&image);
	go_image_put(table + GO_FUNCTIONS + 8, STEPS * STEP_BYTES, 4); /* its end */
	go_image_put(table + GO_LINES + 4 + 20, OTHER, 4);
	values = table + GO_VALUES + OTHER;
	for (unsigned i = 0; i < STEPS; i++) {
		*values++ = i ? 2 : 22; /* one line more; the first one is 10 */
		*values++ = STEP_BYTES;
	}
	object = go_image_open(&image);
	assert_ok(gopclntab_open(&go, object));
	assert_ok(gopclntab_lines_new(&lines, &go));
	assert_ok(strtab_init(&texts));
	for (unsigned i = 0; i < 3 * STEPS; i++) {
		/* Far and near, forwards and back. */
		unsigned step = i * 1009 % STEPS;

		assert_ok(gopclntab_lines_find(lines, GO_TEXT + step * STEP_BYTES + i % STEP_BYTES,
					       &texts, &frames));
		assert_int_equal(frames.count, 1);
		assert_int_equal(frames.at[0].line, 10 + step);
	}
	strtab_fini(&texts);
}

/* Whatever cannot be true is left out; the function itself stays. */
static void nonsense_is_left_out(void **state)
{
	static const uint64_t places[] = { GO_DATA + GO_DATA_BYTES - 8, UINT64_MAX, 0, 8 };
	struct go_image image;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		const struct version *version = &versions[i];
		struct go_image_lines lines = plain;
		unsigned char *fields;

		/* A call outside of its function. */
		lines.calls[0].place = GO_FUNCTION_BYTES;
		make(&image, version, &lines);
		assert_memory_equal(frames_at(&image, MAIN + 10, NULL),
				    "main.main /src/other.go:30", 26);
		lines.calls[0].place = UINT32_MAX;
		make(&image, version, &lines);
		assert_memory_equal(frames_at(&image, MAIN + 10, NULL),
				    "main.main /src/other.go:30", 26);
		/* Numbers of calls and files that are not there, lines below 1. */
		lines = plain;
		lines.inlined[1].value = 1 << 19;
		lines.inlined[2].value = INT32_MIN;
		lines.files[1].value = 2;
		lines.files[2].value = INT32_MAX;
		lines.lines[3].value = -5;
		make(&image, version, &lines);
		assert_memory_equal(frames_at(&image, MAIN + 10, NULL), "main.main :30", 13);
		assert_memory_equal(frames_at(&image, MAIN + 20, NULL), "main.main :41", 13);
		ASSERT_FRAMES(&image, MAIN + 30, "");
		/* Calls that are described outside of the file. */
		for (size_t k = 0; k < ARRAY_SIZE(places) && version->data_word; k++) {
			make(&image, version, &plain);
			go_image_put(image.bytes + GO_DATA_OFFSET + (GO_MODULE - GO_DATA) +
					     8 * version->data_word,
				     places[k], 8);
			assert_memory_equal(frames_at(&image, MAIN + 10, NULL),
					    "main.main /src/other.go:30", 26);
		}
		/* More tables than there are, and fewer. */
		fields = go_image_table(&image) + GO_LINES + GO_LINES_BYTES * NUMBER +
			 (version->magic == GOPCLNTAB_1_16 ? 8 : 4);
		make(&image, version, &plain);
		go_image_put(fields + 24, UINT32_MAX, 4);
		assert_memory_equal(frames_at(&image, MAIN + 10, NULL),
				    "main.main /src/other.go:30", 26);
		go_image_put(fields + 24, 2, 4);
		assert_memory_equal(frames_at(&image, MAIN + 10, NULL),
				    "main.main /src/other.go:30", 26);
		/* The first file of the unit. */
		go_image_put(fields + 28, UINT32_MAX, 4);
		assert_memory_equal(frames_at(&image, MAIN, NULL), "main.main :12", 13);
		/* Tables by address. */
		go_image_put(fields + 20, GO_FUNCTIONS - GO_VALUES, 4);
		ASSERT_FRAMES(&image, MAIN, "");
		go_image_put(fields + 20, UINT32_MAX, 4);
		ASSERT_FRAMES(&image, MAIN, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_version_is_read),
		cmocka_unit_test(relocations_tell_where_calls_are_described),
		cmocka_unit_test(calls_that_go_in_circles_end),
		cmocka_unit_test(a_very_large_function_is_read_in_parts),
		cmocka_unit_test(nonsense_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

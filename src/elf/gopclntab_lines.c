// SPDX-License-Identifier: Apache-2.0
/*
 * Three tables by address tell of each instruction of a function: the file, the line, and the
 * innermost inlined call that it belongs to, if any. An inlined call names its function, and an
 * instruction of the call's own place: there the same tables tell where the call was written, and
 * whether that was inlined as well (Go's runtime/symtabinl.go). No chain is followed farther than a
 * result can hold.
 *
 * Tables are read from their beginning. Of long ones some places on the way are remembered, so that
 * many addresses of a very large function do not cost their product.
 *
 * Layouts: runtime/symtab.go and runtime/runtime2.go of Go 1.16 to 1.27.
 */
#include "elf/gopclntab_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "elf/gopclntab_place.h"

enum {
	INLINED_VALUES = 2,	     /* abi.PCDATA_InlTreeIndex */
	INLINED_DATA = 3,	     /* abi.FUNCDATA_InlTree */
	MAX_INLINED_CALLS = 1 << 20, /* of a function; as many as Go has room for */
	/* Words of runtime.moduledata: gofunc, behind two more in Go 1.20, three more in 1.27. */
	MODULE_DATA_1_18 = 38,
	MODULE_DATA_1_20 = 40,
	MODULE_DATA_1_27 = 43,
	/* types; and where rodata is, or since Go 1.27 etypes. */
	MODULE_TYPES = 37,
	MODULE_RODATA_OR_TYPES_END = 39,
	/* inlinedCall; its first field but one is the name. */
	CALL_BYTES_1_16 = 20,
	CALL_BYTES_1_20 = 16,
	/* Names and paths, mostly; a longer one is cut at FILE_WINDOW_BYTES. */
	SOME_TEXT_BYTES = 256,
	/* Steps through tables for one address: the largest functions have some 100,000 lines. */
	MAX_STEPS = 1 << 22,
	STEPS_PER_MARK = 256,
	MAX_MARKS = MAX_STEPS / STEPS_PER_MARK, /* of a table */
	MARKED_TABLES = 16,
};

/* A long table of a function. */
struct marked_table {
	uint64_t start; /* of the function */
	uint32_t offset;
	ARRAY_OF(struct gopclntab_values) marks; /* ascending; none: nobody's */
};

struct gopclntab_lines {
	const struct gopclntab *table;
	uint64_t data; /* ELF address that places of inlined calls count from; 0: not known */
	struct gopclntab_cursor cursor;
	struct file_window units, files, object;
	struct marked_table marked[MARKED_TABLES]; /* each at its offset modulo their number */
};

/* An address under way. */
struct question {
	struct gopclntab_lines *lines;
	struct gopclntab_function function;
	struct strtab *texts;
	uint32_t steps; /* that are left */
};

struct inlined_call {
	uint32_t name;	     /* offset in the table's names */
	uint32_t place;	     /* where it was called: offset from the function's start */
	uint32_t start_line; /* 0: not known, as before Go 1.20 */
};

/* ---- opening ---- */

/*
 * The number of the word that is wanted. The table's header is the same in Go 1.20 and 1.27, but types
 * lie in read-only data or behind it, and end behind their beginning.
 */
static uint32_t number_of_word(uint32_t magic, const uint64_t words[GOPCLNTAB_MODULE_WORDS])
{
	if (magic == GOPCLNTAB_1_18)
		return MODULE_DATA_1_18;
	return words[MODULE_RODATA_OR_TYPES_END] <= words[MODULE_TYPES] ? MODULE_DATA_1_20
									: MODULE_DATA_1_27;
}

static int find_data(struct gopclntab_lines *lines)
{
	cleanup(section_table_fini) struct section_table sections = {};
	const struct gopclntab *table = lines->table;
	uint64_t words[GOPCLNTAB_MODULE_WORDS];
	int r = section_table_read(&sections, table->object->fd);

	if (r == 0)
		r = gopclntab_module(table, &sections, words);
	if (r == 0)
		lines->data = words[number_of_word(table->magic, words)];
	return r == -ENOMEM ? r : 0;
}

int gopclntab_lines_new(struct gopclntab_lines **ret, const struct gopclntab *table)
{
	cleanup(gopclntab_lines_free) struct gopclntab_lines *lines = calloc(1, sizeof(*lines));
	int fd = table->object->fd;

	if (!lines)
		return -ENOMEM;
	lines->table = table;
	gopclntab_cursor_init(&lines->cursor, table);
	file_window_init(&lines->units, fd, table->offset + table->units.offset,
			 table->offset + table->units.offset + table->units.size);
	file_window_init(&lines->files, fd, table->offset + table->files.offset,
			 table->offset + table->files.offset + table->files.size);
	file_window_init(&lines->object, fd, 0, table->object->identity.size);
	if (table->magic != GOPCLNTAB_1_16 && find_data(lines) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(lines);
	return 0;
}

void gopclntab_lines_free(struct gopclntab_lines *lines)
{
	for (uint32_t i = 0; lines && i < MARKED_TABLES; i++)
		array_fini(&lines->marked[i].marks);
	free(lines);
}

/* ---- one fact at a time ---- */

static struct marked_table *marked_table(struct question *question, uint32_t offset)
{
	return &question->lines->marked[offset % MARKED_TABLES];
}

static bool is_of(const struct marked_table *marked, const struct gopclntab_function *function,
		  uint32_t offset)
{
	return marked->start == function->start && marked->offset == offset;
}

/* The last mark at or in front of an address; else the beginning of the table. */
static struct gopclntab_values nearest(struct question *question, uint32_t offset, uint64_t address)
{
	const struct marked_table *marked = marked_table(question, offset);
	uint32_t low = 0, high = marked->marks.count;
	struct gopclntab_values values;

	gopclntab_values_init(&values, &question->function, offset);
	if (!is_of(marked, &question->function, offset))
		return values;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (marked->marks.at[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? marked->marks.at[low - 1] : values;
}

static void mark(struct question *question, uint32_t offset, const struct gopclntab_values *values)
{
	struct marked_table *marked = marked_table(question, offset);
	struct gopclntab_values *slot;
	uint32_t count;

	if (!is_of(marked, &question->function, offset)) {
		marked->start = question->function.start;
		marked->offset = offset;
		marked->marks.count = 0;
	}
	count = marked->marks.count;
	if (count >= MAX_MARKS || (count && values->start <= marked->marks.at[count - 1].start))
		return;
	/* Without memory it only takes longer. */
	slot = array_push(&marked->marks);
	if (slot)
		*slot = *values;
}

/* -1: the table does not tell. */
static int32_t value_at(struct question *question, uint32_t offset, uint64_t address)
{
	struct gopclntab_values values;
	uint32_t steps = 0;

	if (offset == 0)
		return -1;
	values = nearest(question, offset, address);
	/* At its beginning a table has no value so far. */
	while (address >= values.end) {
		if (question->steps == 0 ||
		    !gopclntab_values_next(&values, &question->lines->cursor))
			return -1;
		question->steps--;
		if (++steps % STEPS_PER_MARK == 0)
			mark(question, offset, &values);
	}
	return values.value;
}

/* A text's number; 0 when it is not there. */
static int add_text(struct question *question, struct file_window *window, uint64_t offset,
		    uint32_t *ret)
{
	*ret = 0;
	for (size_t size = SOME_TEXT_BYTES;; size = FILE_WINDOW_BYTES) {
		size_t some = size;
		const unsigned char *text = file_window_some(window, offset, &some);

		if (!text)
			return 0;
		if (some < size || size == FILE_WINDOW_BYTES || memchr(text, '\0', some))
			return strtab_add(question->texts, ret, (const char *)text, some);
	}
}

/* The file and the line of an address, where they are known. */
static int find_line(struct question *question, uint64_t address, struct source_frame *ret)
{
	struct gopclntab_lines *lines = question->lines;
	const struct gopclntab_function *function = &question->function;
	int32_t line = value_at(question, function->line_values, address);
	int32_t number = value_at(question, function->file_values, address);
	const unsigned char *entry = NULL;
	uint32_t offset;

	ret->line = line > 0 ? (uint32_t)line : 0;
	if (number >= 0)
		entry = file_window_take(&lines->units,
					 ((uint64_t)function->unit + (uint32_t)number) *
						 sizeof(offset),
					 sizeof(offset));
	if (!entry)
		return 0;
	memcpy(&offset, entry, sizeof(offset));
	return add_text(question, &lines->files, offset, &ret->file);
}

/* The bytes at an ELF address, or NULL. */
static const unsigned char *take_data(struct gopclntab_lines *lines, uint64_t address, size_t size)
{
	const struct object *object = lines->table->object;

	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t inside = address - segment->address;

		if (address >= segment->address && inside < segment->file_size &&
		    size <= segment->file_size - inside)
			return file_window_take(&lines->object, segment->file_offset + inside,
						size);
	}
	return NULL;
}

/* Where the inlined calls of the function are described: an ELF address; 0: nowhere. */
static uint64_t find_calls(const struct question *question)
{
	struct gopclntab_lines *lines = question->lines;
	const struct gopclntab *table = lines->table;
	const struct gopclntab_function *function = &question->function;
	uint64_t at = function->further + (uint64_t)function->further_values * sizeof(uint32_t);
	const unsigned char *bytes;
	uint64_t address = 0;
	uint32_t offset;

	if (function->further_data <= INLINED_DATA)
		return 0;
	if (table->magic == GOPCLNTAB_1_16) {
		/* Aligned addresses. */
		at += (table->address + table->functions.offset + at) & 4;
		bytes = file_window_take(&lines->cursor.functions,
					 at + INLINED_DATA * sizeof(address), sizeof(address));
		if (bytes)
			memcpy(&address, bytes, sizeof(address));
		return address;
	}
	bytes = file_window_take(&lines->cursor.functions, at + INLINED_DATA * sizeof(offset),
				 sizeof(offset));
	if (!bytes || !lines->data)
		return 0;
	memcpy(&offset, bytes, sizeof(offset));
	return offset == UINT32_MAX ? 0 : lines->data + offset;
}

/* The innermost inlined call that an address belongs to. False: to none. */
static bool find_call(struct question *question, uint64_t address, struct inlined_call *ret)
{
	struct gopclntab_lines *lines = question->lines;
	const struct gopclntab_function *function = &question->function;
	bool is_new = lines->table->magic == GOPCLNTAB_1_20;
	uint32_t size = is_new ? CALL_BYTES_1_20 : CALL_BYTES_1_16, offset, fields[3] = {};
	const unsigned char *bytes;
	uint64_t calls;
	int32_t number;

	if (function->further_values <= INLINED_VALUES)
		return false;
	bytes = file_window_take(&lines->cursor.functions,
				 function->further + INLINED_VALUES * sizeof(offset),
				 sizeof(offset));
	if (!bytes)
		return false;
	memcpy(&offset, bytes, sizeof(offset));
	number = value_at(question, offset, address);
	if (number < 0 || number >= MAX_INLINED_CALLS)
		return false;
	calls = find_calls(question);
	bytes = calls ? take_data(lines, calls + (uint64_t)number * size, size) : NULL;
	if (!bytes)
		return false;
	/* The name, the place, and in the new layout the function's line. */
	memcpy(fields, bytes + (is_new ? 4 : 12), is_new ? 12 : 8);
	*ret = (struct inlined_call){ fields[0], fields[1],
				      fields[2] <= INT32_MAX ? fields[2] : 0 };
	return ret->place < function->end - function->start;
}

/* ---- all of them ---- */

int gopclntab_lines_find(struct gopclntab_lines *lines, uint64_t address, struct strtab *texts,
			 struct source_frames *ret)
{
	struct question question = { .lines = lines, .texts = texts, .steps = MAX_STEPS };
	const struct gopclntab_function *function = &question.function;
	struct inlined_call call = {};
	uint64_t start, size;
	uint32_t number;
	bool is_inlined;
	int r;

	if (gopclntab_find(lines->table, address, &start, &size, &number) < 0 ||
	    !gopclntab_cursor_function(&lines->cursor, &question.function, number))
		return -ENOENT;
	ret->count = 0;
	do {
		struct source_frame *frame = &ret->at[ret->count++];

		*frame = (struct source_frame){};
		r = find_line(&question, address, frame);
		/* Behind its last instruction there is what other tables may know. */
		if (r == 0 && ret->count == 1 && frame->line == 0)
			return -ENOENT;
		is_inlined = r == 0 && find_call(&question, address, &call);
		if (is_inlined && ret->count == SOURCE_MAX_FRAMES) {
			/* Nobody inlines as deep; it has no end, perhaps. */
			*frame = (struct source_frame){};
			is_inlined = false;
		}
		if (r == 0)
			r = add_text(&question, &lines->cursor.names,
				     is_inlined ? call.name : function->name, &frame->name);
		if (r < 0)
			return r;
		frame->start_line = is_inlined ? call.start_line : function->start_line;
		address = function->start + call.place;
	} while (is_inlined);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "dwarf/line_table.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
	/* Of one unit. sqlite in one file has 100,000 rows, a browser's largest unit a million. */
	MAX_ROWS = 8 << 20,
	MAX_FILES = 1 << 20,
	MAX_FORMATS = 64,
	MAX_PATH_BYTES = 4096,
	MAX_TEXT_BYTES = 64 << 20,
};

#define MAX_TABLE_BYTES (256ULL << 20)

/* The head of a table. */
struct head {
	struct unit_format format;
	uint8_t min_instruction, max_operations, line_range, opcode_base;
	int8_t line_base;
	unsigned char operands[256]; /* of each standard opcode */
};

/* ---- files ---- */

static uint64_t add_text(struct line_table *table, const char *text)
{
	uint64_t at = table->texts.size;

	bytes_add(&table->texts, text, strlen(text) + 1);
	return at;
}

static const char *take_text(struct reader *reader)
{
	const unsigned char *begin = reader->at;
	const unsigned char *end = memchr(begin, 0, reader_left(reader));

	if (!end) {
		reader->overrun = true;
		return "";
	}
	reader->at = end + 1;
	return (const char *)begin;
}

/* One long name can be there a million times. */
static bool is_full(const struct line_table *table)
{
	return table->files.count >= MAX_FILES || table->folders.count >= MAX_FILES ||
	       table->texts.size >= MAX_TEXT_BYTES;
}

static int add_folder(struct line_table *table, uint64_t text)
{
	uint64_t *added;

	if (is_full(table))
		return -EBADMSG;
	added = array_push(&table->folders);
	if (!added)
		return -ENOMEM;
	*added = text;
	return 0;
}

static int add_file(struct line_table *table, uint64_t text, uint64_t folder)
{
	struct line_file *added;

	if (is_full(table))
		return -EBADMSG;
	added = array_push(&table->files);
	if (!added)
		return -ENOMEM;
	*added = (struct line_file){ text, folder < UINT32_MAX ? (uint32_t)folder : UINT32_MAX };
	return 0;
}

/* Up to version 4: folder 0 is where the compiler ran; files count from 1. */
static int read_old_files(struct line_table *table, struct reader *reader)
{
	int r = add_folder(table, add_text(table, ""));

	table->first_file = 1;
	while (r == 0) {
		const char *name = take_text(reader);

		if (!*name)
			break;
		r = add_folder(table, add_text(table, name));
	}
	while (r == 0) {
		const char *name = take_text(reader);
		uint64_t folder;

		if (!*name)
			break;
		folder = reader_uleb(reader);
		(void)reader_uleb(reader); /* when it was changed */
		(void)reader_uleb(reader); /* its size */
		r = add_file(table, add_text(table, name), folder);
	}
	return r < 0 ? r : reader->overrun ? -EBADMSG : 0;
}

struct entry_format {
	uint64_t content, form;
};

/* One folder or file: of what is known of it, name and folder. */
static int read_new_entry(struct line_table *table, struct dwarf_file *file,
			  const struct dwarf_unit *unit, const struct head *head,
			  struct reader *reader, const struct entry_format *formats, unsigned count,
			  uint64_t *text, uint64_t *folder)
{
	*text = add_text(table, "");
	*folder = 0;
	for (unsigned i = 0; i < count; i++) {
		struct entry_value value;

		if (entry_value_read(&value, reader, (uint16_t)formats[i].form, &head->format) < 0)
			return -EBADMSG;
		if (formats[i].content == DW_LNCT_directory_index) {
			*folder = value.number;
		} else if (formats[i].content == DW_LNCT_path) {
			uint64_t at = table->texts.size;

			if (dwarf_file_text(file, unit, &value, &table->texts) == 0)
				*text = at;
			bytes_add(&table->texts, "", 1);
		}
	}
	return 0;
}

static int read_new_list(struct line_table *table, struct dwarf_file *file,
			 const struct dwarf_unit *unit, const struct head *head,
			 struct reader *reader, bool files)
{
	struct entry_format formats[MAX_FORMATS];
	uint64_t text, folder, entries;
	unsigned count = reader_u8(reader);
	int r = count > MAX_FORMATS ? -EBADMSG : 0;

	for (unsigned i = 0; i < count && r == 0; i++) {
		formats[i].content = reader_uleb(reader);
		formats[i].form = reader_uleb(reader);
		if (formats[i].form > UINT16_MAX)
			r = -EBADMSG;
	}
	entries = reader_uleb(reader);
	/* Without a format there is nothing to read, as often as one likes. */
	if (count == 0 && entries > 0)
		r = -EBADMSG;
	for (uint64_t i = 0; i < entries && r == 0 && !reader->overrun; i++) {
		r = read_new_entry(table, file, unit, head, reader, formats, count, &text, &folder);
		if (r == 0)
			r = files ? add_file(table, text, folder) : add_folder(table, text);
	}
	return r < 0 ? r : reader->overrun ? -EBADMSG : 0;
}

/* ---- rows ---- */

/* Rows from one DW_LNE_end_sequence to the next. */
struct sequence {
	uint32_t first, count; /* in line_table.rows */
	uint64_t start;
};

struct program {
	struct line_table *table;
	const struct head *head;
	const struct object *object;
	struct reader reader;
	uint64_t address;
	uint64_t file, line;
	uint32_t operation;
	uint32_t first; /* row of the sequence */
	ARRAY_OF(struct sequence) sequences;
};

static int add_row(struct program *program, uint32_t file, uint32_t line)
{
	struct line_table *table = program->table;
	bool begun = table->rows.count > program->first;
	struct line_row *last = begun ? &table->rows.at[table->rows.count - 1] : NULL;

	/* Addresses only grow; of several rows at one the last one holds. */
	if (last && program->address <= last->address) {
		if (program->address == last->address) {
			last->file = file;
			last->line = line;
		}
		return 0;
	}
	if (last && last->file == file && last->line == line)
		return 0;
	if (table->rows.count >= MAX_ROWS)
		return -E2BIG;
	last = array_push(&table->rows);
	if (!last)
		return -ENOMEM;
	*last = (struct line_row){ program->address, file, line };
	return 0;
}

static int emit(struct program *program)
{
	uint64_t number = program->file - program->table->first_file;

	return add_row(program,
		       number < program->table->files.count ? (uint32_t)number : LINE_NO_FILE,
		       program->line <= UINT32_MAX ? (uint32_t)program->line : 0);
}

static void begin_sequence(struct program *program)
{
	program->address = 0;
	program->operation = 0;
	program->file = program->line = 1;
	program->first = program->table->rows.count;
}

/* Code that the linker has left out begins at 0, or somewhere outside of all code. */
static int end_sequence(struct program *program)
{
	struct line_table *table = program->table;
	struct sequence *sequence;
	int r = add_row(program, LINE_NO_FILE, 0);

	if (r < 0)
		return r;
	if (table->rows.count > program->first) {
		uint64_t start = table->rows.at[program->first].address;

		if (start == 0 || !object_segment_of(program->object, start)) {
			table->rows.count = program->first;
		} else {
			sequence = array_push(&program->sequences);
			if (!sequence)
				return -ENOMEM;
			*sequence = (struct sequence){ program->first,
						       table->rows.count - program->first, start };
		}
	}
	begin_sequence(program);
	return 0;
}

static void advance(struct program *program, uint64_t operations)
{
	const struct head *head = program->head;

	if (head->max_operations <= 1) {
		program->address += operations * head->min_instruction;
		return;
	}
	operations += program->operation;
	program->address += operations / head->max_operations * head->min_instruction;
	program->operation = (uint32_t)(operations % head->max_operations);
}

static int run_extended(struct program *program)
{
	uint64_t size = reader_uleb(&program->reader);
	const unsigned char *bytes = size <= reader_left(&program->reader)
					     ? reader_take(&program->reader, (size_t)size)
					     : NULL;
	struct reader inside;

	if (!bytes || size == 0)
		return -EBADMSG;
	inside = reader_of(bytes, (size_t)size);
	switch (reader_u8(&inside)) {
	case DW_LNE_end_sequence:
		return end_sequence(program);
	case DW_LNE_set_address:
		program->address = size == 5 ? reader_u32(&inside) : reader_u64(&inside);
		program->operation = 0;
		return inside.overrun ? -EBADMSG : 0;
	default: /* discriminators, and what others have added */
		return 0;
	}
}

static int run_standard(struct program *program, unsigned opcode)
{
	const struct head *head = program->head;
	struct reader *reader = &program->reader;

	switch (opcode) {
	case DW_LNS_copy:
		return emit(program);
	case DW_LNS_advance_pc:
		advance(program, reader_uleb(reader));
		return 0;
	case DW_LNS_advance_line:
		program->line = (uint32_t)(program->line + (uint64_t)reader_sleb(reader));
		return 0;
	case DW_LNS_set_file:
		program->file = reader_uleb(reader);
		return 0;
	case DW_LNS_const_add_pc:
		advance(program, (255U - head->opcode_base) / head->line_range);
		return 0;
	case DW_LNS_fixed_advance_pc:
		program->address += reader_u16(reader);
		program->operation = 0;
		return 0;
	default: /* columns, statements, and what is not known */
		for (unsigned i = 0; i < head->operands[opcode]; i++)
			(void)reader_uleb(reader);
		return 0;
	}
}

static int run_program(struct program *program)
{
	const struct head *head = program->head;
	int r = 0;

	begin_sequence(program);
	while (r == 0 && reader_left(&program->reader)) {
		unsigned opcode = reader_u8(&program->reader);

		if (opcode >= head->opcode_base) {
			opcode -= head->opcode_base;
			advance(program, opcode / head->line_range);
			program->line = (uint32_t)((int64_t)program->line + head->line_base +
						   (int64_t)(opcode % head->line_range));
			r = emit(program);
		} else if (opcode == 0) {
			r = run_extended(program);
		} else {
			r = run_standard(program, opcode);
		}
		if (program->reader.overrun)
			r = -EBADMSG;
	}
	/* What has no end is not known to be code. */
	program->table->rows.count = program->first;
	return r == -E2BIG ? 0 : r;
}

static int compare_sequences(const void *a, const void *b)
{
	const struct sequence *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sequences as they lie in memory; where two overlap, the second one holds. */
static int sort_rows(struct program *program)
{
	struct line_table *table = program->table;
	struct line_row *sorted;
	uint32_t count = 0;
	bool ascending = true;

	for (uint32_t i = 1; i < program->sequences.count; i++)
		ascending = ascending &&
			    program->sequences.at[i - 1].start < program->sequences.at[i].start;
	if (!ascending)
		qsort(program->sequences.at, program->sequences.count,
		      sizeof(*program->sequences.at), compare_sequences);
	sorted = malloc((table->rows.count + 1ULL) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < program->sequences.count; i++) {
		const struct sequence *sequence = &program->sequences.at[i];

		while (count && sorted[count - 1].address >= sequence->start)
			count--;
		memcpy(sorted + count, table->rows.at + sequence->first,
		       sequence->count * sizeof(*sorted));
		count += sequence->count;
	}
	free(table->rows.at);
	table->rows.at = sorted;
	table->rows.capacity = table->rows.count + 1;
	table->rows.count = count;
	return 0;
}

/* ---- the whole ---- */

/* reader: at the beginning of the table. Leaves it at the program. */
static int read_head(struct line_table *table, struct head *head, struct dwarf_file *file,
		     const struct dwarf_unit *unit, struct reader *reader)
{
	uint64_t size;
	struct reader files;
	int r;

	head->format.version = (uint8_t)reader_u16(reader);
	if (head->format.version < 2 || head->format.version > 5)
		return -EBADMSG;
	head->format.address_size = 8;
	if (head->format.version >= 5) {
		head->format.address_size = reader_u8(reader);
		(void)reader_u8(reader); /* size of segment selectors */
	}
	size = head->format.offset_size == 8 ? reader_u64(reader) : reader_u32(reader);
	if (reader->overrun || size > reader_left(reader))
		return -EBADMSG;
	files = reader_of(reader->at, (size_t)size);
	(void)reader_take(reader, (size_t)size);
	head->min_instruction = reader_u8(&files);
	head->max_operations = head->format.version >= 4 ? reader_u8(&files) : 1;
	(void)reader_u8(&files); /* whether rows begin statements */
	head->line_base = (int8_t)reader_u8(&files);
	head->line_range = reader_u8(&files);
	head->opcode_base = reader_u8(&files);
	for (unsigned i = 1; i < head->opcode_base; i++)
		head->operands[i] = reader_u8(&files);
	if (files.overrun || head->line_range == 0 || head->opcode_base == 0)
		return -EBADMSG;
	if (head->format.version < 5)
		return read_old_files(table, &files);
	r = read_new_list(table, file, unit, head, &files, false);
	return r < 0 ? r : read_new_list(table, file, unit, head, &files, true);
}

static int read_table(struct line_table *table, struct dwarf_file *file,
		      const struct dwarf_unit *unit, const struct object *object,
		      struct unit_format format, struct reader reader)
{
	struct head head = { .format = format };
	struct program program = { .table = table, .head = &head, .object = object };
	int r = read_head(table, &head, file, unit, &reader), sorted;

	if (r < 0)
		return r;
	program.reader = reader;
	r = run_program(&program);
	sorted = sort_rows(&program);
	array_fini(&program.sequences);
	return sorted < 0 ? sorted : r;
}

int line_table_read(struct line_table *ret, struct dwarf_file *file, const struct dwarf_unit *unit,
		    const struct object *object)
{
	struct debug_section *section = &file->sections[DWARF_LINE];
	cleanup(free) unsigned char *bytes = NULL;
	struct unit_format format = { .offset_size = 4 };
	const unsigned char *taken;
	uint64_t size, offset = unit->lines;
	struct reader reader;
	int r;

	*ret = (struct line_table){};
	if (offset == DWARF_NOWHERE)
		return 0;
	taken = debug_section_take(section, offset, 12);
	if (!taken)
		return -EBADMSG;
	reader = reader_of(taken, 12);
	size = reader_u32(&reader);
	offset += 4;
	if (size == UINT32_MAX) {
		format.offset_size = 8;
		size = reader_u64(&reader);
		offset += 8;
	}
	if (offset > section->size || size > section->size - offset || size > MAX_TABLE_BYTES)
		return -EBADMSG;
	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	r = debug_section_read(section, bytes, offset, size);
	if (r < 0)
		return -EBADMSG;
	r = read_table(ret, file, unit, object, format, reader_of(bytes, size));
	return ret->texts.failed ? -ENOMEM : r;
}

void line_table_fini(struct line_table *table)
{
	array_fini(&table->rows);
	array_fini(&table->folders);
	array_fini(&table->files);
	bytes_fini(&table->texts);
}

const struct line_row *line_table_find(const struct line_table *table, uint64_t address)
{
	uint32_t count = array_count_up_to(&table->rows, address, address);

	if (count == 0 || table->rows.at[count - 1].file == LINE_NO_FILE)
		return NULL;
	return &table->rows.at[count - 1];
}

uint64_t line_table_next(const struct line_table *table, uint64_t address)
{
	uint32_t count = array_count_up_to(&table->rows, address, address);

	return count < table->rows.count ? table->rows.at[count].address : UINT64_MAX;
}

static void add_part(struct bytes *ret, const char *part, size_t start)
{
	if (!*part)
		return;
	if (*part == '/')
		ret->size = start; /* it begins anew */
	else if (ret->size > start && ret->at[ret->size - 1] != '/')
		bytes_add_char(ret, '/');
	bytes_add_str(ret, part);
}

int line_table_path(const struct line_table *table, uint32_t number, const char *folder,
		    struct bytes *ret)
{
	size_t start = ret->size;
	const struct line_file *file;

	if (number >= table->files.count)
		return -ENOENT;
	file = &table->files.at[number];
	if (!table->texts.at[file->name])
		return -ENOENT;
	add_part(ret, folder, start);
	if (file->folder < table->folders.count)
		add_part(ret, table->texts.at + table->folders.at[file->folder], start);
	add_part(ret, table->texts.at + file->name, start);
	if (ret->size - start > MAX_PATH_BYTES)
		ret->size = start + MAX_PATH_BYTES;
	return 0;
}

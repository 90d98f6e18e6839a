// SPDX-License-Identifier: Apache-2.0
/*
 * Nothing of the table is believed before it is used: parts lie inside of the file and of each
 * other's bounds once opened; a function's entry is compared with what the index says of it; and a
 * table whose first and last function do not lie in executable code is no table.
 *
 * The index is sorted in every file that Go writes. In a hostile one the search ends somewhere, and
 * the function found there is asked whether it holds the address.
 */
#include "elf/gopclntab.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/gopclntab_place.h"

enum {
	/* The largest programs have some 300,000. */
	MAX_FUNCTIONS = 4 << 20,
	HEADER_BYTES = 8 + 8 * 8, /* of Go 1.18 and later; 1.16's is a word shorter */
	MAX_FUNCTION_BYTES = 44,
	BLOCK_ENTRIES = 64,
	MAX_ENTRY_BYTES = 16,
	/* Generic functions have long names. */
	MAX_NAME_BYTES = 16384,
	/* Two numbers of 32 bits, seven bits a byte. */
	MAX_VALUE_BYTES = 10,
};

/* A row of the index: where a function begins, and where in `functions` it is described. */
struct index_entry {
	uint64_t start, function;
};

static bool is_old(const struct gopclntab *table)
{
	return table->magic == GOPCLNTAB_1_16;
}

/* Both numbers of an index entry: addresses up to Go 1.17, then offsets of 32 bits. */
static uint32_t entry_bytes(const struct gopclntab *table)
{
	return is_old(table) ? 16 : 8;
}

static struct index_entry decode_entry(const struct gopclntab *table, const unsigned char *bytes)
{
	uint64_t wide[2];
	uint32_t narrow[2];

	if (is_old(table)) {
		memcpy(wide, bytes, sizeof(wide));
		return (struct index_entry){ wide[0], wide[1] };
	}
	memcpy(narrow, bytes, sizeof(narrow));
	return (struct index_entry){ table->text + narrow[0], narrow[1] };
}

/*
 * The fixed part of runtime._func: an entry of eight bytes up to Go 1.17, then of four; eight
 * numbers of four bytes, since Go 1.20 one more (startLine); four single bytes.
 */
static uint32_t function_bytes(const struct gopclntab *table)
{
	return table->magic == GOPCLNTAB_1_18 ? 40 : MAX_FUNCTION_BYTES;
}

/* Behind the last entry there is one more start: the end of the code. */
static uint64_t index_bytes(const struct gopclntab *table)
{
	return (uint64_t)table->count * entry_bytes(table) + entry_bytes(table) / 2;
}

/* ---- reading one after the other ---- */

static void init_part(struct file_window *window, const struct gopclntab *table,
		      const struct gopclntab_part *part)
{
	file_window_init(window, table->object->fd, table->offset + part->offset,
			 table->offset + part->offset + part->size);
}

void gopclntab_cursor_init(struct gopclntab_cursor *cursor, const struct gopclntab *table)
{
	cursor->table = table;
	init_part(&cursor->entries, table, &table->functions);
	init_part(&cursor->functions, table, &table->functions);
	init_part(&cursor->values, table, &table->values);
	init_part(&cursor->names, table, &table->names);
}

/*
 * What runtime._func says after its first field, of which the index has told already: nameOff, args,
 * deferreturn, pcsp, pcfile, pcln, npcdata, cuOffset, startLine (see function_bytes), funcID, flag,
 * a byte of padding, nfuncdata.
 */
static void decode_function(const struct gopclntab *table, struct gopclntab_function *function,
			    const unsigned char *bytes)
{
	uint32_t fields[9] = {}, size = function_bytes(table), entry = is_old(table) ? 8 : 4;

	memcpy(fields, bytes + entry, size - entry - 4);
	function->name = fields[0];
	function->stack_values = fields[3];
	function->file_values = fields[4];
	function->line_values = fields[5];
	function->further_values = fields[6];
	function->unit = fields[7];
	function->start_line = fields[8] <= INT32_MAX ? fields[8] : 0;
	function->flags = bytes[size - 3];
	function->further_data = bytes[size - 1];
}

bool gopclntab_cursor_function(struct gopclntab_cursor *cursor, struct gopclntab_function *ret,
			       uint32_t number)
{
	const struct gopclntab *table = cursor->table;
	uint32_t width = entry_bytes(table);
	struct gopclntab_function function = {};
	struct index_entry entry;
	const unsigned char *bytes;
	uint64_t own_start = 0;

	if (number >= table->count)
		return false;
	/* The last entry is followed by half a one. */
	bytes = file_window_take(&cursor->entries, (uint64_t)number * width, width + width / 2);
	if (!bytes)
		return false;
	entry = decode_entry(table, bytes);
	function.start = entry.start;
	if (is_old(table)) {
		memcpy(&function.end, bytes + width, sizeof(function.end));
	} else {
		memcpy(&function.end, bytes + width, sizeof(uint32_t));
		function.end += table->text;
	}
	bytes = file_window_take(&cursor->functions, entry.function, function_bytes(table));
	if (!bytes || function.end <= function.start)
		return false;
	memcpy(&own_start, bytes, is_old(table) ? 8 : 4);
	if (own_start + (is_old(table) ? 0 : table->text) != function.start)
		return false;
	decode_function(table, &function, bytes);
	function.further = entry.function + function_bytes(table);
	*ret = function;
	return true;
}

const char *gopclntab_cursor_name(struct gopclntab_cursor *cursor,
				  const struct gopclntab_function *function, char *ret, size_t size)
{
	size_t some = size - 1;
	const unsigned char *bytes = file_window_some(&cursor->names, function->name, &some);

	ret[0] = '\0';
	if (bytes) {
		memcpy(ret, bytes, some);
		ret[some] = '\0';
	}
	return ret;
}

/* ---- tables by address ---- */

void gopclntab_values_init(struct gopclntab_values *values,
			   const struct gopclntab_function *function, uint32_t offset)
{
	*values = (struct gopclntab_values){ .position = offset,
					     .start = function->start,
					     .end = function->start,
					     .limit = function->end,
					     .value = -1 };
}

/* A number of at most 32 bits, seven a byte, low ones first. */
static bool decode_number(uint32_t *ret, const unsigned char **at, const unsigned char *end)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 35 && *at < end; shift += 7) {
		unsigned char byte = *(*at)++;

		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = (uint32_t)number;
			return number <= UINT32_MAX;
		}
	}
	return false;
}

/* runtime.step: how much the value changes, its sign in the lowest bit, and for how many bytes. */
bool gopclntab_values_next(struct gopclntab_values *values, struct gopclntab_cursor *cursor)
{
	size_t some = MAX_VALUE_BYTES;
	const unsigned char *from = file_window_some(&cursor->values, values->position, &some);
	const unsigned char *at = from, *end;
	bool first = values->start == values->end;
	uint32_t change, distance;

	if (!from || values->end >= values->limit)
		return false;
	end = from + some;
	if (!decode_number(&change, &at, end) || (change == 0 && !first) ||
	    !decode_number(&distance, &at, end) || distance == 0)
		return false;
	values->position += (uint64_t)(at - from);
	values->value = (int32_t)((uint32_t)values->value + ((change >> 1) ^ (0 - (change & 1))));
	values->start = values->end;
	values->end += distance;
	if (values->end > values->limit)
		values->end = values->limit;
	return true;
}

/* ---- opening ---- */

/* Puts the header's parts into *table. False: it is none. */
static bool decode_header(struct gopclntab *table, const unsigned char header[HEADER_BYTES],
			  uint64_t limit, uint64_t *ret_text)
{
	uint64_t words[8], names, units, files, values, functions;
	const uint64_t *offsets;

	memcpy(&table->magic, header, sizeof(table->magic));
	memcpy(words, header + 8, sizeof(words));
	/* Instructions of one byte, pointers of eight: see the machines that gopclntab_open takes. */
	if (header[4] != 0 || header[5] != 0 || header[6] != 1 || header[7] != 8)
		return false;
	switch (table->magic) {
	case GOPCLNTAB_1_16:
		*ret_text = 0;
		offsets = words + 2;
		break;
	case GOPCLNTAB_1_18:
	case GOPCLNTAB_1_20:
		*ret_text = words[2];
		offsets = words + 3;
		break;
	default:
		return false;
	}
	names = offsets[0];
	units = offsets[1];
	files = offsets[2];
	values = offsets[3];
	functions = offsets[4];
	if (words[0] == 0 || words[0] > MAX_FUNCTIONS || names < HEADER_BYTES - 8 ||
	    units < names || files < units || values < files || functions < values ||
	    limit <= functions)
		return false;
	table->count = (uint32_t)words[0];
	table->names = (struct gopclntab_part){ names, units - names };
	table->units = (struct gopclntab_part){ units, files - units };
	table->files = (struct gopclntab_part){ files, values - files };
	table->values = (struct gopclntab_part){ values, functions - values };
	table->functions = (struct gopclntab_part){ functions, limit - functions };
	return index_bytes(table) <= table->functions.size;
}

/* Does the code that the table describes exist, and does the table agree with itself on its ends? */
static int is_plausible(const struct gopclntab *table)
{
	cleanup(free) struct gopclntab_cursor *cursor = malloc(sizeof(*cursor));
	struct gopclntab_function first, last;
	const struct object_segment *segment;
	uint64_t size;

	if (!cursor)
		return -ENOMEM;
	gopclntab_cursor_init(cursor, table);
	if (!gopclntab_cursor_function(cursor, &first, 0) ||
	    !gopclntab_cursor_function(cursor, &last, table->count - 1))
		return false;
	segment = object_segment_of(table->object, first.start);
	if (!segment || last.start < first.start)
		return false;
	size = segment->file_size - (first.start - segment->address);
	return segment->file_size > first.start - segment->address &&
	       last.end - first.start <= size && first.name < table->names.size &&
	       last.name < table->names.size;
}

struct opening {
	const struct object *object;
	const struct section_table *sections;
	struct gopclntab *ret;
};

/* Positive result of the search for a header: this was it. */
enum { TAKEN = 1 };

static int try_text(struct opening *opening, struct gopclntab *table, uint64_t text)
{
	int r;

	table->text = text;
	r = is_plausible(table);
	if (r > 0)
		*opening->ret = *table;
	return r > 0 ? TAKEN : r;
}

static int try_place(void *opening_, const struct gopclntab_place *place)
{
	struct opening *opening = opening_;
	const struct object *object = opening->object;
	struct gopclntab table = { .object = object,
				   .address = place->address,
				   .offset = place->offset };
	unsigned char header[HEADER_BYTES];
	uint64_t text;
	int r;

	if (place->limit < HEADER_BYTES || place->offset > object->identity.size ||
	    place->limit > object->identity.size - place->offset)
		return 0;
	r = fs_read_at(object->fd, header, sizeof(header), (off_t)place->offset);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (!decode_header(&table, header, place->limit, &text))
		return 0;
	if (is_old(&table) || text) {
		r = try_text(opening, &table, text);
		if (r != 0 || is_old(&table))
			return r;
	}
	r = gopclntab_text(&table, opening->sections, &text);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return try_text(opening, &table, text);
}

int gopclntab_open(struct gopclntab *ret, const struct object *object)
{
	cleanup(section_table_fini) struct section_table sections = {};
	struct gopclntab found = { .object = object };
	struct opening opening = { object, &sections, &found };
	int r = 0;

	if (object->machine == EM_X86_64) {
		r = section_table_read(&sections, object->fd);
		if (r == 0)
			r = gopclntab_places(object, &sections, try_place, &opening);
	}
	if (r < 0)
		return r;
	*ret = found;
	return 0;
}

/* ---- looking up ---- */

static int read_functions(const struct gopclntab *table, void *ret, size_t size, uint64_t offset)
{
	if (offset > table->functions.size || size > table->functions.size - offset)
		return -ENOENT;
	return fs_read_at(table->object->fd, ret, size,
			  (off_t)(table->offset + table->functions.offset + offset));
}

/* The last entry whose start is at or below the address, by halves of the file. */
static int search(const struct gopclntab *table, uint64_t address, uint32_t *ret)
{
	unsigned char block[BLOCK_ENTRIES * MAX_ENTRY_BYTES];
	uint32_t low = 0, high = table->count, width = entry_bytes(table), found = UINT32_MAX;
	int r;

	while (high - low > BLOCK_ENTRIES) {
		uint32_t middle = low + (high - low) / 2;

		r = read_functions(table, block, width, (uint64_t)middle * width);
		if (r < 0)
			return r;
		if (decode_entry(table, block).start <= address)
			low = middle;
		else
			high = middle;
	}
	r = read_functions(table, block, (size_t)(high - low) * width, (uint64_t)low * width);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < high - low; i++)
		if (decode_entry(table, block + (size_t)i * width).start <= address)
			found = low + i;
	if (found == UINT32_MAX)
		return -ENOENT;
	*ret = found;
	return 0;
}

int gopclntab_find(const struct gopclntab *table, uint64_t address, uint64_t *ret_start,
		   uint64_t *ret_size, uint32_t *ret_number)
{
	unsigned char bytes[2 * MAX_ENTRY_BYTES] = {};
	uint32_t number, width = entry_bytes(table);
	uint64_t start, end;
	int r;

	if (table->count == 0)
		return -ENOENT;
	r = search(table, address, &number);
	if (r == 0)
		r = read_functions(table, bytes, width + width / 2, (uint64_t)number * width);
	if (r < 0)
		return r == -ENODATA ? -ENOENT : r;
	start = decode_entry(table, bytes).start;
	end = decode_entry(table, bytes + width).start;
	if (address < start || address >= end)
		return -ENOENT;
	*ret_start = start;
	*ret_size = end - start;
	*ret_number = number;
	return 0;
}

int gopclntab_name(const struct gopclntab *table, uint32_t number, struct bytes *ret)
{
	unsigned char bytes[MAX_FUNCTION_BYTES] = {};
	cleanup(free) char *name = malloc(MAX_NAME_BYTES + 1);
	struct gopclntab_function function;
	uint32_t width = entry_bytes(table);
	size_t left;
	int r;

	if (!name)
		return -ENOMEM;
	r = number < table->count ? read_functions(table, bytes, width, (uint64_t)number * width)
				  : -ENOENT;
	if (r == 0)
		r = read_functions(table, bytes, function_bytes(table),
				   decode_entry(table, bytes).function);
	if (r < 0)
		return r == -ENODATA ? -ENOENT : r;
	decode_function(table, &function, bytes);
	if (function.name >= table->names.size)
		return -ENOENT;
	left = table->names.size - function.name;
	for (size_t size = 128;; size *= 4) {
		size_t some = size < left ? size : left;

		if (some > MAX_NAME_BYTES)
			some = MAX_NAME_BYTES;
		r = fs_read_at(table->object->fd, name, some,
			       (off_t)(table->offset + table->names.offset + function.name));
		if (r < 0)
			return r == -ENODATA ? -ENOENT : r;
		name[some] = '\0';
		if (some < size || memchr(name, '\0', some))
			break;
	}
	if (name[0] == '\0')
		return -ENOENT;
	bytes_add_str(ret, name);
	return ret->failed ? -ENOMEM : 0;
}

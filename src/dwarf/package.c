// SPDX-License-Identifier: Apache-2.0
/*
 * The index is a hash table. It is read in order once and looked up by bisection after that: so no
 * collisions, however they were made, take longer than others.
 */
#include "dwarf/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	/* A browser has 40 000 units; in a table for a quarter of a million are twice as many slots. */
	MAX_SLOTS = 1 << 20,
	MAX_COLUMNS = 16, /* sections of a unit */
	HEAD_BYTES = 16,
};

struct packed_unit {
	uint64_t id;
	uint32_t row; /* counted from 1, as in the index; 0: none */
};

struct dwarf_package {
	int fd;
	struct dwarf_file file;			 /* its sections */
	enum dwarf_section columns[MAX_COLUMNS]; /* DWARF_SECTIONS: one that is not read */
	uint32_t column_count, row_count, slot_count;
	ARRAY_OF(struct packed_unit) units; /* IDs ascending */
};

struct index_head {
	uint16_t version;
	uint32_t column_count, row_count, slot_count;
};

static int read_head(struct debug_section *index, struct index_head *ret)
{
	unsigned char bytes[HEAD_BYTES];
	struct reader reader = reader_of(bytes, sizeof(bytes));
	uint64_t slots, cells;

	if (debug_section_read(index, bytes, 0, sizeof(bytes)) < 0)
		return -EBADMSG;
	/* In version 2 it is four bytes wide, of which two are 0. */
	ret->version = reader_u16(&reader);
	(void)reader_u16(&reader);
	ret->column_count = reader_u32(&reader);
	ret->row_count = reader_u32(&reader);
	ret->slot_count = reader_u32(&reader);
	if ((ret->version != 2 && ret->version != 5) || ret->column_count > MAX_COLUMNS ||
	    ret->slot_count > MAX_SLOTS || ret->row_count > ret->slot_count)
		return -EBADMSG;
	/* IDs, rows; which sections; offsets, sizes. */
	slots = ret->slot_count * (8ULL + 4);
	cells = ret->column_count * (1 + 2ULL * ret->row_count);
	return HEAD_BYTES + slots + 4 * cells <= index->size ? 0 : -EBADMSG;
}

/* DW_SECT_*: 2, 5 and 7 are other ones in version 2 than in version 5, but none that is read. */
static enum dwarf_section section_of(uint32_t number, uint16_t version)
{
	switch (number) {
	case 1:
		return DWARF_INFO;
	case 3:
		return DWARF_ABBREV;
	case 4:
		return DWARF_LINE;
	case 6:
		return DWARF_STR_OFFSETS;
	case 8:
		return version == 5 ? DWARF_RNGLISTS : DWARF_SECTIONS;
	default:
		return DWARF_SECTIONS;
	}
}

static int compare_units(const void *a, const void *b)
{
	const struct packed_unit *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* A cursor over a table that is known to be there. */
static bool next_number(struct section_cursor *cursor, unsigned size, uint64_t *ret)
{
	if (!section_cursor_refill(cursor))
		return false;
	*ret = size == 8 ? reader_u64(&cursor->reader) : reader_u32(&cursor->reader);
	return !cursor->reader.overrun;
}

static int read_units(struct dwarf_package *package)
{
	struct section_cursor cursor = { .section = &package->file.sections[DWARF_CU_INDEX],
					 .offset = HEAD_BYTES };
	uint32_t used = 0;
	uint64_t number;

	for (uint32_t i = 0; i < package->slot_count; i++) {
		struct packed_unit *unit;

		if (!next_number(&cursor, 8, &number))
			return -EBADMSG;
		unit = array_push(&package->units);
		if (!unit)
			return -ENOMEM;
		unit->id = number;
	}
	for (uint32_t i = 0; i < package->slot_count; i++) {
		struct packed_unit *unit = &package->units.at[i];

		if (!next_number(&cursor, 4, &number))
			return -EBADMSG;
		if (number == 0 || number > package->row_count)
			continue;
		package->units.at[used++] = (struct packed_unit){ unit->id, (uint32_t)number };
	}
	package->units.count = used;
	if (used)
		qsort(package->units.at, used, sizeof(*package->units.at), compare_units);
	return used ? 0 : -EBADMSG;
}

static int read_index(struct dwarf_package *package)
{
	struct debug_section *index = &package->file.sections[DWARF_CU_INDEX];
	struct section_cursor cursor = { .section = index };
	struct index_head head;
	uint64_t number;
	int r = read_head(index, &head);

	if (r < 0)
		return r;
	package->column_count = head.column_count;
	package->row_count = head.row_count;
	package->slot_count = head.slot_count;
	cursor.offset = HEAD_BYTES + head.slot_count * (8ULL + 4);
	for (uint32_t i = 0; i < head.column_count; i++) {
		if (!next_number(&cursor, 4, &number))
			return -EBADMSG;
		package->columns[i] = section_of((uint32_t)number, head.version);
	}
	return read_units(package);
}

int dwarf_package_open(struct dwarf_package **ret, int fd)
{
	cleanup(dwarf_package_free) struct dwarf_package *package = calloc(1, sizeof(*package));
	int r;

	if (!package)
		return -ENOMEM;
	package->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (package->fd < 0)
		return -ENOENT;
	r = dwarf_file_open_sections(&package->file, package->fd);
	if (r == 0 && (!package->file.is_split || !package->file.sections[DWARF_CU_INDEX].size))
		r = -ENOENT;
	if (r == 0)
		r = read_index(package);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(package);
	return 0;
}

void dwarf_package_free(struct dwarf_package *package)
{
	if (!package)
		return;
	dwarf_file_fini(&package->file);
	array_fini(&package->units);
	if (package->fd >= 0)
		close(package->fd);
	free(package);
}

static const struct packed_unit *find(const struct dwarf_package *package, uint64_t dwo_id)
{
	const struct packed_unit wanted = { .id = dwo_id };

	return bsearch(&wanted, package->units.at, package->units.count, sizeof(wanted),
		       compare_units);
}

bool dwarf_package_has(const struct dwarf_package *package, uint64_t dwo_id)
{
	return find(package, dwo_id) != NULL;
}

/* A row of one of the two tables behind the names of the columns. */
static int read_row(struct dwarf_package *package, uint32_t table, uint32_t row,
		    uint32_t ret[static MAX_COLUMNS])
{
	uint64_t size = 4ULL * package->column_count;
	uint64_t offset = HEAD_BYTES + package->slot_count * (8ULL + 4) +
			  size * (1 + (uint64_t)table * package->row_count + row - 1);

	return debug_section_read(&package->file.sections[DWARF_CU_INDEX], ret, offset, size);
}

int dwarf_package_open_unit(struct dwarf_package *package, struct dwarf_file *ret, uint64_t dwo_id)
{
	const struct packed_unit *unit = find(package, dwo_id);
	struct dwarf_file_part parts[DWARF_SECTIONS] = {};
	uint32_t offsets[MAX_COLUMNS], sizes[MAX_COLUMNS];
	struct dwarf_file file;
	int r;

	if (!unit || read_row(package, 0, unit->row, offsets) < 0 ||
	    read_row(package, 1, unit->row, sizes) < 0)
		return -ENOENT;
	for (uint32_t i = 0; i < package->column_count; i++)
		if (package->columns[i] != DWARF_SECTIONS)
			parts[package->columns[i]] =
				(struct dwarf_file_part){ offsets[i], sizes[i] };
	r = dwarf_file_open_part(&file, &package->file, parts);
	if (r < 0)
		return r;
	if (file.units.at[0].dwo_id != dwo_id) {
		dwarf_file_fini(&file);
		return -ENOENT;
	}
	*ret = file;
	return 0;
}

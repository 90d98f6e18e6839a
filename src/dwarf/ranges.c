// SPDX-License-Identifier: Apache-2.0
#include "dwarf/ranges.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

/* Of one list; functions of a unit, each in a section of its own, are some thousands. */
enum { MAX_RANGES = 1 << 20 };

struct list {
	struct dwarf_file *file;
	const struct dwarf_unit *unit;
	struct section_cursor cursor;
	uint64_t base;
	range_fn take;
	void *context;
};

static int take(const struct list *list, uint64_t low, uint64_t high)
{
	return low < high ? list->take(list->context, low, high) : 0;
}

/* .debug_ranges */
static int each_of_pairs(struct list *list)
{
	for (unsigned i = 0; i < MAX_RANGES; i++) {
		uint64_t low, high;
		int r;

		if (!section_cursor_refill(&list->cursor))
			return 0;
		low = reader_u64(&list->cursor.reader);
		high = reader_u64(&list->cursor.reader);
		if (list->cursor.reader.overrun || (low == 0 && high == 0))
			return 0;
		if (low == UINT64_MAX) {
			list->base = high;
			continue;
		}
		r = take(list, list->base + low, list->base + high);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool read_index(struct list *list, uint64_t *ret)
{
	const struct entry_value value = { .class = ENTRY_ADDRESS_INDEX,
					   .number = reader_uleb(&list->cursor.reader) };

	return dwarf_file_address(list->file, list->unit, &value, ret) == 0;
}

/* .debug_rnglists */
static int each_of_entries(struct list *list)
{
	struct reader *reader = &list->cursor.reader;

	for (unsigned i = 0; i < MAX_RANGES; i++) {
		uint64_t low = 0, high = 0;
		bool good = true;
		int r;

		if (!section_cursor_refill(&list->cursor))
			return 0;
		switch (reader_u8(reader)) {
		case DW_RLE_base_addressx:
			if (!read_index(list, &list->base))
				return 0;
			continue;
		case DW_RLE_base_address:
			list->base = reader_u64(reader);
			continue;
		case DW_RLE_startx_endx:
			good = read_index(list, &low);
			good = read_index(list, &high) && good;
			break;
		case DW_RLE_startx_length:
			good = read_index(list, &low);
			high = low + reader_uleb(reader);
			break;
		case DW_RLE_offset_pair:
			low = list->base + reader_uleb(reader);
			high = list->base + reader_uleb(reader);
			break;
		case DW_RLE_start_end:
			low = reader_u64(reader);
			high = reader_u64(reader);
			break;
		case DW_RLE_start_length:
			low = reader_u64(reader);
			high = low + reader_uleb(reader);
			break;
		default: /* DW_RLE_end_of_list, and what nobody knows */
			return 0;
		}
		if (reader->overrun)
			return 0;
		r = good ? take(list, low, high) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* The offset in .debug_rnglists of the list with this number. */
static bool find_list(struct dwarf_file *file, const struct dwarf_unit *unit, uint64_t number,
		      uint64_t *ret)
{
	unsigned size = unit->format.offset_size;
	/* Behind the header of the first table, where nobody says which. */
	uint64_t base =
		unit->rnglists_base != DWARF_NOWHERE ? unit->rnglists_base : (size == 8 ? 20 : 12);
	const unsigned char *bytes;
	struct reader reader;

	if (number > UINT32_MAX)
		return false;
	bytes = debug_section_take(&file->sections[DWARF_RNGLISTS], base + number * size, size);
	if (!bytes)
		return false;
	reader = reader_of(bytes, size);
	*ret = base + (size == 8 ? reader_u64(&reader) : reader_u32(&reader));
	return true;
}

static int each_of_list(struct dwarf_file *file, const struct dwarf_unit *unit,
			const struct entry_value *value, range_fn take_range, void *context)
{
	struct list list = { .file = file, .unit = unit, .take = take_range, .context = context };

	list.base = file->skeleton_file ? file->skeleton.low_pc : unit->low_pc;
	list.cursor.offset = value->number;
	if (unit->format.version >= 5) {
		list.cursor.section = &file->sections[DWARF_RNGLISTS];
		if (value->class == ENTRY_LIST_INDEX &&
		    !find_list(file, unit, value->number, &list.cursor.offset))
			return 0;
		return each_of_entries(&list);
	}
	list.cursor.section = &file->sections[DWARF_RANGES];
	if (file->skeleton_file) {
		list.cursor.section = &file->skeleton_file->sections[DWARF_RANGES];
		list.cursor.offset += file->skeleton.ranges_base;
	}
	return each_of_pairs(&list);
}

int ranges_each(struct dwarf_file *file, const struct dwarf_unit *unit, const struct entry *entry,
		range_fn take_range, void *context)
{
	const struct entry_value low_value = entry_get(entry, ENTRY_LOW_PC);
	const struct entry_value high_value = entry_get(entry, ENTRY_HIGH_PC);
	uint64_t low, high;

	if (entry_has(entry, ENTRY_RANGES))
		return each_of_list(file, unit, &entry->values[ENTRY_RANGES], take_range, context);
	if (dwarf_file_address(file, unit, &low_value, &low) < 0)
		return 0;
	if (high_value.class == ENTRY_CONSTANT || high_value.class == ENTRY_SECTION)
		high = low + high_value.number;
	else if (dwarf_file_address(file, unit, &high_value, &high) < 0)
		return 0;
	return low < high ? take_range(context, low, high) : 0;
}

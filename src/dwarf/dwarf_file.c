// SPDX-License-Identifier: Apache-2.0
/* DWARF 5 sections 7.5.1 "Unit Headers", 7.26 "String Offsets Table", 7.27 "Address Table". */
#include "dwarf/dwarf_file.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/sections.h"

enum {
	/* A browser has 40 000. */
	MAX_UNITS = 1 << 18,
	/* With units to leave out; zeros are headers of nothing, without end. */
	MAX_HEADERS = 1 << 22,
	ENTRY_BYTES = 16384, /* no entry that is read alone is larger */
	SHORT_ENTRY_BYTES = 256,
	CODE_BYTES = 16,       /* of an abbreviation */
	V5_OFFSETS_HEADER = 8, /* of .debug_str_offsets.dwo, which nobody points behind */
};

static const char *const section_names[DWARF_SECTIONS] = {
	[DWARF_INFO] = "info",	       [DWARF_ABBREV] = "abbrev",
	[DWARF_LINE] = "line",	       [DWARF_STR] = "str",
	[DWARF_LINE_STR] = "line_str", [DWARF_STR_OFFSETS] = "str_offsets",
	[DWARF_ADDR] = "addr",	       [DWARF_RANGES] = "ranges",
	[DWARF_RNGLISTS] = "rnglists", [DWARF_CU_INDEX] = "cu_index",
};

/* ".debug_NAME", ".zdebug_NAME" and ".debug_NAME.dwo" */
static bool is_section(const char *name, const char *wanted, bool *compressed, bool *split)
{
	size_t size = strlen(wanted);

	*compressed = strncmp(name, ".zdebug_", 8) == 0;
	if (!*compressed && strncmp(name, ".debug_", 7) != 0)
		return false;
	name += *compressed ? 8 : 7;
	if (strncmp(name, wanted, size) != 0)
		return false;
	*split = strcmp(name + size, ".dwo") == 0;
	return *split || name[size] == '\0';
}

static int open_section(struct dwarf_file *file, const char *name, const Elf64_Shdr *header)
{
	bool compressed, split;

	for (unsigned i = 0; i < DWARF_SECTIONS; i++) {
		int r;

		if (!is_section(name, section_names[i], &compressed, &split) ||
		    file->sections[i].size)
			continue;
		r = debug_section_open(&file->sections[i], file->fd, header, compressed);
		if (i == DWARF_INFO)
			file->is_split = split;
		return r == -ENOMEM ? r : 0;
	}
	return 0;
}

static void begin(struct dwarf_file *file, int fd)
{
	static uint64_t opened;

	*file = (struct dwarf_file){ .fd = fd,
				     .number = ++opened,
				     .skeleton.offset = DWARF_NOWHERE };
}

int dwarf_file_open_sections(struct dwarf_file *file, int fd)
{
	cleanup(section_table_fini) struct section_table sections = {};
	int r = section_table_read(&sections, fd);

	begin(file, fd);

	for (uint32_t i = 0; i < sections.count && r == 0; i++)
		if (sections.at[i].sh_name < sections.names_size)
			r = open_section(file, sections.names + sections.at[i].sh_name,
					 &sections.at[i]);
	if (r == 0 && (!file->sections[DWARF_INFO].size || !file->sections[DWARF_ABBREV].size))
		r = -ENOENT;
	return r == -ENOMEM ? r : r < 0 ? -ENOENT : 0;
}

/*
 * Reads the header at unit->offset. Returns 0, 1 (a unit to leave out), or -EBADMSG: where the next
 * one is, nobody knows.
 */
static int read_header(struct dwarf_file *file, struct dwarf_unit *unit)
{
	enum { LARGEST_HEADER = 64 };
	struct debug_section *info = &file->sections[DWARF_INFO];
	size_t size = LARGEST_HEADER;
	const unsigned char *bytes = debug_section_some(info, unit->offset, &size);
	struct reader reader = reader_of(bytes, bytes ? size : 0);
	uint8_t type = DW_UT_compile;
	uint64_t length;

	length = reader_u32(&reader);
	unit->format.offset_size = length == UINT32_MAX ? 8 : 4;
	if (length == UINT32_MAX)
		length = reader_u64(&reader);
	else if (length >= 0xfffffff0)
		return -EBADMSG;
	unit->end = unit->offset + (unit->format.offset_size == 8 ? 12 : 4);
	if (!bytes || reader.overrun || length > info->size - unit->end)
		return -EBADMSG;
	unit->end += length;
	unit->format.version = (uint8_t)reader_u16(&reader);
	if (unit->format.version < 2 || unit->format.version > 5)
		return 1;
	if (unit->format.version == 5) {
		type = reader_u8(&reader);
		unit->format.address_size = reader_u8(&reader);
	}
	unit->abbreviations =
		unit->format.offset_size == 8 ? reader_u64(&reader) : reader_u32(&reader);
	if (unit->format.version < 5)
		unit->format.address_size = reader_u8(&reader);
	if (type == DW_UT_skeleton || type == DW_UT_split_compile)
		unit->dwo_id = reader_u64(&reader);
	unit->is_skeleton = type == DW_UT_skeleton;
	unit->header_size = (uint32_t)(reader.at - bytes);
	if (reader.overrun || unit->offset + unit->header_size > unit->end)
		return 1;
	return unit->format.address_size != 8 || type == DW_UT_type || type == DW_UT_split_type;
}

static uint64_t number_or(const struct entry *entry, enum entry_attribute attribute,
			  uint64_t otherwise)
{
	return entry_has(entry, attribute) ? entry->values[attribute].number : otherwise;
}

/*
 * Reads an entry alone. Most are short: what is near is in memory already then. Returns 0 or -EBADMSG.
 */
static int read_entry(struct dwarf_file *file, const struct dwarf_unit *unit, uint64_t offset,
		      const struct abbreviations *abbreviations, struct entry *ret)
{
	static const size_t sizes[] = { SHORT_ENTRY_BYTES, ENTRY_BYTES };
	int r = -EBADMSG;

	if (offset < unit->offset + unit->header_size || offset >= unit->end)
		return -EBADMSG;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes) && r < 0; i++) {
		uint64_t left = unit->end - offset;
		size_t size = left < sizes[i] ? (size_t)left : sizes[i];
		const unsigned char *bytes =
			debug_section_some(&file->sections[DWARF_INFO], offset, &size);
		struct reader reader;

		if (!bytes)
			return -EBADMSG;
		reader = reader_of(bytes, size);
		r = entry_read(ret, &reader, offset, unit->offset, abbreviations);
		if (!reader.overrun || left <= sizes[i])
			break;
	}
	return r;
}

/* A declaration that the last unit's first entry had: units may share it. */
struct last_declaration {
	struct abbreviations abbreviations;
	uint64_t code; /* 0: none */
};

/* The declaration with this code of a unit, alone. Returns 0, -EBADMSG or -ENOMEM. */
static int read_declaration(struct last_declaration *last, struct dwarf_file *file,
			    const struct dwarf_unit *unit, uint64_t code)
{
	int r;

	if (last->code == code && last->abbreviations.offset == unit->abbreviations &&
	    memcmp(&last->abbreviations.format, &unit->format, sizeof(unit->format)) == 0)
		return 0;
	abbreviations_fini(&last->abbreviations);
	last->code = 0;
	if (code == 0)
		return -EBADMSG;
	r = abbreviations_read(&last->abbreviations, &file->sections[DWARF_ABBREV],
			       unit->abbreviations, &unit->format, code);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	last->code = code;
	return 0;
}

/* What the unit's first entry tells. Returns 0, -EBADMSG or -ENOMEM. */
static int read_root(struct dwarf_file *file, struct dwarf_unit *unit,
		     struct last_declaration *last)
{
	uint64_t offset = unit->offset + unit->header_size;
	size_t size = CODE_BYTES;
	const unsigned char *bytes = debug_section_some(&file->sections[DWARF_INFO], offset, &size);
	struct entry_value low_pc;
	struct reader reader;
	struct entry entry;
	int r;

	if (!bytes)
		return -EBADMSG;
	reader = reader_of(bytes, size);
	r = read_declaration(last, file, unit, reader_uleb(&reader));
	if (r == 0)
		r = read_entry(file, unit, offset, &last->abbreviations, &entry);
	if (r < 0)
		return r;
	unit->lines = number_or(&entry, ENTRY_STMT_LIST, DWARF_NOWHERE);
	unit->language = (uint16_t)number_or(&entry, ENTRY_LANGUAGE, 0);
	unit->addr_base = number_or(&entry, ENTRY_ADDR_BASE, 0);
	unit->rnglists_base = number_or(&entry, ENTRY_RNGLISTS_BASE, DWARF_NOWHERE);
	unit->ranges_base = number_or(&entry, ENTRY_GNU_RANGES_BASE, 0);
	unit->str_offsets_base = number_or(&entry, ENTRY_STR_OFFSETS_BASE,
					   unit->format.version == 5 ? V5_OFFSETS_HEADER : 0);
	unit->dwo_id = number_or(&entry, ENTRY_GNU_DWO_ID, unit->dwo_id);
	unit->is_skeleton |= entry_has(&entry, ENTRY_DWO_NAME) && !file->is_split;
	low_pc = entry_get(&entry, ENTRY_LOW_PC);
	if (dwarf_file_address(file, unit, &low_pc, &unit->low_pc) < 0)
		unit->low_pc = 0;
	unit->has_ranges = entry_has(&entry, ENTRY_RANGES) || entry_has(&entry, ENTRY_HIGH_PC);
	return 0;
}

/* most: headers that are read at most */
static int read_units(struct dwarf_file *file, unsigned most)
{
	struct last_declaration last = {};
	uint64_t offset = 0;
	int r = 0;

	for (unsigned i = 0; i < most && offset < file->sections[DWARF_INFO].size && r != -ENOMEM &&
			     file->units.count < MAX_UNITS;
	     i++) {
		struct dwarf_unit unit = { .offset = offset }, *added;

		r = read_header(file, &unit);
		if (r < 0)
			break; /* what is known so far is good */
		offset = unit.end;
		if (r == 0)
			r = read_root(file, &unit, &last);
		if (r)
			continue;
		added = array_push(&file->units);
		if (added)
			*added = unit;
		else
			r = -ENOMEM;
	}
	abbreviations_fini(&last.abbreviations);
	return r == -ENOMEM ? r : 0;
}

static int finish(struct dwarf_file *file, int r)
{
	if (r == 0 && file->units.count == 0)
		r = -ENOENT;
	if (r < 0)
		dwarf_file_fini(file);
	return r;
}

int dwarf_file_open(struct dwarf_file *ret, int fd)
{
	int r = dwarf_file_open_sections(ret, fd);

	return finish(ret, r == 0 ? read_units(ret, MAX_HEADERS) : r);
}

int dwarf_file_open_part(struct dwarf_file *ret, struct dwarf_file *whole,
			 const struct dwarf_file_part parts[static DWARF_SECTIONS])
{
	int r = 0;

	begin(ret, -1);
	ret->is_split = whole->is_split;
	for (unsigned i = 0; i < DWARF_SECTIONS && r == 0; i++) {
		bool shared = i == DWARF_STR || i == DWARF_LINE_STR;

		r = debug_section_part(&ret->sections[i], &whole->sections[i],
				       shared ? 0 : parts[i].offset,
				       shared ? whole->sections[i].size : parts[i].size);
	}
	return finish(ret, r == 0 ? read_units(ret, 1) : -ENOENT);
}

void dwarf_file_fini(struct dwarf_file *file)
{
	for (unsigned i = 0; i < DWARF_SECTIONS; i++)
		debug_section_fini(&file->sections[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(file->recent); i++)
		abbreviations_fini(&file->recent[i]);
	array_fini(&file->units);
}

const struct dwarf_unit *dwarf_file_unit_of(const struct dwarf_file *file, uint64_t offset)
{
	uint32_t low = 0, high = file->units.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (file->units.at[middle].end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < file->units.count && file->units.at[low].offset <= offset
		       ? &file->units.at[low]
		       : NULL;
}

/* The abbreviations of a unit, good until those of some others were asked for. */
static int recent_abbreviations(struct dwarf_file *file, const struct dwarf_unit *unit,
				const struct abbreviations **ret)
{
	struct abbreviations read;
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(file->recent); i++) {
		const struct abbreviations *recent = &file->recent[i];

		if (recent->list.count && recent->offset == unit->abbreviations &&
		    memcmp(&recent->format, &unit->format, sizeof(unit->format)) == 0) {
			*ret = recent;
			return 0;
		}
	}
	r = abbreviations_read(&read, &file->sections[DWARF_ABBREV], unit->abbreviations,
			       &unit->format, 0);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	file->next_recent = (file->next_recent + 1) % ARRAY_SIZE(file->recent);
	abbreviations_fini(&file->recent[file->next_recent]);
	file->recent[file->next_recent] = read;
	*ret = &file->recent[file->next_recent];
	return 0;
}

int dwarf_file_entry(struct dwarf_file *file, const struct dwarf_unit *unit, uint64_t offset,
		     struct entry *ret)
{
	const struct abbreviations *abbreviations;
	int r = recent_abbreviations(file, unit, &abbreviations);

	if (r < 0)
		return r;
	return read_entry(file, unit, offset, abbreviations, ret);
}

/* The offset in .debug_str of the text with this number. */
static int indexed_text(struct dwarf_file *file, const struct dwarf_unit *unit, uint64_t number,
			uint64_t *ret)
{
	unsigned size = unit->format.offset_size;
	const unsigned char *bytes;
	struct reader reader;

	if (number > UINT32_MAX)
		return -ENOENT;
	bytes = debug_section_take(&file->sections[DWARF_STR_OFFSETS],
				   unit->str_offsets_base + number * size, size);
	if (!bytes)
		return -ENOENT;
	reader = reader_of(bytes, size);
	*ret = size == 8 ? reader_u64(&reader) : reader_u32(&reader);
	return 0;
}

int dwarf_file_text(struct dwarf_file *file, const struct dwarf_unit *unit,
		    const struct entry_value *value, struct bytes *ret)
{
	struct debug_section *section = &file->sections[DWARF_STR];
	uint64_t offset = value->number;

	switch (value->class) {
	case ENTRY_TEXT_HERE:
		bytes_add_str(ret, value->text);
		return 0;
	case ENTRY_TEXT:
		break;
	case ENTRY_TEXT_LINE:
		section = &file->sections[DWARF_LINE_STR];
		break;
	case ENTRY_TEXT_SUP:
		if (!file->supplement)
			return -ENOENT;
		section = &file->supplement->sections[DWARF_STR];
		break;
	case ENTRY_TEXT_INDEX:
		if (indexed_text(file, unit, offset, &offset) < 0)
			return -ENOENT;
		break;
	default:
		return -ENOENT;
	}
	return debug_section_text(section, ret, offset) < 0 ? -ENOENT : 0;
}

int dwarf_file_address(struct dwarf_file *file, const struct dwarf_unit *unit,
		       const struct entry_value *value, uint64_t *ret)
{
	const unsigned char *bytes;

	if (value->class == ENTRY_ADDRESS) {
		*ret = value->number;
		return 0;
	}
	if (value->class != ENTRY_ADDRESS_INDEX || value->number > UINT32_MAX)
		return -ENOENT;
	if (file->skeleton_file) {
		unit = &file->skeleton;
		file = file->skeleton_file;
	}
	bytes = debug_section_take(&file->sections[DWARF_ADDR], unit->addr_base + value->number * 8,
				   8);
	if (!bytes)
		return -ENOENT;
	memcpy(ret, bytes, 8);
	return 0;
}

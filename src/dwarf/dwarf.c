// SPDX-License-Identifier: Apache-2.0
/*
 * `ranges` says for every address of which unit it is. A unit that is read has its functions and its
 * lines; names and paths become texts when an address needs them, and stay.
 */
#include "dwarf/dwarf_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "elf/spans.h"

enum {
	/* From an inlined place to its pattern, to its declaration: three. Rings have no end. */
	MAX_HOPS = 16,
	MAX_KNOWN_NAMES = 1 << 18, /* of one object; 6 MB */
};

/* ---- names ---- */

/* Where a value refers to. Returns whether it does. */
static bool follow(struct dwarf_file **file, const struct dwarf_unit **unit, uint64_t *offset,
		   const struct entry_value *value)
{
	if (value->class == ENTRY_REFERENCE_SUP)
		*file = (*file)->supplement;
	else if (value->class != ENTRY_REFERENCE)
		return false;
	*offset = value->number;
	*unit = *file ? dwarf_file_unit_of(*file, *offset) : NULL;
	return *unit != NULL;
}

/*
 * Appends the name of the function of an entry: what the linker calls it is best, else what the
 * source calls it, from whichever entry along abstract origins and specifications has it.
 */
static int read_name(struct dwarf_file *file, const struct dwarf_unit *unit, uint64_t offset,
		     struct bytes *ret, uint32_t *start_line)
{
	cleanup(bytes_fini) struct bytes name = {};
	struct entry entry;

	*start_line = 0;
	for (unsigned hop = 0; hop < MAX_HOPS; hop++) {
		struct entry_value value, next;
		int r = dwarf_file_entry(file, unit, offset, &entry);

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			break;
		if (*start_line == 0 && entry_get(&entry, ENTRY_DECL_LINE).number <= UINT32_MAX)
			*start_line = (uint32_t)entry_get(&entry, ENTRY_DECL_LINE).number;
		next = entry_get(&entry, entry_has(&entry, ENTRY_ABSTRACT_ORIGIN)
						 ? ENTRY_ABSTRACT_ORIGIN
						 : ENTRY_SPECIFICATION);
		value = entry_get(&entry, ENTRY_NAME);
		if (name.size == 0)
			(void)dwarf_file_text(file, unit, &value, &name);
		value = entry_get(&entry, ENTRY_LINKAGE_NAME);
		if (dwarf_file_text(file, unit, &value, ret) == 0 && ret->size)
			return ret->failed ? -ENOMEM : 0;
		if (!follow(&file, &unit, &offset, &next))
			break;
	}
	bytes_add(ret, name.at, name.size);
	return ret->failed || name.failed ? -ENOMEM : 0;
}

static bool same_name(const void *context, uint32_t position, const void *key)
{
	const struct dwarf *dwarf = context;
	const struct known_name *a = &dwarf->names.at[position], *b = key;

	return a->file == b->file && a->entry == b->entry;
}

static void forget_names(struct dwarf *dwarf)
{
	array_fini(&dwarf->names);
	hash_index_fini(&dwarf->name_index);
}

/* The name of the function of an entry, borrowed until the next one. Returns 0 or -ENOMEM. */
static int name_entry(struct dwarf *dwarf, struct dwarf_file *file, uint64_t entry,
		      const struct known_name **ret)
{
	struct known_name key = { .file = file->number, .entry = entry }, *known;
	uint64_t hash = hash_pair(file->number, entry);
	uint32_t position = hash_index_find(&dwarf->name_index, hash, same_name, dwarf, &key);
	const struct dwarf_unit *unit = dwarf_file_unit_of(file, entry);
	cleanup(bytes_fini) struct bytes name = {};
	int r = 0;

	if (position != HASH_ABSENT) {
		*ret = &dwarf->names.at[position];
		return 0;
	}
	if (unit)
		r = read_name(file, unit, entry, &name, &key.start_line);
	if (r == 0)
		r = strtab_add(dwarf->texts, &key.name, name.at ? name.at : "", name.size);
	if (r < 0)
		return r;
	if (dwarf->names.count >= MAX_KNOWN_NAMES)
		forget_names(dwarf);
	known = array_push(&dwarf->names);
	if (!known)
		return -ENOMEM;
	*known = key;
	*ret = known;
	return hash_index_add(&dwarf->name_index, hash, dwarf->names.count - 1);
}

/* The path of a file of a line table; 0 when it has none. known: paths that were read before. */
static int path_of(struct dwarf *dwarf, const struct read_unit *unit,
		   const struct line_table *lines, uint32_t *known, uint32_t number, uint32_t *ret)
{
	const struct dwarf_unit *of = &dwarf->main.units.at[unit - dwarf->units];
	cleanup(bytes_fini) struct bytes folder = {}, path = {};
	struct entry_value value;
	struct entry root;
	int r;

	*ret = 0;
	if (number >= lines->files.count)
		return 0;
	if (!known[number]) {
		if (dwarf_file_entry(&dwarf->main, of, of->offset + of->header_size, &root) == 0) {
			value = entry_get(&root, ENTRY_COMP_DIR);
			(void)dwarf_file_text(&dwarf->main, of, &value, &folder);
		}
		if (!bytes_str(&folder))
			return -ENOMEM;
		(void)line_table_path(lines, number, folder.at, &path);
		if (path.failed)
			return -ENOMEM;
		r = strtab_add(dwarf->texts, &known[number], path.at ? path.at : "", path.size);
		if (r < 0)
			return r;
	}
	*ret = known[number];
	return 0;
}

/* The path of the file with this number that a call was made from. */
static int call_path_of(struct dwarf *dwarf, const struct read_unit *unit, uint32_t number,
			uint32_t *ret)
{
	if (unit->call_files.files.count)
		return path_of(dwarf, unit, &unit->call_files, unit->call_paths,
			       number - unit->call_files.first_file, ret);
	return path_of(dwarf, unit, &unit->lines, unit->paths, number - unit->lines.first_file,
		       ret);
}

/* ---- the face ---- */

int dwarf_new(struct dwarf **ret, struct object *object, int fd, struct strtab *texts)
{
	cleanup(close) int owned = fd;
	cleanup(dwarf_free) struct dwarf *dwarf = calloc(1, sizeof(*dwarf));
	int r;

	if (!dwarf)
		return -ENOMEM;
	dwarf->object = object_ref(object);
	dwarf->fd = TAKE_FD(owned);
	dwarf->supplement_fd = -1;
	dwarf->texts = texts;
	r = dwarf_file_open(&dwarf->main, dwarf->fd);
	if (r < 0)
		return r;
	dwarf->units = calloc(dwarf->main.units.count, sizeof(*dwarf->units));
	if (!dwarf->units)
		return -ENOMEM;
	r = dwarf_list_ranges(dwarf);
	if (r == 0)
		r = dwarf_read_supplement_link(dwarf);
	if (r < 0)
		return r;
	dwarf_join(dwarf);
	*ret = TAKE_PTR(dwarf);
	return 0;
}

void dwarf_free(struct dwarf *dwarf)
{
	if (!dwarf)
		return;
	dwarf_part(dwarf);
	forget_names(dwarf);
	for (uint32_t i = 0; dwarf->units && i < dwarf->main.units.count; i++)
		split_file_free(dwarf->units[i].split);
	free(dwarf->units);
	dwarf_package_free(dwarf->package);
	if (dwarf->main.supplement)
		dwarf_file_fini(&dwarf->supplement);
	if (dwarf->supplement_fd >= 0)
		close(dwarf->supplement_fd);
	free(dwarf->supplement_path);
	bytes_fini(&dwarf->wanted);
	array_fini(&dwarf->ranges);
	dwarf_file_fini(&dwarf->main);
	if (dwarf->fd >= 0)
		close(dwarf->fd);
	object_unref(dwarf->object);
	free(dwarf);
}

int dwarf_find(struct dwarf *dwarf, uint64_t address, struct source_frames *ret)
{
	uint32_t number = dwarf_unit_at(dwarf, address), place;
	const struct known_name *name;
	const struct line_row *row;
	struct read_unit *unit;
	int r;

	ret->count = 0;
	if (number == SPAN_NONE)
		return -ENOENT;
	if (dwarf_needs_files(dwarf, number))
		return DWARF_WANTS;
	r = dwarf_get_unit(dwarf, &unit, number);
	if (r < 0)
		return r;
	row = line_table_find(&unit->lines, address);
	place = functions_find(&unit->functions, address);
	if (!row && place == FUNCTION_NONE)
		return -ENOENT;
	ret->count = 1;
	ret->at[0] = (struct source_frame){ .line = row ? row->line : 0 };
	if (row)
		r = path_of(dwarf, unit, &unit->lines, unit->paths, row->file, &ret->at[0].file);
	for (; place != FUNCTION_NONE && r == 0; place = unit->functions.places.at[place].parent) {
		const struct function_place *at = &unit->functions.places.at[place];
		struct source_frame *frame = &ret->at[ret->count - 1];

		r = name_entry(dwarf, unit->file, at->entry, &name);
		if (r < 0)
			break;
		frame->name = name->name;
		frame->start_line = name->start_line;
		if (at->parent == FUNCTION_NONE)
			break;
		/* Of too many the last one that fits is the one that all the code belongs to. */
		while (ret->count == SOURCE_MAX_FRAMES - 1 &&
		       unit->functions.places.at[at->parent].parent != FUNCTION_NONE) {
			place = at->parent;
			at = &unit->functions.places.at[place];
		}
		/* Into the next one it was inlined, there. */
		frame = &ret->at[ret->count++];
		*frame = (struct source_frame){ .line = at->call_line };
		r = call_path_of(dwarf, unit, at->call_file, &frame->file);
	}
	return r;
}

int dwarf_function_around(struct dwarf *dwarf, uint64_t address, uint64_t *ret_start,
			  uint64_t *ret_end)
{
	uint32_t number = dwarf_unit_at(dwarf, address);
	const struct line_row *row;
	struct read_unit *unit;
	int r;

	if (number == SPAN_NONE)
		return -ENOENT;
	r = dwarf_get_unit(dwarf, &unit, number);
	if (r < 0)
		return r;
	if (functions_around(&unit->functions, address, ret_start, ret_end))
		return 0;
	row = line_table_find(&unit->lines, address);
	if (!row)
		return -ENOENT;
	*ret_start = row->address;
	*ret_end = dwarf_same_until(dwarf, address);
	return 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t dwarf_same_until(struct dwarf *dwarf, uint64_t address)
{
	uint32_t number = dwarf_unit_at(dwarf, address);
	uint64_t end = dwarf_next_unit(dwarf, address);
	struct read_unit *unit;

	if (number != SPAN_NONE && dwarf_get_unit(dwarf, &unit, number) == 0) {
		end = smaller(end, functions_next(&unit->functions, address));
		end = smaller(end, line_table_next(&unit->lines, address));
	}
	return end == UINT64_MAX ? address + 1 : end;
}

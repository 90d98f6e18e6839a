// SPDX-License-Identifier: Apache-2.0
/*
 * `ranges` says for every address of which unit it is. A unit that is read has its functions and its
 * lines; names and paths become texts in `names` when an address needs them, and stay.
 */
#include "dwarf/dwarf.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/strtab.h"
#include "dwarf/functions.h"
#include "dwarf/line_table.h"
#include "dwarf/ranges.h"
#include "elf/debug_file.h"
#include "elf/sections.h"
#include "elf/spans.h"

enum {
	/* From an inlined place to its pattern, to its declaration: three. Rings have no end. */
	MAX_HOPS = 16,
	MAX_UNIT_RANGES = 8 << 20,
	MAX_SPLIT_FILES = 512, /* that are open */
};

/* Of all units that are kept. Those of a clang are about 300 MB, of which few are needed. */
#define MAX_KEPT_BYTES (256ULL << 20)

struct unit_range {
	uint64_t address;
	uint32_t unit; /* in main.units; SPAN_NONE: no unit */
};

/* A name that was read: of a place. */
struct known_name {
	bool is_read;
	uint32_t name; /* in dwarf.texts */
	uint32_t start_line;
};

/* A .dwo file, and the unit in it. */
struct split_file {
	int fd;
	struct dwarf_file file;
	const struct dwarf_unit *unit;
};

/* What is known of a unit once it was read. */
struct read_unit {
	bool is_read;
	bool is_asked_for;	  /* its .dwo file */
	struct split_file *split; /* NULL: none */
	/* Where its functions are: in main, or in the .dwo file. */
	struct dwarf_file *file;
	const struct dwarf_unit *unit;
	struct functions functions;
	struct line_table lines;
	struct line_table call_files; /* those of the .dwo file, if it has its own */
	struct known_name *names;     /* of functions.places */
	uint32_t *call_paths;	      /* of call_files.files */
	uint32_t *paths; /* of lines.files, in dwarf.texts; 0: not read so far, or none */
	uint64_t bytes;	 /* that all this takes */
	uint64_t used;	 /* the larger, the later */
};

struct dwarf {
	struct object *object; /* a reference */
	int fd;
	struct dwarf_file main;
	struct read_unit *units;	    /* parallel to main.units */
	ARRAY_OF(struct unit_range) ranges; /* ascending */
	struct strtab texts;
	uint64_t bytes, clock;
	/* The supplementary file. */
	struct dwarf_file supplement;
	int supplement_fd;     /* -1: it is not there */
	char *supplement_path; /* NULL: it needs none, or has asked for it */
	uint8_t supplement_id[OBJECT_BUILD_ID_MAX];
	uint32_t supplement_id_size;
	struct bytes wanted; /* paths */
	unsigned wanted_count;
	uint32_t split_count; /* .dwo files that are open */
};

/* ---- which unit ---- */

struct unit_span {
	uint64_t low, high;
	uint32_t unit;
};

struct unit_spans {
	struct dwarf *dwarf;
	ARRAY_OF(struct unit_span) list;
	uint32_t unit;
};

static int add_unit_span(void *context, uint64_t low, uint64_t high)
{
	struct unit_spans *spans = context;
	struct unit_span *span;

	if (low == 0 || !object_segment_of(spans->dwarf->object, low))
		return 0;
	if (spans->list.count >= MAX_UNIT_RANGES)
		return -EFBIG;
	span = array_push(&spans->list);
	if (!span)
		return -ENOMEM;
	*span = (struct unit_span){ low, high, spans->unit };
	return 0;
}

static int compare_unit_spans(const void *a, const void *b)
{
	const struct unit_span *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static void get_unit_span(void *context, uint32_t number, struct span *ret)
{
	const struct unit_spans *spans = context;
	const struct unit_span *span = &spans->list.at[number];

	*ret = (struct span){ span->low, span->high, span->high - span->low, span->unit };
}

static int add_unit_range(void *context, uint64_t start, uint32_t unit)
{
	struct unit_spans *spans = context;
	struct unit_range *range = array_push(&spans->dwarf->ranges);

	if (!range)
		return -ENOMEM;
	*range = (struct unit_range){ start, unit };
	return 0;
}

static int list_ranges(struct dwarf *dwarf)
{
	struct unit_spans spans = { .dwarf = dwarf };
	struct entry entry;
	int r = 0;

	for (uint32_t i = 0; i < dwarf->main.units.count && r != -ENOMEM && r != -EFBIG; i++) {
		const struct dwarf_unit *unit = &dwarf->main.units.at[i];

		if (!unit->has_ranges)
			continue;
		spans.unit = i;
		r = dwarf_file_entry(&dwarf->main, unit, unit->offset + unit->header_size, &entry);
		if (r == 0)
			r = ranges_each(&dwarf->main, unit, &entry, add_unit_span, &spans);
	}
	if (spans.list.count)
		qsort(spans.list.at, spans.list.count, sizeof(*spans.list.at), compare_unit_spans);
	if (r != -ENOMEM)
		r = spans_flatten(spans.list.count, get_unit_span, add_unit_range, &spans);
	array_fini(&spans.list);
	return r;
}

static uint32_t unit_at(const struct dwarf *dwarf, uint64_t address)
{
	uint32_t low = 0, high = dwarf->ranges.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (dwarf->ranges.at[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? dwarf->ranges.at[low - 1].unit : SPAN_NONE;
}

/* ---- units in memory ---- */

static void forget_unit(struct dwarf *dwarf, struct read_unit *unit)
{
	struct read_unit kept = { .is_asked_for = unit->is_asked_for, .split = unit->split };

	functions_fini(&unit->functions);
	line_table_fini(&unit->lines);
	line_table_fini(&unit->call_files);
	free(unit->names);
	free(unit->paths);
	free(unit->call_paths);
	dwarf->bytes -= unit->bytes;
	*unit = kept;
}

/* Forgets units that were not used for the longest time, but not the one just read. */
static void make_room(struct dwarf *dwarf, const struct read_unit *but)
{
	while (dwarf->bytes > MAX_KEPT_BYTES) {
		struct read_unit *oldest = NULL;

		for (uint32_t i = 0; i < dwarf->main.units.count; i++) {
			struct read_unit *unit = &dwarf->units[i];

			if (unit->is_read && unit != but && unit->bytes &&
			    (!oldest || unit->used < oldest->used))
				oldest = unit;
		}
		if (!oldest)
			return;
		forget_unit(dwarf, oldest);
	}
}

static int read_unit(struct dwarf *dwarf, struct read_unit *ret, const struct dwarf_unit *unit)
{
	int r;

	ret->file = ret->split ? &ret->split->file : &dwarf->main;
	ret->unit = ret->split ? ret->split->unit : unit;
	r = functions_read(&ret->functions, ret->file, ret->unit, dwarf->object);
	if (r == -ENOMEM)
		return r;
	r = line_table_read(&ret->lines, &dwarf->main, unit, dwarf->object);
	if (r != -ENOMEM && ret->split)
		r = line_table_read(&ret->call_files, ret->file, ret->unit, dwarf->object);
	if (r == -ENOMEM)
		return r;
	ret->call_paths = calloc(ret->call_files.files.count + 1ULL, sizeof(*ret->call_paths));
	ret->names = calloc(ret->functions.places.count + 1ULL, sizeof(*ret->names));
	ret->paths = calloc(ret->lines.files.count + 1ULL, sizeof(*ret->paths));
	if (!ret->names || !ret->paths || !ret->call_paths)
		return -ENOMEM;
	ret->bytes = ret->functions.places.capacity * sizeof(struct function_place) +
		     ret->functions.ranges.capacity * sizeof(struct function_range) +
		     ret->functions.places.count * sizeof(*ret->names) +
		     ret->lines.rows.capacity * sizeof(struct line_row) +
		     ret->lines.files.capacity * (sizeof(struct line_file) + sizeof(uint32_t)) +
		     ret->lines.texts.capacity;
	return 0;
}

/* The unit with this number, read if it was not. Returns 0 or -ENOMEM. */
static int get_unit(struct dwarf *dwarf, struct read_unit **ret, uint32_t number)
{
	struct read_unit *unit = &dwarf->units[number];
	int r = 0;

	if (!unit->is_read) {
		r = read_unit(dwarf, unit, &dwarf->main.units.at[number]);
		unit->is_read = r == 0;
		dwarf->bytes += unit->bytes;
		if (r < 0)
			forget_unit(dwarf, unit);
		else
			make_room(dwarf, unit);
	}
	unit->used = ++dwarf->clock;
	*ret = unit;
	return r;
}

/* ---- files that are missing ---- */

static void want(struct dwarf *dwarf, const char *path)
{
	bytes_add_str(&dwarf->wanted, path);
	bytes_add(&dwarf->wanted, "", 1);
	dwarf->wanted_count++;
}

/*
 * .gnu_debugaltlink: the path of the supplementary file, its NUL, and its build ID. A relative path
 * counts from the file that it stands in: the object, or a debug file in the usual place.
 */
static int read_supplement_link(struct dwarf *dwarf)
{
	enum { MAX_LINK_BYTES = 4096 };
	cleanup(section_table_fini) struct section_table sections = {};
	char text[MAX_LINK_BYTES + 1];
	const Elf64_Shdr *section;
	size_t length;

	if (section_table_read(&sections, dwarf->fd) == -ENOMEM)
		return -ENOMEM;
	section = section_table_find(&sections, SHT_PROGBITS, ".gnu_debugaltlink");
	if (!section || section->sh_size > MAX_LINK_BYTES ||
	    fs_read_at(dwarf->fd, text, section->sh_size, (off_t)section->sh_offset) < 0)
		return 0;
	length = strnlen(text, section->sh_size);
	if (length == section->sh_size || section->sh_size - length - 1 < 2 ||
	    section->sh_size - length - 1 > sizeof(dwarf->supplement_id))
		return 0;
	dwarf->supplement_id_size = (uint32_t)(section->sh_size - length - 1);
	memcpy(dwarf->supplement_id, text + length + 1, dwarf->supplement_id_size);
	dwarf->supplement_path = strdup(text);
	return dwarf->supplement_path ? 0 : -ENOMEM;
}

static void want_supplement(struct dwarf *dwarf)
{
	cleanup(bytes_fini) struct bytes path = {};
	const char *rest = dwarf->supplement_path;

	bytes_add_str(&path, "/usr/lib/debug/.build-id/");
	for (uint32_t i = 0; i < dwarf->supplement_id_size; i++)
		bytes_add_format(&path, i == 1 ? "/%02x" : "%02x", dwarf->supplement_id[i]);
	bytes_add_str(&path, ".debug");
	if (bytes_str(&path))
		want(dwarf, path.at);
	want(dwarf, rest);
	if (*rest == '/')
		return;
	while (strncmp(rest, "../", 3) == 0)
		rest += 3;
	path.size = 0;
	bytes_add_str(&path, "/usr/lib/debug/");
	bytes_add_str(&path, rest);
	if (bytes_str(&path))
		want(dwarf, path.at);
}

/* The path of a unit's .dwo file. */
static void want_split(struct dwarf *dwarf, const struct dwarf_unit *unit)
{
	cleanup(bytes_fini) struct bytes path = {}, name = {};
	struct entry_value value;
	struct entry root;

	if (dwarf_file_entry(&dwarf->main, unit, unit->offset + unit->header_size, &root) < 0)
		return;
	value = entry_get(&root, ENTRY_DWO_NAME);
	(void)dwarf_file_text(&dwarf->main, unit, &value, &name);
	if (!bytes_str(&name) || !name.at[0])
		return;
	if (name.at[0] != '/') {
		value = entry_get(&root, ENTRY_COMP_DIR);
		(void)dwarf_file_text(&dwarf->main, unit, &value, &path);
		bytes_add_char(&path, '/');
	}
	bytes_add_str(&path, name.at);
	if (bytes_str(&path))
		want(dwarf, path.at);
}

/* Does the unit at an address need a file that nobody was asked for so far? */
static bool wants(struct dwarf *dwarf, uint32_t number)
{
	struct read_unit *unit = &dwarf->units[number];

	if (dwarf->supplement_path) {
		want_supplement(dwarf);
		free(dwarf->supplement_path);
		dwarf->supplement_path = NULL;
	}
	if (dwarf->main.units.at[number].is_skeleton && !unit->split && !unit->is_asked_for) {
		if (dwarf->wanted_count == DWARF_WANTED_MAX)
			return true; /* its turn comes */
		unit->is_asked_for = true;
		want_split(dwarf, &dwarf->main.units.at[number]);
	}
	/* Until those are offered that were asked for, there may be more to know. */
	return dwarf->wanted_count > 0;
}

unsigned dwarf_wanted(struct dwarf *dwarf, struct bytes *ret)
{
	unsigned count = dwarf->wanted_count;

	bytes_add(ret, dwarf->wanted.at, dwarf->wanted.size);
	dwarf->wanted.size = 0;
	dwarf->wanted_count = 0;
	return count;
}

/* Of the main file's skeletons, those whose unit is in a .dwo file take it. Returns whether any does. */
static bool attach_split(struct dwarf *dwarf, struct split_file *split)
{
	for (uint32_t i = 0; i < dwarf->main.units.count; i++) {
		const struct dwarf_unit *unit = &dwarf->main.units.at[i];

		if (!unit->is_skeleton || dwarf->units[i].split)
			continue;
		for (uint32_t k = 0; k < split->file.units.count; k++) {
			if (split->file.units.at[k].dwo_id != unit->dwo_id)
				continue;
			split->unit = &split->file.units.at[k];
			split->file.skeleton_file = &dwarf->main;
			split->file.skeleton = *unit;
			/* What was read without it is read again. */
			forget_unit(dwarf, &dwarf->units[i]);
			dwarf->units[i].split = split;
			return true;
		}
	}
	return false;
}

static void split_free(struct split_file *split)
{
	if (!split)
		return;
	dwarf_file_fini(&split->file);
	close(split->fd);
	free(split);
}

static bool is_supplement(const struct dwarf *dwarf, int fd)
{
	return dwarf->supplement_id_size && dwarf->supplement_fd < 0 &&
	       debug_file_has_build_id(fd, dwarf->supplement_id, dwarf->supplement_id_size) == 0;
}

int dwarf_offer(struct dwarf *dwarf, int fd_)
{
	cleanup(close) int fd = fd_;
	struct split_file *split;
	int r;

	if (is_supplement(dwarf, fd)) {
		r = dwarf_file_open(&dwarf->supplement, fd);
		if (r == 0) {
			dwarf->supplement_fd = TAKE_FD(fd);
			dwarf->main.supplement = &dwarf->supplement;
		}
		return r == -ENOMEM ? r : 0;
	}
	split = dwarf->split_count < MAX_SPLIT_FILES ? calloc(1, sizeof(*split)) : NULL;
	if (!split)
		return 0;
	split->fd = TAKE_FD(fd);
	r = dwarf_file_open(&split->file, split->fd);
	if (r == 0 && split->file.is_split && attach_split(dwarf, split)) {
		dwarf->split_count++;
		return 0;
	}
	split_free(split);
	return r == -ENOMEM ? r : 0;
}

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

static int name_place(struct dwarf *dwarf, struct read_unit *unit, uint32_t number,
		      const struct known_name **ret)
{
	struct known_name *known = &unit->names[number];
	cleanup(bytes_fini) struct bytes name = {};
	int r;

	*ret = known;
	if (known->is_read)
		return 0;
	r = read_name(unit->file, unit->unit, unit->functions.places.at[number].entry, &name,
		      &known->start_line);
	if (r < 0)
		return r;
	r = strtab_add(&dwarf->texts, &known->name, name.at ? name.at : "", name.size);
	known->is_read = r == 0;
	return r;
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
		r = strtab_add(&dwarf->texts, &known[number], path.at ? path.at : "", path.size);
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

int dwarf_new(struct dwarf **ret, struct object *object, int fd)
{
	cleanup(close) int owned = fd;
	cleanup(dwarf_free) struct dwarf *dwarf = calloc(1, sizeof(*dwarf));
	int r;

	if (!dwarf)
		return -ENOMEM;
	dwarf->object = object_ref(object);
	dwarf->fd = TAKE_FD(owned);
	dwarf->supplement_fd = -1;
	r = strtab_init(&dwarf->texts);
	if (r == 0)
		r = dwarf_file_open(&dwarf->main, dwarf->fd);
	if (r < 0)
		return r;
	dwarf->units = calloc(dwarf->main.units.count, sizeof(*dwarf->units));
	if (!dwarf->units)
		return -ENOMEM;
	r = list_ranges(dwarf);
	if (r == 0)
		r = read_supplement_link(dwarf);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(dwarf);
	return 0;
}

void dwarf_free(struct dwarf *dwarf)
{
	if (!dwarf)
		return;
	for (uint32_t i = 0; dwarf->units && i < dwarf->main.units.count; i++)
		forget_unit(dwarf, &dwarf->units[i]);
	for (uint32_t i = 0; dwarf->units && i < dwarf->main.units.count; i++)
		split_free(dwarf->units[i].split);
	free(dwarf->units);
	if (dwarf->main.supplement)
		dwarf_file_fini(&dwarf->supplement);
	if (dwarf->supplement_fd >= 0)
		close(dwarf->supplement_fd);
	free(dwarf->supplement_path);
	bytes_fini(&dwarf->wanted);
	array_fini(&dwarf->ranges);
	strtab_fini(&dwarf->texts);
	dwarf_file_fini(&dwarf->main);
	if (dwarf->fd >= 0)
		close(dwarf->fd);
	object_unref(dwarf->object);
	free(dwarf);
}

int dwarf_find(struct dwarf *dwarf, uint64_t address, struct dwarf_frames *ret)
{
	uint32_t number = unit_at(dwarf, address), place;
	const struct known_name *name;
	const struct line_row *row;
	struct read_unit *unit;
	int r;

	ret->count = 0;
	if (number == SPAN_NONE)
		return -ENOENT;
	if (wants(dwarf, number))
		return DWARF_WANTS;
	r = get_unit(dwarf, &unit, number);
	if (r < 0)
		return r;
	row = line_table_find(&unit->lines, address);
	place = functions_find(&unit->functions, address);
	if (!row && place == FUNCTION_NONE)
		return -ENOENT;
	ret->count = 1;
	ret->at[0] = (struct dwarf_frame){ .line = row ? row->line : 0 };
	if (row)
		r = path_of(dwarf, unit, &unit->lines, unit->paths, row->file, &ret->at[0].file);
	for (; place != FUNCTION_NONE && r == 0; place = unit->functions.places.at[place].parent) {
		const struct function_place *at = &unit->functions.places.at[place];
		struct dwarf_frame *frame = &ret->at[ret->count - 1];

		r = name_place(dwarf, unit, place, &name);
		if (r < 0)
			break;
		frame->name = name->name;
		frame->start_line = name->start_line;
		if (at->parent == FUNCTION_NONE || ret->count == DWARF_MAX_FRAMES)
			break;
		/* Into the next one it was inlined, there. */
		frame = &ret->at[ret->count++];
		*frame = (struct dwarf_frame){ .line = at->call_line };
		r = call_path_of(dwarf, unit, at->call_file, &frame->file);
	}
	return r;
}

const char *dwarf_text(const struct dwarf *dwarf, uint32_t id)
{
	return strtab_get(&dwarf->texts, id);
}

// SPDX-License-Identifier: Apache-2.0
#include "dwarf/dwarf_parts.h"

#include <errno.h>
#include <stdlib.h>

/* Of the units of all objects that are kept. Those of a clang are about 300 MB, of which few are needed. */
#define MAX_KEPT_BYTES (256ULL << 20)

static struct dwarf *all; /* chained by `next` */
static uint64_t kept_bytes, used_clock;

void dwarf_join(struct dwarf *dwarf)
{
	dwarf->next = all;
	all = dwarf;
}

void dwarf_part(struct dwarf *dwarf)
{
	struct dwarf **at = &all;

	for (uint32_t i = 0; dwarf->units && i < dwarf->main.units.count; i++)
		dwarf_forget_unit(&dwarf->units[i]);
	while (*at && *at != dwarf)
		at = &(*at)->next;
	if (*at)
		*at = dwarf->next;
}

void dwarf_forget_unit(struct read_unit *unit)
{
	struct read_unit kept = { .is_asked_for = unit->is_asked_for, .split = unit->split };

	if (unit->split && unit->split->fd < 0) {
		split_file_free(unit->split);
		kept.split = NULL;
	}
	functions_fini(&unit->functions);
	line_table_fini(&unit->lines);
	line_table_fini(&unit->call_files);
	free(unit->paths);
	free(unit->call_paths);
	kept_bytes -= unit->bytes;
	*unit = kept;
}

/* The unit that was not used for the longest time, but not this one; NULL: there is none. */
static struct read_unit *find_oldest(const struct read_unit *but)
{
	struct read_unit *oldest = NULL;

	for (struct dwarf *dwarf = all; dwarf; dwarf = dwarf->next)
		for (uint32_t i = 0; i < dwarf->main.units.count; i++) {
			struct read_unit *unit = &dwarf->units[i];

			if (unit != but && unit->bytes && (!oldest || unit->used < oldest->used))
				oldest = unit;
		}
	return oldest;
}

static void make_room(const struct read_unit *but, uint64_t bytes)
{
	struct read_unit *oldest;

	while (kept_bytes > bytes && (oldest = find_oldest(but)))
		dwarf_forget_unit(oldest);
}

static int read_unit(struct dwarf *dwarf, struct read_unit *ret, const struct dwarf_unit *unit)
{
	int r = dwarf_unpack_unit(dwarf, ret, unit);

	if (r < 0)
		return r;
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
	ret->paths = calloc(ret->lines.files.count + 1ULL, sizeof(*ret->paths));
	if (!ret->paths || !ret->call_paths)
		return -ENOMEM;
	ret->bytes = (ret->split ? sizeof(*ret->split) : 0) +
		     ret->functions.places.capacity * sizeof(struct function_place) +
		     ret->functions.ranges.capacity * sizeof(struct function_range) +
		     ret->lines.rows.capacity * sizeof(struct line_row) +
		     ret->lines.files.capacity * (sizeof(struct line_file) + sizeof(uint32_t)) +
		     ret->lines.texts.capacity;
	return 0;
}

int dwarf_get_unit(struct dwarf *dwarf, struct read_unit **ret, uint32_t number)
{
	struct read_unit *unit = &dwarf->units[number];

	*ret = unit;
	unit->used = ++used_clock;
	if (unit->is_read)
		return unit->paths ? 0 : -ENOENT;
	for (unsigned attempt = 0; attempt < 2 && !unit->is_read; attempt++) {
		unit->is_read = read_unit(dwarf, unit, &dwarf->main.units.at[number]) == 0;
		kept_bytes += unit->bytes;
		if (!unit->is_read)
			dwarf_forget_unit(unit);
		make_room(unit, unit->is_read ? MAX_KEPT_BYTES : 0);
	}
	/* What is too large even alone has no lines, today and tomorrow. */
	unit->is_read = true;
	unit->used = used_clock;
	return unit->paths ? 0 : -ENOENT;
}

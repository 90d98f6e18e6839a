// SPDX-License-Identifier: Apache-2.0
#include "memory/memory_map.h"

#include <errno.h>
#include <string.h>

#include "proc/maps.h"

const char *const memory_kind_names[MEMORY_KINDS] = {
	[MEMORY_HEAP] = "heap", [MEMORY_MMAP] = "mmap",	    [MEMORY_STACK] = "stack",
	[MEMORY_FILE] = "file", [MEMORY_SHARED] = "shared", [MEMORY_UNKNOWN] = "unknown",
};

static bool begins_with(const struct maps_line *line, const char *word)
{
	size_t size = strlen(word);

	return line->path_size >= size && memcmp(line->path, word, size) == 0;
}

static enum memory_kind kind_of(const struct maps_line *line)
{
	if (line->shared)
		return MEMORY_SHARED;
	if (begins_with(line, "[heap]"))
		return MEMORY_HEAP;
	if (begins_with(line, "[stack"))
		return MEMORY_STACK;
	if (line->path_size && line->path[0] == '/' && line->inode)
		return MEMORY_FILE;
	return MEMORY_MMAP;
}

struct reading {
	struct memory_map *map;
	uint64_t guard_end; /* of the line before, if nothing there can be touched */
};

static int add_area(void *context, const struct maps_line *line)
{
	struct reading *reading = context;
	struct memory_map *map = reading->map;
	struct memory_area *area;
	bool guarded = reading->guard_end == line->start;

	reading->guard_end = 0;
	if (line->start >> 63 ||
	    (map->areas.count && line->start < map->areas.at[map->areas.count - 1].end))
		return 0;
	if (line->untouchable)
		reading->guard_end = line->end;
	area = array_push(&map->areas);
	if (!area)
		return -ENOMEM;
	*area = (struct memory_area){ line->start, line->end, kind_of(line), guarded };
	return 0;
}

int memory_map_parse(struct memory_map *map, const char *text, size_t size)
{
	struct reading reading = { .map = map };
	int r;

	map->areas.count = 0;
	r = maps_parse(text, size, add_area, &reading);
	return r < 0 ? r : 0;
}

void memory_map_fini(struct memory_map *map)
{
	array_fini(&map->areas);
}

const struct memory_area *memory_map_find(const struct memory_map *map, uint64_t address)
{
	uint32_t up_to = array_count_up_to(&map->areas, start, address);

	return up_to && address < map->areas.at[up_to - 1].end ? &map->areas.at[up_to - 1] : NULL;
}

enum memory_kind memory_map_kind(const struct memory_map *map, uint64_t address, uint64_t sp)
{
	const struct memory_area *area = memory_map_find(map, address);

	if (!area)
		return MEMORY_UNKNOWN;
	if (area->kind == MEMORY_MMAP && area->guarded && sp >= area->start && sp <= area->end)
		return MEMORY_STACK;
	return area->kind;
}

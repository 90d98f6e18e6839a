// SPDX-License-Identifier: Apache-2.0
/*
 * `lines` is in the order of the file. The first `sorted` of them are also in `ranges`, where each
 * address has the last line that covers it. The others wait until sorting pays: until then a
 * look-up asks them one by one, last one first.
 */
#include "symbol/perf_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/strtab.h"
#include "elf/spans.h"

enum {
	MAX_NAME_BYTES = 4096,
	/* Together at most some 50 MB for one process; node's maps grow by 1 to 10 MB an hour. */
	MAX_LINES = 1 << 20,
	MAX_NAMES_BYTES = 24 << 20,
	/* This many lines, or an eighth of the sorted ones, may wait unsorted. */
	MIN_UNSORTED = 256,
};

struct line {
	uint64_t start;
	uint32_t size;
	uint32_t name; /* id in names */
};

struct map_range {
	uint64_t start;
	uint32_t line; /* or SPAN_NONE */
};

struct perf_map {
	ARRAY_OF(struct line) lines;
	ARRAY_OF(struct map_range) ranges;
	uint32_t sorted;
	struct strtab names;
};

struct perf_map *perf_map_new(void)
{
	struct perf_map *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	if (strtab_init(&map->names) < 0) {
		free(map);
		return NULL;
	}
	return map;
}

void perf_map_free(struct perf_map *map)
{
	if (!map)
		return;
	array_fini(&map->lines);
	array_fini(&map->ranges);
	strtab_fini(&map->names);
	free(map);
}

/* A hexadecimal number (HotSpot's begin with 0x) and the blank after it. */
static bool parse_hex(uint64_t *ret, const char **at, const char *end)
{
	uint64_t value = 0;
	unsigned digits = 0;

	if (end - *at > 2 && (*at)[0] == '0' && ((*at)[1] | 0x20) == 'x')
		*at += 2;
	for (; *at < end; (*at)++, digits++) {
		char c = **at, letter = (char)(c | 0x20);
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (letter >= 'a' && letter <= 'f')
			digit = (unsigned)(letter - 'a') + 10;
		else
			break;
		if (value >> 60)
			return false;
		value = value << 4 | digit;
	}
	if (digits == 0 || *at == end || **at != ' ')
		return false;
	while (*at < end && **at == ' ')
		(*at)++;
	*ret = value;
	return true;
}

static int add_line(struct perf_map *map, const char *at, const char *end)
{
	uint64_t start, size, name_size;
	struct line *line;
	uint32_t name;
	int r;

	if (!parse_hex(&start, &at, end) || !parse_hex(&size, &at, end))
		return 0;
	if (end > at && end[-1] == '\r')
		end--;
	name_size = (uint64_t)(end - at);
	if (name_size == 0 || *at == '\0' || size == 0 || size > UINT32_MAX ||
	    start > UINT64_MAX - size)
		return 0;
	if (name_size > MAX_NAME_BYTES)
		name_size = MAX_NAME_BYTES;
	if (map->lines.count >= MAX_LINES || map->names.bytes.count > MAX_NAMES_BYTES)
		return -E2BIG;
	r = strtab_add(&map->names, &name, at, name_size);
	if (r < 0)
		return r;
	line = array_push(&map->lines);
	if (!line)
		return -ENOMEM;
	*line = (struct line){ start, (uint32_t)size, name };
	return 0;
}

int perf_map_add(struct perf_map *map, const char *text, size_t size, size_t *ret_taken)
{
	const char *newline;
	size_t taken = 0;
	int r = 0;

	while (r == 0 && taken < size && (newline = memchr(text + taken, '\n', size - taken))) {
		r = add_line(map, text + taken, newline);
		taken = (size_t)(newline + 1 - text);
	}
	*ret_taken = taken;
	return r;
}

uint64_t perf_map_bytes(const struct perf_map *map)
{
	/* An entry of the index takes two words, and half of its places are free. */
	return map->lines.count * sizeof(*map->lines.at) +
	       map->ranges.count * sizeof(*map->ranges.at) + map->names.bytes.count +
	       map->names.offsets.count * (sizeof(*map->names.offsets.at) + 4 * sizeof(uint64_t));
}

struct sorting {
	struct perf_map *map;
	uint32_t *order; /* lines by start */
};

static int compare(const void *a, const void *b, void *map)
{
	const struct line *lines = ((const struct perf_map *)map)->lines.at;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;

	if (lines[i].start != lines[j].start)
		return lines[i].start < lines[j].start ? -1 : 1;
	return (i > j) - (i < j);
}

static void get_span(void *context, uint32_t number, struct span *ret)
{
	struct sorting *sorting = context;
	uint32_t i = sorting->order[number];
	const struct line *line = &sorting->map->lines.at[i];

	*ret = (struct span){
		.start = line->start,
		.end = line->start + line->size,
		.priority = UINT32_MAX - i,
		.value = i,
	};
}

static int add_range(void *context, uint64_t start, uint32_t value)
{
	struct map_range *range = array_push(&((struct sorting *)context)->map->ranges);

	if (!range)
		return -ENOMEM;
	*range = (struct map_range){ start, value };
	return 0;
}

static int sort(struct perf_map *map)
{
	uint32_t count = map->lines.count;
	cleanup(free) uint32_t *order = malloc((count + 1ULL) * sizeof(*order));
	struct sorting sorting = { map, order };
	int r;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare, map);
	map->ranges.count = 0;
	map->sorted = 0;
	r = spans_flatten(count, get_span, add_range, &sorting);
	if (r == 0)
		map->sorted = count;
	else
		map->ranges.count = 0;
	return r;
}

int perf_map_find(struct perf_map *map, uint64_t address, const char **ret)
{
	uint32_t waiting = map->lines.count - map->sorted, low = 0, high;
	const struct line *lines;

	if (waiting > MIN_UNSORTED && waiting > map->sorted / 8) {
		int r = sort(map);

		if (r < 0)
			return r;
	}
	lines = map->lines.at;
	for (uint32_t i = map->lines.count; i > map->sorted; i--) {
		if (address >= lines[i - 1].start &&
		    address - lines[i - 1].start < lines[i - 1].size) {
			*ret = strtab_get(&map->names, lines[i - 1].name);
			return 0;
		}
	}
	for (high = map->ranges.count; low < high;) {
		uint32_t middle = low + (high - low) / 2;

		if (map->ranges.at[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || map->ranges.at[low - 1].line == SPAN_NONE)
		return -ENOENT;
	*ret = strtab_get(&map->names, lines[map->ranges.at[low - 1].line].name);
	return 0;
}

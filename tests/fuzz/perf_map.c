// SPDX-License-Identifier: Apache-2.0
/*
 * /tmp/perf-PID.map, told in two pieces as it is while it grows. And lines that are made of the
 * input, three bytes each: the last one that covers an address names it.
 */
#include "symbol/perf_map.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"

enum { MAX_LINES = 40, ADDRESSES = 520, STRIDE = 50 };

static void check_text(const char *text, size_t size)
{
	static const uint64_t addresses[] = { 0, 0x1000, 0x7f0000001010, INT64_MAX, UINT64_MAX };
	struct perf_map *map = perf_map_new();
	size_t taken = 0, more = 0;
	const char *name;

	FUZZ_CHECK(map);
	(void)perf_map_add(map, text, size / 2, &taken);
	FUZZ_CHECK(taken <= size / 2 && (taken == 0 || text[taken - 1] == '\n'));
	(void)perf_map_find(map, 0x1000, &name);
	(void)perf_map_add(map, text + taken, size - taken, &more);
	FUZZ_CHECK(more <= size - taken);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (perf_map_find(map, addresses[i], &name) == 0)
			FUZZ_CHECK(name[0] && strlen(name) <= size);
	perf_map_free(map);
}

static void add(struct perf_map *map, struct bytes *text)
{
	size_t taken;

	FUZZ_CHECK(perf_map_add(map, text->at, text->size, &taken) == 0 && taken == text->size);
	text->size = 0;
}

/* So many lines, elsewhere, that the map sorts what it has when it is asked. */
static void have_it_sorted(struct perf_map *map)
{
	static struct bytes text;
	struct bytes copy;
	const char *name;

	if (!text.size)
		for (uint32_t i = 0; i < 260; i++)
			bytes_add_format(&text, "%x 1 other\n", 2 * ADDRESSES + i);
	copy = text;
	add(map, &copy);
	FUZZ_CHECK(perf_map_find(map, 2 * ADDRESSES, &name) == 0);
}

static void check_lines(struct reader reader)
{
	struct perf_map *map = perf_map_new();
	/* By address, the number of its last line; 0: none. */
	uint32_t last[ADDRESSES] = {}, lines = 0;
	struct bytes text = {};
	bool sorted = false;

	FUZZ_CHECK(map);
	while (reader_left(&reader) && lines < MAX_LINES) {
		uint32_t start = reader_u8(&reader), size = reader_u8(&reader), number = ++lines;
		uint8_t style = reader_u8(&reader);

		bytes_add_format(&text, style & 1 ? "0x%x %X name %u%s\n" : "%x %04x name %u%s\n",
				 start, size, number, style & 2 ? "\r" : "");
		for (uint32_t i = start; i < start + size; i++)
			last[i] = number;
		if (style == 0xff && !sorted) {
			sorted = true;
			add(map, &text);
			have_it_sorted(map);
		}
	}
	add(map, &text);
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		const char *name = "";
		char want[32];

		/* Where it changes, and some others. */
		if (i % STRIDE && last[i] == last[i - 1])
			continue;
		snprintf(want, sizeof(want), "name %u", last[i]);
		FUZZ_CHECK((perf_map_find(map, i, &name) == 0) == (last[i] != 0));
		FUZZ_CHECK(!last[i] || strcmp(name, want) == 0);
	}
	perf_map_free(map);
	bytes_fini(&text);
}

/* A number of 64 bits is understood, a longer one is none. */
static void check_address(uint64_t address)
{
	struct perf_map *map = perf_map_new();
	struct bytes text = {};
	const char *name;
	size_t taken;

	FUZZ_CHECK(map);
	address &= ~15ULL;
	bytes_add_format(&text, "%" PRIx64 " 8 right\n1%016" PRIx64 " 8 wrong\n", address, address);
	FUZZ_CHECK(perf_map_add(map, text.at, text.size, &taken) == 0 && taken == text.size);
	FUZZ_CHECK(perf_map_find(map, address + 7, &name) == 0 && strcmp(name, "right") == 0);
	perf_map_free(map);
	bytes_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);

	check_text((const char *)data, size);
	check_lines(reader);
	check_address(reader_u64(&reader));
	return 0;
}

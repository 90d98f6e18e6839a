// SPDX-License-Identifier: Apache-2.0
/*
 * What growth is judged by: maps, as areas that stay ascending and apart; files of control groups and
 * meminfo, as they come, and of numbers that the input gives as the kernel writes them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "memory/memory_limit.h"
#include "memory/memory_map.h"

static void check_map(const char *text, size_t size)
{
	struct memory_map map = {};

	FUZZ_CHECK(memory_map_parse(&map, text, size) == 0);
	for (uint32_t i = 0; i < map.areas.count; i++) {
		const struct memory_area *area = &map.areas.at[i];

		FUZZ_CHECK(area->start < area->end && (i == 0 || area[-1].end <= area->start));
		FUZZ_CHECK(area->kind < MEMORY_KINDS);
		FUZZ_CHECK(memory_map_find(&map, area->start) == area &&
			   memory_map_find(&map, area->end - 1) == area);
	}
	memory_map_fini(&map);
}

static void check_written(struct reader reader)
{
	uint64_t number = reader_u64(&reader) >> 10, read;
	struct bytes text = {};

	bytes_add_format(&text, "MemTotal:       %" PRIu64 " kB\nMemAvailable:   %" PRIu64 " kB\n",
			 number / 2, number);
	FUZZ_CHECK(bytes_str(&text) && memory_limit_meminfo(&read, text.at, "MemAvailable") == 0);
	FUZZ_CHECK(read == number * 1024);
	bytes_fini(&text);
	text = (struct bytes){};
	bytes_add_format(&text, "%" PRIu64 "\n", number);
	FUZZ_CHECK(bytes_str(&text) && memory_limit_number(&read, text.at) == 0 && read == number);
	bytes_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *path = NULL;
	uint64_t number;

	FUZZ_CHECK(text);
	check_map((const char *)data, size);
	(void)memory_limit_number(&number, text);
	(void)memory_limit_meminfo(&number, text, "MemAvailable");
	if (memory_limit_group(&path, text) == 0)
		FUZZ_CHECK(path[0] == '/' && !strchr(path, '\n'));
	free(path);
	free(text);
	check_written(reader_of(data, size));
	return 0;
}

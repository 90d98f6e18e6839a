// SPDX-License-Identifier: Apache-2.0
/* /tmp/perf-PID.map, told in two pieces as it is while it grows. */
#include "fuzz.h"

#include <string.h>

#include "symbol/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t addresses[] = { 0, 0x1000, 0x7f0000001010, INT64_MAX, UINT64_MAX };
	struct perf_map *map = perf_map_new();
	const char *text = (const char *)data, *name;
	size_t taken = 0, more = 0;

	FUZZ_CHECK(map);
	(void)perf_map_add(map, text, size / 2, &taken);
	FUZZ_CHECK(taken <= size / 2);
	(void)perf_map_find(map, 0x1000, &name);
	(void)perf_map_add(map, text + taken, size - taken, &more);
	FUZZ_CHECK(more <= size - taken);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (perf_map_find(map, addresses[i], &name) == 0)
			FUZZ_CHECK(strlen(name) <= size);
	perf_map_free(map);
	return 0;
}

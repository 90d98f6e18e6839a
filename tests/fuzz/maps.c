// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/maps, into a process's mappings: those stay ascending and apart whatever comes. */
#include "fuzz.h"

#include "proc/maps.h"
#include "proc/process.h"

static int add(void *context, const struct maps_line *line)
{
	struct process *process = context;
	struct mapping mapping = { .start = line->start,
				   .end = line->end,
				   .file_offset = line->file_offset,
				   .inode = line->inode,
				   .path = (uint32_t)line->path_size };

	FUZZ_CHECK(line->start < line->end);
	for (size_t i = 0; i < line->path_size; i++)
		FUZZ_CHECK(line->path[i] != '\n');
	return process_map(process, &mapping);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct process process;

	process_init(&process, 1, 0);
	(void)maps_parse((const char *)data, size, add, &process);
	for (uint32_t i = 0; i < process.mappings.count; i++) {
		FUZZ_CHECK(process.mappings.at[i].start < process.mappings.at[i].end);
		FUZZ_CHECK(i == 0 ||
			   process.mappings.at[i - 1].end <= process.mappings.at[i].start);
	}
	process_fini(&process);
	return 0;
}

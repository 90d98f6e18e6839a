// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/PID/maps, into a process's mappings: those stay ascending and apart whatever comes. What
 * was understood of a line, written as the kernel writes it, is understood as the same.
 */
#include "proc/maps.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "proc/process.h"

static int check_same(void *context, const struct maps_line *again)
{
	const struct maps_line *line = context;

	FUZZ_CHECK(again->start == line->start && again->end == line->end &&
		   again->file_offset == line->file_offset && again->inode == line->inode &&
		   again->device_major == line->device_major &&
		   again->device_minor == line->device_minor &&
		   again->executable == line->executable && again->path_size == line->path_size &&
		   memcmp(again->path, line->path, line->path_size) == 0);
	return -1;
}

static void check_written(const struct maps_line *line)
{
	struct maps_line wanted = *line;
	struct bytes text = {};

	/* The kernel fills the line up before the path. */
	bytes_add_format(&text,
			 "%08" PRIx64 "-%08" PRIx64 " r-%cp %08" PRIx64 " %02x:%02x %" PRIu64 " ",
			 line->start, line->end, line->executable ? 'x' : '-', line->file_offset,
			 line->device_major, line->device_minor, line->inode);
	while (text.size < 73)
		bytes_add_char(&text, ' ');
	bytes_add(&text, line->path, line->path_size);
	bytes_add_char(&text, '\n');
	FUZZ_CHECK(maps_parse(text.at, text.size, check_same, &wanted) == -1);
	bytes_fini(&text);
}

static int add(void *context, const struct maps_line *line)
{
	struct process *process = context;
	struct mapping mapping = { .start = line->start,
				   .end = line->end,
				   .file_offset = line->file_offset,
				   .inode = line->inode,
				   .path = (uint32_t)line->path_size };

	FUZZ_CHECK(line->start < line->end && !memchr(line->path, '\n', line->path_size));
	check_written(line);
	return process_map(process, &mapping);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct process process;

	process_init(&process, 1, 0);
	FUZZ_CHECK(maps_parse((const char *)data, size, add, &process) >= 0);
	for (uint32_t i = 0; i < process.mappings.count; i++) {
		const struct mapping *mapping = &process.mappings.at[i];

		FUZZ_CHECK(mapping->start < mapping->end &&
			   (i == 0 || mapping[-1].end <= mapping->start));
		FUZZ_CHECK(process_mapping(&process, mapping->start) == mapping &&
			   process_mapping(&process, mapping->end - 1) == mapping);
	}
	process_fini(&process);
	return 0;
}

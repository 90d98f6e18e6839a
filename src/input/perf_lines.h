/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of `perf script`, which has no format but that of printf: what its tool perf
 * (tools/perf/builtin-script.c, util/evsel_fprintf.c) prints for the fields that were asked for.
 *
 *     comm with blanks  123/124 [001] UH 1234.567890:     250000 cpu-clock:u:  rest
 *     <tab>    ffffffff81000000 name+0x10 (/path of the/module)
 *       file.c:12
 *
 * Any of it may be missing but the comm, or else the ids. Texts are parts of the line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perf_text {
	const char *at; /* not NUL-terminated */
	size_t size;
};

/* A sample's first line. */
struct perf_head {
	struct perf_text comm, event; /* size 0: not told */
	struct perf_text rest;	      /* behind the event */
	bool has_pid, has_tid, has_period, has_time;
	int64_t pid, tid; /* of one number alone: tid, as perf prints it by default */
	int64_t period;
};

struct perf_frame {
	struct perf_text name;	 /* without "+0x10"; size 0: not known */
	struct perf_text module; /* size 0: not told or not known */
	uint64_t address;
	bool has_address, inlined; /* into the next frame */
};

/* What follows are all false for lines that are something else. */

/* Not a sample: "PERF_RECORD_MMAP2 ..." of --show-mmap-events and its like count as something else. */
bool perf_read_head(struct perf_head *ret, const char *line, size_t size);
/* With or without its tab. */
bool perf_read_frame(struct perf_frame *ret, const char *line, size_t size);
/* "  file.c:12", as the field srcline adds it below a frame; line 0: it says that none is known. */
bool perf_read_source(struct perf_text *ret_file, uint32_t *ret_line, const char *line,
		      size_t size);

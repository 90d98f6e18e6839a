/* SPDX-License-Identifier: Apache-2.0 */
/* An input format: a row in a table. Whoever wrote the file is not trusted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input/lines.h"
#include "profile/profile.h"

/* What was read, and what became of the rest: nothing is left out silently. */
struct input_report {
	uint64_t cut_stacks; /* deeper than is kept: their innermost frames are missing */
	uint64_t rounded;    /* counts that had a fraction */
	uint64_t left_out;   /* items whose stacks had no room: see INPUT_FULL_NAME */
	uint64_t passed_over; /* lines that are nothing that is known */
	uint64_t other_values; /* items of more types of values than there may be */
	const char *items;   /* "lines", "samples": what one stack is in that file */
	/* Why INPUT_REFUSED, on one line, with the place as ":12", without the file's name. */
	char reason[160];
};

/* What stands for stacks that were new when the memory for stacks was used up. */
#define INPUT_FULL_NAME "[truncated: profile full]"

/* Frames of a stack that are kept, and what then stands for the innermost ones. */
enum { INPUT_MAX_DEPTH = 4096 };
#define INPUT_DEEP_NAME "[truncated: too deep]"

/* Named outcome of reading: the file is not what it should be. */
enum { INPUT_REFUSED = 1 };

struct input {
	const char *name; /* "folded" */
	const char *items; /* as in the report */
	const char *description;
	/* Whether a file that begins like this is in this format. */
	bool (*recognises)(const char *begin, size_t size);
	/*
	 * Adds everything to an empty profile, of about limit_bytes (profile_bytes) at most.
	 * Returns 0, INPUT_REFUSED with a reason, or a negative errno.
	 */
	int (*read)(struct profile *profile, struct lines *lines, uint64_t limit_bytes,
		    struct input_report *report);
};

/* All formats, `input_count` of them; the first that recognises a file reads it. */
extern const struct input *const inputs[];
extern const size_t input_count;

/*
 * Reads a profile from a descriptor, which may be a pipe and stays the caller's, into *ret, which is
 * not frozen. Returns as `read` above; INPUT_REFUSED also for what no format recognises and for what
 * holds no stack. progress: NULL where nobody waits.
 */
int input_read(struct profile **ret, int fd, uint64_t limit_bytes, struct input_report *report,
	       const struct input_progress *progress);

extern const struct input input_folded;
extern const struct input input_perf_script;
extern const struct input input_pprof;
extern const struct input input_speedscope;

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of `perf script`, a line each (perf_lines.h), as locations and stacks of a profile.
 *
 * Frames come again and again: what a line becomes is looked up by its text. Where functions were
 * inlined, several lines are one location; the innermost ones are what a stack too deep goes without.
 */
#pragma once

#include "base/array.h"
#include "base/hash.h"
#include "base/strtab.h"
#include "input/input.h"
#include "input/perf_lines.h"
#include "profile/profile.h"

enum { PERF_MAX_INLINED = 64 }; /* functions of a location */

/* A line of a frame that was met: by its text. */
struct perf_known {
	uint32_t function, mapping;
	uint64_t address;
	uint32_t location; /* + 1, without anything inlined or a source line; 0: not made yet */
	bool inlined;
};

struct perf_stacks {
	struct profile *profile; /* borrowed */
	struct strtab texts;	 /* of frames' lines, but the first one */
	ARRAY_OF(struct perf_known) known;
	ARRAY_OF(signed char) mapping_kinds; /* by mapping */
	ARRAY_OF(uint32_t) modules;	     /* by string: mapping + 1 */
	struct hash_index locations;
	uint32_t deep_location;

	/* The stack at hand. */
	bool is_cut;
	uint32_t depth;			     /* of locations */
	uint32_t stack[2 * INPUT_MAX_DEPTH]; /* locations, innermost first */
	/* The location at hand: the lines of its functions so far, + 1 in `known`, and source lines. */
	uint32_t line_count;
	uint32_t lines_known[PERF_MAX_INLINED];
	struct profile_line frame_lines[PERF_MAX_INLINED];
	bool has_source;
};

/* What follows returns as profile_string does, or as it says. */

/* Fills a zeroed one, to be freed in any case. */
int perf_stacks_init(struct perf_stacks *stacks, struct profile *profile);
void perf_stacks_fini(struct perf_stacks *stacks);
/* A location that says only this. */
int perf_stacks_note(struct perf_stacks *stacks, uint32_t *ret, const char *name);
/* The stack at hand becomes an empty one. */
void perf_stacks_begin(struct perf_stacks *stacks);

/* Named outcome: this is no frame. */
enum { PERF_NO_FRAME = PROFILE_FULL + 1 };
/* The next frame of the stack at hand, one further out than the last; or PERF_NO_FRAME. */
int perf_stacks_frame(struct perf_stacks *stacks, const char *line, size_t size);
/* Whether a frame stands before, which the next line may tell the source of. */
static inline bool perf_stacks_has_frame(const struct perf_stacks *stacks)
{
	return stacks->line_count;
}
/* The source line of the frame before, which must be there. */
int perf_stacks_source(struct perf_stacks *stacks, struct perf_text file, uint32_t number);
/* Ends the stack at hand, and adds it to the profile: *ret. *ret_cut: it was too deep. */
int perf_stacks_end(struct perf_stacks *stacks, uint32_t *ret, bool *ret_cut);
/* About the memory that it takes, without the profile's. */
uint64_t perf_stacks_bytes(const struct perf_stacks *stacks);

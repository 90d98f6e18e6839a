/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile: what was measured, counted by stack. Every event, input and output format meets here.
 *
 * The nouns are pprof's (google/pprof proto/profile.proto): sample types, mappings, functions,
 * locations with their inlined lines, samples. Append-only; equal things have equal ids; ids are
 * dense from 0. Strings are ids of `strings`, 0 is "". profile_freeze sorts it into an order that
 * depends only on its contents, so that equal profiles give equal bytes; nothing is added after.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/strtab.h"

/* What kind of code a location is: chooses its colour and its suffix in folded text. */
enum location_kind {
	LOCATION_USER,    /* code of the program itself */
	LOCATION_LIBRARY, /* code of a shared library */
	LOCATION_KERNEL,
	LOCATION_JIT,     /* generated code */
	LOCATION_INTERPRETED,
	LOCATION_NOTE,    /* not code: "[truncated]", "[unknown]" */
};

struct profile_type {
	uint32_t name, unit; /* "cpu", "nanoseconds" */
};

struct profile_mapping {
	uint64_t start, limit, file_offset;
	uint32_t file;     /* path; "[kernel.kallsyms]", "[vdso]", "[jit]" */
	uint32_t build_id; /* hex */
	uint32_t identity; /* tells files of one name apart, as of two containers; 0: nothing */
	bool has_functions, has_files, has_lines, has_inlines;
	/* Addresses are not known: its locations' only tell them apart, until profile_freeze. */
	bool only_names;
};

struct profile_function {
	uint32_t name, system_name, file;
	uint32_t start_line;
};

/* One function of a location. */
struct profile_line {
	uint32_t function;
	uint32_t line;
};

struct profile_location {
	uint32_t mapping;
	uint32_t first_line, line_count; /* run in `lines`; the first one is the innermost inlined */
	enum location_kind kind;
	uint64_t address;
	bool named; /* false: its name is made of a module and an offset */
};

/* key: "pid", "tid", "comm", "thread_name", ... Either `text` (a string id) or `number`. */
struct profile_label {
	uint32_t key, text, unit;
	int64_t number;
	bool is_number;
};

/* Runs in profile.stack_locations and profile.label_items. */
struct profile_run {
	uint32_t first, count;
};

struct profile_sample {
	uint32_t stack;  /* index into stacks */
	uint32_t labels; /* index into label_sets */
};

enum { PROFILE_MAX_TYPES = 8 };

/* How the title of a recording of the whole machine begins. */
#define PROFILE_OF_MACHINE "the whole machine"

/* None of the types. */
#define PROFILE_NO_TYPE UINT32_MAX

/* What people read about the recording. All texts are UTF-8 or will be made so when written. */
struct profile_meta {
	char *title;    /* "memcached, pid 4242": for the head of a picture */
	char *subtitle; /* command line, host, time span, rate, on one line */
	char *quality;  /* the quality line, without "profd: " */
	int64_t time_ns;     /* start, CLOCK_REALTIME */
	int64_t duration_ns;
	int64_t period;
	/* Index into types: values of this one are multiples of `period`. PROFILE_NO_TYPE: of none. */
	uint32_t period_type;
	struct profile_type period_of; /* what `period` counts, where that is none of the types */
	uint32_t main_type;	       /* index into types: what a picture shows */
	/*
	 * String, "": none. A regular expression: call trees end before the outermost function whose whole
	 * name matches, but for those at the root (pprof's Profile.drop_frames, as its tool takes it). Of
	 * memory: who gives it out, so that what is left is who asked for it.
	 */
	uint32_t drop_frames;
	/*
	 * Index into types: number of samples, the n of intervals. PROFILE_NO_TYPE: none counts them;
	 * then only values of the period's type have a number of samples, and intervals.
	 */
	uint32_t count_type;
	/*
	 * Of samples of one stack that weigh differently, as when the rate has changed, the sum does not
	 * tell how much they say: as much as this share of so many samples of equal weight, all
	 * together. 0: not known; they are taken for equal then.
	 */
	double evenness;
	/*
	 * Read from pprof: writing that again changes and adds nothing. Names of types and labels stay
	 * as they are, texts become no comments, and what had no mapping or no name has none.
	 */
	bool verbatim;
	bool of_machine; /* of all that runs, or all of some kind: CPU time is told in cores, too */
};

struct profile {
	struct strtab strings;
	ARRAY_OF(struct profile_type) types;
	ARRAY_OF(struct profile_mapping) mappings;
	ARRAY_OF(struct profile_function) functions;
	ARRAY_OF(struct profile_line) lines;
	ARRAY_OF(struct profile_location) locations;
	ARRAY_OF(uint32_t) stack_locations;
	ARRAY_OF(struct profile_run) stacks; /* location ids, leaf first */
	ARRAY_OF(struct profile_label) label_items;
	ARRAY_OF(struct profile_run) label_sets; /* set 0 is empty */
	ARRAY_OF(struct profile_sample) samples;
	ARRAY_OF(int64_t) values; /* types.count per sample, sample after sample */
	ARRAY_OF(uint32_t) comments; /* strings, one line each */
	ARRAY_OF(uint32_t) first_samples; /* by stack: its first sample + 1; it is not in the index */
	uint64_t sample_frames; /* of all samples: frames of the stacks that each has */
	struct profile_meta meta;
	struct hash_index mapping_index, function_index, location_index, stack_index,
		label_index, sample_index;
	bool frozen;
	bool closed; /* set by the caller: nothing new is added, see PROFILE_FULL */
};

/* Named outcome of what adds: it is not there, and the profile is closed. */
enum { PROFILE_FULL = 1 };

int profile_new(struct profile **ret);
void profile_free(struct profile *profile);
DEFINE_CLEANUP(struct profile, profile_free);

/* See profile_bytes: a node of a call tree takes three times as much, but most are shared. */
enum { PROFILE_FRAME_BYTES = 16 };

/*
 * About the memory that it takes: what the tables hold, their indexes, of which half is free, and
 * for each frame of each sample what writing it will take.
 */
uint64_t profile_bytes(const struct profile *profile);

/*
 * All of these return 0, PROFILE_FULL, -ENOMEM, or -EINVAL (an id that does not exist, a frozen profile, a type
 * too many or after the first sample); *ret is the id of the new or the equal one.
 */
int profile_string(struct profile *profile, uint32_t *ret, const char *text);
/* The same for `size` bytes, of which none is NUL. */
int profile_string_of(struct profile *profile, uint32_t *ret, const char *text, size_t size);
int profile_type_add(struct profile *profile, uint32_t *ret, const char *name, const char *unit);
/* Equal: same start, limit, file_offset, file, build_id and identity. */
int profile_mapping_add(struct profile *profile, uint32_t *ret, const struct profile_mapping *m);
int profile_function_add(struct profile *profile, uint32_t *ret, const struct profile_function *f);
/*
 * A new one, for callers that know all that are there: without looking for an equal one, and without
 * being found as one.
 */
int profile_function_append(struct profile *profile, uint32_t *ret,
			    const struct profile_function *f);
int profile_location_append(struct profile *profile, uint32_t *ret, uint32_t mapping,
			    uint64_t address, enum location_kind kind);
/* Equal: same mapping and address. Its lines come later, once (profile_location_name). */
int profile_location_add(struct profile *profile, uint32_t *ret, uint32_t mapping,
			 uint64_t address, enum location_kind kind);
/* lines[0] is the innermost. Sets the mapping's has_* flags from what the lines hold. */
int profile_location_name(struct profile *profile, uint32_t location,
			  const struct profile_line *lines, uint32_t count, bool named);
int profile_stack_add(struct profile *profile, uint32_t *ret, const uint32_t *locations,
		      uint32_t count);
/* The order of labels does not matter for equality if the caller always uses the same order. */
int profile_labels_add(struct profile *profile, uint32_t *ret, const struct profile_label *labels,
		       uint32_t count);
/* Adds values[types.count] to the sample with this stack and these labels. */
int profile_sample_add(struct profile *profile, uint32_t stack, uint32_t labels,
		       const int64_t *values);
int profile_comment_add(struct profile *profile, const char *text);
/*
 * See the head of this file. Gives unnamed locations a name of their module and address, drops what
 * no sample uses, and sorts: mapping 0 is the main binary (see freeze.c), label sets by key, stacks
 * from their root. All ids change, and addresses of mappings that have only names become 0. Returns 0 or -ENOMEM (then the profile is only good to free).
 */
int profile_freeze(struct profile *profile);

static inline const char *profile_text(const struct profile *profile, uint32_t id)
{
	return strtab_get(&profile->strings, id);
}
/* The label with this key in a label set, or NULL. */
const struct profile_label *profile_label_find(const struct profile *profile, uint32_t set,
					       const char *key);
int64_t profile_value(const struct profile *profile, uint32_t sample, uint32_t type);
int64_t profile_total(const struct profile *profile, uint32_t type);

/* Sums of values stay at the end of their range instead of wrapping: files can hold anything. */
static inline int64_t profile_sum(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

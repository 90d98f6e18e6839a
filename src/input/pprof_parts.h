/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that read pprof: what is known of a file, and reading its fields. See pprof.c. */
#pragma once

#include "input/id_table.h"
#include "input/input.h"
#include "input/protobuf.h"
#include "input/unpack.h"

enum {
	MAX_DEPTH = INPUT_MAX_DEPTH,
	MAX_LINES = 1024,	/* functions of a location, of which all but one are inlined */
	MAX_LABELS = 1024,	/* of a sample */
	CHECK_ITEMS = 1024,	/* between two looks at the memory taken, */
	CHECK_FRAMES = 1 << 20, /* or so many functions: a sample may have MAX_DEPTH * MAX_LINES */
};

/* Named outcomes of the functions here, besides INPUT_REFUSED: what they return as 1 is always that. */
enum {
	MESSAGE_END = INPUT_REFUSED + 1,
	NO_ROOM, /* the profile is full: PROFILE_FULL */
};

/* A string of the file. */
struct text {
	const unsigned char *at;
	uint32_t size;
	uint32_t id; /* of the profile's strings, + 1; 0: nothing has named it yet */
};

struct value_type {
	uint64_t name, unit; /* strings of the file */
};

struct pprof {
	struct profile *profile;
	struct input_report *report;
	struct unpacked file;
	const struct input_progress *progress;
	uint64_t limit_bytes;
	/* For messages: what is read, and which of its kind, from 1. */
	const char *what;
	uint64_t number;

	ARRAY_OF(struct text) texts;
	ARRAY_OF(struct value_type) types;
	ARRAY_OF(uint64_t) comments; /* strings of the file */
	struct value_type period_of;
	uint64_t default_type, drop_frames; /* strings of the file */
	uint64_t mapping_count, location_count, function_count;

	struct id_table mapping_ids, location_ids, function_ids; /* to those of the profile */
	ARRAY_OF(signed char) mapping_kinds;	/* by mapping: see frame_kind.h */
	ARRAY_OF(signed char) source_kinds;	/* by function */
	ARRAY_OF(struct profile_mapping) flags; /* by mapping: what the file says that it has */
	uint32_t no_mapping;			/* of locations without one */
	uint32_t full_stack, deep_location;
	bool has_inlined;
	uint64_t inlined_frames; /* of all samples: what profile_bytes does not know of */
	uint64_t checked_frames; /* of these, when the memory taken was looked at last */

	/* The sample or location at hand. */
	uint32_t depth, value_count, label_count, line_count;
	bool is_cut;
	bool has_no_room; /* for a label */
	uint32_t locations[2 * MAX_DEPTH];
	int64_t values[PROFILE_MAX_TYPES];
	struct profile_label labels[MAX_LABELS];
	struct profile_line lines[MAX_LINES];
};

/* Says why, and where: see input_report. Returns INPUT_REFUSED. */
int pprof_refuse(struct pprof *pprof, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The next field of a message. Returns 0, MESSAGE_END or INPUT_REFUSED. */
int pprof_next(struct pprof *pprof, struct reader *message, struct protobuf_field *ret);
/* What pprof_next returned last, as what became of the message. */
static inline int pprof_ended(int r)
{
	return r == MESSAGE_END ? 0 : r;
}
/* The field is stored in another way than this one is. Returns INPUT_REFUSED. */
int pprof_wrong_wire(struct pprof *pprof, const struct protobuf_field *field);
/* A field that is a number. Returns 0 or INPUT_REFUSED. */
int pprof_number(struct pprof *pprof, const struct protobuf_field *field, uint64_t *ret);
/* A number that does not fit, as that of a line, says nothing: 0. */
int pprof_small(struct pprof *pprof, const struct protobuf_field *field, uint32_t *ret);
/* The profile's string for one of the file. Returns 0, INPUT_REFUSED, NO_ROOM or -ENOMEM. */
int pprof_string(struct pprof *pprof, uint32_t *ret, uint64_t text);
/* The same for a field that is the number of a string. */
int pprof_take_string(struct pprof *pprof, const struct protobuf_field *field, uint32_t *ret);

/* Memory of the file and the profile. */
uint64_t pprof_bytes(const struct pprof *pprof);
/*
 * For what all samples may need: there is no going on without it. number: of things read. Returns 0 or
 * INPUT_REFUSED.
 */
int pprof_check_memory(struct pprof *pprof, uint64_t number);

/* Takes a field of the file, if it is a string, a type or a single number; others are counted. */
int pprof_read_top(struct pprof *pprof, struct protobuf_field *field);
/* Adds a mapping, and what its name tells. */
int pprof_add_mapping(struct pprof *pprof, uint32_t *ret, const struct profile_mapping *mapping);
/* Messages, each of which may name those before it. Return 0, INPUT_REFUSED or -ENOMEM. */
int pprof_read_mapping(struct pprof *pprof, struct reader message);
int pprof_read_function(struct pprof *pprof, struct reader message);
int pprof_read_location(struct pprof *pprof, struct reader message);
int pprof_read_sample(struct pprof *pprof, struct reader message);

/* SPDX-License-Identifier: Apache-2.0 */
/* What a diff can be written as: a row in a table, as output/writer.h has them for profiles. */
#pragma once

#include "diff/diff.h"
#include "output/stream.h"

struct diff_writer {
	const char *name;	   /* "flamegraph" */
	const char *aliases[3];	   /* NULL-terminated */
	const char *extensions[3]; /* ".svg"; NULL-terminated */
	/* Returns 0 or a negative errno. */
	int (*write)(const struct diff *diff, struct stream *stream);
};

extern const struct diff_writer diff_writer_text, diff_writer_json, diff_writer_folded,
	diff_writer_pprof, diff_writer_flamegraph;

/* All of them, `diff_writer_count`; the first one is what a terminal gets. */
extern const struct diff_writer *const diff_writers[];
extern const size_t diff_writer_count;

/* By name or alias; by the end of a file's name. NULL: none fits. */
const struct diff_writer *diff_writer_by_name(const char *name);
const struct diff_writer *diff_writer_by_path(const char *path);

/* ---- Shared by them. ---- */

/* How all values of a diff are shown. */
struct diff_measure {
	double scale;	  /* a value times this is shown */
	const char *unit; /* "%", "MiB", "thousand", "seconds" or "" */
	int digits;
};

struct diff_measure diff_measure_of(const struct diff *diff);

/* "3.1 %" or "0.620": a value; what rates are of is for diff_add_unit to say. */
void diff_add_value(struct bytes *bytes, const struct diff *diff, double value);
/* What values are of: "of CPU", "CPUs", "MiB of alloc_space per second". */
void diff_add_unit(struct bytes *bytes, const struct diff *diff);
/* "+3.1 points ± 0.9"; the unit is left out where it stands anyway. */
void diff_add_points(struct bytes *bytes, const struct diff *diff, const struct diff_value *value,
		     bool with_unit);
/*
 * What is known of noise, one sentence or two, for people; 80 columns are for the caller to make.
 */
void diff_add_noise(struct bytes *bytes, const struct diff *diff);

/* A function's self or total change, in a list of the largest ones. */
struct diff_entry {
	uint32_t index; /* of a frame or a node */
	const struct diff_value *value;
	bool is_total;
};

/*
 * The functions by self (or total) change: marked ones first, then by size. *ret is the caller's to
 * free. Returns 0 or -ENOMEM.
 */
int diff_rank_functions(const struct diff *diff, bool by_total, struct diff_entry **ret,
			uint32_t *ret_count);
/*
 * The marked stacks, largest change first, without those whose change one further in explains: of a
 * chain of callers the innermost one that carries most of it.
 */
int diff_rank_stacks(const struct diff *diff, struct diff_entry **ret, uint32_t *ret_count);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all views show of one span at one moment, apart from how: it is made anew at each look, and
 * nothing of the growing profile is needed for it afterwards.
 *
 * Nodes and rows are told apart by keys that stay the same from one picture to the next: a key is a
 * hash of names, so what the person has chosen, opened or zoomed to is found again.
 */
#pragma once

#include "base/bytes.h"
#include "profile/call_tree.h"
#include "top/cut.h"

enum row_kind { ROW_FUNCTION, ROW_LINE, ROW_THREAD, ROW_PROCESS };

struct row {
	uint64_t key;
	const char *name;   /* not clean; of the picture */
	const char *module; /* path or "[...]"; "" */
	const char *file;   /* "" */
	uint32_t line;
	int64_t id; /* of a thread or process; -1: none */
	enum call_kind kind;
	bool inlined;
	int64_t self, total; /* as the tree weighs */
};

struct row_table {
	ARRAY_OF(struct row) rows;
};

struct picture {
	struct profile *profile; /* frozen; all threads apart */
	struct profile *merged;	 /* what the tree is of: the same, or without threads */
	struct call_tree *tree;
	uint64_t *node_keys; /* by node: of its path */
	struct row_table tables[ROW_PROCESS + 1];
	bool has_table[ROW_PROCESS + 1];
	struct cut_quality quality;
	double seconds;
	double period_ns;	  /* of CPU time that a weight of 1 stands for; 1 for other things */
	uint64_t end_ns, made_ns; /* CLOCK_MONOTONIC */
	uint64_t cost_ns;	  /* of CPU time that making it, and its tables, took */
};

/*
 * from, weights: see cut_profile, where options->threads says whether the tree tells threads apart. Returns
 * 0 or -ENOMEM. The result is the caller's.
 */
int picture_new(struct picture **ret, const struct profile *from,
		const struct span_weights *weights, const struct cut_options *options);
void picture_free(struct picture *picture);
DEFINE_CLEANUP(struct picture, picture_free);

/* A table of all rows, unordered; made when it is first asked for. NULL: out of memory. */
const struct row_table *picture_table(struct picture *picture, enum row_kind kind);
/* CPU seconds of a weight, where it is CPU time. */
double picture_seconds(const struct picture *picture, int64_t weight);
/* Weights are amounts of memory. */
bool picture_is_of_memory(const struct picture *picture);
/* Adds "1.20 s", or "3.4 MiB". */
void picture_add_amount(const struct picture *picture, struct bytes *to, int64_t weight);

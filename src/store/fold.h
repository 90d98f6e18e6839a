/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one segment with longer windows out of several.
 *
 * Values of the same process and path in one of the new windows are added; frames that say the same
 * become one; processes that were seen in only one of the new windows lose their pid, so that
 * thousands of short ones are one; and when that is still more than `budget_bytes`, rare ones are
 * thinned (thin.h): first those with less than two samples in the whole segment, then less than
 * three, and so on. What is thinned weighs as much as the limit below which it was.
 */
#pragma once

#include "store/alike.h"
#include "store/codec.h"
#include "store/reader_parts.h"

/* What a window of its own may take beside what it is of. */
enum { FOLD_WINDOW_BYTES = 200 };

struct fold_window {
	int64_t begin_ns, end_ns, period_ns;
	int64_t samples, cpu_ns, lost;
	uint32_t cpus;
	struct bytes entries, thinned;
};

struct fold_value {
	uint32_t window, process, path;
	int64_t samples, ns;
};

struct fold_process {
	int64_t pid;
	uint32_t program;
	uint32_t window; /* the only one it is seen in; see FOLD_SEVERAL */
};

enum { FOLD_NONE = UINT32_MAX - 1, FOLD_SEVERAL = UINT32_MAX };

struct fold {
	const struct alike *alike;
	int64_t step_ns;
	uint64_t random;
	/* The tree of all, with rows of `frame`. */
	ARRAY_OF(struct tree_node) nodes;
	struct hash_index node_index;
	ARRAY_OF(struct fold_process) processes;
	struct hash_index process_index;
	ARRAY_OF(struct fold_window) windows;
	ARRAY_OF(struct fold_value) values;
	int64_t unit_ns; /* the longest period */
	/* Of the segment that is being read: its numbers → ours + 1. */
	ARRAY_OF(uint32_t) node_map, process_map;
	/*
	 * By node: its place from the root down, children in the order of their numbers; and the
	 * reverse.
	 */
	uint32_t *ranks, *order;
	/* What is to be written, in the first of the windows. */
	int64_t thin_ns;
	struct bytes frames, processes_text, paths;
	uint32_t frame_count, process_count, node_count;
};

/* step_ns: length of the new windows. random: any number. Returns 0 or -ENOMEM. */
int fold_init(struct fold *fold, const struct alike *alike, int64_t step_ns, uint64_t random);
void fold_fini(struct fold *fold);
static inline void fold_fini_cleanup(struct fold *fold)
{
	fold_fini(fold);
}
/* Adds a segment; they come in the order of time. Returns as reader_walk. */
int fold_add_segment(struct fold *fold, struct store_reader *reader, int64_t id, int64_t thin_ns);
/* Fills what is to be written. Returns 0 or -ENOMEM. */
int fold_finish(struct fold *fold, uint64_t budget_bytes);
/* Bytes of all texts. */
uint64_t fold_bytes(const struct fold *fold);

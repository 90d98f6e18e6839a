/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stacks of a profile merged into one tree, as pictures and text show them.
 *
 * Node 0 is everything. Below it stands a frame of the process (label "comm"), then one of the
 * thread, "name (tid)", if the samples carry "thread_name" or "tid", then the stack from its root
 * with inlined functions expanded. Nodes are in preorder, siblings sorted by name, module and kind:
 * the subtree of node i is the run i .. nodes.at[i].end - 1, and equal profiles give equal trees.
 *
 * Weights are those of weights.h. None is below 0, so that children never add up to more than their
 * parent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/strtab.h"
#include "profile/profile.h"
#include "profile/statistics.h"

enum call_kind {
	CALL_USER = LOCATION_USER,
	CALL_LIBRARY = LOCATION_LIBRARY,
	CALL_KERNEL = LOCATION_KERNEL,
	CALL_JIT = LOCATION_JIT,
	CALL_INTERPRETED = LOCATION_INTERPRETED,
	CALL_NOTE = LOCATION_NOTE,
	CALL_ALL, /* node 0 */
	CALL_PROCESS,
	CALL_THREAD,
	CALL_KIND_COUNT,
};

/* One function as the tree tells functions apart; sorted by name, module, kind. */
struct call_frame {
	uint32_t name;   /* for call_tree_text */
	uint32_t module; /* path, a string of the profile; "" for process and thread frames */
	enum call_kind kind;
	bool inlined; /* it was never seen but inlined into its caller */
	/* Source file, a string of the profile ("": not known), and the line it begins in, or else
	   the first one that was seen; 0: not known. */
	uint32_t file, line;
	/* Sums over the whole profile; recursion counts once a sample. */
	int64_t self, total;
};

struct call_node {
	uint32_t frame;
	uint32_t parent; /* of node 0: 0 */
	uint32_t end;    /* one past the last node of the subtree */
	uint32_t depth;  /* of node 0: 0 */
	int64_t self, total;             /* weights */
	int64_t self_count, total_count; /* samples; 0 where they are not counted */
};

struct call_tree {
	const struct profile *profile; /* borrowed */
	struct strtab texts; /* that the profile does not have: "all", "name (tid)" */
	ARRAY_OF(struct call_frame) frames;
	ARRAY_OF(struct call_node) nodes; /* never empty */
	/* Of weights: "samples", "nanoseconds", "bytes"; what is counted, as "goroutine"; borrowed. */
	const char *unit;
	uint32_t max_depth;  /* largest depth of a node */
	/*
	 * How many samples of equal weight would say as much as these: (sum of weights)² / sum of
	 * squares (Kish, Survey Sampling, 1965). Equal to their number when all weigh the same.
	 */
	double effective_samples;
	/*
	 * How many samples there were is known, and shares have intervals. It is not where nothing
	 * counts them (meta.count_type), or has counted none of something that has a weight.
	 */
	bool is_counted;
	int64_t whole; /* what shares are of: the weight of everything, unless it was set */
	/* The weight of one CPU that was busy all the time; 0: this is not told in cores. */
	double core_weight;
};

/*
 * type: index into profile->types. The profile is frozen and outlives the tree.
 * Returns 0, -EINVAL (no such type) or -ENOMEM.
 */
int call_tree_new(struct call_tree **ret, const struct profile *profile, uint32_t type);
void call_tree_free(struct call_tree *tree);
DEFINE_CLEANUP(struct call_tree, call_tree_free);

/* The weight of everything. */
static inline int64_t call_tree_total(const struct call_tree *tree)
{
	return tree->nodes.at[0].total;
}

struct whole; /* profile/weights.h */
/*
 * Shares are of a whole that the tree is a part of, as after profile_filter, with as many samples as
 * that has.
 */
void call_tree_set_whole(struct call_tree *tree, const struct whole *whole);

/* A weight as a share of everything; its interval is all that is possible without is_counted. */
struct share call_tree_share(const struct call_tree *tree, int64_t weight);

/* How many CPUs a weight has kept busy; 0 without core_weight. */
static inline double call_tree_cores(const struct call_tree *tree, int64_t weight)
{
	return tree->core_weight > 0 ? (double)weight / tree->core_weight : 0;
}

static inline const struct call_frame *call_tree_frame(const struct call_tree *tree, uint32_t node)
{
	return &tree->frames.at[tree->nodes.at[node].frame];
}

/* A string of the profile or, from their number on, of the tree's own texts. */
static inline const char *call_tree_text(const struct call_tree *tree, uint32_t id)
{
	uint32_t of_profile = tree->profile->strings.offsets.count;

	return id < of_profile ? profile_text(tree->profile, id)
			       : strtab_get(&tree->texts, id - of_profile);
}

static inline const char *call_frame_name(const struct call_tree *tree,
					  const struct call_frame *frame)
{
	return call_tree_text(tree, frame->name);
}

static inline const char *call_frame_file(const struct call_tree *tree,
					  const struct call_frame *frame)
{
	return profile_text(tree->profile, frame->file);
}

/* The file name of the module without its folder; "" when there is none. */
const char *call_frame_module(const struct call_tree *tree, const struct call_frame *frame);
/*
 * The frames with the most self (or total) weight, heaviest first, ties by name: ids into
 * tree->frames. Frames of processes, threads and node 0 are left out, those of weight 0 too.
 * *ret is malloc'ed by this function. Returns 0 or -ENOMEM.
 */
int call_tree_top(const struct call_tree *tree, bool by_total, uint32_t **ret, uint32_t *ret_count);
/* The same for nodes by self weight: the heaviest distinct stacks. */
int call_tree_top_stacks(const struct call_tree *tree, uint32_t **ret, uint32_t *ret_count);

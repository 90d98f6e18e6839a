/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a call tree goes into the file, and under which numbers: functions and, for each, its
 * callees. Numbers are explained in table.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"
#include "profile/call_tree.h"

#define CHOICE_NONE UINT32_MAX

enum {
	CHOICE_BASE = 44, /* of numbers */
	CHOICE_PAIR = 9,  /* places below are written two at a time */
};

/* A function called by another one; functions of the tree. */
struct call {
	uint32_t caller; /* CHOICE_NONE: node 0, or with one list of callees for all */
	uint32_t callee;
	uint32_t count; /* nodes that are written */
	int64_t heaviest;
	uint32_t place; /* among the caller's callees */
};

struct choice {
	const struct call_tree *tree;
	ARRAY_OF(struct call) calls;
	struct hash_index call_index;
	uint32_t *call_of;   /* node → call */
	uint32_t *order;     /* calls by caller, those of each by count */
	uint32_t *number;    /* function of the tree → number in the file, or CHOICE_NONE */
	uint32_t *by_number; /* and back; [0] stands for no function */
	uint32_t function_count; /* numbers given, 0 included */
	bool by_caller;      /* callees have places for each caller */
	/* Weights below are left out, but for those from `some` on of nodes below some_end. */
	int64_t smallest, some;
	uint32_t some_end;
	size_t name_limit; /* columns */
	uint32_t *name_cost; /* by function of the tree: bytes of its entry */
	uint32_t node_count, left_out; /* nodes written, one for each cut among them; not written */
	int64_t left_out_weight;
};

/*
 * Chooses so that the table takes about `budget` bytes at most. Returns 0 or -ENOMEM; the choice is
 * the caller's to choice_fini in either case.
 */
int choice_make(struct choice *choice, const struct call_tree *tree, uint64_t budget);
void choice_fini(struct choice *choice);

/* What is not kept has no descendants that are. */
static inline bool choice_keeps(const struct choice *choice, uint32_t node)
{
	int64_t weight = choice->tree->nodes.at[node].total;

	return !node || weight >= choice->smallest ||
	       (weight >= choice->some && node < choice->some_end);
}

static inline const struct call *choice_call(const struct choice *choice, uint32_t node)
{
	return &choice->calls.at[choice->call_of[node]];
}

/* The weight of what is left out directly above a node that is kept, and how many nodes that is. */
int64_t choice_cut_above(const struct choice *choice, uint32_t parent, uint32_t *ret_nodes);

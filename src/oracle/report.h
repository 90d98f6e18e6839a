/* SPDX-License-Identifier: Apache-2.0 */
/* Where the walker and the true stack disagreed: equal cases are one, counted, and told once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "bpf/outcomes.h"
#include "oracle/tables.h"

enum disagreement_kind {
	DISAGREE_STOPPED, /* the walk ended and said why; up to there it is right */
	DISAGREE_ENDED,	  /* the walk says that a frame is the outermost one, but it is not */
	DISAGREE_OTHER,	  /* a frame's caller is told to be another one */
	DISAGREE_WENT_ON, /* frames beyond the outermost one */
};

/* One comparison that failed. Frame lists: look-up addresses, leaf first. */
struct disagreement {
	enum disagreement_kind kind;
	enum walk_outcome outcome;
	const uint64_t *truth, *walked;
	uint32_t truth_count, walked_count;
	uint32_t equal; /* so many frames are the same: the last one's caller is told wrongly */
	bool rejoins; /* behind the first frame that differs, what was walked is how the truth ends */
	bool in_syscall;
	bool exact; /* that frame stands at an instruction: the leaf, or interrupted by a signal */
	bool at_switch; /* that frame is the last one on its stack; its caller is on another */
	bool left_out;	/* one frame is missing, and that is all */
	bool changing;	/* it was interrupted, and a handler is about to change where it goes on */
	bool switching; /* the stack pointer is another stack's, and the code still the old one's */
	uint64_t overwritten;  /* bit i: what frame i saved (return address, rbp) was overwritten */
	uint64_t instructions; /* how many had been executed */
};

/* The code whose caller is told wrongly. */
struct culprit {
	const char *module; /* file name without folders; "" without a file */
	const char *symbol; /* "" without one */
	const char *text;   /* the instruction (AT&T) at which it stands; "": it is in a call */
	bool unwinder;	    /* an overwritten frame is the unwinder's (symbol _Unwind_*) */
};

/* Why a disagreement is known and cannot be helped, or NULL: see explained.c. */
const char *explain(const struct disagreement *disagreement, const struct culprit *culprit);
/*
 * Where profd means to tell less than the truth, however often it happens: why, or NULL. It may
 * depend on what struct known_limit holds only.
 */
const char *accept(const struct disagreement *disagreement, const struct culprit *culprit);

struct known_limit {
	uint64_t address; /* of the culprit */
	enum disagreement_kind kind;
	bool at_switch, left_out;
	const char *why; /* NULL: it is none */
	uint64_t count;
};

struct report {
	struct tables *tables; /* borrowed */
	ARRAY_OF(struct group) groups;
	struct hash_index index;
	ARRAY_OF(struct known_limit) limits;
	struct hash_index limit_index;
	uint64_t explained, unexplained;
	bool verbose; /* tell the explained cases, too */
};

/* See `accept`; the answers are remembered and counted. */
bool report_accepts(struct report *report, const struct disagreement *disagreement);
void report_add(struct report *report, const struct disagreement *disagreement);
/* Writes it all to stdout, at most `limit` unexplained cases in full. */
void report_print(struct report *report, uint32_t limit);
void report_fini(struct report *report);

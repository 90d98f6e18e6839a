/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The picture of what changed: a flame graph of NEW whose boxes say how they were in BASE.
 *
 * Boxes are as wide as in NEW, in the script also as in BASE; their colours, and a sign before their
 * names, say what changed beyond noise. Made of three trees with the same frames and nodes, in which
 * weights may be 0.
 */
#pragma once

#include <stdint.h>

#include "output/stream.h"
#include "profile/call_tree.h"

enum flame_mark {
	FLAME_NOTHING, /* nothing beyond noise */
	FLAME_DEARER,
	FLAME_CHEAPER,
};

/* Of one node, or of one function. */
struct flame_verdict {
	enum flame_mark mark;
	int64_t half; /* of the 95 % interval of the change, a weight; below 0: not known */
};

struct flame_change {
	const struct call_tree *new; /* its profile has title, subtitle and quality */
	const struct call_tree *base;
	const struct call_tree *both;			    /* sums */
	const struct flame_verdict *nodes, *selfs, *totals; /* by node; by frame */
	/* A weight times this is shown with so many digits, then the unit. */
	double scale;
	unsigned digits;
	const char *unit;		  /* "%", " cores" */
	const char *step_unit;		  /* of changes: " points" */
	const char *base_name, *new_name; /* which recordings these are */
};

/* Returns 0 or a negative errno. */
int flamegraph_write_change(const struct flame_change *change, struct stream *stream);

/* ---- For the parts of the picture. ---- */

/* Adds "6.21% (was 3.05%: +3.16 points ± 0.82, dearer)" of a node. */
void change_add_text(struct bytes *line, const struct flame_change *change, int64_t base,
		     int64_t now, const struct flame_verdict *verdict);
/* The class of a box, as "d3": grows with the factor, from both weights. size: 4 is enough. */
void change_class(char *class, size_t size, int64_t base, int64_t now, enum flame_mark mark);
/* What stands before a name: "▲ ", "▼ " or "". */
const char *change_sign(enum flame_mark mark);

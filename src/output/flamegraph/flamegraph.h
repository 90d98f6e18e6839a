/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the flame graph's file; flamegraph.c puts them together.
 *
 * The file is a still image, which shows what is wide enough without any script, and a table of the
 * whole profile, from which the script draws everything else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "output/flamegraph/change.h"
#include "output/stream.h"
#include "profile/call_tree.h"

enum {
	FLAME_WIDTH = 1200,
	FLAME_PAD = 10,
	FLAME_INNER = FLAME_WIDTH - 2 * FLAME_PAD,
	FLAME_HEAD = 60,  /* above the frames: title, subtitle */
	FLAME_PITCH = 17, /* from row to row; a frame is one less */
};

/* ---- palette.c: which colours there are. ---- */

/* The class of a frame's box, as "u3", by its kind and name. size: 4 is enough. */
void palette_class(char *class, size_t size, enum call_kind kind, const char *name);
/* What a kind is called in the legend; NULL: it is not in there. */
const char *palette_legend(enum call_kind kind);
/* The style sheet's fills, for light and dark; kinds: those in use; those of changes, if any are shown. */
void palette_write(struct stream *stream, const bool kinds[CALL_KIND_COUNT], bool has_changes);

/* ---- cutoff.c: what must be left out of trees that are too large. ---- */

/* What was counted for each weight, roughly: weights that differ by less than 1/8 are one. */
struct cutoff {
	uint64_t cost[64 * 8];
};

void cutoff_add(struct cutoff *cutoff, int64_t weight, uint64_t cost);
/*
 * The smallest weight, at least 1, so that all of it and above cost no more than the budget; *ret_left
 * is what remains of that.
 */
int64_t cutoff_weight(const struct cutoff *cutoff, uint64_t budget, uint64_t *ret_left);
/* The smallest weight of those that are one with weight - 1; weight: 2 or more. */
int64_t cutoff_weight_below(int64_t weight);

/* ---- still.c: the image. ---- */

struct still {
	const struct call_tree *tree;
	const struct flame_change *change; /* borrowed; NULL: it shows none */
	struct stream *stream;
	struct bytes line, name, scratch;
	int64_t smallest; /* weights below are not drawn one by one */
	bool kinds[CALL_KIND_COUNT]; /* those drawn */
	uint32_t rows;    /* frames on top of each other, the first one included */
	uint32_t omitted; /* frames that are too narrow, drawn as "N more" or not at all */
};

/* Decides what is drawn. change: NULL, or the tree is its `new`. Free with still_fini. */
void still_init(struct still *still, const struct call_tree *tree,
		const struct flame_change *change, struct stream *stream);
void still_fini(struct still *still);
/* Writes the frames' elements. Returns 0 or -ENOMEM. */
int still_write(struct still *still);

/* ---- table.c: the data. ---- */

/*
 * Writes elements with the profile as text that needs no escaping in XML and HTML. Subtrees whose
 * weights are too small for it to stay below about `budget` bytes are left out, and counted in it.
 * change: NULL, or the tree is its `both`. Returns 0 or -ENOMEM.
 */
int table_write(const struct call_tree *tree, const struct profile *profile,
		const struct flame_change *change, struct stream *stream, uint64_t budget);

/* ---- Shared by them. ---- */

/* Makes `text` (NULL is "") clean in `into`. Returns it, borrowed; "" when out of memory. */
const char *flame_clean(struct bytes *into, const char *text);
/* Adds `text`, clean, at most `columns` of it, escaped for XML. */
void flame_add_clipped(struct bytes *line, const char *text, size_t columns);
/* Adds an amount in its unit as XML, see text_add_amount. */
void flame_add_amount(struct bytes *line, int64_t amount, const char *unit);

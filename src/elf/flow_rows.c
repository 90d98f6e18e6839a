// SPDX-License-Identifier: Apache-2.0
#include "elf/flow_rows.h"

#include <stdlib.h>

/* So many functions with different ideas of the same code: nonsense. */
enum { MAX_OVERLAPPING = 16 };

struct merge {
	struct cfi_table *table;
	const struct flow_piece *active[MAX_OVERLAPPING];
	uint32_t active_count;
	uint64_t crowded_to; /* up to here there were too many pieces */
};

static bool is_unknown(const struct flow_piece *piece)
{
	return piece->rule.kind_and_step == RULE_NONE;
}

/*
 * What the pieces that cover an address say together: the surest; none where those disagree. That
 * one of them does not know is nothing against the others.
 */
static struct wire_rule decide(const struct merge *merge, uint64_t address)
{
	const struct wire_rule unknown = { .cfa_words = CFI_UNKNOWN, .kind_and_step = RULE_NONE };
	const struct flow_piece *best = merge->active[0];

	for (uint32_t i = 1; i < merge->active_count; i++) {
		const struct flow_piece *piece = merge->active[i];

		if (piece->trust < best->trust || (piece->trust == best->trust && is_unknown(best)))
			best = piece;
	}
	for (uint32_t i = 0; i < merge->active_count; i++) {
		const struct flow_piece *piece = merge->active[i];

		if (piece->trust == best->trust && !is_unknown(piece) &&
		    !cfi_rule_same(&piece->rule, &best->rule))
			return unknown;
	}
	return address < merge->crowded_to ? unknown : best->rule;
}

static void drop_ended(struct merge *merge, uint64_t address)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < merge->active_count; i++)
		if (merge->active[i]->end > address)
			merge->active[kept++] = merge->active[i];
	merge->active_count = kept;
}

static void add_active(struct merge *merge, const struct flow_piece *piece)
{
	for (uint32_t i = 0; i < merge->active_count; i++)
		if (merge->active[i]->end == piece->end &&
		    merge->active[i]->trust == piece->trust &&
		    cfi_rule_same(&merge->active[i]->rule, &piece->rule))
			return;
	if (merge->active_count < MAX_OVERLAPPING)
		merge->active[merge->active_count++] = piece;
	else if (piece->end > merge->crowded_to)
		merge->crowded_to = piece->end;
}

static int compare_pieces(const void *a, const void *b)
{
	const struct flow_piece *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

int flow_rows(struct cfi_table *table, struct flow_piece *pieces, uint32_t count)
{
	const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };
	struct merge merge = { .table = table };
	uint64_t at;
	uint32_t next = 0;
	int r = 0;

	if (count == 0)
		return 0;
	qsort(pieces, count, sizeof(*pieces), compare_pieces);
	at = pieces[0].start;
	while (r == 0 && (next < count || merge.active_count)) {
		uint64_t end = UINT64_MAX;
		struct wire_rule rule;

		while (next < count && pieces[next].start <= at)
			add_active(&merge, &pieces[next++]);
		if (next < count)
			end = pieces[next].start;
		for (uint32_t i = 0; i < merge.active_count; i++)
			if (merge.active[i]->end < end)
				end = merge.active[i]->end;
		rule = merge.active_count ? decide(&merge, at) : gap;
		r = cfi_table_add(table, at, &rule);
		at = end;
		drop_ended(&merge, at);
	}
	return r < 0 ? r : cfi_table_add(table, at, &gap);
}

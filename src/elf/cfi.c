// SPDX-License-Identifier: Apache-2.0
/*
 * Every address belongs to one entry at most: .eh_frame's come first, then in order of address, then
 * in order of the file. What an entry loses to another is cut off before its rows are made, so that
 * the rows can be written down once, in ascending order, and the same file always gives the same.
 *
 * .eh_frame goes first because programs depend on it (exceptions), .debug_frame only debuggers.
 */
#include "elf/cfi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/cfi_entry.h"
#include "elf/cfi_section.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };
/* More than that lies apart, and takes longer. */
#define MAX_SORTED_SPAN (1ULL << 3 * DIGIT_BITS)

static void swap_u32(uint32_t *a, uint32_t *b)
{
	uint32_t old = *a;

	*a = *b;
	*b = old;
}

/* A cut-out of an entry: it counts from start + skip up to start + size. */
struct piece {
	struct cfi_fde fde;
	uint32_t skip;
	bool debug_frame;
};

struct pieces {
	ARRAY_OF(struct piece) list;
};

static void pieces_fini_cleanup(struct pieces *pieces)
{
	array_fini(&pieces->list);
}

static uint64_t piece_from(const struct piece *piece)
{
	return piece->fde.start + piece->skip;
}

static uint64_t piece_to(const struct piece *piece)
{
	return piece->fde.start + piece->fde.size;
}

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *left = a, *right = b;
	uint64_t x = piece_from(left), y = piece_from(right);

	if (x != y)
		return x < y ? -1 : 1;
	/* Of one section: the order of the file, which is the order of the programs. */
	return left->fde.program < right->fde.program ? -1 : left->fde.program > right->fde.program;
}

/* A digit of an address, `number` from the lowest. */
static uint32_t digit_of(uint64_t address, unsigned number)
{
	return (uint32_t)(address >> (number * DIGIT_BITS)) & (DIGITS - 1);
}

/*
 * Puts what is in the order of the file into that of the addresses, keeping the former where they are the
 * same: digit by digit, for comparing a hundred thousand takes three times as long. Returns whether there was
 * memory for it.
 */
static bool sort_by_digits(struct pieces *pieces, uint64_t least, uint64_t most)
{
	uint32_t count = pieces->list.count;
	struct pieces sorted = {};

	if (!array_reserve(&sorted.list, count))
		return false;
	for (unsigned number = 0;
	     number < 64 / DIGIT_BITS && (most - least) >> (number * DIGIT_BITS); number++) {
		uint32_t next[DIGITS] = {}, before = 0;
		struct piece *to = sorted.list.at;

		for (uint32_t i = 0; i < count; i++)
			next[digit_of(piece_from(&pieces->list.at[i]) - least, number)]++;
		for (uint32_t digit = 0; digit < DIGITS; digit++) {
			uint32_t here = next[digit];

			next[digit] = before;
			before += here;
		}
		for (uint32_t i = 0; i < count; i++) {
			const struct piece *piece = &pieces->list.at[i];

			to[next[digit_of(piece_from(piece) - least, number)]++] = *piece;
		}
		sorted.list.at = pieces->list.at;
		pieces->list.at = to;
		swap_u32(&sorted.list.capacity, &pieces->list.capacity);
	}
	array_fini(&sorted.list);
	return true;
}

/* in_file_order: of one section, as it has them. */
static void sort_pieces(struct pieces *pieces, bool in_file_order)
{
	uint64_t least = UINT64_MAX, most = 0;
	bool sorted = true;

	for (uint32_t i = 0; i < pieces->list.count; i++) {
		uint64_t from = piece_from(&pieces->list.at[i]);

		if (i && compare_pieces(&pieces->list.at[i - 1], &pieces->list.at[i]) > 0)
			sorted = false;
		least = from < least ? from : least;
		most = from > most ? from : most;
	}
	if (sorted || (in_file_order && most - least < MAX_SORTED_SPAN &&
		       sort_by_digits(pieces, least, most)))
		return;
	qsort(pieces->list.at, pieces->list.count, sizeof(*pieces->list.at), compare_pieces);
}

/* Is all of the entry's code in the file and executable? */
static bool is_code(const struct object *object, const struct cfi_fde *fde)
{
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];

		if (segment->executable && fde->start >= segment->address &&
		    fde->start - segment->address < segment->memory_size)
			return fde->size <= segment->memory_size - (fde->start - segment->address);
	}
	return false;
}

/* Lists the entries of a section, ascending, none overlapping. */
static int list_pieces(struct pieces *ret, struct cfi_entries *entries, struct cfi_table *table,
		       const struct object *object, bool debug_frame)
{
	uint64_t end = 0;
	uint32_t kept = 0;
	struct cfi_fde fde;
	int r;

	while ((r = cfi_entries_next(&fde, entries)) > 0) {
		struct piece *piece;

		/* What the linker threw away is left with the address 0 or an impossible one. */
		if (fde.size == 0 || fde.start == 0)
			continue;
		if (!is_code(object, &fde)) {
			table->broken += !debug_frame;
			continue;
		}
		piece = array_push(&ret->list);
		if (!piece)
			return -ENOMEM;
		*piece = (struct piece){ fde, .debug_frame = debug_frame };
	}
	if (r < 0)
		return r;
	table->broken += entries->broken;
	sort_pieces(ret, true);
	for (uint32_t i = 0; i < ret->list.count; i++) {
		struct piece piece = ret->list.at[i];

		if (piece.fde.start < end) {
			table->broken++;
			if (piece_to(&piece) <= end)
				continue;
			piece.skip = (uint32_t)(end - piece.fde.start);
		}
		end = piece_to(&piece);
		ret->list.at[kept++] = piece;
	}
	ret->list.count = kept;
	return 0;
}

/* Adds to `all` (sorted, disjoint) what of `more` (likewise) it leaves free. */
static int add_uncovered(struct pieces *all, const struct pieces *more)
{
	uint32_t count = all->list.count, at = 0;

	for (uint32_t i = 0; i < more->list.count; i++) {
		struct piece piece = more->list.at[i];
		uint64_t from = piece_from(&piece), to = piece_to(&piece);

		while (at < count && piece_to(&all->list.at[at]) <= from)
			at++;
		for (uint32_t other = at; from < to; other++) {
			uint64_t free_to = other < count ? piece_from(&all->list.at[other]) : to;

			if (free_to > to)
				free_to = to;
			if (from < free_to) {
				struct piece *added = array_push(&all->list);

				if (!added)
					return -ENOMEM;
				*added = piece;
				added->skip = (uint32_t)(from - piece.fde.start);
				added->fde.size = (uint32_t)(free_to - piece.fde.start);
			}
			if (free_to == to)
				break;
			from = piece_to(&all->list.at[other]);
		}
	}
	if (all->list.count > count)
		sort_pieces(all, false);
	return 0;
}

/* ---- rows ---- */

struct builder {
	struct cfi_table *table;
	uint64_t from, to; /* the piece under way */
	uint64_t end;	   /* how far there are rows */
};

static int add_state(void *context, const struct cfi_cie *cie, const struct cfi_state *state,
		     uint64_t start, uint64_t end)
{
	struct builder *b = context;
	struct wire_rule rule;

	if (start < b->from)
		start = b->from;
	if (end > b->to)
		end = b->to;
	if (start >= end)
		return 0;
	rule = cfi_rule_of(cie->machine, state, cie->signal_frame);
	b->end = end;
	return cfi_table_add(b->table, start, &rule);
}

static int add_piece(struct builder *b, struct cfi_entries *entries, const struct piece *piece)
{
	const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };
	const struct wire_rule unknown = { .cfa_words = CFI_UNKNOWN, .kind_and_step = RULE_NONE };
	int r;

	b->from = piece_from(piece);
	b->to = piece_to(piece);
	if (b->end < b->from) {
		r = cfi_table_add(b->table, b->end, &gap);
		if (r < 0)
			return r;
	}
	b->end = b->from;
	r = cfi_program_run(&entries->section, cfi_entries_cie(entries, &piece->fde),
			    cfi_entries_program(entries, &piece->fde), piece->fde.start,
			    piece_to(piece), add_state, b);
	if (r == -EBADMSG) {
		b->table->broken++;
		r = b->end < b->to ? cfi_table_add(b->table, b->end, &unknown) : 0;
		b->end = b->to;
	}
	return r;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The starts of the entries that came through; cut-outs of one entry count once. */
static int list_functions(struct cfi_table *table, const struct pieces *pieces)
{
	bool ascending = true;
	uint32_t kept = 0;

	if (!array_reserve(&table->functions, pieces->list.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < pieces->list.count; i++) {
		table->functions.at[i] = pieces->list.at[i].fde.start;
		ascending = ascending &&
			    (i == 0 || table->functions.at[i - 1] < table->functions.at[i]);
	}
	table->functions.count = pieces->list.count;
	if (ascending)
		return 0;
	qsort(table->functions.at, table->functions.count, sizeof(*table->functions.at),
	      compare_u64);
	for (uint32_t i = 0; i < table->functions.count; i++)
		if (kept == 0 || table->functions.at[kept - 1] != table->functions.at[i])
			table->functions.at[kept++] = table->functions.at[i];
	table->functions.count = kept;
	return 0;
}

/*
 * Room for about as many rows as there are, if that is to be had: to grow to it again and again takes longer
 * than all else, and what is not used is never there.
 */
static void expect_rows(struct cfi_table *table, uint64_t section_bytes)
{
	enum { BYTES_PER_ROW = 5, MAX_EXPECTED = 4 << 20 };
	uint64_t count = section_bytes / BYTES_PER_ROW;

	(void)cfi_table_reserve(table, count < MAX_EXPECTED ? (uint32_t)count : MAX_EXPECTED);
}

static int build(struct cfi_table *table, const struct object *object, struct cfi_entries *eh_frame,
		 struct cfi_entries *debug_frame)
{
	const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };
	cleanup(pieces_fini) struct pieces pieces = {};
	struct builder builder = { .table = table };
	int r = list_pieces(&pieces, eh_frame, table, object, false);

	if (r == 0 && debug_frame->section.size > 0) {
		cleanup(pieces_fini) struct pieces more = {};

		r = list_pieces(&more, debug_frame, table, object, true);
		if (r == 0)
			r = add_uncovered(&pieces, &more);
	}
	if (r == 0)
		r = list_functions(table, &pieces);
	if (pieces.list.count)
		expect_rows(table, (uint64_t)eh_frame->section.size + debug_frame->section.size);
	for (uint32_t i = 0; i < pieces.list.count && r == 0; i++) {
		const struct piece *piece = &pieces.list.at[i];

		r = add_piece(&builder, piece->debug_frame ? debug_frame : eh_frame, piece);
	}
	if (r == 0 && table->rows.count > 0)
		r = cfi_table_add(builder.table, builder.end, &gap);
	return r;
}

int cfi_read(struct cfi_table *ret, const struct object *object)
{
	const struct cfi_machine *machine = cfi_machine_of(object->machine);
	cleanup(cfi_entries_fini) struct cfi_entries eh_frame = {}, debug_frame = {};
	cleanup(cfi_table_fini) struct cfi_table table = {};
	int r = 0;

	if (machine) {
		eh_frame.machine = debug_frame.machine = machine;
		r = cfi_section_read_eh_frame(&eh_frame.section, object);
		if (r == 0)
			r = cfi_section_read_debug_frame(&debug_frame.section, object);
		if (r == 0)
			r = build(&table, object, &eh_frame, &debug_frame);
	}
	if (r < 0)
		return r;
	*ret = table;
	table = (struct cfi_table){};
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Functions call functions, and what is known of the one called (does it come back? what does it
 * leave changed?) is wanted of the caller. So all are followed with nothing known, and then those
 * again to which it makes a difference, until it makes none. First the functions that are certain,
 * then what may be some: labels, and addresses that lie in data.
 */
#include "elf/synthesis.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/code_calls.h"
#include "elf/code_entries.h"
#include "elf/code_pointers.h"
#include "elf/flow_rows.h"
#include "elf/function_flow.h"
#include "elf/sigreturn.h"

enum {
	/* About a second's work, for some 8 MiB of code. */
	MAX_STEPS = 4 << 20,
	MAX_FUNCTIONS = 1 << 18,
	MAX_PASSES = 4,
	MAX_TAIL_ROUNDS = 64,
	MAX_TAKEN_ROUNDS = 16,
	/*
	 * Code without rows that is less than one part in so many of all code is not worth reading
	 * all other code, all relocations and all data: of a large library that takes milliseconds.
	 */
	MIN_WORTH_SHARE = 64,
	FEW_BYTES = 256 << 10, /* are always worth it */
};

/* Trust of pieces that are not found by following functions: more than those, and less. */
enum { PIECE_SIGRETURN = 0, PIECE_PADDING = UINT32_MAX };

struct synthesis {
	struct code code;
	struct function_list list;
	struct no_return_pointers no_return;
	struct function_flow flow;
	unsigned char *reached; /* one bit for each byte of code: some piece covers it */
};

static void synthesis_fini_cleanup(struct synthesis *s)
{
	code_fini(&s->code);
	function_list_fini(&s->list);
	no_return_pointers_fini(&s->no_return);
	function_flow_fini(&s->flow);
	free(s->reached);
}

/* ---- what is covered so far ---- */

static bool is_reached(struct synthesis *s, uint64_t address)
{
	const struct code_range *range = code_range_of(&s->code, address);
	uint64_t bit = range ? range->first_byte + (address - range->start) : 0;

	return range && s->reached[bit / 8] >> (bit % 8) & 1;
}

static void mark_reached(struct synthesis *s, uint32_t first_piece, uint32_t count)
{
	for (uint32_t i = first_piece; i < first_piece + count; i++) {
		const struct flow_piece *piece = &s->flow.pieces.at[i];
		const struct code_range *range = code_range_of(&s->code, piece->start);
		uint64_t end = range ? range->first_byte + (piece->end - range->start) : 0;

		for (uint64_t bit = range ? range->first_byte + (piece->start - range->start) : 0;
		     bit < end && bit < s->code.bytes; bit++)
			s->reached[bit / 8] |= (unsigned char)(1u << (bit % 8));
	}
}

/* Anew from the pieces that are still valid. */
static void mark_all_reached(struct synthesis *s)
{
	memset(s->reached, 0, s->code.bytes / 8 + 1);
	for (uint32_t i = 0; i < s->list.functions.count; i++)
		mark_reached(s, s->list.functions.at[i].first_piece,
			     s->list.functions.at[i].piece_count);
}

/* ---- what functions tell of each other ---- */

/* From what each function does itself to what it does as its callers see it. */
static void follow_tails(struct function_list *list, const struct function_flow *flow)
{
	bool changed = true;

	for (unsigned round = 0; changed && round < MAX_TAIL_ROUNDS; round++) {
		changed = false;
		for (uint32_t i = 0; i < list->functions.count; i++) {
			struct code_function *function = &list->functions.at[i];

			for (uint32_t k = 0; k < function->call_count; k++) {
				const struct flow_call *call =
					&flow->calls.at[function->first_call + k];
				const struct code_function *to;
				bool leaves, returns;
				uint16_t changes;

				if (!call->tail)
					continue;
				to = call->to == HASH_ABSENT ? NULL : &list->functions.at[call->to];
				leaves = !to || !to->followed || to->leaves || function->leaves;
				changes = function->changes | (to ? to->changes : 0);
				returns = function->returns_itself || (to && to->returns_itself);
				changed = changed || leaves != function->leaves ||
					  returns != function->returns_itself ||
					  changes != function->changes;
				function->leaves = leaves;
				function->returns_itself = returns;
				function->changes = changes;
			}
		}
	}
}

static bool calls_changed(const struct synthesis *s, const struct code_function *function,
			  const unsigned char *changed)
{
	for (uint32_t i = 0; i < function->call_count; i++) {
		uint32_t to = s->flow.calls.at[function->first_call + i].to;

		if (to != HASH_ABSENT && changed[to])
			return true;
	}
	return false;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* All starts that are certain, ascending. */
static int sort_starts(struct synthesis *s)
{
	s->flow.starts.count = 0;
	if (!array_reserve(&s->flow.starts, s->list.functions.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < s->list.functions.count; i++)
		if (s->list.functions.at[i].trust == FUNCTION_CERTAIN)
			s->flow.starts.at[s->flow.starts.count++] = s->list.functions.at[i].start;
	if (s->flow.starts.count)
		qsort(s->flow.starts.at, s->flow.starts.count, sizeof(uint64_t), compare_u64);
	return 0;
}

/* Does a piece of the function run over the start of another, with another frame? */
static bool runs_over(const struct synthesis *s, const struct code_function *function)
{
	const struct frame_state entry = frame_state_at_entry(false);
	const struct wire_rule rule = frame_state_rule(&entry);

	for (uint32_t i = 0; i < function->piece_count; i++) {
		const struct flow_piece *piece = &s->flow.pieces.at[function->first_piece + i];
		uint32_t low = 0, high = s->flow.starts.count;

		if (memcmp(&piece->rule, &rule, sizeof(rule)) == 0)
			continue;
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (s->flow.starts.at[middle] < piece->start)
				low = middle + 1;
			else
				high = middle;
		}
		for (; low < s->flow.starts.count && s->flow.starts.at[low] < piece->end; low++)
			if (s->flow.starts.at[low] != function->start)
				return true;
	}
	return false;
}

/*
 * Lets go what functions have left that were followed again since. Returns 0 or -ENOMEM.
 */
static int drop_stale(struct synthesis *s)
{
	struct function_flow *flow = &s->flow;
	struct function_list *list = &s->list;
	struct function_flow kept = {};

	for (uint32_t i = 0; i < list->functions.count; i++) {
		struct code_function *function = &list->functions.at[i];
		uint32_t pieces = kept.pieces.count, calls = kept.calls.count;

		if (!array_reserve(&kept.pieces, (uint64_t)pieces + function->piece_count) ||
		    !array_reserve(&kept.calls, (uint64_t)calls + function->call_count)) {
			function_flow_fini(&kept);
			return -ENOMEM;
		}
		if (function->piece_count)
			memcpy(&kept.pieces.at[pieces], &flow->pieces.at[function->first_piece],
			       function->piece_count * sizeof(*kept.pieces.at));
		if (function->call_count)
			memcpy(&kept.calls.at[calls], &flow->calls.at[function->first_call],
			       function->call_count * sizeof(*kept.calls.at));
		kept.pieces.count += function->piece_count;
		kept.calls.count += function->call_count;
	}
	/* Nothing fails from here on. */
	for (uint32_t i = 0, piece = 0, call = 0; i < list->functions.count; i++) {
		struct code_function *function = &list->functions.at[i];

		function->first_piece = piece;
		function->first_call = call;
		piece += function->piece_count;
		call += function->call_count;
	}
	array_fini(&flow->pieces);
	array_fini(&flow->calls);
	memcpy(&flow->pieces, &kept.pieces, sizeof(flow->pieces));
	memcpy(&flow->calls, &kept.calls, sizeof(flow->calls));
	return 0;
}

struct settling {
	bool first; /* before, nothing was known of any function */
	bool last;  /* nothing is followed again */
	/* Functions from this number on made no sense, but nothing was known of those they call. */
	uint32_t second_chance;
};

/*
 * Publishes what was found out, and marks the functions for which it makes a difference as to be
 * followed again. Returns how many those are, or -ENOMEM.
 */
static int64_t settle(struct synthesis *s, const struct settling *how)
{
	struct function_list *list = &s->list;
	cleanup(free) unsigned char *changed = calloc(1, list->functions.count + 1ULL);
	int64_t again = 0;

	if (!changed || drop_stale(s) < 0 || sort_starts(s) < 0)
		return -ENOMEM;
	follow_tails(list, &s->flow);
	for (uint32_t i = 0; i < list->functions.count; i++) {
		struct code_function *function = &list->functions.at[i];

		if (!function->followed || function->piece_count == 0)
			continue;
		changed[i] = function->returns != function->leaves ||
			     function->clobbered != function->changes;
		function->returns = function->leaves;
		function->clobbered = function->changes;
		function->settled = function->known && function->leaves == function->returns_itself;
	}
	for (uint32_t i = 0; i < list->functions.count && !how->last; i++) {
		struct code_function *function = &list->functions.at[i];
		bool wanted;

		if (!function->followed)
			continue;
		if (function->piece_count == 0)
			wanted = i >= how->second_chance && function->trust == FUNCTION_TAKEN;
		else
			wanted = (how->first && function->revised) ||
				 calls_changed(s, function, changed) || runs_over(s, function);
		function->followed = !wanted;
		again += wanted;
	}
	return again;
}

/* Follows everything up to this trust; functions from number first_new on are new. */
static int follow_trusted(struct synthesis *s, enum function_trust trust, uint32_t first_new)
{
	int64_t again = 1;

	mark_all_reached(s);
	for (unsigned pass = 0; pass < MAX_PASSES && again > 0; pass++) {
		if (sort_starts(s) < 0)
			return -ENOMEM;
		/* The list grows meanwhile. */
		for (uint32_t i = 0; i < s->list.functions.count && s->flow.steps_left; i++) {
			struct code_function *function = &s->list.functions.at[i];
			uint32_t first = s->flow.pieces.count;
			bool known = function->piece_count > 0;
			int r;

			if (function->followed || function->trust > trust)
				continue;
			/* Inside of another function it is no function. */
			if (function->trust != FUNCTION_CERTAIN && !known &&
			    is_reached(s, function->start)) {
				function->followed = true;
				continue;
			}
			function->piece_count = function->call_count = 0;
			r = function_flow_follow(&s->flow, i);
			if (r < 0)
				return r;
			mark_reached(s, first, s->flow.pieces.count - first);
		}
		again = settle(s, &(struct settling){
					  .first = trust == FUNCTION_CERTAIN && pass == 0,
					  .last = pass + 1 == MAX_PASSES && s->flow.steps_left,
					  .second_chance = pass == 0 ? first_new : UINT32_MAX });
	}
	return again < 0 ? (int)again : 0;
}

/* ---- from pieces to rows ---- */

struct pieces {
	ARRAY_OF(struct flow_piece) list;
};

static void pieces_fini_cleanup(struct pieces *pieces)
{
	array_fini(&pieces->list);
}

static int add_piece(struct pieces *pieces, const struct flow_piece *piece)
{
	struct flow_piece *added = array_push(&pieces->list);

	if (!added)
		return -ENOMEM;
	*added = *piece;
	return 0;
}

/*
 * The walker looks up the byte before a return address, and signal handlers return to the
 * trampoline's first byte: what lies before it, padding that C libraries put there, belongs to it.
 */
static int add_sigreturn(void *context, uint64_t start, uint64_t end)
{
	const struct wire_rule signal = { .kind_and_step = RULE_SIGNAL };
	struct pieces *pieces = context;
	int r = add_piece(pieces, &(struct flow_piece){ start, end, signal, PIECE_SIGRETURN });

	return r < 0 ? r
		     : add_piece(pieces,
				 &(struct flow_piece){ start - 1, start, signal, PIECE_PADDING });
}

static int build_rows(struct cfi_table *table, struct synthesis *s)
{
	cleanup(pieces_fini) struct pieces pieces = {};
	int r = sigreturn_find(&s->code, add_sigreturn, &pieces);

	for (uint32_t i = 0; i < s->list.functions.count && r == 0; i++) {
		const struct code_function *function = &s->list.functions.at[i];
		uint64_t *start;

		/* It was to be followed once more, and there was no time left for it. */
		if (!function->followed)
			continue;
		for (uint32_t k = 0; k < function->piece_count && r == 0; k++)
			r = add_piece(&pieces, &s->flow.pieces.at[function->first_piece + k]);
		if (r < 0 || !function->piece_count)
			continue;
		start = array_push(&table->functions);
		if (!start)
			return -ENOMEM;
		*start = function->start;
	}
	if (r < 0)
		return r;
	if (table->functions.count)
		qsort(table->functions.at, table->functions.count, sizeof(uint64_t), compare_u64);
	return flow_rows(table, pieces.list.at, pieces.list.count);
}

/* ---- the whole ---- */

static uint64_t count_reached(const struct synthesis *s)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < s->code.bytes / 8 + 1; i++)
		count += (unsigned)__builtin_popcount(s->reached[i]);
	return count;
}

/* Is so much code without rows worth reading all that may tell where functions begin in it? */
static bool is_worth_reading(const struct code *code, uint64_t bytes)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < code->extents.count; i++)
		all += code->extents.at[i].end - code->extents.at[i].start;
	return bytes >= all / MIN_WORTH_SHARE;
}

/* Functions whose addresses instructions name; those name more, and so on. */
static int follow_taken(struct synthesis *s)
{
	uint32_t known;
	int r = 0;

	for (unsigned round = 0; r == 0 && round < MAX_TAKEN_ROUNDS; round++) {
		known = s->list.functions.count;
		for (uint32_t i = 0; i < s->flow.addresses_taken.count && r == 0; i++)
			r = function_list_add(&s->list, s->flow.addresses_taken.at[i], 0,
					      FUNCTION_TAKEN);
		s->flow.addresses_taken.count = 0;
		if (r < 0 || s->list.functions.count == known)
			break;
		r = follow_trusted(s, FUNCTION_TAKEN, known);
	}
	return r;
}

/* Functions that nothing but data tells of. */
static int follow_pointed(struct synthesis *s, const struct section_table *sections)
{
	int r;

	if (!is_worth_reading(&s->code, s->code.bytes - count_reached(s)) &&
	    code_pointers_bytes(&s->code, sections) > FEW_BYTES)
		return 0;
	r = code_pointers_list(&s->list, &s->code, sections);
	if (r == 0)
		r = follow_trusted(s, FUNCTION_POINTER, UINT32_MAX);
	return r < 0 ? r : follow_taken(s);
}

/* Functions of which nothing but the start is known. */
static int add_known_starts(struct synthesis *s, const struct cfi_table *covered)
{
	int r = 0;

	for (uint32_t i = 0; i < covered->functions.count && r == 0; i++)
		if (code_range_of(&s->code, covered->functions.at[i]))
			r = function_list_add(&s->list, covered->functions.at[i], 0,
					      FUNCTION_CERTAIN);
	return r;
}

static int synthesise(struct cfi_table *table, struct synthesis *s, const struct object *object,
		      const struct section_table *sections, const struct cfi_table *covered)
{
	int r = code_entries_list(&s->list, &s->code, sections);

	if (r == 0)
		r = add_known_starts(s, covered);
	if (r == 0 && is_worth_reading(&s->code, s->code.bytes))
		r = code_calls_list(&s->list, &s->code, covered);
	if (r == 0 && is_worth_reading(&s->code, s->code.bytes))
		r = no_return_pointers_read(&s->no_return, object, sections);
	s->reached = calloc(1, s->code.bytes / 8 + 1);
	if (!s->reached)
		return -ENOMEM;
	s->flow.code = &s->code;
	s->flow.list = &s->list;
	s->flow.no_return = &s->no_return;
	s->flow.steps_left = MAX_STEPS;
	if (r == 0)
		r = follow_trusted(s, FUNCTION_CERTAIN, 0);
	if (r == 0)
		r = follow_trusted(s, FUNCTION_LABEL, UINT32_MAX);
	if (r == 0)
		r = follow_taken(s);
	if (r == 0)
		r = follow_pointed(s, sections);
	return r < 0 ? r : build_rows(table, s);
}

int synthesis_rows(struct cfi_table *ret, const struct object *object,
		   const struct cfi_table *covered)
{
	cleanup(section_table_fini) struct section_table sections = {};
	cleanup(synthesis_fini) struct synthesis s = { .list = { .limit = MAX_FUNCTIONS } };
	cleanup(cfi_table_fini) struct cfi_table table = {};
	int r = 0;

	if (object->machine == EM_X86_64) {
		r = section_table_read(&sections, object->fd);
		if (r == 0)
			r = code_init(&s.code, object, &sections, covered);
		if (r == 0 && s.code.ranges.count)
			r = synthesise(&table, &s, object, &sections, covered);
	}
	if (r < 0)
		return r;
	*ret = table;
	table = (struct cfi_table){};
	return 0;
}

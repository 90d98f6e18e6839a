// SPDX-License-Identifier: Apache-2.0
/* Which pages of the sample are still there. */
#include <errno.h>
#include <stdlib.h>

#include "session/growth_parts.h"

struct looked_at {
	uint64_t address, end;
	uint64_t there;		/* bytes */
	uint32_t process, page; /* the page's index in the ledger */
};

/* From one index up to another one. */
struct piece {
	uint32_t from, to;
};

struct looking {
	ARRAY_OF(struct looked_at) list;
	/* Of one process: ranges, and for each what is left of the list in it. */
	ARRAY_OF(struct wire_range) ranges;
	ARRAY_OF(struct piece) pieces;
	uint32_t piece; /* that the last run was in */
};

static int by_place(const void *a, const void *b)
{
	const struct looked_at *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

static int add_there(void *context, uint64_t from, uint64_t to, unsigned flags)
{
	struct looking *looking = context;
	struct piece *piece;

	(void)flags;
	/* Those that end before can be passed over: runs ascend. */
	while (looking->piece < looking->pieces.count &&
	       looking->ranges.at[looking->piece].end <= from)
		looking->piece++;
	if (looking->piece == looking->pieces.count)
		return 0;
	piece = &looking->pieces.at[looking->piece];
	while (piece->from < piece->to && looking->list.at[piece->from].end <= from)
		piece->from++;
	for (uint32_t i = piece->from; i < piece->to; i++) {
		struct looked_at *at = &looking->list.at[i];
		uint64_t begin = at->address > from ? at->address : from;
		uint64_t end = at->end < to ? at->end : to;

		if (at->address >= to)
			break;
		if (begin < end)
			at->there += end - begin;
	}
	return 0;
}

/* Pages that lie near each other are one range. Returns 0 or a negative errno. */
static int add_ranges(struct looking *looking, uint32_t from, uint32_t to)
{
	enum { NEAR_BYTES = 65536 };

	looking->ranges.count = looking->pieces.count = looking->piece = 0;
	for (uint32_t begin = from, end; begin < to; begin = end) {
		uint64_t last = looking->list.at[begin].end;
		struct wire_range *range = array_push(&looking->ranges);
		struct piece *piece = array_push(&looking->pieces);

		if (!range || !piece)
			return -ENOMEM;
		for (end = begin + 1;
		     end < to && looking->list.at[end].address <= last + NEAR_BYTES; end++)
			if (looking->list.at[end].end > last)
				last = looking->list.at[end].end;
		*range = (struct wire_range){ looking->list.at[begin].address, last };
		*piece = (struct piece){ begin, end };
	}
	return 0;
}

static int look_at_process(struct growth *g, struct looking *looking, uint32_t from, uint32_t to)
{
	uint32_t index = looking->list.at[from].process;
	struct growth_process *process = g->processes.at[index];
	int r;

	if (process->resident.pagemap < 0)
		return 0;
	r = add_ranges(looking, from, to);
	if (r < 0)
		return r;
	r = growth_scan(g, process, looking->ranges.at, looking->ranges.count, add_there, looking);
	/* In the middle of its end, less and less is there. */
	if (r < 0 || !resident_alive(&process->resident))
		return 0;
	for (uint32_t i = from; i < to; i++) {
		struct looked_at *at = &looking->list.at[i];
		struct ledger_page *page = &g->ledger.pages.at[at->page];

		page->held = (uint64_t)((__uint128_t)page->bytes * at->there / page->span);
	}
	return 0;
}

int growth_look(struct growth *g)
{
	struct looking looking = {};
	int r = 0;

	for (uint32_t i = 0; i < g->ledger.pages.count; i++) {
		const struct ledger_page *page = &g->ledger.pages.at[i];
		struct looked_at *at = array_push(&looking.list);

		if (!at) {
			array_fini(&looking.list);
			return -ENOMEM;
		}
		*at = (struct looked_at){ page->address, page->address + page->span, 0,
					  page->process, i };
	}
	if (looking.list.count)
		qsort(looking.list.at, looking.list.count, sizeof(*looking.list.at), by_place);
	for (uint32_t from = 0, to; from < looking.list.count && r == 0; from = to) {
		for (to = from + 1; to < looking.list.count &&
				    looking.list.at[to].process == looking.list.at[from].process;
		     to++)
			;
		r = look_at_process(g, &looking, from, to);
	}
	array_fini(&looking.list);
	array_fini(&looking.ranges);
	array_fini(&looking.pieces);
	/* Changes the ledger: only now. */
	return r < 0 ? r : growth_lose_processes(g);
}

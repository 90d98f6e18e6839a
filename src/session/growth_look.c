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

struct looking {
	ARRAY_OF(struct looked_at) list;
	/* One piece of it, which is scanned at once. */
	uint32_t from, to;
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

	(void)flags;
	/* Those that end before can be passed over: runs ascend. */
	while (looking->from < looking->to && looking->list.at[looking->from].end <= from)
		looking->from++;
	for (uint32_t i = looking->from; i < looking->to; i++) {
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

/* Pages that lie near each other are asked for together. */
static int look_at_process(struct growth *g, struct looking *looking, uint32_t from, uint32_t to)
{
	enum { NEAR_BYTES = 65536 };
	uint32_t index = looking->list.at[from].process;
	struct growth_process *process = g->processes.at[index];
	int r = 0;

	if (process->resident.pagemap < 0)
		return 0;
	for (uint32_t begin = from, end; begin < to && r == 0; begin = end) {
		uint64_t last = looking->list.at[begin].end;

		for (end = begin + 1;
		     end < to && looking->list.at[end].address <= last + NEAR_BYTES; end++)
			if (looking->list.at[end].end > last)
				last = looking->list.at[end].end;
		looking->from = begin;
		looking->to = end;
		r = resident_scan(&process->resident, looking->list.at[begin].address, last,
				  add_there, looking);
	}
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
	/* Changes the ledger: only now. */
	return r < 0 ? r : growth_lose_processes(g);
}

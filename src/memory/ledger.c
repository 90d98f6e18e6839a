// SPDX-License-Identifier: Apache-2.0
#include "memory/ledger.h"

#include <errno.h>

#include "bpf/page_hash.h"

void ledger_init(struct ledger *ledger, uint64_t salt, uint32_t limit)
{
	*ledger = (struct ledger){ .salt = salt, .limit = limit };
}

void ledger_fini(struct ledger *ledger)
{
	array_fini(&ledger->pages);
	hash_index_fini(&ledger->index);
}

struct key {
	uint32_t process;
	uint64_t address;
};

static bool is_at(const void *context, uint32_t position, const void *key)
{
	const struct ledger *ledger = context;
	const struct ledger_page *page = &ledger->pages.at[position];
	const struct key *wanted = key;

	return page->process == wanted->process && page->address == wanted->address;
}

static uint32_t find(const struct ledger *ledger, uint32_t process, uint64_t address)
{
	struct key key = { process, address };

	return hash_index_find(&ledger->index, hash_pair(process, address), is_at, ledger, &key);
}

struct ledger_page *ledger_find(const struct ledger *ledger, uint32_t process, uint64_t address)
{
	uint32_t at = find(ledger, process, address);

	return at == HASH_ABSENT ? NULL : &ledger->pages.at[at];
}

static uint64_t hash_of(const struct ledger_page *page)
{
	return hash_pair(page->process, page->address);
}

/* The last one takes its place. */
static void take_out(struct ledger *ledger, uint32_t at)
{
	uint32_t last = ledger->pages.count - 1;

	hash_index_remove(&ledger->index, hash_of(&ledger->pages.at[at]), at);
	if (at != last) {
		struct ledger_page *moved = &ledger->pages.at[last];

		hash_index_remove(&ledger->index, hash_of(moved), last);
		/* There is room: two have just been taken out. */
		(void)hash_index_add(&ledger->index, hash_of(moved), at);
		ledger->pages.at[at] = *moved;
	}
	ledger->pages.count--;
}

static bool in_sample(const struct ledger *ledger, const struct ledger_page *page)
{
	return !page->by_hash || page_in_sample(page->hashed, ledger->salt, ledger->shift);
}

void ledger_raise(struct ledger *ledger, uint32_t shift)
{
	if (shift <= ledger->shift)
		return;
	ledger->shift = shift < GROWTH_MAX_SHIFT ? shift : GROWTH_MAX_SHIFT;
	for (uint32_t i = ledger->pages.count; i-- > 0;)
		if (!in_sample(ledger, &ledger->pages.at[i]))
			take_out(ledger, i);
}

static bool make_room(struct ledger *ledger)
{
	while (ledger->pages.count >= ledger->limit && ledger->shift < GROWTH_MAX_SHIFT)
		ledger_raise(ledger, ledger->shift + 1);
	return ledger->pages.count < ledger->limit;
}

int ledger_add(struct ledger *ledger, const struct ledger_page *page)
{
	struct ledger_page *added = ledger_find(ledger, page->process, page->address);
	int r;

	if (!in_sample(ledger, page))
		return 0;
	if (added) {
		*added = *page;
		return 0;
	}
	if (!make_room(ledger)) {
		ledger->refused++;
		return 0;
	}
	if (!in_sample(ledger, page)) /* which has just become smaller */
		return 0;
	added = array_push(&ledger->pages);
	if (!added)
		return -ENOMEM;
	*added = *page;
	r = hash_index_add(&ledger->index, hash_of(page), ledger->pages.count - 1);
	if (r < 0)
		ledger->pages.count--;
	return r;
}

int ledger_move(struct ledger *ledger, uint32_t process, uint64_t from, uint64_t bytes, uint64_t to,
		uint64_t time_ns)
{
	ARRAY_OF(struct ledger_page) moved = {};
	int r = 0;

	/* First all are taken out: the two places may overlap what was there before. */
	for (uint32_t i = ledger->pages.count; i-- > 0;) {
		struct ledger_page page = ledger->pages.at[i], *kept;

		if (page.process != process || page.address - from >= bytes ||
		    page.time_ns > time_ns)
			continue;
		kept = array_push(&moved);
		if (!kept) {
			r = -ENOMEM;
			break;
		}
		page.address = page.address - from + to;
		*kept = page;
		take_out(ledger, i);
	}
	for (uint32_t i = 0; i < moved.count; i++) {
		int added = ledger_add(ledger, &moved.at[i]);

		r = r < 0 ? r : added;
	}
	array_fini(&moved);
	return r;
}

void ledger_forget(struct ledger *ledger, uint32_t process)
{
	for (uint32_t i = ledger->pages.count; i-- > 0;)
		if (ledger->pages.at[i].process == process)
			take_out(ledger, i);
}

uint64_t ledger_held(const struct ledger *ledger, const struct ledger_page *page)
{
	return page->by_hash ? page->held << ledger->shift : page->held;
}

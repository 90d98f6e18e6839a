// SPDX-License-Identifier: Apache-2.0
#include "profile/order.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Fewer than many are not worth counting bytes. */
enum { FEW = 12, MANY = 400 };

struct sorter {
	order_read_fn read;
	const void *context;
	struct order_entry *scratch;
};

static void sort_few(struct order_entry *entries, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		struct order_entry entry = entries[i];
		uint32_t at = i;

		for (; at && entries[at - 1].key > entry.key; at--)
			entries[at] = entries[at - 1];
		entries[at] = entry;
	}
}

/* Halves, merged. */
static void sort_some(struct order_entry *entries, struct order_entry *scratch, uint32_t count)
{
	uint32_t half = count / 2, from = 0, other = half, to = 0;

	if (count <= FEW) {
		sort_few(entries, count);
		return;
	}
	sort_some(entries, scratch, half);
	sort_some(entries + half, scratch, count - half);
	/* The first half steps aside: what is behind is never overtaken. */
	memcpy(scratch, entries, half * sizeof(*entries));
	while (from < half)
		entries[to++] = other < count && entries[other].key < scratch[from].key
					? entries[other++]
					: scratch[from++];
}

/* Byte by byte, the least one first; those in which no keys differ are left out. */
static void sort_many(struct order_entry *entries, struct order_entry *scratch, uint32_t count)
{
	struct order_entry *from = entries, *to = scratch;
	uint64_t differing = 0;

	for (uint32_t i = 1; i < count; i++)
		differing |= entries[i].key ^ entries[0].key;
	for (unsigned shift = 0; shift < 64; shift += 8) {
		uint32_t places[256] = {}, place = 0;
		struct order_entry *swap = from;

		if (!(differing >> shift & 0xff))
			continue;
		for (uint32_t i = 0; i < count; i++)
			places[from[i].key >> shift & 0xff]++;
		for (unsigned i = 0; i < 256; i++) {
			uint32_t here = places[i];

			places[i] = place;
			place += here;
		}
		for (uint32_t i = 0; i < count; i++)
			to[places[from[i].key >> shift & 0xff]++] = from[i];
		from = to;
		to = swap;
	}
	if (from != entries)
		memcpy(entries, from, count * sizeof(*entries));
}

static void sort_entries(struct order_entry *entries, struct order_entry *scratch, uint32_t count)
{
	if (count < MANY)
		sort_some(entries, scratch, count);
	else
		sort_many(entries, scratch, count);
}

/* Reads the keys at `depth` and sorts by them. Returns whether they differ. */
static bool sort_at(const struct sorter *sorter, struct order_entry *entries, uint32_t count,
		    uint32_t depth)
{
	bool differ = false, sorted = true;

	sorter->read(sorter->context, entries, count, depth);
	for (uint32_t i = 1; i < count; i++) {
		differ |= entries[i].key != entries[i - 1].key;
		sorted &= entries[i].key >= entries[i - 1].key;
	}
	if (!sorted)
		sort_entries(entries, sorter->scratch, count);
	return differ;
}

/* Sorts what is equal up to `depth`. Calls itself for all but the largest part: not deep. */
static void sort_from(const struct sorter *sorter, struct order_entry *entries, uint32_t count,
		      uint32_t depth)
{
	for (; count > 1; depth++) {
		uint32_t largest = 0, size = 0;

		if (!sort_at(sorter, entries, count, depth)) {
			if (!(uint32_t)entries[0].key)
				return; /* they have ended */
			continue;
		}
		for (uint32_t from = 0, to; from < count; from = to) {
			uint32_t small = from, small_size;

			for (to = from + 1; to < count && entries[to].key == entries[from].key;)
				to++;
			small_size = to - from;
			if (small_size == 1 || !(uint32_t)entries[from].key)
				continue;
			if (small_size > size) {
				small = largest;
				small_size = size;
				largest = from;
				size = to - from;
			}
			sort_from(sorter, entries + small, small_size, depth + 1);
		}
		entries += largest;
		count = size;
	}
}

int order_sort(uint32_t *order, uint32_t count, order_read_fn read, const void *context)
{
	cleanup(free) struct order_entry *entries =
		reallocarray(NULL, count + 1ULL, 2 * sizeof(*entries));
	struct sorter sorter = { .read = read, .context = context };

	if (!entries)
		return -ENOMEM;
	sorter.scratch = entries + count;
	for (uint32_t i = 0; i < count; i++)
		entries[i].position = order[i];
	sort_from(&sorter, entries, count, 0);
	for (uint32_t i = 0; i < count; i++)
		order[i] = entries[i].position;
	return 0;
}

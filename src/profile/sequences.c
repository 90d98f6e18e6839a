// SPDX-License-Identifier: Apache-2.0
/*
 * Two numbers at a time: sequences are sorted by them, then those that are equal so far by the next
 * two. What sequences have in common is read once each, where comparing them in pairs would read
 * it with every comparison.
 */
#include "profile/sequences.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Fewer than many are not worth counting bytes. */
enum { FEW = 12, MANY = 400 };

/* Prefetched. */
enum { AHEAD = 8 };

struct entry {
	uint64_t key; /* two numbers + 1; 0 behind the end */
	uint32_t position;
};

/* Where the number at `depth` is, if it is there. */
static const uint32_t *place_of(const struct sequences *sequences, struct profile_run run,
				uint32_t depth)
{
	return sequences->words + run.first +
	       (depth >= run.count    ? 0
		: sequences->from_end ? run.count - 1 - depth
				      : depth);
}

static uint32_t word_at(const struct sequences *sequences, struct profile_run run, uint32_t depth)
{
	if (depth >= run.count)
		return 0;
	return *place_of(sequences, run, depth) + 1;
}

static void read_keys(const struct sequences *sequences, struct entry *entries, uint32_t count,
		      uint32_t depth)
{
	for (uint32_t i = 0; i < count; i++) {
		struct profile_run run = sequences->runs[entries[i].position];

		/* They lie anywhere: ask for what comes next while this one is looked at. */
		if (i + 2 * AHEAD < count)
			__builtin_prefetch(&sequences->runs[entries[i + 2 * AHEAD].position]);
		if (i + AHEAD < count)
			__builtin_prefetch(place_of(sequences,
						    sequences->runs[entries[i + AHEAD].position],
						    depth));
		entries[i].key = (uint64_t)word_at(sequences, run, depth) << 32 |
				 word_at(sequences, run, depth + 1);
	}
}

static void sort_few(struct entry *entries, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		struct entry entry = entries[i];
		uint32_t at = i;

		for (; at && entries[at - 1].key > entry.key; at--)
			entries[at] = entries[at - 1];
		entries[at] = entry;
	}
}

/* Byte by byte, the least one first; those in which no keys differ are left out. */
static void sort_many(struct entry *entries, struct entry *scratch, uint32_t count)
{
	struct entry *from = entries, *to = scratch;
	uint64_t differing = 0;

	for (uint32_t i = 1; i < count; i++)
		differing |= entries[i].key ^ entries[0].key;
	for (unsigned shift = 0; shift < 64; shift += 8) {
		uint32_t places[256] = {}, place = 0;
		struct entry *swap = from;

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

static int compare_entries(const void *a_, const void *b_)
{
	const struct entry *a = a_, *b = b_;

	return a->key < b->key ? -1 : a->key > b->key;
}

static void sort_entries(struct entry *entries, struct entry *scratch, uint32_t count)
{
	if (count <= FEW)
		sort_few(entries, count);
	else if (count < MANY)
		qsort(entries, count, sizeof(*entries), compare_entries);
	else
		sort_many(entries, scratch, count);
}

/* Sorts entries that are equal up to `depth`. As deep as it calls itself, so long is a sequence. */
static void sort_from(const struct sequences *sequences, struct entry *entries,
		      struct entry *scratch, uint32_t count, uint32_t depth)
{
	bool differ = false, sorted = true;

	for (; !differ; depth += 2) {
		read_keys(sequences, entries, count, depth);
		for (uint32_t i = 1; i < count; i++) {
			differ |= entries[i].key != entries[i - 1].key;
			sorted &= entries[i].key >= entries[i - 1].key;
		}
		if (!differ && !(uint32_t)entries[0].key)
			return; /* they have ended */
	}
	if (!sorted)
		sort_entries(entries, scratch, count);
	for (uint32_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count && entries[to].key == entries[from].key;)
			to++;
		if (to - from > 1 && (uint32_t)entries[from].key)
			sort_from(sequences, entries + from, scratch, to - from, depth);
	}
}

int sequences_sort(const struct sequences *sequences, uint32_t *order, uint32_t count)
{
	cleanup(free) struct entry *entries =
		reallocarray(NULL, count + 1ULL, 2 * sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		entries[i].position = order[i];
	if (count > 1)
		sort_from(sequences, entries, entries + count, count, 0);
	for (uint32_t i = 0; i < count; i++)
		order[i] = entries[i].position;
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "profile/sequences.h"

#include "profile/order.h"

/* Prefetched. */
enum { AHEAD = 8 };

/* Where the number at `depth` is, if it is there. */
static const uint32_t *place_of(const struct sequences *sequences, struct profile_run run,
				uint32_t depth)
{
	return sequences->words + run.first +
	       (depth >= run.count    ? 0
		: sequences->from_end ? run.count - 1 - depth
				      : depth);
}

/* + 1; 0 behind the end. */
static uint32_t word_at(const struct sequences *sequences, struct profile_run run, uint32_t depth)
{
	if (depth >= run.count)
		return 0;
	return *place_of(sequences, run, depth) + 1;
}

/* Keys are two numbers. */
static void read_keys(const void *context, struct order_entry *entries, uint32_t count,
		      uint32_t depth)
{
	const struct sequences *sequences = context;

	depth *= 2;
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

int sequences_sort(const struct sequences *sequences, uint32_t *order, uint32_t count)
{
	return order_sort(order, count, read_keys, sequences);
}

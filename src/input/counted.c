// SPDX-License-Identifier: Apache-2.0
#include "input/counted.h"

#include <errno.h>

void counted_fini(struct counted *counted)
{
	array_fini(&counted->entries);
	hash_index_fini(&counted->index);
}

static bool is_key(const void *context, uint32_t position, const void *key)
{
	const struct counted *counted = context;
	const struct counted_key *a = &counted->entries.at[position].key, *b = key;

	return a->stack == b->stack && a->labels == b->labels && a->group == b->group;
}

int counted_add(struct counted *counted, const struct profile *profile, struct counted_key key,
		const int64_t values[2])
{
	uint64_t hash = hash_pair((uint64_t)key.stack << 32 | key.labels, key.group);
	uint32_t at = hash_index_find(&counted->index, hash, is_key, counted, &key);
	struct counted_entry *entry;
	struct profile_run run;

	if (at != HASH_ABSENT) {
		entry = &counted->entries.at[at];
		for (unsigned i = 0; i < 2; i++)
			entry->sums[i] = profile_sum(entry->sums[i], values[i]);
		return 0;
	}
	at = counted->entries.count;
	entry = array_push(&counted->entries);
	if (!entry)
		return -ENOMEM;
	*entry = (struct counted_entry){ key, { values[0], values[1] } };
	run = profile->stacks.at[key.stack];
	for (uint32_t i = 0; i < run.count; i++)
		counted->frames += profile->locations.at[profile->stack_locations.at[run.first + i]]
					   .line_count;
	return hash_index_add(&counted->index, hash, at);
}

uint64_t counted_bytes(const struct counted *counted)
{
	uint64_t each = sizeof(*counted->entries.at) + sizeof(struct profile_sample) +
			PROFILE_MAX_TYPES * sizeof(int64_t) + 4 * sizeof(struct hash_slot);

	return counted->entries.count * each + counted->frames * PROFILE_FRAME_BYTES;
}

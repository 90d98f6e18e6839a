/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of files that tell only in the end which types of values they have: counted by stack, labels
 * and group, which is what the reader makes of it.
 */
#pragma once

#include "base/array.h"
#include "base/hash.h"
#include "profile/profile.h"

struct counted_key {
	uint32_t stack, labels; /* of the profile */
	uint32_t group;
};

struct counted_entry {
	struct counted_key key;
	int64_t sums[2];
};

struct counted {
	ARRAY_OF(struct counted_entry) entries;
	struct hash_index index;
	uint64_t frames; /* of all entries */
};

void counted_fini(struct counted *counted);
/* Adds to the sums of the key. Returns 0 or -ENOMEM. */
int counted_add(struct counted *counted, const struct profile *profile, struct counted_key key,
		const int64_t values[2]);
/* About the memory that it takes, and that its entries will take in the profile. */
uint64_t counted_bytes(const struct counted *counted);

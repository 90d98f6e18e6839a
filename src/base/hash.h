/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing from a 64-bit hash to a 32-bit index into somebody else's array.
 *
 * The caller keeps the elements; the index keeps only (hash, position) pairs, so one structure
 * serves integer keys and byte keys alike. Two elements with the same 64-bit hash are told apart
 * by the caller's `equal`; NULL means that the hash is the key.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_slot {
	uint64_t hash;
	uint32_t position; /* index + 1; 0 is an empty slot */
};

struct hash_index {
	struct hash_slot *slots;
	uint32_t count, mask; /* mask + 1 slots, a power of two */
};

typedef bool (*hash_equal_fn)(const void *context, uint32_t position, const void *key);

#define HASH_ABSENT UINT32_MAX

/* The position stored for the key, or HASH_ABSENT. */
uint32_t hash_index_find(const struct hash_index *index, uint64_t hash, hash_equal_fn equal,
			 const void *context, const void *key);
/* Adds without looking for an equal one. Returns 0 or -ENOMEM. */
int hash_index_add(struct hash_index *index, uint64_t hash, uint32_t position);
/* Removes the pair if it is there. */
void hash_index_remove(struct hash_index *index, uint64_t hash, uint32_t position);
void hash_index_fini(struct hash_index *index);

/* A well-mixed, non-cryptographic hash. The same bytes give the same hash in every run. */
uint64_t hash_bytes(const void *bytes, size_t size);
/* Different values have different hashes. */
uint64_t hash_u64(uint64_t value);
uint64_t hash_pair(uint64_t a, uint64_t b);

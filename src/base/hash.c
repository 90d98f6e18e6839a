// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Multiply, then fold the high half into the low one: every input bit reaches every output bit. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Odd constants from the fractional digits of the golden ratio and of sqrt(2), sqrt(3). */
#define K0 0x9e3779b97f4a7c15ULL
#define K1 0x6a09e667f3bcc909ULL
#define K2 0xbb67ae8584caa73bULL

/*
 * Xor-shifts and odd multiplications can be undone, so different values have different hashes:
 * an index of numbers needs no `equal`.
 */
uint64_t hash_u64(uint64_t value)
{
	value = (value ^ value >> 32) * K0;
	value = (value ^ value >> 29) * K2;
	return value ^ value >> 32;
}

uint64_t hash_pair(uint64_t a, uint64_t b)
{
	return mix(a ^ K1, mix(b ^ K2, K0) | 1);
}

/* The last `size` bytes, fewer than 8, of `all`, as a memcpy into a zeroed number would. */
static uint64_t load_rest(const unsigned char *at, size_t size, size_t all)
{
	uint64_t word = 0;

	if (size && all >= 8) {
		memcpy(&word, at + size - 8, 8);
		return le64toh(word) >> 8 * (8 - size);
	}
	for (size_t i = 0; i < size; i++)
		word |= (uint64_t)at[i] << 8 * i;
	return word;
}

uint64_t hash_bytes(const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	size_t all = size;
	uint64_t hash = mix(size ^ K2, K0), word;

	for (; size >= 8; size -= 8, at += 8) {
		memcpy(&word, at, 8);
		hash = mix(hash ^ word, K0) + K1;
	}
	return mix(hash ^ load_rest(at, size, all) ^ K2, K0);
}

static uint32_t slot_of(const struct hash_index *index, uint64_t hash)
{
	return (uint32_t)(hash ^ hash >> 32) & index->mask;
}

uint32_t hash_index_find(const struct hash_index *index, uint64_t hash, hash_equal_fn equal,
			 const void *context, const void *key)
{
	uint32_t i;

	if (!index->slots)
		return HASH_ABSENT;
	for (i = slot_of(index, hash); index->slots[i].position; i = (i + 1) & index->mask) {
		uint32_t position = index->slots[i].position - 1;

		if (index->slots[i].hash == hash && (!equal || equal(context, position, key)))
			return position;
	}
	return HASH_ABSENT;
}

static void place(struct hash_index *index, uint64_t hash, uint32_t position)
{
	uint32_t i = slot_of(index, hash);

	while (index->slots[i].position)
		i = (i + 1) & index->mask;
	index->slots[i] = (struct hash_slot){ hash, position + 1 };
}

int hash_index_add(struct hash_index *index, uint64_t hash, uint32_t position)
{
	if (!index->slots || (index->count + 1) * 4ULL > (index->mask + 1ULL) * 3) {
		struct hash_index grown = {};
		uint64_t size = index->slots ? (index->mask + 1ULL) * 2 : 16;

		if (size > UINT32_MAX / 2)
			return -ENOMEM;
		grown.slots = calloc(size, sizeof(*grown.slots));
		if (!grown.slots)
			return -ENOMEM;
		grown.mask = (uint32_t)size - 1;
		grown.count = index->count;
		for (uint32_t i = 0; index->slots && i <= index->mask; i++)
			if (index->slots[i].position)
				place(&grown, index->slots[i].hash, index->slots[i].position - 1);
		free(index->slots);
		*index = grown;
	}
	place(index, hash, position);
	index->count++;
	return 0;
}

void hash_index_remove(struct hash_index *index, uint64_t hash, uint32_t position)
{
	uint32_t i, hole;

	if (!index->slots)
		return;
	for (i = slot_of(index, hash); index->slots[i].position; i = (i + 1) & index->mask)
		if (index->slots[i].hash == hash && index->slots[i].position == position + 1)
			break;
	if (!index->slots[i].position)
		return;
	index->count--;
	/* Close the gap: move back each follower whose own slot does not lie after the hole. */
	for (hole = i, i = (i + 1) & index->mask; index->slots[i].position;
	     i = (i + 1) & index->mask) {
		uint32_t home = slot_of(index, index->slots[i].hash);

		if (((i - home) & index->mask) >= ((i - hole) & index->mask)) {
			index->slots[hole] = index->slots[i];
			hole = i;
		}
	}
	index->slots[hole] = (struct hash_slot){};
}

void hash_index_fini(struct hash_index *index)
{
	free(index->slots);
	*index = (struct hash_index){};
}

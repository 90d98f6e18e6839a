// SPDX-License-Identifier: Apache-2.0
/* Blocks instead of one growing array: what is handed out must not move. */
#include "symbol/name_pool.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 65536 };

static bool equal(const void *context, uint32_t position, const void *key)
{
	const struct name_pool *pool = context;

	return strcmp(pool->names.at[position], key) == 0;
}

/* A string longer than a block gets one of its own. */
static char *take_room(struct name_pool *pool, size_t size)
{
	size_t block_size = size > BLOCK_BYTES ? size : BLOCK_BYTES;
	char **block, *room;

	if (size > pool->left) {
		room = malloc(block_size);
		block = room ? array_push(&pool->blocks) : NULL;
		if (!block) {
			free(room);
			return NULL;
		}
		*block = room;
		pool->left = block_size;
	} else {
		room = pool->blocks.at[pool->blocks.count - 1] + BLOCK_BYTES - pool->left;
	}
	pool->left -= size;
	return room;
}

static const char *add(struct name_pool *pool, const char *name, size_t size)
{
	uint64_t hash = hash_bytes(name, size);
	uint32_t position = hash_index_find(&pool->index, hash, equal, pool, name);
	const char **place;
	char *copy;

	if (position != HASH_ABSENT)
		return pool->names.at[position];
	copy = take_room(pool, size);
	place = copy ? array_push(&pool->names) : NULL;
	if (!place)
		return NULL;
	*place = memcpy(copy, name, size);
	if (hash_index_add(&pool->index, hash, pool->names.count - 1) < 0) {
		pool->names.count--;
		return NULL;
	}
	if (size > NAME_POOL_LONG)
		pool->long_bytes += size;
	return copy;
}

const char *name_pool_add(struct name_pool *pool, const char *name)
{
	size_t size = strlen(name) + 1;
	char cut[NAME_POOL_LONG];

	if (size <= sizeof(cut) || pool->long_bytes + size <= NAME_POOL_LONG_TOTAL)
		return add(pool, name, size);
	memcpy(cut, name, sizeof(cut));
	strcpy(cut + sizeof(cut) - sizeof("..."), "...");
	return add(pool, cut, sizeof(cut));
}

void name_pool_fini(struct name_pool *pool)
{
	for (uint32_t i = 0; i < pool->blocks.count; i++)
		free(pool->blocks.at[i]);
	array_fini(&pool->blocks);
	array_fini(&pool->names);
	hash_index_fini(&pool->index);
	*pool = (struct name_pool){};
}

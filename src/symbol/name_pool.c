// SPDX-License-Identifier: Apache-2.0
/* Blocks instead of one growing array: what is handed out must not move. */
#include "symbol/name_pool.h"

#include <errno.h>
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

/* With its place in the index, of which about half is free. */
static uint64_t cost_of(const struct name_pool *pool, size_t size)
{
	return size + sizeof(*pool->names.at) + 2 * sizeof(*pool->index.slots);
}

static int add(struct name_pool *pool, const char **ret, const char *name, size_t size,
	       uint64_t hash)
{
	char *copy = take_room(pool, size);
	const char **place = copy ? array_push(&pool->names) : NULL;

	if (!place)
		return -ENOMEM;
	if (hash_index_add(&pool->index, hash, pool->names.count - 1) < 0) {
		pool->names.count--;
		return -ENOMEM;
	}
	pool->budget.used += cost_of(pool, size);
	*ret = *place = memcpy(copy, name, size);
	return 0;
}

/* Both ends of a name tell something: whose it is, and what. */
static void cut_name(char *ret, const char *name, size_t length)
{
	static const char mark[] = "...";
	size_t end = NAME_POOL_LONG / 2, begin = NAME_POOL_LONG - end - (sizeof(mark) - 1);

	memcpy(ret, name, begin);
	memcpy(ret + begin, mark, sizeof(mark) - 1);
	memcpy(ret + begin + sizeof(mark) - 1, name + length + 1 - end, end);
}

void name_pool_init(struct name_pool *pool, uint64_t bytes)
{
	*pool = (struct name_pool){};
	pool->budget = bytes ? (struct budget){ .limit = bytes } : budget_of(NAME_POOL_BYTES, 16);
}

int name_pool_add(struct name_pool *pool, const char **ret, uint64_t *share, const char *name)
{
	enum { PART_OF_LONG = 4 };
	size_t size = strlen(name) + 1;
	uint64_t hash = hash_bytes(name, size);
	uint32_t position = hash_index_find(&pool->index, hash, equal, pool, name);
	char cut[NAME_POOL_LONG];
	int r;

	if (position == HASH_ABSENT && size > sizeof(cut) &&
	    !budget_allows(&pool->budget, share ? *share : 0, cost_of(pool, size), PART_OF_LONG)) {
		cut_name(cut, name, size - 1);
		name = cut;
		size = sizeof(cut);
		hash = hash_bytes(name, size);
		position = hash_index_find(&pool->index, hash, equal, pool, name);
	}
	if (position != HASH_ABSENT) {
		*ret = pool->names.at[position];
		return 0;
	}
	if (share && !budget_allows(&pool->budget, *share, cost_of(pool, size), 1))
		return NAME_POOL_FULL;
	r = add(pool, ret, name, size, hash);
	if (r == 0 && share)
		*share += cost_of(pool, size);
	return r;
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

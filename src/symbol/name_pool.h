/* SPDX-License-Identifier: Apache-2.0 */
/* Strings kept once, at addresses that do not change until the pool is freed. */
#pragma once

#include <stddef.h>

#include "base/array.h"
#include "base/budget.h"
#include "base/hash.h"

/*
 * A million functions with names of 130 bytes fit in half of it. Whoever keeps the names has as much
 * again in the profile.
 */
#define NAME_POOL_BYTES (256ULL << 20)

struct name_pool {
	ARRAY_OF(char *) blocks;
	size_t left; /* free bytes at the end of the last block */
	ARRAY_OF(const char *) names;
	struct hash_index index;
	struct budget budget;
};

/*
 * Longer names lose their middle when a fifth of the budget is full of them: a file of some kilobytes
 * can have millions of names, each 16 KiB long.
 */
enum { NAME_POOL_LONG = 512 };

/* The outcome of name_pool_add when whose names these are has too many already. */
enum { NAME_POOL_FULL = 1 };

/* bytes: what all names may take; 0: the usual. */
void name_pool_init(struct name_pool *pool, uint64_t bytes);
/*
 * *ret: the pool's copy of `name`. share: counts the bytes of those whose name it is, if it is new;
 * NULL: nobody's, who has few of them. Returns 0, NAME_POOL_FULL or -ENOMEM.
 */
int name_pool_add(struct name_pool *pool, const char **ret, uint64_t *share, const char *name);
void name_pool_fini(struct name_pool *pool);

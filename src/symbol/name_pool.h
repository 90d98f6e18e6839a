/* SPDX-License-Identifier: Apache-2.0 */
/* Strings kept once, at addresses that do not change until the pool is freed. */
#pragma once

#include <stddef.h>

#include "base/array.h"
#include "base/hash.h"

struct name_pool {
	ARRAY_OF(char *) blocks;
	size_t left; /* free bytes at the end of the last block */
	size_t long_bytes; /* of names longer than NAME_POOL_LONG */
	ARRAY_OF(const char *) names;
	struct hash_index index;
};

/*
 * Longer names are all kept until they take NAME_POOL_LONG_TOTAL together; then they are cut. A file
 * of some kilobytes can have millions of names, each 16 KiB long.
 */
enum { NAME_POOL_LONG = 512, NAME_POOL_LONG_TOTAL = 64 << 20 };

/* The pool's copy of `name`, or NULL when out of memory. */
const char *name_pool_add(struct name_pool *pool, const char *name);
void name_pool_fini(struct name_pool *pool);

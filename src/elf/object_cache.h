/* SPDX-License-Identifier: Apache-2.0 */
/* One struct object per file identity, shared by all processes that map it. */
#pragma once

#include "elf/object.h"


struct object_cache;

struct object_cache *object_cache_new(void);
void object_cache_free(struct object_cache *cache);
DEFINE_CLEANUP(struct object_cache, object_cache_free);
/*
 * The object behind `fd` (consumed): an already known one with the same identity, or a new one.
 * *ret holds a reference of the caller. Returns as object_open; a file that failed once is
 * remembered by its identity and fails again without being read.
 */
int object_cache_get(struct object_cache *cache, struct object **ret, int fd, const char *path,
		     const char *root);
int object_cache_get_vdso(struct object_cache *cache, struct object **ret);

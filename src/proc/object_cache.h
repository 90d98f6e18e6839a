/* SPDX-License-Identifier: Apache-2.0 */
/* One struct object per file identity, shared by all processes that map it. */
#pragma once

#include "worker/ask_reader.h"

struct object_cache;

/* workers: borrowed. NULL when out of memory. */
struct object_cache *object_cache_new(struct workers *workers);
void object_cache_free(struct object_cache *cache);
DEFINE_CLEANUP(struct object_cache, object_cache_free);
/*
 * The object behind `fd` (consumed): an already known one with the same identity, which gets its
 * file back if that was closed, or a new one. *ret holds a reference of the caller.
 * root_fd: consumed, see struct object.
 * Returns as ask_object; a file that failed once is remembered by its identity and fails again
 * without being read.
 */
int object_cache_get(struct object_cache *cache, struct object **ret, int fd, int root_fd,
		     const struct opened *opened, const char *path);
/*
 * Another descriptor of the object's file (fd, root_fd: consumed, as object_cache_get), instead of
 * what it has. Returns 0, or -ESTALE when that is another file.
 */
int object_cache_reopen(struct object_cache *cache, struct object *object, int fd, int root_fd,
			const struct opened *opened);
int object_cache_get_vdso(struct object_cache *cache, struct object **ret);
/* About how many have their files open. */
uint32_t object_cache_open_files(const struct object_cache *cache);
/*
 * Closes the files of objects that nobody has used since a moment (CLOCK_MONOTONIC, see
 * object.used_ns): an open file pins a deleted file's space and the file system it is on. And those
 * that were opened in another root, whose process has not used them since left_ns (object.there_ns).
 * finish: is called before, for what still needs the file; returns 0 or a negative errno, which
 * ends it. Returns 0 or that.
 */
int object_cache_close_unused(struct object_cache *cache, uint64_t since_ns, uint64_t left_ns,
			      int (*finish)(void *context, struct object *object), void *context);
/* Calls for each object whose file is open, until something below 0 is returned. Returns that, or 0. */
int object_cache_each(struct object_cache *cache,
		      int (*call)(void *context, struct object *object), void *context);
/*
 * When there are more than `keep`, lets go of those that nobody has used for the longest time, but
 * not since a moment. forget: is called for each object, which is object.forgotten by then; who
 * holds a reference should let go of it, too. Returns whether there were any.
 */
bool object_cache_forget(struct object_cache *cache, uint32_t keep, uint64_t since_ns,
			 void (*forget)(void *context, const struct object *object), void *context);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator behind this one: whatever the program would have got without us. It is looked up at
 * the first call, which may come before any constructor has run; what the look-up itself allocates
 * comes out of a small arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct next_allocator {
	void *(*malloc)(size_t size);
	void (*free)(void *object);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *object, size_t size);
	void *(*memalign)(size_t alignment, size_t size);
	int (*posix_memalign)(void **ret, size_t alignment, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	void *(*valloc)(size_t size);
	void *(*pvalloc)(size_t size);
};

/* Never NULL in it. */
extern struct next_allocator next __attribute__((visibility("hidden")));

/* Looks everything up, if that was not done. */
void next_resolve(void);

/* Whether the object is one of the arena's: nothing is done to free it. */
bool next_is_arena(const void *object);
/* Bytes that it has. */
size_t next_arena_size(const void *object);

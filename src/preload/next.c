// SPDX-License-Identifier: Apache-2.0
#include "preload/next.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>

#include "preload/objects.h"

enum { ARENA_BYTES = 32768, ARENA_ALIGNMENT = 16 };

/* Each object is behind its size. */
static unsigned char arena[ARENA_BYTES] __attribute__((aligned(ARENA_ALIGNMENT)));
static size_t arena_used;
static bool resolving, resolved;

static void *arena_malloc(size_t size)
{
	size_t need, at;
	unsigned char *object;

	if (size > ARENA_BYTES / 2)
		return NULL;
	need = ARENA_ALIGNMENT + (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
	at = __atomic_fetch_add(&arena_used, need, __ATOMIC_RELAXED);
	if (at > ARENA_BYTES - need)
		return NULL;
	object = arena + at + ARENA_ALIGNMENT;
	*(size_t *)(void *)(object - sizeof(size_t)) = size;
	objects_filter_add(object); /* so that free looks closely */
	return object;
}

bool next_is_arena(const void *object)
{
	return (uintptr_t)object - (uintptr_t)arena < ARENA_BYTES;
}

size_t next_arena_size(const void *object)
{
	return *(const size_t *)(const void *)((const unsigned char *)object - sizeof(size_t));
}

/* ---- until it is known ---- */

static void *first_malloc(size_t size)
{
	next_resolve();
	return next.malloc == first_malloc ? arena_malloc(size) : next.malloc(size);
}

static void first_free(void *object)
{
	next_resolve();
	if (next.free != first_free && !next_is_arena(object))
		next.free(object);
}

static void *first_calloc(size_t count, size_t size)
{
	next_resolve();
	if (next.calloc != first_calloc)
		return next.calloc(count, size);
	if (size && count > ARENA_BYTES / size)
		return NULL;
	return arena_malloc(count * size); /* never used before: zero */
}

static void *first_realloc(void *object, size_t size)
{
	next_resolve();
	return next.realloc == first_realloc ? NULL : next.realloc(object, size);
}

static void *first_memalign(size_t alignment, size_t size)
{
	next_resolve();
	return next.memalign == first_memalign ? NULL : next.memalign(alignment, size);
}

static int first_posix_memalign(void **ret, size_t alignment, size_t size)
{
	next_resolve();
	return next.posix_memalign == first_posix_memalign
		       ? ENOMEM
		       : next.posix_memalign(ret, alignment, size);
}

static void *first_aligned_alloc(size_t alignment, size_t size)
{
	next_resolve();
	return next.aligned_alloc == first_aligned_alloc ? NULL
							 : next.aligned_alloc(alignment, size);
}

static void *first_valloc(size_t size)
{
	next_resolve();
	return next.valloc == first_valloc ? NULL : next.valloc(size);
}

static void *first_pvalloc(size_t size)
{
	next_resolve();
	return next.pvalloc == first_pvalloc ? NULL : next.pvalloc(size);
}

struct next_allocator next = {
	first_malloc,	      first_free,	   first_calloc, first_realloc, first_memalign,
	first_posix_memalign, first_aligned_alloc, first_valloc, first_pvalloc,
};

/* A function that is not there (musl has no pvalloc) stays one that gives nothing. */
#define RESOLVE(name)                                                                              \
	do {                                                                                       \
		void *found_ = dlsym(RTLD_NEXT, #name);                                            \
		if (found_)                                                                        \
			*(void **)(void *)&next.name = found_;                                     \
	} while (0)

void next_resolve(void)
{
	if (resolved || resolving)
		return;
	resolving = true;
	RESOLVE(free); /* before anything can be had that is freed with it */
	RESOLVE(memalign);
	RESOLVE(posix_memalign);
	RESOLVE(aligned_alloc);
	RESOLVE(valloc);
	RESOLVE(pvalloc);
	RESOLVE(realloc);
	RESOLVE(calloc);
	RESOLVE(malloc);
	resolved = true;
	resolving = false;
}

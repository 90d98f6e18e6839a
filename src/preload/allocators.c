// SPDX-License-Identifier: Apache-2.0
/*
 * The functions that programs call instead of the C library's: malloc(3), posix_memalign(3). Each has
 * one way that does nothing but count bytes and jump on, and one for the rest.
 *
 * C++'s operator new comes here from libstdc++ and libc++; of an allocator that brings its own
 * (tcmalloc, jemalloc) it does not.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "preload/next.h"
#include "preload/sampler.h"

#define EXPORT __attribute__((visibility("default")))
#define APART __attribute__((noinline))

/* Looks at the object that `make` gives, if it is to be; for use where sampler_counts said so. */
#define CROSSING(size, make)                                                                       \
	({                                                                                         \
		struct sampler_place place = SAMPLER_PLACE(bx);                                    \
		bool take = sampler_crosses(size, &place);                                         \
		void *object = make;                                                               \
		if (take && object)                                                                \
			sampler_take(object, size, &place);                                        \
		object;                                                                            \
	})

static APART void *malloc_crossing(size_t size, uint64_t bx)
{
	return CROSSING(size, next.malloc(size));
}

EXPORT void *malloc(size_t size)
{
	if (sampler_counts(size))
		return malloc_crossing(size, MACHINE_BX());
	return next.malloc(size);
}

static APART void *calloc_crossing(size_t count, size_t size, uint64_t bx)
{
	return CROSSING(count * size, next.calloc(count, size));
}

EXPORT void *calloc(size_t count, size_t size)
{
	size_t all;

	/* What is too much is refused by whoever comes next. */
	if (!__builtin_mul_overflow(count, size, &all) && sampler_counts(all))
		return calloc_crossing(count, size, MACHINE_BX());
	return next.calloc(count, size);
}

static APART void free_known(void *object)
{
	if (next_is_arena(object))
		return;
	(void)sampler_forget(object);
	next.free(object);
}

EXPORT void free(void *object)
{
	if (__builtin_expect(objects_may_know(object), 0))
		free_known(object);
	else
		next.free(object);
}

/* Old programs' name of it. */
EXPORT void cfree(void *object);
EXPORT void cfree(void *object)
{
	free(object);
}

static void *realloc_arena(void *object, size_t size)
{
	size_t old = next_arena_size(object);
	unsigned char *moved = next.malloc(size);

	for (size_t i = 0; moved && i < old && i < size; i++)
		moved[i] = ((unsigned char *)object)[i];
	return moved;
}

/* For profiles the object begins anew: what it was made as is forgotten, unless nothing came of it. */
static APART void *realloc_looking(void *object, size_t size, uint64_t bx)
{
	struct sampler_place place = SAMPLER_PLACE(bx);
	bool take = sampler_counts(size) && sampler_crosses(size, &place);
	uint64_t known;
	void *moved;

	if (object && next_is_arena(object))
		return realloc_arena(object, size);
	known = object && objects_may_know(object) ? sampler_forget(object) : 0;
	moved = next.realloc(object, size);
	if (!moved && size)
		sampler_remember(object, known);
	else if (take && moved)
		sampler_take(moved, size, &place);
	return moved;
}

static inline __attribute__((always_inline)) void *realloc_any(void *object, size_t size)
{
	if (__builtin_expect(objects_may_know(object), 0) || size > sampler_thread.countdown)
		return realloc_looking(object, size, MACHINE_BX());
	sampler_thread.countdown -= size;
	return next.realloc(object, size);
}

EXPORT void *realloc(void *object, size_t size)
{
	return realloc_any(object, size);
}

EXPORT void *reallocarray(void *object, size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc_any(object, all);
}

static APART void *memalign_crossing(size_t alignment, size_t size, uint64_t bx)
{
	return CROSSING(size, next.memalign(alignment, size));
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	if (sampler_counts(size))
		return memalign_crossing(alignment, size, MACHINE_BX());
	return next.memalign(alignment, size);
}

static APART void *aligned_alloc_crossing(size_t alignment, size_t size, uint64_t bx)
{
	return CROSSING(size, next.aligned_alloc(alignment, size));
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	if (sampler_counts(size))
		return aligned_alloc_crossing(alignment, size, MACHINE_BX());
	return next.aligned_alloc(alignment, size);
}

static APART int posix_memalign_crossing(void **ret, size_t alignment, size_t size, uint64_t bx)
{
	struct sampler_place place = SAMPLER_PLACE(bx);
	bool take = sampler_crosses(size, &place);
	int error = next.posix_memalign(ret, alignment, size);

	if (take && !error && *ret)
		sampler_take(*ret, size, &place);
	return error;
}

EXPORT int posix_memalign(void **ret, size_t alignment, size_t size)
{
	if (sampler_counts(size))
		return posix_memalign_crossing(ret, alignment, size, MACHINE_BX());
	return next.posix_memalign(ret, alignment, size);
}

static APART void *valloc_crossing(size_t size, uint64_t bx)
{
	return CROSSING(size, next.valloc(size));
}

EXPORT void *valloc(size_t size)
{
	if (sampler_counts(size))
		return valloc_crossing(size, MACHINE_BX());
	return next.valloc(size);
}

static APART void *pvalloc_crossing(size_t size, uint64_t bx)
{
	return CROSSING(size, next.pvalloc(size));
}

EXPORT void *pvalloc(size_t size)
{
	if (sampler_counts(size))
		return pvalloc_crossing(size, MACHINE_BX());
	return next.pvalloc(size);
}

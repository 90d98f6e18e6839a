// SPDX-License-Identifier: Apache-2.0
#include "preload/python.h"

#include <dlfcn.h>

#include "preload/sampler.h"

/* PyMemAllocatorEx and PyMemAllocatorDomain, as the manual gives them. */
struct python_allocator {
	void *context;
	void *(*malloc)(void *context, size_t size);
	void *(*calloc)(void *context, size_t count, size_t size);
	void *(*realloc)(void *context, void *object, size_t size);
	void (*free)(void *context, void *object);
};

enum python_domain {
	DOMAIN_MEM = 1, /* its domain 0 is malloc's */
	DOMAIN_OBJ = 2,
	DOMAINS = 3,
};

/* What is larger is handed to malloc. */
enum { SMALL_BYTES = 512 };

static struct python_allocator original[DOMAINS];
static void (*get_allocator)(int domain, struct python_allocator *ret);
static void (*set_allocator)(int domain, struct python_allocator *allocator);

/*
 * Looks at a small object that was made. counted: the countdown before that. If it has changed, the
 * object came from malloc after all, and was counted there: so it is with a Python that was built
 * without an allocator of its own, and with what is grown from there or shrunk.
 */
#define LOOK(object, size, before)                                                                 \
	do {                                                                                       \
		if (sampler_thread.countdown == (before) && sampler_counts(size)) {                \
			struct sampler_place place = SAMPLER_PLACE(0);                             \
			place.flags = HEAP_PYTHON;                                                 \
			if (sampler_crosses(size, &place) && (object))                             \
				sampler_take(object, size, &place);                                \
		}                                                                                  \
	} while (0)

static void *watched_malloc(void *context, size_t size)
{
	const struct python_allocator *to = context;
	uint64_t before = sampler_thread.countdown;
	void *object = to->malloc(to->context, size);

	if (size <= SMALL_BYTES)
		LOOK(object, size, before);
	return object;
}

static void *watched_calloc(void *context, size_t count, size_t size)
{
	const struct python_allocator *to = context;
	uint64_t before = sampler_thread.countdown;
	void *object = to->calloc(to->context, count, size);

	if (size && count <= SMALL_BYTES / size)
		LOOK(object, count * size, before);
	return object;
}

static void *watched_realloc(void *context, void *object, size_t size)
{
	const struct python_allocator *to = context;
	uint64_t before = sampler_thread.countdown, known = 0;
	void *moved;

	if (object && objects_may_know(object))
		known = sampler_forget(object);
	moved = to->realloc(to->context, object, size);
	if (!moved && known)
		sampler_remember(object, known);
	else if (size <= SMALL_BYTES)
		LOOK(moved, size, before);
	return moved;
}

static void watched_free(void *context, void *object)
{
	const struct python_allocator *to = context;

	if (__builtin_expect(objects_may_know(object), 0))
		(void)sampler_forget(object);
	to->free(to->context, object);
}

bool python_is_there(void)
{
	*(void **)(void *)&get_allocator = dlsym(RTLD_DEFAULT, "PyMem_GetAllocator");
	*(void **)(void *)&set_allocator = dlsym(RTLD_DEFAULT, "PyMem_SetAllocator");
	return get_allocator && set_allocator;
}

void python_watch(void)
{
	for (int domain = DOMAIN_MEM; domain < DOMAINS; domain++) {
		struct python_allocator watched = { &original[domain], watched_malloc,
						    watched_calloc, watched_realloc, watched_free };

		get_allocator(domain, &original[domain]);
		set_allocator(domain, &watched);
	}
}

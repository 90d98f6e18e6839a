// SPDX-License-Identifier: Apache-2.0
#include "session/measures.h"

#include <string.h>

#include "source/counted_event.h"

static const char *const names[EVENT_COUNTED_FIRST] = {
	[EVENT_CPU] = "cpu",
	[EVENT_GROWTH] = "growth",
	[EVENT_ALLOC] = "alloc",
	[EVENT_HEAP] = "heap",
};

const char *event_name(enum wire_event event)
{
	return event < EVENT_COUNTED_FIRST ? names[event] : counted_event_of(event)->name;
}

static bool is_called(const char *name, const char *wanted, size_t size)
{
	return name && strlen(name) == size && memcmp(name, wanted, size) == 0;
}

enum wire_event event_find(const char *name, size_t size)
{
	enum wire_event event = 0;

	while (event < EVENTS && !is_called(event_name(event), name, size) &&
	       (event < EVENT_COUNTED_FIRST ||
		!is_called(counted_event_of(event)->other_name, name, size)))
		event++;
	return event;
}

static const struct kind {
	const char *name, *unit;
	uint32_t events; /* that have it */
} kinds[MEASURE_COUNTED] = {
	[MEASURE_SAMPLES] = { "samples", "count", ~0U },
	[MEASURE_CPU] = { "cpu", "nanoseconds", EVENT_BIT(EVENT_CPU) },
	[MEASURE_TOUCHED] = { "touched", "bytes", EVENT_BIT(EVENT_GROWTH) },
	[MEASURE_GROWTH] = { "growth", "bytes", EVENT_BIT(EVENT_GROWTH) },
	[MEASURE_ALLOC_OBJECTS] = { "alloc_objects", "count",
				    EVENT_BIT(EVENT_ALLOC) | EVENT_BIT(EVENT_HEAP) },
	[MEASURE_ALLOC_SPACE] = { "alloc_space", "bytes",
				  EVENT_BIT(EVENT_ALLOC) | EVENT_BIT(EVENT_HEAP) },
	[MEASURE_INUSE_OBJECTS] = { "inuse_objects", "count", EVENT_BIT(EVENT_HEAP) },
	[MEASURE_INUSE_SPACE] = { "inuse_space", "bytes", EVENT_BIT(EVENT_HEAP) },
};

static struct kind kind_of(unsigned measure)
{
	uint32_t event = measure - MEASURE_COUNTED + EVENT_COUNTED_FIRST;

	if (measure < MEASURE_COUNTED)
		return kinds[measure];
	return (struct kind){ counted_event_of(event)->name, "count", EVENT_BIT(event) };
}

unsigned measures_count(uint32_t events)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MEASURES; i++)
		count += (kind_of(i).events & events) != 0;
	return count;
}

/* The first one that is measured is what pictures show; then come the counted ones. */
static const enum measure main_order[] = { MEASURE_CPU, MEASURE_GROWTH, MEASURE_INUSE_SPACE,
					   MEASURE_ALLOC_SPACE };

static int add(struct measures *ret, struct profile *profile, uint32_t events, unsigned measure)
{
	struct kind kind = kind_of(measure);

	if (!(kind.events & events))
		return 0;
	return profile_type_add(profile, &ret->types[measure], kind.name, kind.unit);
}

int measures_add(struct measures *ret, struct profile *profile, uint32_t events)
{
	bool heap_alone = events == EVENT_BIT(EVENT_HEAP);
	int r = 0;

	for (unsigned i = 0; i < MEASURES; i++)
		ret->types[i] = PROFILE_NO_TYPE;
	for (unsigned i = heap_alone; r == 0 && i < MEASURES; i++)
		r = add(ret, profile, events, i);
	if (r == 0 && heap_alone)
		r = add(ret, profile, events, MEASURE_SAMPLES);
	ret->main = ret->types[MEASURE_SAMPLES];
	for (unsigned i = MEASURES; r == 0 && i-- > MEASURE_COUNTED;)
		if (ret->types[i] != PROFILE_NO_TYPE)
			ret->main = ret->types[i];
	for (unsigned i = ARRAY_SIZE(main_order); r == 0 && i-- > 0;)
		if (ret->types[main_order[i]] != PROFILE_NO_TYPE)
			ret->main = ret->types[main_order[i]];
	return r;
}

const char *measures_drop_frames(uint32_t events)
{
	if (events & (EVENT_BIT(EVENT_CPU) | EVENTS_COUNTED_BITS))
		return NULL;
	return "(__libc_|__)?(m|c|re)alloc|(__)?(realloc_hook|reallocarray|posix_memalign|aligned_alloc|"
	       "memalign|p?valloc)|(__libc_)?(memalign|p?valloc)|_int_(malloc|memalign|realloc)|"
	       "_mid_memalign(\\..*)?|sysmalloc(_mmap)?(\\..*)?|(__)?s?brk|__(default|glibc)_morecore|"
	       "new_heap|grow_heap|arena_get2(\\..*)?|tcache_init(\\..*)?|ptmalloc_init(\\..*)?|"
	       "operator new.*|(je|tc)_.*alloc.*|_?mi_(heap_)?.?(m|c|re|z)?alloc.*|_mi_page_.*|tcmalloc::.*|"
	       "_?Py(Object|Mem)_(Raw)?(Malloc|Calloc|Realloc)|_PyMem_.*|pymalloc_alloc.*|new_arena|"
	       "allocate_from_new_pool|watched_(m|c|re)alloc|(__)?mem(set|p?cpy|move)(_.*)?";
}

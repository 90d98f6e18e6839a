// SPDX-License-Identifier: Apache-2.0
#include "preload/objects.h"

#include <stddef.h>

enum {
	BUCKET = 8, /* addresses: a cache line */
	PROBES = 4, /* buckets that an address may lie in */
};

/* Being taken out: nobody's, and not free. */
#define TAKEN 1

uint8_t objects_filter[1 << OBJECTS_FILTER_BITS];

static uintptr_t addresses[HEAP_OBJECTS] __attribute__((aligned(64)));
static uint64_t ids[HEAP_OBJECTS];

/* Which stretches of slots have ever had one: what never had is not even looked at after a fork. */
enum { STRETCH = 512, STRETCHES = HEAP_OBJECTS / STRETCH };
static uint8_t touched[STRETCHES];

static void filter_add(const void *object, uint8_t many)
{
	uint8_t *count = &objects_filter[objects_filter_index(object)];
	uint8_t was = __atomic_load_n(count, __ATOMIC_RELAXED), is;

	do
		is = was == UINT8_MAX || many == UINT8_MAX ? UINT8_MAX : (uint8_t)(was + many);
	while (!__atomic_compare_exchange_n(count, &was, is, true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED));
}

static void filter_remove(const void *object)
{
	uint8_t *count = &objects_filter[objects_filter_index(object)];
	uint8_t was = __atomic_load_n(count, __ATOMIC_RELAXED);

	while (was != 0 && was != UINT8_MAX &&
	       !__atomic_compare_exchange_n(count, &was, (uint8_t)(was - 1), true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

void objects_filter_add(const void *object)
{
	filter_add(object, UINT8_MAX);
}

/* The i-th slot in which the object may be, 0 <= i < BUCKET * PROBES. */
static uint32_t slot_of(const void *object, uint32_t i)
{
	uint64_t hash = ((uintptr_t)object >> 4) * 0xbf58476d1ce4e5b9ULL;
	uint32_t bucket = (uint32_t)(hash >> 40) + i / BUCKET;

	return (bucket * BUCKET + i % BUCKET) % HEAP_OBJECTS;
}

static void show(uint64_t *live, uint32_t slot, uint64_t id)
{
	if (live)
		__atomic_store_n(&live[slot], id, __ATOMIC_RELEASE);
}

uint64_t objects_take(const void *object, uint64_t *live)
{
	for (uint32_t i = 0; i < BUCKET * PROBES; i++) {
		uint32_t slot = slot_of(object, i);
		uintptr_t expected = (uintptr_t)object;
		uint64_t id;

		if (__atomic_load_n(&addresses[slot], __ATOMIC_RELAXED) != expected ||
		    !__atomic_compare_exchange_n(&addresses[slot], &expected, TAKEN, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		id = __atomic_exchange_n(&ids[slot], 0, __ATOMIC_RELAXED);
		show(live, slot, 0);
		__atomic_store_n(&addresses[slot], 0, __ATOMIC_RELEASE);
		filter_remove(object);
		return id;
	}
	return 0;
}

uint32_t objects_add(const void *object, uint64_t id, uint64_t *live)
{
	if (objects_may_know(object))
		(void)objects_take(object, live);
	for (uint32_t i = 0; i < BUCKET * PROBES; i++) {
		uint32_t slot = slot_of(object, i);
		uintptr_t expected = 0;

		if (__atomic_load_n(&addresses[slot], __ATOMIC_RELAXED) != 0 ||
		    !__atomic_compare_exchange_n(&addresses[slot], &expected, (uintptr_t)object,
						 false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&touched[slot / STRETCH], 1, __ATOMIC_RELAXED);
		__atomic_store_n(&ids[slot], id, __ATOMIC_RELAXED);
		show(live, slot, id);
		filter_add(object, 1);
		return slot;
	}
	return HEAP_NO_SLOT;
}

void objects_after_fork(uint64_t *live)
{
	for (uint32_t slot = 0; slot < HEAP_OBJECTS; slot++) {
		if (!touched[slot / STRETCH])
			slot += STRETCH - 1;
		else if (addresses[slot] && !ids[slot])
			addresses[slot] = 0;
		else if (addresses[slot])
			show(live, slot, ids[slot]);
	}
}

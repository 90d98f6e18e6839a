// SPDX-License-Identifier: Apache-2.0
#include "preload/sampler.h"

#include <time.h>

#include "preload/gap.h"
#include "preload/ring.h"
#include "preload/sampler_start.h"
#include "preload/stack.h"
#include "preload/system.h"

enum {
	EARLY_BYTES = 65536, /* until the next look whether it has begun */
	NESTED_REACH = 1 << 20,
	/* Not more samples in a stretch of time than so many, or the gaps get longer. */
	PACE_NS = 1000000000,
	PACE_SAMPLES = 512,
	PACE_FEW = 128,
	PACE_SHIFT_MAX = 10,
};

#define NEVER (UINT64_MAX / 2)

__thread struct sampler_thread sampler_thread;

static enum { EARLY, ON, OFF } state;
static struct heap_header *region;
static const uint32_t *fork_mark;
static uint64_t seed, last_id;
static uint32_t thread_id_offset; /* from the control block; 0: the kernel has to be asked */

static struct {
	uint64_t began_ns;
	uint32_t count, shift;
} pace;

static inline uint64_t *live_of(struct heap_header *to)
{
	return (uint64_t *)(void *)((unsigned char *)to + HEAP_HEADER_BYTES);
}

/* The region, if it is this process's: a child that was made without fork(3) has its parent's. */
static struct heap_header *own_region(void)
{
	return region && *fork_mark ? region : NULL;
}

/* ---- gaps ---- */

static void draw(struct sampler_thread *thread)
{
	uint64_t interval = __atomic_load_n(&region->interval, __ATOMIC_RELAXED);

	if (interval < HEAP_INTERVAL_MIN)
		interval = HEAP_INTERVAL_MIN;
	if (interval > HEAP_INTERVAL_MAX)
		interval = HEAP_INTERVAL_MAX;
	thread->interval = interval << __atomic_load_n(&pace.shift, __ATOMIC_RELAXED);
	thread->countdown = gap_of(gap_random(&thread->random), thread->interval);
}

static uint64_t now_ns(void)
{
	struct timespec now = {};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void plant(struct sampler_thread *thread)
{
	uint64_t random = seed ^ (uintptr_t)thread ^ now_ns() << 20;

	thread->random = random ? random : 1;
	for (unsigned i = 0; i < 4; i++)
		(void)gap_random(&thread->random);
}

bool sampler_crosses(size_t size, struct sampler_place *place)
{
	struct sampler_thread *thread = &sampler_thread;

	if (state != ON) {
		thread->countdown = state == EARLY ? EARLY_BYTES : NEVER;
		return false;
	}
	if (!thread->random) {
		plant(thread);
		draw(thread);
		if (size <= thread->countdown) {
			thread->countdown -= size;
			return false;
		}
	}
	place->interval = thread->interval;
	draw(thread);
	return __atomic_load_n(&region->enabled, __ATOMIC_RELAXED);
}

/* Every sample is weighed by the interval it was drawn with: a longer one makes nothing wrong. */
static void keep_pace(uint64_t time_ns)
{
	uint64_t began = __atomic_load_n(&pace.began_ns, __ATOMIC_RELAXED);
	uint32_t shift = __atomic_load_n(&pace.shift, __ATOMIC_RELAXED), count;

	if (time_ns - began > PACE_NS &&
	    __atomic_compare_exchange_n(&pace.began_ns, &began, time_ns, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED)) {
		count = __atomic_exchange_n(&pace.count, 0, __ATOMIC_RELAXED);
		if (count < PACE_FEW && shift)
			__atomic_store_n(&pace.shift, shift - 1, __ATOMIC_RELAXED);
	}
	count = __atomic_add_fetch(&pace.count, 1, __ATOMIC_RELAXED);
	if (count % PACE_SAMPLES == 0 && shift < PACE_SHIFT_MAX)
		__atomic_store_n(&pace.shift, shift + 1, __ATOMIC_RELAXED);
}

/* ---- samples ---- */

static uint32_t thread_id(void)
{
	return thread_id_offset ? machine_thread_id(thread_id_offset)
				: (uint32_t)SYSTEM_CALL_1(SYS_gettid, 0);
}

/*
 * Whether a sample is being taken that this one has interrupted, by a signal. One that was left with
 * longjmp lies above, or on another stack.
 */
static bool is_nested(const struct sampler_thread *thread)
{
	return thread->busy && thread->busy - (uintptr_t)__builtin_frame_address(0) < NESTED_REACH;
}

static uint32_t stack_limit(const struct sampler_place *place)
{
	uint64_t end = stack_end(place->sp);

	return end && end - place->sp < HEAP_STACK_BYTES ? (uint32_t)(end - place->sp)
							 : HEAP_STACK_BYTES;
}

static void write_sample(const void *object, size_t size, const struct sampler_place *place)
{
	uint32_t stack = stack_limit(place);
	struct ring_claim claim;
	struct heap_record *record;

	if (!ring_claim(&claim, region, sizeof(*record), &stack)) {
		__atomic_add_fetch(&region->lost, 1, __ATOMIC_RELAXED);
		return;
	}
	record = claim.at;
	record->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	record->time_ns = now_ns();
	record->size = size;
	record->interval = place->interval;
	record->ip = place->ip;
	record->sp = place->sp;
	record->bp = place->bp;
	record->bx = place->bx;
	record->tid = thread_id();
	record->flags = place->flags;
	record->stack_bytes = stack_copy(record + 1, place->sp, stack);
	record->slot = objects_add(object, record->id, live_of(region));
	if (record->slot == HEAP_NO_SLOT)
		__atomic_add_fetch(&region->untracked, 1, __ATOMIC_RELAXED);
	keep_pace(record->time_ns);
	ring_commit(&claim);
}

void sampler_take(const void *object, size_t size, const struct sampler_place *place)
{
	struct sampler_thread *thread = &sampler_thread;

	if (!own_region())
		return;
	if (is_nested(thread)) {
		__atomic_add_fetch(&region->nested, 1, __ATOMIC_RELAXED);
		return;
	}
	__atomic_store_n(&thread->busy, (uintptr_t)__builtin_frame_address(0), __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	write_sample(object, size, place);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&thread->busy, 0, __ATOMIC_RELAXED);
}

uint64_t sampler_forget(const void *object)
{
	struct heap_header *own = own_region();

	return objects_take(object, own ? live_of(own) : NULL);
}

void sampler_remember(const void *object, uint64_t id)
{
	struct heap_header *own = own_region();

	if (id)
		(void)objects_add(object, id, own ? live_of(own) : NULL);
}

/* ---- beginning ---- */

void sampler_start(const struct sampler_beginning *beginning)
{
	seed = beginning->seed;
	fork_mark = beginning->fork_mark;
	region = beginning->region;
	thread_id_offset = beginning->thread_id_offset;
	stack_set_main_end(beginning->main_stack_end);
	__atomic_store_n(&state, region ? ON : OFF, __ATOMIC_RELEASE);
	sampler_thread.countdown = 0;
}

struct heap_header *sampler_region(void)
{
	return region;
}

uint64_t sampler_first_id(void)
{
	return __atomic_load_n(&last_id, __ATOMIC_RELAXED) + 1;
}

void sampler_after_fork(struct heap_header *new_region, uint64_t new_seed)
{
	seed = new_seed;
	region = new_region;
	sampler_thread.random = 0;
	sampler_thread.countdown = 0;
	sampler_thread.busy = 0;
	__atomic_store_n(&state, region ? ON : OFF, __ATOMIC_RELEASE);
	objects_after_fork(region ? live_of(region) : NULL);
}

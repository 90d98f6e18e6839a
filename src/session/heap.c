// SPDX-License-Identifier: Apache-2.0
#include "session/heap.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "session/event_source.h"
#include "session/heap_attached.h"
#include "session/heap_parts.h"
#include "session/measures.h"
#include "session/recording_parts.h"

enum {
	TURN_MS = 20,	  /* a busy program fills its ring in some hundred of them */
	DROP_FROM = 4096, /* objects */
};

/* What lives is looked at once a second, or as often as costs 2 %. */
#define REFRESH_NS 1000000000ULL
#define REFRESH_COST 50
#define DROP_NS 10000000000ULL

/* ---- values ---- */

static struct heap_object *object_of(const struct heap *heap, const struct wire_sample *sample)
{
	return heap_objects_find(&heap->objects, sample->weight_ns, sample->address);
}

/* Of what probes tell, the object is known from here on. */
static const struct heap_object *meet_object(struct heap *heap, const struct wire_sample *sample)
{
	struct heap_object *object = object_of(heap, sample);
	bool is_new;

	if (object || !heap_attached_owns(heap, sample->weight_ns))
		return object;
	if (heap->objects.at.count < HEAP_OBJECTS_MAX)
		object = heap_objects_add(&heap->objects, sample->weight_ns, sample->address,
					  &is_new);
	if (!object) {
		heap->refused++;
		return NULL;
	}
	object->weight =
		heap_weight(sample->size, heap->recording->config->heap_interval, sample->address);
	object->time_ns = sample->time_ns;
	return object;
}

static void fill_values(void *context, const struct pipeline *p, const struct wire_sample *sample,
			int64_t *values)
{
	struct heap *heap = context;
	const struct heap_object *object = meet_object(heap, sample);

	/* During --delay only what stays counts. */
	if (!object || !heap->recording->began_ns || sample->time_ns < heap->recording->began_ns)
		return;
	values[p->measures.types[MEASURE_ALLOC_OBJECTS]] = object->weight.objects;
	values[p->measures.types[MEASURE_ALLOC_SPACE]] = object->weight.bytes;
	heap->alloc_objects += (double)object->weight.objects;
	heap->alloc_bytes += (double)object->weight.bytes;
}

static int note_place(void *context, const struct wire_sample *sample, uint32_t stack,
		      uint32_t labels)
{
	struct heap_object *object = object_of(context, sample);

	if (object) {
		object->stack = stack;
		object->labels = labels;
		object->counted = true;
	}
	return 0;
}

/* Changes what the profile says is in use by what has changed. */
static int tell_difference(struct heap *heap, struct heap_object *object)
{
	const struct measures *measures = &heap->recording->pipeline.measures;
	int64_t values[PROFILE_MAX_TYPES] = {}, more;
	int r;

	if (!object->counted || object->holders == object->held)
		return 0;
	more = (int64_t)object->holders - object->held;
	values[measures->types[MEASURE_SAMPLES]] = more;
	values[measures->types[MEASURE_INUSE_OBJECTS]] = more * object->weight.objects;
	values[measures->types[MEASURE_INUSE_SPACE]] = more * object->weight.bytes;
	r = profile_sample_add(heap->recording->pipeline.profile, object->stack, object->labels,
			       values);
	if (r == 0)
		object->held = object->holders;
	return r < 0 ? r : 0;
}

static int refresh(struct heap *heap, uint64_t end_ns)
{
	int r;

	for (uint32_t i = 0; i < heap->objects.at.count; i++)
		heap->objects.at.at[i].holders = 0;
	r = heap_preloaded_hold(heap, end_ns);
	if (r >= 0)
		r = heap_attached_hold(heap, end_ns);
	for (uint32_t i = 0; r >= 0 && i < heap->objects.at.count; i++)
		r = tell_difference(heap, &heap->objects.at.at[i]);
	return r < 0 ? r : 0;
}

static int turn_heap(struct recording *rec, bool last)
{
	struct heap *heap = rec->heap;
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), took;
	int r;

	r = heap_attached_turn(heap);
	if (r < 0 || (!last && now_ns < heap->refresh_ns))
		return r;
	if (last)
		heap_preloaded_find_replaced(heap, now_ns);
	r = refresh(heap, rec->ended_ns ? rec->ended_ns : now_ns);
	if (last)
		heap_attached_release(heap);
	if (r == 0 && heap->objects.at.count > DROP_FROM + 2 * heap->dropped_at &&
	    now_ns > DROP_NS) {
		r = heap_objects_drop(&heap->objects, now_ns - DROP_NS);
		heap->dropped_at = heap->objects.at.count;
	}
	heap_preloaded_forget(heap);
	took = clock_ns(CLOCK_MONOTONIC) - now_ns;
	heap->refresh_ns =
		now_ns + (took * REFRESH_COST > REFRESH_NS ? took * REFRESH_COST : REFRESH_NS);
	return r;
}

/* ---- beginning and end ---- */

static int open_heap(struct recording *rec)
{
	struct sample_counter *counter = &rec->pipeline.counters[EVENT_HEAP];
	const struct target *target = &rec->config->target;
	struct heap *heap;

	if (target->everything || target->tids.count) {
		log_error(
			"cannot record: the heap is sampled from within a process, or followed by "
			"probes in it, so -e heap needs -p or a command");
		return -EINVAL;
	}
	if (rec->config->last_ns) {
		log_error(
			"cannot record: --last keeps windows, and what is in use belongs to none");
		return -EINVAL;
	}
	heap = rec->heap = calloc(1, sizeof(*heap));
	if (!heap)
		return recording_complain(-ENOMEM, "cannot set up");
	heap->recording = rec;
	*counter = (struct sample_counter){ .values = fill_values,
					    .counted = note_place,
					    .context = heap };
	if (!rec->turn_ms)
		rec->turn_ms = TURN_MS;
	return heap_preloaded_open(heap);
}

static int watch_heap(struct recording *rec, pid_t pid)
{
	int r;

	if (rec->config->target.command)
		return 0; /* it will call */
	r = heap_preloaded_watch(rec->heap, pid);
	return r == HEAP_NOT_PRELOADED ? heap_attached_watch(rec->heap, pid) : r;
}

static int choose_targets(struct recording *rec)
{
	return heap_attached_choose(rec->heap);
}

static int start_heap(struct recording *rec)
{
	int r = heap_preloaded_switch(rec->heap, true);

	heap_attached_switch(rec->heap, true);
	return r < 0 ? recording_complain(r, "cannot switch libprofd-heap.so on") : 0;
}

static void stop_heap(struct recording *rec)
{
	if (!rec->heap)
		return;
	(void)heap_preloaded_switch(rec->heap, false);
	heap_attached_switch(rec->heap, false);
}

static int drain_heap(struct recording *rec)
{
	return rec->heap ? heap_preloaded_drain(rec->heap) : 0;
}

static void close_heap(struct recording *rec)
{
	struct heap *heap = rec->heap;

	if (!heap)
		return;
	stop_heap(rec);
	heap_preloaded_close(heap);
	heap_attached_close(heap);
	heap_objects_fini(&heap->objects);
	free(heap);
	rec->heap = NULL;
}

const struct event_source event_source_heap = {
	.events = EVENT_BIT(EVENT_HEAP),
	.open = open_heap,
	.watch = watch_heap,
	.ready = choose_targets,
	.start = start_heap,
	.drain = drain_heap,
	.turn = turn_heap,
	.stop = stop_heap,
	.close = close_heap,
};

void heap_summarize(const struct recording *rec, struct heap_summary *ret)
{
	const struct heap *heap = rec->heap;
	double sum = 0, squares = 0;

	*ret = (struct heap_summary){
		.interval = rec->config->heap_interval,
		.began_before = !rec->config->target.command,
		.alloc_objects = (int64_t)heap->alloc_objects,
		.alloc_bytes = (int64_t)heap->alloc_bytes,
		.refused = heap->refused,
		.children = rec->config->target.children,
	};
	heap_preloaded_summarize(heap, ret);
	heap_attached_summarize(heap, ret);
	for (uint32_t i = 0; i < heap->objects.at.count; i++) {
		const struct heap_object *object = &heap->objects.at.at[i];
		double bytes = (double)object->weight.bytes;

		ret->live_objects += object->held;
		ret->inuse_objects += object->held * object->weight.objects;
		ret->inuse_bytes += object->held * object->weight.bytes;
		sum += object->held * bytes;
		squares += object->held * bytes * bytes;
	}
	if (squares > 0)
		ret->evenness = sum * sum / squares / (double)ret->live_objects;
}

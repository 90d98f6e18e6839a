// SPDX-License-Identifier: Apache-2.0
#include "source/copy_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Then no more are taken in. */
#define WAITING_BYTES_MAX (128UL << 20)

void copy_queue_fini(struct copy_queue *queue)
{
	array_fini(&queue->events);
	array_fini(&queue->samples);
	bytes_fini(&queue->bytes);
	queue->bytes = (struct bytes){};
}

int copy_queue_add_event(struct copy_queue *queue, const struct lifecycle_event *event)
{
	struct copy_waiting_event *waiting;

	if (event->type != LIFECYCLE_FORK && event->type != LIFECYCLE_EXEC &&
	    event->type != LIFECYCLE_COMM)
		return 0;
	waiting = array_push(&queue->events);
	if (!waiting)
		return -ENOMEM;
	waiting->event = *event;
	waiting->event.text = NULL;
	waiting->order = queue->events.count;
	memcpy(waiting->comm, event->text, strnlen(event->text, sizeof(waiting->comm) - 1));
	return 0;
}

int copy_queue_add_sample(struct copy_queue *queue, const struct wire_sample *sample, size_t size,
			  uint64_t missed)
{
	static const char zeros[8];
	struct copy_waiting_sample *waiting;

	if (queue->bytes.size > WAITING_BYTES_MAX)
		return 1;
	waiting = array_push(&queue->samples);
	if (!waiting)
		return -ENOMEM;
	*waiting = (struct copy_waiting_sample){ sample->time_ns, queue->bytes.size, size, missed };
	bytes_add(&queue->bytes, sample, size);
	bytes_add(&queue->bytes, zeros, -size & 7);
	return queue->bytes.failed ? -ENOMEM : 0;
}

static int by_event_time(const void *a, const void *b)
{
	const struct copy_waiting_event *x = a, *y = b;

	if (x->event.time_ns != y->event.time_ns)
		return x->event.time_ns < y->event.time_ns ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static int by_sample_time(const void *a, const void *b)
{
	const struct copy_waiting_sample *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* All events up to a moment, from the next one on. */
static int tell_events(struct copy_queue *queue, const struct copy_queue_ops *ops, void *context,
		       uint32_t *next, uint64_t time_ns)
{
	int r = 0;

	while (r == 0 && *next < queue->events.count &&
	       queue->events.at[*next].event.time_ns <= time_ns) {
		struct copy_waiting_event *waiting = &queue->events.at[(*next)++];

		waiting->event.text = waiting->comm;
		r = ops->event(context, &waiting->event);
	}
	return r;
}

int copy_queue_settle(struct copy_queue *queue, const struct copy_queue_ops *ops, void *context)
{
	uint32_t next = 0;
	int r = 0;

	if (queue->events.count)
		qsort(queue->events.at, queue->events.count, sizeof(*queue->events.at),
		      by_event_time);
	if (queue->samples.count)
		qsort(queue->samples.at, queue->samples.count, sizeof(*queue->samples.at),
		      by_sample_time);
	for (uint32_t i = 0; r == 0 && i < queue->samples.count; i++) {
		const struct copy_waiting_sample *at = &queue->samples.at[i];

		r = tell_events(queue, ops, context, &next, at->time_ns);
		if (r == 0)
			r = ops->sample(context, (void *)(queue->bytes.at + at->offset), at->size,
					at->missed);
	}
	if (r == 0)
		r = tell_events(queue, ops, context, &next, UINT64_MAX);
	copy_queue_fini(queue);
	return r;
}

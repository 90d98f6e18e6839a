// SPDX-License-Identifier: Apache-2.0
/*
 * A sweep over the addresses with a heap of the spans that have begun. Spans that have ended stay
 * in the heap until they come to its top: only the top is ever asked.
 */
#include "elf/spans.h"

#include <errno.h>
#include <stdbool.h>

#include "base/array.h"

struct sweep {
	ARRAY_OF(struct span) heap;
	uint64_t position; /* everything below is emitted */
	uint32_t last;	   /* value emitted last */
	int (*emit)(void *context, uint64_t start, uint32_t value);
	void *context;
};

static bool better(const struct span *a, const struct span *b)
{
	return a->priority != b->priority ? a->priority < b->priority : a->value < b->value;
}

static int push(struct sweep *sweep, const struct span *span)
{
	uint32_t i = sweep->heap.count;

	if (!array_push(&sweep->heap))
		return -ENOMEM;
	for (; i > 0 && better(span, &sweep->heap.at[(i - 1) / 2]); i = (i - 1) / 2)
		sweep->heap.at[i] = sweep->heap.at[(i - 1) / 2];
	sweep->heap.at[i] = *span;
	return 0;
}

static void pop(struct sweep *sweep)
{
	struct span *heap = sweep->heap.at, moved = heap[--sweep->heap.count];
	uint32_t count = sweep->heap.count, i = 0;

	for (uint32_t child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count && better(&heap[child + 1], &heap[child]))
			child++;
		if (!better(&heap[child], &moved))
			break;
		heap[i] = heap[child];
	}
	if (count)
		heap[i] = moved;
}

static int put(struct sweep *sweep, uint32_t value)
{
	if (value == sweep->last)
		return 0;
	sweep->last = value;
	return sweep->emit(sweep->context, sweep->position, value);
}

/* Emits everything below `limit`, where the next span begins. */
static int advance(struct sweep *sweep, uint64_t limit)
{
	while (sweep->position < limit && sweep->heap.count) {
		const struct span *top = &sweep->heap.at[0];
		int r;

		if (top->end <= sweep->position) {
			pop(sweep);
			continue;
		}
		r = put(sweep, top->value);
		if (r < 0)
			return r;
		sweep->position = top->end < limit ? top->end : limit;
	}
	if (sweep->position < limit) {
		int r = put(sweep, SPAN_NONE);

		if (r < 0)
			return r;
		sweep->position = limit;
	}
	return 0;
}

int spans_flatten(uint32_t count, void (*get)(void *context, uint32_t number, struct span *ret),
		  int (*emit)(void *context, uint64_t start, uint32_t value), void *context)
{
	struct sweep sweep = { .last = SPAN_NONE, .emit = emit, .context = context };
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		struct span span;

		get(context, i, &span);
		if (span.end <= span.start)
			continue;
		r = advance(&sweep, span.start);
		if (r == 0)
			r = push(&sweep, &span);
	}
	/* To the end of the last span, and once more to say that nothing follows. */
	if (r == 0)
		r = advance(&sweep, UINT64_MAX);
	if (r == 0)
		r = put(&sweep, SPAN_NONE);
	array_fini(&sweep.heap);
	return r;
}

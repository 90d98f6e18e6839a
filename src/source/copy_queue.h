/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples that were read from the rings, until all that happened before them is known: samples come out
 * of one ring for each CPU, process events out of others, and only together they have an order.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/bytes.h"
#include "bpf/wire.h"
#include "source/lifecycle.h"

struct copy_waiting_event {
	struct lifecycle_event event; /* without text */
	char comm[WIRE_COMM_BYTES];
	uint32_t order;
};

struct copy_waiting_sample {
	uint64_t time_ns;
	size_t offset, size;
	uint64_t missed;
};

/* All zero is a valid empty one. */
struct copy_queue {
	ARRAY_OF(struct copy_waiting_event) events;
	ARRAY_OF(struct copy_waiting_sample) samples;
	struct bytes bytes;
};

/* What is handed over; both return 0 or a negative errno. */
struct copy_queue_ops {
	int (*event)(void *context, const struct lifecycle_event *event);
	/* missed: ticks before it, as it was added. The sample is the callee's until it returns. */
	int (*sample)(void *context, struct wire_sample *sample, size_t size, uint64_t missed);
};

void copy_queue_fini(struct copy_queue *queue);
/* Forks, execs and new names; others are passed over. Copied. Returns 0 or -ENOMEM. */
int copy_queue_add_event(struct copy_queue *queue, const struct lifecycle_event *event);
/* Copied. Returns 0, 1 (too many wait: it was dropped) or -ENOMEM. */
int copy_queue_add_sample(struct copy_queue *queue, const struct wire_sample *sample, size_t size,
			  uint64_t missed);
/*
 * Everything in the order of its time, an event before a sample of the same moment. The queue is empty
 * then. Returns 0 or the negative errno of what ended it early.
 */
int copy_queue_settle(struct copy_queue *queue, const struct copy_queue_ops *ops, void *context);

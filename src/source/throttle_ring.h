/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small ring of an event whose samples a BPF program takes: what the kernel still writes there is when it
 * has stopped the event, because it came too often (kernel.perf_event_max_sample_rate), and let it go on.
 */
#pragma once

#include <linux/perf_event.h>

#include "source/counted_event.h"
#include "source/perf_ring.h"

struct throttle_ring {
	struct perf_ring ring; /* not there where no more memory may be locked */
	struct counted_throttle throttle;
};

/* Before the event is opened; sets its clock, too (CLOCK_MONOTONIC). */
void throttle_ring_ask(struct perf_event_attr *attr);
void throttle_ring_map(struct throttle_ring *ring, int event_fd);
/* What is known of stops stays. */
void throttle_ring_unmap(struct throttle_ring *ring);
/* Takes in what there is. Returns 0 or a negative errno. */
int throttle_ring_drain(struct throttle_ring *ring);

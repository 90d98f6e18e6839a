/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of a perf event: one writable page of control data and a power of two of pages with records
 * (perf_event_open(2), mmap). The kernel owns the head, we own the tail; a record may wrap around.
 */
#pragma once

#include <stdint.h>

struct perf_ring {
	struct perf_event_mmap_page *page; /* NULL: not mapped */
	uint32_t bytes;			   /* of records */
};

enum {
	PERF_RECORD_BYTES_MAX = 65536, /* perf_event_header.size is 16 bits */
	PERF_RING_BYTES_MIN = 4096,
};

/*
 * bytes: a power of two, at least a page. Returns 0 or a negative errno (-EPERM: more than the user may
 * lock, see kernel.perf_event_mlock_kb).
 */
int perf_ring_map(struct perf_ring *ring, int event_fd, uint32_t bytes);
void perf_ring_unmap(struct perf_ring *ring);
/*
 * Hands over each record there is now, whole, in the order in which they were written. scratch:
 * PERF_RECORD_BYTES_MAX bytes, 8-aligned, in which each lies while it is handed over. A negative result
 * of `handle` ends it and is returned.
 */
int perf_ring_drain(struct perf_ring *ring, unsigned char *scratch,
		    int (*handle)(void *context, const void *record, uint32_t size), void *context);

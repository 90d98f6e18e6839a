// SPDX-License-Identifier: Apache-2.0
#include "source/throttle_ring.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RING_PAGES = 4 }; /* 400 records at least: of 200 ms, where the kernel ticks 1000 times a second */

/* include/uapi/linux/perf_event.h, with the sample_id that throttle_ring_ask asks for. */
struct record {
	struct perf_event_header header;
	uint64_t time_ns, id, stream_id;
	uint32_t pid, tid;
};

void throttle_ring_ask(struct perf_event_attr *attr)
{
	attr->sample_type |= PERF_SAMPLE_TID;
	attr->sample_id_all = 1;
	attr->use_clockid = 1;
	attr->clockid = CLOCK_MONOTONIC;
}

void throttle_ring_map(struct throttle_ring *ring, int event_fd)
{
	(void)perf_ring_map(&ring->ring, event_fd, RING_PAGES * (uint32_t)sysconf(_SC_PAGESIZE));
}

void throttle_ring_unmap(struct throttle_ring *ring)
{
	perf_ring_unmap(&ring->ring);
}

static int take(void *context, const void *bytes, uint32_t size)
{
	struct throttle_ring *ring = context;
	struct record record;

	if (size < sizeof(record))
		return 0;
	memcpy(&record, bytes, sizeof(record));
	/* An idle CPU without its tick is throttled by and by, and nothing is lost. */
	if (record.header.type == PERF_RECORD_THROTTLE && record.tid != 0)
		counted_throttle_note(&ring->throttle, true, record.time_ns);
	else if (record.header.type == PERF_RECORD_UNTHROTTLE)
		counted_throttle_note(&ring->throttle, false, record.time_ns);
	return 0;
}

int throttle_ring_drain(struct throttle_ring *ring)
{
	_Alignas(8) unsigned char scratch[PERF_RECORD_BYTES_MAX];

	return perf_ring_drain(&ring->ring, scratch, take, ring);
}

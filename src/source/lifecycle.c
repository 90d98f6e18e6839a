// SPDX-License-Identifier: Apache-2.0
/*
 * Each ring is one writable page of control data and RING_PAGES pages of records (mmap of a perf
 * event, perf_event_open(2)). We own the tail, the kernel the head; a record may wrap around.
 */
#include "source/lifecycle.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/lifecycle_record.h"
#include "source/perf_event.h"

enum {
	RING_PAGES = 64, /* 256 KiB: some 2 000 records between two drains */
	PAGE_BYTES = 4096,
	RECORD_MAX = 65536, /* perf_event_header.size is 16 bits */
};

struct ring {
	uint32_t cpu;
	int fd;
	struct perf_event_mmap_page *page; /* NULL: not mapped */
};

struct lifecycle {
	int epoll_fd;
	struct ring *rings;
	uint32_t ring_count;
	unsigned char record[RECORD_MAX];
};

static void ring_close(struct ring *ring)
{
	if (ring->page)
		munmap(ring->page, (1 + RING_PAGES) * PAGE_BYTES);
	if (ring->fd >= 0)
		close(ring->fd);
	ring->page = NULL;
	ring->fd = -1;
}

static int ring_open(struct ring *ring)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.mmap = 1,
		.mmap2 = 1,
		.task = 1,
		.comm = 1,
		.comm_exec = 1,
		.sample_id_all = 1,
		.exclude_kernel = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = RING_PAGES * PAGE_BYTES / 4,
	};
	void *page;

	ring->fd = perf_event_new(&attr, -1, (int)ring->cpu);
	if (ring->fd < 0) {
		int r = ring->fd;

		ring->fd = -1;
		return r;
	}
	page = mmap(NULL, (1 + RING_PAGES) * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		    ring->fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	ring->page = page;
	return 0;
}

/* Has the ring open, and listened to, if its CPU is online. */
static int ring_listen(struct lifecycle *l, struct ring *ring)
{
	struct epoll_event event = { .events = EPOLLIN };
	int r = ring_open(ring);

	if (r == -ENODEV || r == -ENXIO)
		return 0; /* the CPU went offline just now */
	if (r < 0)
		return r;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, ring->fd, &event) < 0 ? -errno : 0;
}

int lifecycle_open(struct lifecycle **ret, const struct cpu_list *cpus)
{
	struct lifecycle *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!l)
		return -ENOMEM;
	l->epoll_fd = -1;
	l->rings = calloc(cpus->cpus.count, sizeof(*l->rings));
	if (!l->rings)
		goto fail;
	for (uint32_t i = 0; i < cpus->cpus.count; i++)
		l->rings[i] = (struct ring){ .cpu = cpus->cpus.at[i], .fd = -1 };
	l->ring_count = cpus->cpus.count;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		r = -errno;
		goto fail;
	}
	for (uint32_t i = 0; i < l->ring_count; i++) {
		r = ring_listen(l, &l->rings[i]);
		if (r < 0)
			goto fail;
	}
	*ret = l;
	return 0;
fail:
	lifecycle_close(l);
	return r;
}

int lifecycle_listen_again(struct lifecycle *l, uint32_t cpu)
{
	struct ring *rings, *ring = NULL;

	for (uint32_t i = 0; i < l->ring_count && !ring; i++)
		if (l->rings[i].cpu == cpu)
			ring = &l->rings[i];
	if (!ring) {
		rings = reallocarray(l->rings, l->ring_count + 1ULL, sizeof(*rings));
		if (!rings)
			return -ENOMEM;
		l->rings = rings;
		ring = &rings[l->ring_count++];
		*ring = (struct ring){ .cpu = cpu, .fd = -1 };
	}
	ring_close(ring);
	return ring_listen(l, ring);
}

void lifecycle_close(struct lifecycle *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; l->rings && i < l->ring_count; i++)
		ring_close(&l->rings[i]);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	free(l->rings);
	free(l);
}

int lifecycle_fd(const struct lifecycle *l)
{
	return l->epoll_fd;
}

static void copy_out(const struct ring *ring, uint64_t position, void *to, size_t size)
{
	const unsigned char *data = (const unsigned char *)ring->page + PAGE_BYTES;
	size_t ring_size = RING_PAGES * PAGE_BYTES, at = position & (ring_size - 1);
	size_t first = size < ring_size - at ? size : ring_size - at;

	memcpy(to, data + at, first);
	memcpy((unsigned char *)to + first, data, size - first);
}

static int ring_drain(struct lifecycle *l, struct ring *ring,
		      int (*handle)(void *, const struct lifecycle_event *), void *context)
{
	_Atomic uint64_t *head_at = (_Atomic uint64_t *)&ring->page->data_head;
	_Atomic uint64_t *tail_at = (_Atomic uint64_t *)&ring->page->data_tail;
	uint64_t head = atomic_load_explicit(head_at, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(tail_at, memory_order_relaxed);
	int r = 0;

	while (r >= 0 && tail < head) {
		struct perf_event_header header;
		struct lifecycle_event event;

		copy_out(ring, tail, &header, sizeof(header));
		if (header.size < sizeof(header) || header.size > head - tail)
			break; /* cannot happen; do not loop if it does */
		copy_out(ring, tail, l->record, header.size);
		if (lifecycle_record_parse(&event, l->record, header.size))
			r = handle(context, &event);
		tail += header.size;
	}
	atomic_store_explicit(tail_at, tail, memory_order_release);
	return r < 0 ? r : 0;
}

int lifecycle_drain(struct lifecycle *l, int (*handle)(void *, const struct lifecycle_event *),
		    void *context)
{
	for (uint32_t i = 0; i < l->ring_count; i++) {
		int r = l->rings[i].page ? ring_drain(l, &l->rings[i], handle, context) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

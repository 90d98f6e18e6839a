// SPDX-License-Identifier: Apache-2.0
/*
 * Each CPU has a ring. Where events on whole CPUs are allowed, the one that owns it sees every task; else
 * it belongs to an event that sees nothing, and those of single tasks write into it: one for each thread
 * and CPU, inherited by what the thread starts.
 */
#include "source/lifecycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/lifecycle_record.h"
#include "source/perf_event.h"
#include "source/perf_ring.h"
#include "source/task_events.h"

enum {
	RING_BYTES = 256 * 1024, /* some 2 000 records between two drains */
	RING_BYTES_MIN = 8192,
};

struct ring {
	uint32_t cpu;
	int fd;
	struct perf_ring records;
};

struct lifecycle {
	int epoll_fd;
	bool by_task;
	struct ring *rings;
	uint32_t ring_count;
	struct task_events tasks; /* if by_task */
	int (*handle)(void *, const struct lifecycle_event *);
	void *context;
	_Alignas(8) unsigned char record[PERF_RECORD_BYTES_MAX];
};

static void ring_close(struct ring *ring)
{
	perf_ring_unmap(&ring->records);
	if (ring->fd >= 0)
		close(ring->fd);
	ring->fd = -1;
}

static struct perf_event_attr event_attr(void)
{
	return (struct perf_event_attr){
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
		.wakeup_watermark = RING_BYTES / 4,
	};
}

static int ring_open(struct lifecycle *l, struct ring *ring)
{
	struct perf_event_attr attr = event_attr();
	int r;

	if (l->by_task) {
		r = task_events_ring(&ring->fd, &ring->records, ring->cpu, RING_BYTES / 2,
				     RING_BYTES_MIN);
		return r;
	}
	ring->fd = perf_event_new(&attr, -1, (int)ring->cpu);
	if (ring->fd < 0) {
		r = ring->fd;
		ring->fd = -1;
		return r;
	}
	/* Who may watch whole CPUs may have a limit on locked memory all the same. */
	r = -EPERM;
	for (uint32_t bytes = RING_BYTES; r == -EPERM && bytes >= RING_BYTES_MIN; bytes /= 2)
		r = perf_ring_map(&ring->records, ring->fd, bytes);
	return r;
}

/* Has the ring open, and listened to, if its CPU is online. */
static int ring_listen(struct lifecycle *l, struct ring *ring)
{
	struct epoll_event event = { .events = EPOLLIN };
	int r = ring_open(l, ring);

	if (r == -ENODEV || r == -ENXIO)
		return 0; /* the CPU went offline just now */
	if (r < 0)
		return r;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, ring->fd, &event) < 0 ? -errno : 0;
}

int lifecycle_open(struct lifecycle **ret, const struct cpu_list *cpus, bool by_task)
{
	struct lifecycle *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!l)
		return -ENOMEM;
	l->epoll_fd = -1;
	l->by_task = by_task;
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
	task_events_fini(&l->tasks);
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

int lifecycle_watch(struct lifecycle *l, pid_t id, bool thread_only, bool children)
{
	struct perf_event_attr attr = event_attr();
	int r = 0;

	if (!l->by_task)
		return 0;
	for (uint32_t i = 0; r == 0 && i < l->ring_count; i++)
		if (l->rings[i].fd >= 0)
			r = task_events_output(&l->tasks, l->rings[i].cpu, l->rings[i].fd);
	return r < 0 ? r : task_events_open(&l->tasks, &attr, id, thread_only, children);
}

static int hand_over(void *context, const void *record, uint32_t size)
{
	struct lifecycle *l = context;
	struct lifecycle_event event;

	return lifecycle_record_parse(&event, record, size) ? l->handle(l->context, &event) : 0;
}

int lifecycle_drain(struct lifecycle *l, int (*handle)(void *, const struct lifecycle_event *),
		    void *context)
{
	l->handle = handle;
	l->context = context;
	for (uint32_t i = 0; i < l->ring_count; i++) {
		int r = perf_ring_drain(&l->rings[i].records, l->record, hand_over, l);

		if (r < 0)
			return r;
	}
	return 0;
}

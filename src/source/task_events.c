// SPDX-License-Identifier: Apache-2.0
#include "source/task_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/perf_event.h"

int task_events_ring(int *ret_fd, struct perf_ring *ret, uint32_t cpu, uint32_t bytes,
		     uint32_t least)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.exclude_kernel = 1,
		.use_clockid = 1, /* writing into one ring takes one clock */
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
	};
	cleanup(close) int fd = -1;
	int r = -EPERM;

	for (; r == -EPERM && bytes >= least; bytes /= 2) {
		if (fd >= 0)
			close(TAKE_FD(fd));
		attr.wakeup_watermark = bytes / 4;
		fd = perf_event_new(&attr, 0, (int)cpu);
		if (fd < 0)
			return fd;
		r = perf_ring_map(ret, fd, bytes);
	}
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int task_events_output(struct task_events *events, uint32_t cpu, int fd)
{
	struct task_output *output;

	for (uint32_t i = 0; i < events->outputs.count; i++) {
		if (events->outputs.at[i].cpu != cpu)
			continue;
		events->outputs.at[i].fd = fd;
		return 0;
	}
	output = array_push(&events->outputs);
	if (!output)
		return -ENOMEM;
	*output = (struct task_output){ cpu, fd };
	return 0;
}

static bool has(const struct task_events *events, pid_t tid)
{
	for (uint32_t i = 0; i < events->events.count; i++)
		if (events->events.at[i].tid == tid)
			return true;
	return false;
}

static int open_one(struct task_events *events, struct perf_event_attr *attr, pid_t tid,
		    const struct task_output *output)
{
	cleanup(close) int fd = perf_event_new(attr, tid, (int)output->cpu);
	struct task_event *event;

	if (fd == -EINVAL && attr->inherit_thread) {
		/* Before Linux 5.13: children have it, too, and are left out when their samples come. */
		attr->inherit_thread = 0;
		fd = perf_event_new(attr, tid, (int)output->cpu);
	}
	if (fd < 0)
		return TAKE_FD(fd);
	if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, output->fd) < 0)
		return -errno;
	event = array_push(&events->events);
	if (!event)
		return -ENOMEM;
	*event = (struct task_event){ tid, output->cpu, TAKE_FD(fd) };
	return 0;
}

/* Returns 1 when it was opened, 0 when the thread is gone, or a negative errno. */
static int open_thread(struct task_events *events, struct perf_event_attr *attr, pid_t tid)
{
	int opened = 0;

	if (events->adapt)
		events->adapt(events->adapt_context, attr, tid);
	for (uint32_t i = 0; i < events->outputs.count; i++) {
		int r = open_one(events, attr, tid, &events->outputs.at[i]);

		if (r == -ESRCH)
			return 0;
		if (r == -ENODEV || r == -ENXIO)
			continue; /* the CPU went offline just now */
		if (r < 0)
			return r;
		opened = 1;
	}
	return opened;
}

int task_events_open(struct task_events *events, struct perf_event_attr *attr, pid_t id,
		     bool thread_only, bool children)
{
	struct perf_event_attr one = *attr;
	cleanup(closedir) DIR *folder = NULL;
	const struct dirent *entry;
	bool any = false;
	char path[32];
	int r;

	one.inherit = !thread_only;
	one.inherit_thread = !thread_only && !children;
	if (thread_only) {
		r = open_thread(events, &one, id);
		return r > 0 ? 0 : r < 0 ? r : -ESRCH;
	}
	snprintf(path, sizeof(path), "/proc/%d/task", (int)id);
	folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ESRCH : -errno;
	/* Once: a thread that started meanwhile has them from the one that started it. */
	while ((entry = readdir(folder))) {
		pid_t tid = (pid_t)atoi(entry->d_name);

		if (tid <= 0 || has(events, tid))
			continue;
		r = open_thread(events, &one, tid);
		if (r < 0)
			return r;
		any |= r > 0;
	}
	return any ? 0 : -ESRCH;
}

void task_events_control(const struct task_events *events, unsigned long request)
{
	for (uint32_t i = 0; i < events->events.count; i++)
		(void)ioctl(events->events.at[i].fd, request, 0);
}

void task_events_close(struct task_events *events)
{
	for (uint32_t i = 0; i < events->events.count; i++)
		close(events->events.at[i].fd);
	array_fini(&events->events);
}

void task_events_fini(struct task_events *events)
{
	task_events_close(events);
	array_fini(&events->outputs);
}

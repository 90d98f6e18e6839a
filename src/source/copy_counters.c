// SPDX-License-Identifier: Apache-2.0
#include "source/copy_counters.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "source/perf_event.h"

int copy_counters_init(struct copy_counters *counters, const struct copy_cpus *cpus, bool tasks)
{
	int r = 0;

	for (uint32_t event = 0; event < EVENTS_COUNTED; event++)
		for (uint32_t i = 0; r == 0 && i < cpus->count; i++)
			if (cpus->at[i].ring_fd >= 0)
				r = task_events_output(&counters->opened[event], cpus->at[i].cpu,
						       cpus->at[i].ring_fd);
	counters->outputs = tasks ? counters->opened[0].outputs.count : 0;
	return r;
}

void copy_counters_fini(struct copy_counters *counters)
{
	for (uint32_t event = 0; event < EVENTS_COUNTED; event++)
		task_events_fini(&counters->opened[event]);
	array_fini(&counters->at);
}

static struct perf_event_attr attr_of(const struct copy_counters *counters,
				      const struct perf_event_attr *base, uint32_t event)
{
	struct perf_event_attr own =
		counted_event_attr(event, counters->frequency_hz, counters->period);
	struct perf_event_attr attr = *base;

	attr.type = own.type;
	attr.config = own.config;
	attr.freq = own.freq;
	attr.sample_period = own.sample_period; /* or its frequency: they are one field */
	attr.read_format = own.read_format;
	return attr;
}

static int open_on_cpus(struct task_events *events, const struct perf_event_attr *attr)
{
	for (uint32_t i = 0; i < events->outputs.count; i++) {
		const struct task_output *output = &events->outputs.at[i];
		struct perf_event_attr own = *attr;
		cleanup(close) int fd = perf_event_new(&own, -1, (int)output->cpu);
		struct task_event *event;

		if (fd == -ENODEV || fd == -ENXIO)
			continue; /* the CPU went offline just now */
		if (fd < 0)
			return TAKE_FD(fd);
		if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, output->fd) < 0)
			return -errno;
		event = array_push(&events->events);
		if (!event)
			return -ENOMEM;
		*event = (struct task_event){ -1, output->cpu, TAKE_FD(fd) };
	}
	return 0;
}

static int learn_ids(struct copy_counters *counters, uint32_t event, uint32_t from)
{
	const struct task_events *opened = &counters->opened[event - EVENT_COUNTED_FIRST];

	for (uint32_t i = from; i < opened->events.count; i++) {
		struct copy_counter *counter = array_push(&counters->at);

		if (!counter)
			return -ENOMEM;
		*counter = (struct copy_counter){ .event = event, .fd = opened->events.at[i].fd };
		if (ioctl(counter->fd, PERF_EVENT_IOC_ID, &counter->id) < 0)
			return -errno;
	}
	return 0;
}

int copy_counters_open(struct copy_counters *counters, const struct perf_event_attr *base, pid_t id,
		       bool thread_only, bool children, uint32_t *ret_event)
{
	int r = 0;

	for (uint32_t event = EVENT_COUNTED_FIRST; r == 0 && event < EVENTS; event++) {
		struct task_events *opened = &counters->opened[event - EVENT_COUNTED_FIRST];
		uint32_t before = opened->events.count;
		struct perf_event_attr attr;
		int learned;

		if (!(counters->events >> event & 1))
			continue;
		attr = attr_of(counters, base, event);
		r = id < 0 ? open_on_cpus(opened, &attr)
			   : task_events_open(opened, &attr, id, thread_only, children);
		learned = learn_ids(counters, event, before); /* what was opened stays, whatever came then */
		if (r == 0)
			r = learned;
		*ret_event = event;
	}
	return r;
}

void copy_counters_control(const struct copy_counters *counters, unsigned long request)
{
	for (uint32_t event = 0; event < EVENTS_COUNTED; event++)
		task_events_control(&counters->opened[event], request);
}

struct copy_counter *copy_counters_find(struct copy_counters *counters, uint64_t id)
{
	/* The kernel numbers events as they are opened: they ascend. */
	uint32_t count = array_count_up_to(&counters->at, id, id);

	return count && counters->at.at[count - 1].id == id ? &counters->at.at[count - 1] : NULL;
}

/*
 * Only what was stopped is lost here: each period that is over comes as a record, or the ring tells that it
 * did not. What tasks have counted of a period when they end is none.
 */
void copy_counters_figures(const struct copy_counters *counters, uint32_t event, uint64_t now_ns,
			   struct counted_figures *ret)
{
	uint32_t parts = counters->outputs ? counters->outputs : 1;

	*ret = counters->before[event - EVENT_COUNTED_FIRST];
	for (uint32_t i = 0; i < counters->at.count; i++) {
		const struct copy_counter *counter = &counters->at.at[i];
		uint64_t stopped_ns = counted_throttle_ns(&counter->throttle, now_ns);
		struct counted_reading reading = {};

		if (counter->event != event || counted_read(&reading, counter->fd) < 0)
			continue;
		ret->reading.count += reading.count;
		ret->reading.running_ns += reading.running_ns;
		/* A task's counters of other CPUs wait, and their time goes on. */
		ret->reading.enabled_ns += reading.enabled_ns / parts;
		ret->seen.hits += counter->seen.hits;
		ret->seen.events += counter->seen.events;
		if (ret->seen.largest < counter->seen.largest)
			ret->seen.largest = counter->seen.largest;
		reading.count = 0;
		ret->lost += counted_lost(&reading, &counter->seen, stopped_ns);
		ret->throttled += counter->throttle.times;
		ret->throttled_ns += stopped_ns;
	}
}

void copy_counters_close(struct copy_counters *counters)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	for (uint32_t event = EVENT_COUNTED_FIRST; event < EVENTS; event++) {
		struct counted_figures figures;

		copy_counters_figures(counters, event, now, &figures);
		counters->before[event - EVENT_COUNTED_FIRST] = figures;
	}
	for (uint32_t event = 0; event < EVENTS_COUNTED; event++)
		task_events_close(&counters->opened[event]);
	array_fini(&counters->at);
}

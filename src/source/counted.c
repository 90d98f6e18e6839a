// SPDX-License-Identifier: Apache-2.0
#include "source/counted.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "counted.skel.h"
#include "source/bpf_features.h"
#include "source/libbpf_log.h"
#include "source/perf_event.h"
#include "source/throttle_ring.h"

/* One event on one CPU. */
struct counter {
	int fd; /* -1: none */
	struct throttle_ring stops;
	struct counted_reading before; /* of those that went with their CPU */
	uint64_t looked_ns;	       /* enabled_ns when it was last looked */
};

struct counted_one {
	uint32_t event;
	struct counted_bpf *bpf;
	struct counter *counters; /* by CPU */
};

struct counted_source {
	struct counted_one ones[EVENTS_COUNTED];
	uint32_t count, possible_cpus;
	uint32_t frequency_hz;
	uint64_t period;
	bool runs;
	uint64_t stopped_ns;
};

static int fail(struct source_failure *failure, int r, const char *what)
{
	snprintf(failure->what, sizeof(failure->what), "%s", what);
	return r;
}

static int load(struct counted_one *one, bool adapts, struct cpu_source *base,
		struct source_failure *failure)
{
	struct counted_bpf *bpf = counted_bpf__open();
	struct cpu_source_namespace own;
	struct wire_config config;
	int r;

	one->bpf = bpf;
	if (!bpf)
		return fail(failure, -errno, "cannot open the BPF programs");
	r = cpu_source_share(base, bpf->obj, &config, &own);
	if (r == 0)
		r = cpu_source_share_scratches(base, bpf->obj);
	if (r < 0)
		return fail(failure, r, "cannot share the maps of the BPF programs");
	memcpy((void *)&bpf->rodata->config, &config, sizeof(config));
	*(uint32_t *)&bpf->rodata->counted_event = one->event;
	*(uint32_t *)&bpf->rodata->adapts = adapts;
	bpf->bss->own_pid_namespace = own.address;
	bpf->bss->own_pid_level = own.level;
	r = counted_bpf__load(bpf);
	return r < 0 ? fail(failure, r == -EACCES ? -EINVAL : r, bpf_refusal(r)) : 0;
}

static void counter_close(struct counter *counter)
{
	throttle_ring_unmap(&counter->stops);
	if (counter->fd >= 0)
		close(counter->fd);
	counter->fd = -1;
}

static int counter_open(struct counted_source *source, const struct counted_one *one, uint32_t cpu)
{
	struct perf_event_attr attr =
		counted_event_attr(one->event, source->frequency_hz, source->period);
	int program = bpf_program__fd(one->bpf->progs.counted_period);
	struct counter *counter = &one->counters[cpu];
	cleanup(close) int fd = -1;

	throttle_ring_ask(&attr);
	fd = perf_event_new(&attr, -1, (int)cpu);
	if (fd < 0)
		return TAKE_FD(fd);
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) < 0)
		return -errno;
	throttle_ring_map(&counter->stops, fd);
	if (source->runs && ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	counter->fd = TAKE_FD(fd);
	return 0;
}

static int open_one(struct counted_source *source, struct counted_one *one, struct cpu_source *base,
		    const struct cpu_list *cpus, struct source_failure *failure)
{
	int r = counted_event_try(one->event);

	if (r < 0) {
		counted_event_trouble(failure->what, sizeof(failure->what), one->event, r);
		return r;
	}
	one->counters = calloc(source->possible_cpus, sizeof(*one->counters));
	if (!one->counters)
		return fail(failure, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < source->possible_cpus; i++)
		one->counters[i].fd = -1;
	r = load(one, !source->period, base, failure);
	for (uint32_t i = 0; r == 0 && i < cpus->cpus.count; i++) {
		if (cpus->cpus.at[i] >= source->possible_cpus)
			continue;
		r = counter_open(source, one, cpus->cpus.at[i]);
		if (r == -ENODEV || r == -ENXIO)
			r = 0; /* the CPU went offline just now */
		else if (r < 0)
			counted_event_trouble(failure->what, sizeof(failure->what), one->event, r);
	}
	return r;
}

int counted_source_open(struct counted_source **ret, struct cpu_source *base,
			const struct counted_source_options *options, struct source_failure *failure)
{
	cleanup(counted_source_close) struct counted_source *source = calloc(1, sizeof(*source));
	int r = libbpf_num_possible_cpus();

	if (!source)
		return fail(failure, -ENOMEM, "out of memory");
	if (r < 0)
		return fail(failure, r, "cannot count the CPUs");
	libbpf_log();
	source->possible_cpus = (uint32_t)r;
	source->frequency_hz = options->frequency_hz;
	source->period = options->period;
	r = 0;
	for (uint32_t event = EVENT_COUNTED_FIRST; r == 0 && event < EVENTS; event++) {
		struct counted_one *one = &source->ones[source->count];

		if (!(options->events >> event & 1))
			continue;
		source->count++;
		one->event = event;
		r = open_one(source, one, base, options->cpus, failure);
	}
	if (r == 0)
		*ret = TAKE_PTR(source);
	return r;
}

void counted_source_close(struct counted_source *source)
{
	if (!source)
		return;
	for (uint32_t i = 0; i < source->count; i++) {
		struct counted_one *one = &source->ones[i];

		for (uint32_t cpu = 0; one->counters && cpu < source->possible_cpus; cpu++)
			counter_close(&one->counters[cpu]);
		free(one->counters);
		counted_bpf__destroy(one->bpf);
	}
	free(source);
}

static int control(const struct counted_source *source, unsigned long request)
{
	int r = 0;

	for (uint32_t i = 0; i < source->count; i++)
		for (uint32_t cpu = 0; cpu < source->possible_cpus; cpu++) {
			int fd = source->ones[i].counters[cpu].fd;

			if (fd >= 0 && ioctl(fd, request, 0) < 0)
				r = -errno;
		}
	return r;
}

int counted_source_start(struct counted_source *source)
{
	source->runs = true;
	return control(source, PERF_EVENT_IOC_ENABLE);
}

void counted_source_stop(struct counted_source *source)
{
	if (!source->runs)
		return;
	(void)control(source, PERF_EVENT_IOC_DISABLE);
	source->runs = false;
	source->stopped_ns = clock_ns(CLOCK_MONOTONIC);
}

int counted_source_turn(struct counted_source *source)
{
	int r = 0;

	for (uint32_t i = 0; i < source->count; i++)
		for (uint32_t cpu = 0; r == 0 && cpu < source->possible_cpus; cpu++)
			r = throttle_ring_drain(&source->ones[i].counters[cpu].stops);
	return r;
}

static struct counted_reading read_counter(const struct counter *counter)
{
	struct counted_reading sum = counter->before, now = {};

	if (counter->fd >= 0)
		(void)counted_read(&now, counter->fd);
	sum.count += now.count;
	sum.enabled_ns += now.enabled_ns;
	sum.running_ns += now.running_ns;
	return sum;
}

/* One that stands still has ended with its CPU: the time of others goes on also while they do not count. */
static int follow_one(struct counted_source *source, struct counted_one *one, uint32_t cpu)
{
	struct counter *counter = &one->counters[cpu];
	struct counted_reading reading = read_counter(counter);
	bool stands = counter->looked_ns && reading.enabled_ns == counter->looked_ns;
	int r = 0;

	counter->looked_ns = reading.enabled_ns;
	if (counter->fd >= 0 && !stands)
		return 0;
	counter_close(counter);
	counter->before = reading;
	r = counter_open(source, one, cpu);
	return r == -ENODEV || r == -ENXIO ? 0 : r;
}

int counted_source_follow(struct counted_source *source, const struct cpu_list *online)
{
	int r = 0;

	for (uint32_t i = 0; source->runs && i < source->count; i++)
		for (uint32_t k = 0; r == 0 && k < online->cpus.count; k++)
			if (online->cpus.at[k] < source->possible_cpus)
				r = follow_one(source, &source->ones[i], online->cpus.at[k]);
	return r;
}

static void add_up(struct counted_source *source, const struct counted_one *one,
		   struct counted_figures *ret)
{
	cleanup(free) struct wire_counted *seen = calloc(source->possible_cpus, sizeof(*seen));
	uint64_t now = source->runs ? clock_ns(CLOCK_MONOTONIC) : source->stopped_ns;
	uint32_t zero = 0;

	if (!seen || bpf_map_lookup_elem(bpf_map__fd(one->bpf->maps.counted), &zero, seen) < 0)
		return;
	for (uint32_t cpu = 0; cpu < source->possible_cpus; cpu++) {
		const struct counter *counter = &one->counters[cpu];
		struct counted_reading reading = read_counter(counter);
		uint64_t stopped_ns = counted_throttle_ns(&counter->stops.throttle, now);

		ret->reading.count += reading.count;
		ret->reading.enabled_ns += reading.enabled_ns;
		ret->reading.running_ns += reading.running_ns;
		ret->seen.hits += seen[cpu].hits;
		ret->seen.events += seen[cpu].events;
		if (ret->seen.largest < seen[cpu].largest)
			ret->seen.largest = seen[cpu].largest;
		/* Of a period that adapts, as long as it may be, nobody knows how much of it is under way. */
		if (!source->period)
			reading.count = 0;
		ret->lost += counted_lost(&reading, &seen[cpu], stopped_ns);
		ret->throttled += counter->stops.throttle.times;
		ret->throttled_ns += stopped_ns;
	}
}

void counted_source_figures(struct counted_source *source, uint32_t event,
			    struct counted_figures *ret)
{
	*ret = (struct counted_figures){};
	(void)counted_source_turn(source);
	for (uint32_t i = 0; i < source->count; i++)
		if (source->ones[i].event == event)
			add_up(source, &source->ones[i], ret);
}

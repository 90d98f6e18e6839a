// SPDX-License-Identifier: Apache-2.0
#include "source/copy_cpus.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "source/perf_event.h"

/* As of cpu.c. */
#define SHIFT_MAX 0.05
#define LOOK_NS 1000000000ULL
#define LOOK_TICKS 10

int copy_cpus_init(struct copy_cpus *ret, const struct cpu_list *cpus)
{
	*ret = (struct copy_cpus){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	if (ret->epoll_fd < 0)
		return -errno;
	ret->at = calloc(cpus->cpus.count, sizeof(*ret->at));
	if (!ret->at)
		return -ENOMEM;
	ret->count = cpus->cpus.count;
	for (uint32_t i = 0; i < ret->count; i++)
		ret->at[i] = (struct copy_cpu){ .cpu = cpus->cpus.at[i], .ring_fd = -1, .fd = -1 };
	return 0;
}

static void cpu_close(struct copy_cpu *cpu)
{
	if (cpu->fd >= 0)
		close(cpu->fd);
	perf_ring_unmap(&cpu->ring);
	if (cpu->ring_fd >= 0)
		close(cpu->ring_fd);
	cpu->fd = cpu->ring_fd = -1;
}

void copy_cpus_fini(struct copy_cpus *cpus)
{
	for (uint32_t i = 0; i < cpus->count; i++)
		cpu_close(&cpus->at[i]);
	if (cpus->epoll_fd >= 0)
		close(cpus->epoll_fd);
	free(cpus->at);
	*cpus = (struct copy_cpus){ .epoll_fd = -1 };
}

static int open_ring(struct copy_cpus *cpus, struct copy_cpu *cpu, uint32_t bytes,
		     struct task_events *tasks)
{
	struct epoll_event event = { .events = EPOLLIN };
	int r = task_events_ring(&cpu->ring_fd, &cpu->ring, cpu->cpu, bytes, bytes);

	if (r < 0)
		return r;
	if (epoll_ctl(cpus->epoll_fd, EPOLL_CTL_ADD, cpu->ring_fd, &event) < 0)
		return -errno;
	return tasks ? task_events_output(tasks, cpu->cpu, cpu->ring_fd) : 0;
}

int copy_cpus_open_rings(struct copy_cpus *cpus, const struct copy_sizes *sizes,
			 struct task_events *tasks)
{
	uint32_t bytes = copy_ring_bytes(sizes, copy_lockable_bytes(sizes->cpu_count));
	int r = -EPERM;

	for (; r == -EPERM && bytes >= COPY_RING_BYTES_MIN; bytes /= 2) {
		r = 0;
		for (uint32_t i = 0; i < cpus->count; i++)
			cpu_close(&cpus->at[i]);
		for (uint32_t i = 0; r == 0 && i < cpus->count; i++) {
			r = open_ring(cpus, &cpus->at[i], bytes, tasks);
			if (r == -ENODEV || r == -ENXIO)
				r = 0; /* it went offline just now */
		}
	}
	return r;
}

uint32_t copy_cpus_smallest_ring(const struct copy_cpus *cpus)
{
	uint32_t bytes = UINT32_MAX;

	for (uint32_t i = 0; i < cpus->count; i++)
		if (cpus->at[i].ring_fd >= 0 && cpus->at[i].ring.bytes < bytes)
			bytes = cpus->at[i].ring.bytes;
	return bytes;
}

static int open_event(const struct copy_cpus *cpus, struct copy_cpu *cpu,
		      const struct perf_event_attr *attr)
{
	struct perf_event_attr own = *attr;
	cleanup(close) int fd = perf_event_new(&own, -1, (int)cpu->cpu);

	if (fd < 0)
		return TAKE_FD(fd);
	if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, cpu->ring_fd) < 0)
		return -errno;
	if (cpus->runs && ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	if (cpu->fd >= 0)
		close(cpu->fd);
	cpu->fd = TAKE_FD(fd);
	return 0;
}

int copy_cpus_open_events(struct copy_cpus *cpus, const struct perf_event_attr *attr)
{
	cpus->rephased_ns = clock_ns(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < cpus->count; i++) {
		int r = cpus->at[i].ring_fd >= 0 ? open_event(cpus, &cpus->at[i], attr) : 0;

		if (r < 0 && r != -ENODEV && r != -ENXIO)
			return r;
	}
	return 0;
}

void copy_cpus_control(const struct copy_cpus *cpus, unsigned long request)
{
	for (uint32_t i = 0; i < cpus->count; i++)
		if (cpus->at[i].fd >= 0)
			(void)ioctl(cpus->at[i].fd, request, 0);
}

void copy_cpus_rephase(struct copy_cpus *cpus, uint64_t period_ns, uint64_t elapsed_ns)
{
	double tick = (double)period_ns;
	double lost = elapsed_ns ? tick / 2 / (double)elapsed_ns : 0;
	double mean = tick * (1 - (lost < 0.1 ? lost : 0.1));

	cpus->rephased_ns = clock_ns(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < cpus->count; i++) {
		struct copy_cpu *cpu = &cpus->at[i];
		double random = (double)(hash_pair(cpus->rephased_ns, i) >> 11) * 0x1p-53;
		double shift = cpu->shift != 0 ? -cpu->shift : (random - 0.5) * 2 * SHIFT_MAX;
		uint64_t period = (uint64_t)(mean * (1 + shift));

		cpu->shift = cpu->shift != 0 ? 0 : shift;
		if (cpu->fd >= 0)
			(void)ioctl(cpu->fd, PERF_EVENT_IOC_PERIOD, &period);
	}
}

static struct copy_cpu *find_cpu(const struct copy_cpus *cpus, uint32_t number)
{
	for (uint32_t i = 0; i < cpus->count; i++)
		if (cpus->at[i].cpu == number)
			return &cpus->at[i];
	return NULL;
}

static int add_cpu(struct copy_cpus *cpus, uint32_t number)
{
	struct copy_cpu *at = reallocarray(cpus->at, cpus->count + 1ULL, sizeof(*at));

	if (!at)
		return -ENOMEM;
	cpus->at = at;
	at[cpus->count++] = (struct copy_cpu){ .cpu = number, .ring_fd = -1, .fd = -1 };
	return 0;
}

static int revive(struct copy_cpus *cpus, const struct perf_event_attr *attr, uint32_t number,
		  struct cpu_list *changed)
{
	struct copy_cpu *cpu = find_cpu(cpus, number);
	uint32_t *slot;
	int r = cpu ? 0 : add_cpu(cpus, number);

	if (r < 0)
		return r;
	cpu = find_cpu(cpus, number);
	if (cpu->ring_fd < 0)
		r = open_ring(cpus, cpu, copy_cpus_smallest_ring(cpus), NULL);
	if (r == 0)
		r = open_event(cpus, cpu, attr);
	if (r < 0)
		return r == -ENODEV || r == -ENXIO ? 0 : r;
	cpu->last_ns = 0;
	slot = array_push(&changed->cpus);
	if (!slot)
		return -ENOMEM;
	*slot = number;
	return 0;
}

int copy_cpus_follow(struct copy_cpus *cpus, const struct perf_event_attr *attr,
		     const struct cpu_list *online, struct cpu_list *changed)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), pause = now - cpus->looked_ns;
	int r = 0;

	if (pause < LOOK_NS || pause < LOOK_TICKS * attr->sample_period)
		return 0;
	for (uint32_t i = 0; r == 0 && i < online->cpus.count; i++) {
		const struct copy_cpu *cpu = find_cpu(cpus, online->cpus.at[i]);

		if (!cpu || cpu->fd < 0 || (cpus->looked_ns && cpu->ticks == cpu->looked_ticks))
			r = revive(cpus, attr, online->cpus.at[i], changed);
	}
	for (uint32_t i = 0; i < cpus->count; i++)
		cpus->at[i].looked_ticks = cpus->at[i].ticks;
	cpus->looked_ns = now;
	return r;
}

uint64_t copy_cpu_tick(struct copy_cpu *cpu, uint64_t time_ns, bool busy, uint64_t rephased_ns,
		       uint64_t period_ns)
{
	uint64_t periods = 0;

	cpu->ticks++;
	if (cpu->last_ns > rephased_ns && cpu->busy && busy && time_ns > cpu->last_ns)
		periods = (time_ns - cpu->last_ns + period_ns / 2) / period_ns;
	cpu->last_ns = time_ns;
	cpu->busy = busy;
	return periods > 1 ? periods - 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPUs of a source of copies: a ring for each, and where whole CPUs are sampled, the event that writes
 * into it. An event comes and goes with its CPU; the ring stays.
 */
#pragma once

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>

#include "source/copy_sizes.h"
#include "source/perf_ring.h"
#include "source/task_events.h"

struct cpu_list;

struct copy_cpu {
	uint32_t cpu;
	int ring_fd; /* of the event that the ring belongs to; -1: none */
	int fd;	     /* of the CPU's own event; -1: none */
	struct perf_ring ring;
	double shift;
	uint64_t ticks, looked_ticks;
	uint64_t last_ns; /* of the last tick; 0: unknown */
	bool busy;	  /* it was of a task */
};

struct copy_cpus {
	struct copy_cpu *at;
	uint32_t count;
	int epoll_fd; /* readable when rings should be drained soon */
	uint64_t rephased_ns, looked_ns;
	bool runs; /* events that are opened begin at once */
};

/* None of them has a ring or an event yet. Returns 0 or a negative errno; to be freed even then. */
int copy_cpus_init(struct copy_cpus *ret, const struct cpu_list *cpus);
void copy_cpus_fini(struct copy_cpus *cpus);
/*
 * A ring for each, all as large as the limit on locked memory allows all of them to be. tasks: whose
 * events write into them; NULL: the CPUs' own do. Returns 0 or a negative errno (-EPERM: the limit).
 */
int copy_cpus_open_rings(struct copy_cpus *cpus, const struct copy_sizes *sizes,
			 struct task_events *tasks);
/* In bytes. */
uint32_t copy_cpus_smallest_ring(const struct copy_cpus *cpus);
/* The events of all CPUs that have a ring, in place of those there were. Returns 0 or a negative errno. */
int copy_cpus_open_events(struct copy_cpus *cpus, const struct perf_event_attr *attr);
/* An ioctl (PERF_EVENT_IOC_*) on each event. */
void copy_cpus_control(const struct copy_cpus *cpus, unsigned long request);
/* As cpu_source_rephase. */
void copy_cpus_rephase(struct copy_cpus *cpus, uint64_t period_ns, uint64_t elapsed_ns);
/* As cpu_source_follow: opens events on CPUs that came back. */
int copy_cpus_follow(struct copy_cpus *cpus, const struct perf_event_attr *attr,
		     const struct cpu_list *online, struct cpu_list *changed);
/*
 * A tick that comes whole periods late was missed: an interrupt that could not come, or a throttled
 * event. Notes one and returns how many were missed before it, which only between two busy ones is known,
 * as in bpf/cpu.bpf.c.
 */
uint64_t copy_cpu_tick(struct copy_cpu *cpu, uint64_t time_ns, bool busy, uint64_t rephased_ns,
		       uint64_t period_ns);

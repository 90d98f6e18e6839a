/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What takes samples of time on a CPU: BPF programs that walk stacks in the kernel (source/cpu.h), or
 * perf events that copy them (source/copy.h). A recording has one of the two and need not know which.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/wire.h"

struct cpu_list;
struct lifecycle_event;

/* As source/cpu.h says of the functions of the same names. NULL where there is nothing to do. */
struct sampler_ops {
	int (*watch)(void *source, pid_t id, uint32_t flags);
	bool (*watches_any)(void *source);
	int (*start)(void *source);
	void (*stop)(void *source);
	void (*rephase)(void *source, uint64_t elapsed_ns);
	int (*follow)(void *source, const struct cpu_list *online, struct cpu_list *changed);
	int (*fd)(void *source);
	/*
	 * Takes in what the kernel has written. It is handed over by `settle`, when the process events
	 * that happened before have been told by `event`.
	 */
	int (*drain)(void *source, int (*handle)(void *, const struct wire_sample *, size_t),
		     void *context);
	int (*event)(void *source, const struct lifecycle_event *event);
	int (*settle)(void *source, int (*handle)(void *, const struct wire_sample *, size_t),
		      void *context);
	void (*counters)(void *source, uint64_t ret[COUNT_COUNTERS]);
	uint64_t (*period_ns)(void *source);
	uint64_t (*kernel_bytes)(void *source);
};

struct sampler {
	const struct sampler_ops *ops;
	void *source; /* borrowed */
};

static inline int sampler_watch(const struct sampler *sampler, pid_t id, uint32_t flags)
{
	return sampler->ops->watch(sampler->source, id, flags);
}

static inline bool sampler_watches_any(const struct sampler *sampler)
{
	return sampler->ops->watches_any(sampler->source);
}

static inline int sampler_start(const struct sampler *sampler)
{
	return sampler->ops->start(sampler->source);
}

static inline void sampler_stop(const struct sampler *sampler)
{
	sampler->ops->stop(sampler->source);
}

static inline void sampler_rephase(const struct sampler *sampler, uint64_t elapsed_ns)
{
	sampler->ops->rephase(sampler->source, elapsed_ns);
}

static inline int sampler_follow(const struct sampler *sampler, const struct cpu_list *online,
				 struct cpu_list *changed)
{
	return sampler->ops->follow(sampler->source, online, changed);
}

static inline int sampler_fd(const struct sampler *sampler)
{
	return sampler->ops->fd(sampler->source);
}

static inline int sampler_drain(const struct sampler *sampler,
				int (*handle)(void *, const struct wire_sample *, size_t),
				void *context)
{
	return sampler->ops->drain(sampler->source, handle, context);
}

static inline int sampler_event(const struct sampler *sampler, const struct lifecycle_event *event)
{
	return sampler->ops->event ? sampler->ops->event(sampler->source, event) : 0;
}

static inline int sampler_settle(const struct sampler *sampler,
				 int (*handle)(void *, const struct wire_sample *, size_t),
				 void *context)
{
	return sampler->ops->settle ? sampler->ops->settle(sampler->source, handle, context) : 0;
}

static inline void sampler_counters(const struct sampler *sampler, uint64_t ret[COUNT_COUNTERS])
{
	sampler->ops->counters(sampler->source, ret);
}

static inline uint64_t sampler_period_ns(const struct sampler *sampler)
{
	return sampler->ops->period_ns(sampler->source);
}

static inline uint64_t sampler_kernel_bytes(const struct sampler *sampler)
{
	return sampler->ops->kernel_bytes(sampler->source);
}

struct cpu_source;
struct copy_source;
struct sampler cpu_source_sampler(struct cpu_source *source);
struct sampler copy_source_sampler(struct copy_source *source);

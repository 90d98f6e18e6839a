/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters of a source of copies (source/counted_event.h): on whole CPUs or on single tasks, they write into
 * the same rings as its timers. The id in a record tells whose it is.
 */
#pragma once

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "source/copy_cpus.h"
#include "source/counted_event.h"
#include "source/task_events.h"

/* One open counter, and those that tasks inherit from it. */
struct copy_counter {
	uint64_t id;
	uint32_t event;
	int fd; /* borrowed */
	struct wire_counted seen;
	struct counted_throttle throttle;
};

struct copy_counters {
	uint32_t events; /* a bit for each, as wire.h numbers them */
	uint32_t frequency_hz;
	uint64_t period; /* 0: as frequency_hz asks for */
	struct task_events opened[EVENTS_COUNTED]; /* of whole CPUs: of task -1 */
	struct counted_figures before[EVENTS_COUNTED]; /* of what was closed */
	ARRAY_OF(struct copy_counter) at; /* ascending by id */
	uint32_t outputs; /* CPUs that each task has a counter on; 0: whole CPUs are counted */
};

/* tasks: counters are opened on those, and each has one for each CPU. Returns 0 or a negative errno. */
int copy_counters_init(struct copy_counters *counters, const struct copy_cpus *cpus, bool tasks);
void copy_counters_fini(struct copy_counters *counters);
/*
 * Opens each event: on all CPUs (id -1), or on a task as task_events_open does. base: what is the same for
 * all events of the source. Returns 0 or a negative errno, and then *ret_event is which one it was.
 */
int copy_counters_open(struct copy_counters *counters, const struct perf_event_attr *base, pid_t id,
		       bool thread_only, bool children, uint32_t *ret_event);
void copy_counters_control(const struct copy_counters *counters, unsigned long request);
/* Closes all; what they have counted is kept. */
void copy_counters_close(struct copy_counters *counters);
/* Whose record it is; NULL: no counter's. */
struct copy_counter *copy_counters_find(struct copy_counters *counters, uint64_t id);
void copy_counters_figures(const struct copy_counters *counters, uint32_t event, uint64_t now_ns,
			   struct counted_figures *ret);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What takes the samples of one event, or of several of a kind, as the recording sees it. All write into
 * one ring, and all walk by the same tables; what is counted is up to the pipeline's counters.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "bpf/wire.h"

struct cpu_list;
struct recording;

/* Any of the calls may be NULL. Those that can fail return 0 or a negative errno, and have logged then. */
struct event_source {
	uint32_t events; /* EVENT_BIT of those that it takes the samples of */
	/* Before any target is added. */
	int (*open)(struct recording *recording);
	/* A process that was named, or the command before it runs. */
	int (*watch)(struct recording *recording, pid_t pid);
	/* All targets were named; sampling has not begun. */
	int (*ready)(struct recording *recording);
	/* Sampling begins. */
	int (*start)(struct recording *recording);
	/* It ends; may be called more than once. */
	void (*stop)(struct recording *recording);
	/* What has come up to now is handed to the pipeline. */
	int (*drain)(struct recording *recording);
	/* Now and then, with the CPUs that are online. */
	int (*follow)(struct recording *recording, const struct cpu_list *online);
	/* After each turn's samples were counted; last: nothing comes any more. */
	int (*turn)(struct recording *recording, bool last);
	/* Also of what was opened halfway. */
	void (*close)(struct recording *recording);
};

extern const struct event_source event_source_cpu, event_source_growth, event_source_alloc,
	event_source_heap, event_source_counted;

/* The next one that this recording has, beginning with NULL; NULL: there is none. */
const struct event_source *const *event_source_next(const struct recording *recording,
						    const struct event_source *const *before);

/* All that the recording has. */
#define FOR_EACH_EVENT_SOURCE(source, recording)                                                   \
	for (const struct event_source *const *source = event_source_next((recording), NULL);      \
	     source; source = event_source_next((recording), source))

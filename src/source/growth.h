/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page faults as samples: owns the BPF programs of bpf/growth.bpf.c and the events that they run on.
 *
 * Samples come out of the ring of the source that it is opened with, as EVENT_GROWTH. One page of
 * 2^growth_source_shift is in the sample; that is raised as faults come, and never lowered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "bpf/wire.h"
#include "source/cpu.h"

struct growth_source;

struct growth_source_options {
	uint64_t salt; /* of the hash, see bpf/page_hash.h */
	/*
	 * Events on each CPU, which see the faults of all that runs there; NULL: on the threads that
	 * growth_source_watch is told of, and what they start: nobody else pays for those.
	 */
	const struct cpu_list *cpus;
};

/* Borrows `base` until it is closed. Returns 0 or a negative errno. */
int growth_source_open(struct growth_source **ret, struct cpu_source *base,
		       const struct growth_source_options *options, struct source_failure *failure);
void growth_source_close(struct growth_source *source);
DEFINE_CLEANUP(struct growth_source, growth_source_close);

/* All threads of a process, before or after the start. 0 or -errno (-ESRCH: gone, -EMFILE, ...). */
int growth_source_watch(struct growth_source *source, pid_t pid);
/* One thread. */
int growth_source_watch_thread(struct growth_source *source, pid_t tid);

int growth_source_start(struct growth_source *source);
void growth_source_stop(struct growth_source *source);

/* To be called a few times a second: so many more samples may be taken. */
void growth_source_allow(struct growth_source *source, uint64_t now_ns);

uint32_t growth_source_shift(const struct growth_source *source);
/* From here on at least so much. */
void growth_source_raise_shift(struct growth_source *source, uint32_t shift);

/* False: this kernel does not tell when memory is moved. */
bool growth_source_tells_moves(const struct growth_source *source);
/* Hands over what was moved since. Returns 0 or the first negative result. */
int growth_source_drain_moves(struct growth_source *source,
			      int (*handle)(void *context, const struct wire_move *move),
			      void *context);

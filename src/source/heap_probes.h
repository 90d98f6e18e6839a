/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of processes that run already, followed by probes (bpf/heap.bpf.c): which objects are sampled,
 * and which of them live. Whom to follow, and for how long, is up to the caller.
 *
 * Each followed process has a slot, from 0 to WIRE_HEAP_PROCESSES - 1.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "source/cpu.h"

/* Where in a file calls are probed: of those that allocate, of those that free. */
struct heap_places {
	int file; /* owned */
	ARRAY_OF(uint64_t) calls, call_cookies, frees, free_cookies;
};

struct heap_process_places {
	ARRAY_OF(struct heap_places) of;
};

void heap_process_places_fini(struct heap_process_places *places);

/* What happened so far in a process, all CPUs together. */
struct heap_figures {
	uint64_t hits, samples, sample_ns, lost, untracked;
};

struct heap_probes;

/*
 * Loads the programs; samples come out of cpu's ring, as EVENT_HEAP, with the process's nonce as weight_ns
 * and the object's number as address. interval_bytes: mean of the bytes between two samples. Returns 0 or
 * a negative errno, with *failure filled in. Free with heap_probes_close, which takes all probes away.
 */
int heap_probes_open(struct heap_probes **ret, const struct cpu_source *cpu,
		     uint64_t interval_bytes, struct source_failure *failure);
void heap_probes_close(struct heap_probes *probes);
DEFINE_CLEANUP(struct heap_probes, heap_probes_close);

/*
 * Measures with children of ours what a probe costs who runs into it, in ns, and whether a probed return
 * would end who filters system calls. Returns 0 or a negative errno (-EOPNOTSUPP: the kernel has no such
 * probes).
 */
int heap_probes_measure(const struct heap_probes *probes, double *ret_ns, bool *ret_harms_filtered);

/*
 * Puts the probes of a process there; its calls are only counted. nonce: of its objects. Returns 0 or a
 * negative errno (-ESRCH: it is gone), and then there are none.
 */
int heap_probes_attach(struct heap_probes *probes, uint32_t slot, pid_t pid, uint64_t nonce,
		       const struct heap_process_places *places);
/* Objects are sampled from now on, or nothing more happens to them. */
void heap_probes_switch(struct heap_probes *probes, uint32_t slot, bool on);
/* Takes the process's probes away, and forgets its objects. */
void heap_probes_detach(struct heap_probes *probes, uint32_t slot);

/* Of all slots; ret: WIRE_HEAP_PROCESSES of them. */
void heap_probes_figures(const struct heap_probes *probes, struct heap_figures *ret);
/* Has the process become another program, as far as was noticed? Its objects are gone then. */
bool heap_probes_replaced(const struct heap_probes *probes, uint32_t slot);

/*
 * Calls `handle` with each object that lives. A negative result ends it and is returned. Returns 0 or a
 * negative errno.
 */
int heap_probes_live(struct heap_probes *probes,
		     int (*handle)(void *context, uint32_t slot, uint64_t id), void *context);

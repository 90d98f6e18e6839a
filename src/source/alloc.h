/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of calls that allocate memory (bpf/alloc.bpf.c), by probes that are there only for a while.
 * Whom to probe, when, and for how long is up to the caller.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "source/cpu.h"

/* A file in a process, and where in it calls are to be seen. */
struct alloc_probe {
	pid_t pid;
	int file; /* owned by whom it is handed to */
	ARRAY_OF(uint64_t) offsets, cookies;
};

struct alloc_probes {
	ARRAY_OF(struct alloc_probe) of;
};

void alloc_probes_fini(struct alloc_probes *probes);

/* What happened so far, all CPUs together. */
struct alloc_figures {
	uint64_t hits, calls, bytes, samples, sample_ns, dropped;
};

struct alloc_source;

/*
 * Loads the program; samples come out of cpu's ring. Returns 0 or a negative errno, with *failure filled in.
 * Free with alloc_source_close.
 */
int alloc_source_open(struct alloc_source **ret, const struct cpu_source *cpu,
		      struct source_failure *failure);
void alloc_source_close(struct alloc_source *source);
DEFINE_CLEANUP(struct alloc_source, alloc_source_close);

/*
 * Measures what a probe costs who runs into it, in nanoseconds: a child of ours runs instructions of
 * the kinds that are probed. Returns 0 or a negative errno (-EOPNOTSUPP: the kernel has no such probes).
 */
int alloc_source_measure(struct alloc_source *source, double *ret_ns);

/*
 * Puts probes there; what cannot be probed any more (a process that is gone) is left out. Returns how
 * many are there, or a negative errno when none is for another reason. Takes tens of milliseconds.
 */
int alloc_source_attach(struct alloc_source *source, const struct alloc_probes *probes);
/* Takes all of them away again; the same. */
void alloc_source_detach(struct alloc_source *source);
/* Calls are sampled from now on, as of window `number`, at a mean distance of so many bytes; 0: not any more. */
void alloc_source_window(struct alloc_source *source, uint64_t number, uint64_t interval_bytes);
void alloc_source_figures(const struct alloc_source *source, struct alloc_figures *ret);

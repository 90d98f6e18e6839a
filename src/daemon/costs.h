/* SPDX-License-Identifier: Apache-2.0 */
/* What profd itself costs: CPU time and memory of all its processes, as the kernel counts them. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct recording;

struct costs {
	uint64_t cpu_ns;    /* of this process, its workers and others it has, BPF programs not with it */
	uint64_t steady_ns; /* the part of cpu_ns that grows with the rate of sampling: without tables and
			       names of new programs, and without what answers clients */
	uint64_t bpf_ns;
	/* Resident, when costs_read_memory looked last: all processes; who reads source lines. */
	uint64_t rss_bytes, liner_bytes;
	uint64_t kernel_bytes; /* BPF maps and programs */
};

/*
 * helpers: other processes of profd (0: none); ended_ns: CPU time of those that have ended;
 * fixed_kernel_bytes: cpu_source_kernel_bytes, which does not change.
 */
void costs_read_memory(struct costs *ret, const struct recording *rec, const pid_t *helpers,
		       unsigned helper_count);
/* Everything but memory, which takes longer to find out. */
void costs_read(struct costs *ret, const struct recording *rec, const pid_t *helpers,
		unsigned helper_count, uint64_t ended_ns, uint64_t fixed_kernel_bytes);

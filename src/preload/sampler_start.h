/* SPDX-License-Identifier: Apache-2.0 */
/* Switching the sampler on, while the process has one thread. */
#pragma once

#include <stdint.h>

#include "preload/region.h"

struct sampler_beginning {
	struct heap_header *region; /* NULL: nothing will be sampled */
	const uint32_t *fork_mark;  /* see region_fork_mark */
	uint64_t seed;
	uint64_t main_stack_end;
	uint32_t thread_id_offset; /* of the thread's id, from its control block; 0: not known */
};

void sampler_start(const struct sampler_beginning *beginning);

/* The region that is written to, or NULL. */
struct heap_header *sampler_region(void);
/* Ids from this one on are not in use yet. */
uint64_t sampler_first_id(void);
/* In a child of fork: goes on with this region, which may be NULL. */
void sampler_after_fork(struct heap_header *region, uint64_t seed);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copied stacks walked by libunwind, in a reader of their own (`walker`): what crashes it or never comes to an
 * end does so there, and nothing else waits for it.
 */
#pragma once

#include "elf/object.h"
#include "worker/workers.h"

/* Code that the process has mapped, ascending; object: borrowed, with a file that can be read. */
struct walk_code {
	uint64_t start, end, bias;
	struct object *object;
};

/*
 * what: with everything filled in but mapping_count. codes: WIRE_WALK_MAPPINGS_MAX of them at most. stack:
 * what->stack_bytes bytes. payer: whose stack it is. addresses: room for what->limit.
 * Returns 0 with *ret and the addresses (how many: ret->count), a worker_outcome (above 0), or a negative
 * errno: it was not walked.
 */
int ask_walk(struct workers *workers, struct wire_walked *ret, uint64_t *addresses,
	     const struct wire_walk *what, const struct walk_code *codes, uint32_t count,
	     const void *stack, const struct payer *payer);

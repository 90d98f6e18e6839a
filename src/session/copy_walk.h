/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copied stacks, walked by libunwind (worker/ask_walk.h): by what the objects say themselves, some of which
 * unwind tables do not know.
 */
#pragma once

#include "session/pipeline.h"
#include "unwind/walk.h"

/*
 * Walks from the leaf on, which input describes. addresses: room for `limit`; *count: how many frames were
 * found. Unless the result is WALK_COMPLETE, input is where to go on afterwards (as it was, if nothing was
 * found).
 */
enum walk_outcome copy_walk(struct pipeline *pipeline, struct process *process,
			    struct walk_input *input, uint64_t *addresses, uint32_t limit,
			    uint32_t *count);

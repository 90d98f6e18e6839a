/* SPDX-License-Identifier: Apache-2.0 */
/* One sample: its walk is finished, its frames become locations, its stack is counted. */
#pragma once

#include "session/pipeline.h"

/* Kernel and user frames, and a note at the root. */
enum { SAMPLE_STACK_MAX = WIRE_MAX_KERNEL_FRAMES + WIRE_MAX_FRAMES + 8 };

/* sample: as it came out of the ring, complete. Returns 0 or a negative errno. */
int sample_stack_count(struct pipeline *pipeline, const struct wire_sample *sample);
/*
 * The same without counting it: *ret is the id of its stack in the profile, *ret_outcome how the walk
 * ended. Returns 0 or a negative errno (-EINVAL: it is no sample).
 */
int sample_stack_add(struct pipeline *pipeline, const struct wire_sample *sample, uint32_t *ret,
		     enum walk_outcome *ret_outcome);

/*
 * Brings process->wire up to date with its mappings. build: compile tables that are missing, else
 * use those there are.
 */
void process_wire_update(struct pipeline *pipeline, struct process *process, bool build);

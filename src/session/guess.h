/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last resort where nothing tells of a frame: its caller is taken to be where a word on the
 * stack leads that points behind a call. Best is a call of this very function: of those whose target
 * lies before the frame's address the nearest; else the nearest word behind a call that could lead
 * anywhere. It may be a leftover of a call that is over: what is found so is marked, and never
 * counted as complete.
 */
#pragma once

#include "session/pipeline.h"
#include "unwind/walk.h"

struct call_site {
	uint64_t address; /* ELF address */
	uint32_t object;  /* object.id */
	uint64_t target;  /* what call_ends_at says (elf/call_sites.h) */
};

void call_sites_fini(struct call_sites *sites);

/* May a walk that ended so, in this code, be carried on by a guess? */
bool guess_is_allowed(const struct process *process, enum walk_outcome outcome,
		      const struct walk_end *end);
/*
 * Looks for the caller of the frame where a walk ended. input: its stack; the registers of the
 * caller are put there. Returns whether there is one.
 */
bool guess_caller(struct pipeline *pipeline, const struct process *process,
		  struct walk_input *input, const struct walk_end *end);

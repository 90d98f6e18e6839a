/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event `heap`: the objects that processes sample which have loaded libprofd-heap.so
 * (src/preload). The command that is started gets it by LD_PRELOAD, with all its children; a process
 * that is named has to have been started with it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct json;
struct recording;

/* How it went. */
struct heap_summary {
	uint64_t interval;	/* mean number of bytes between two samples */
	uint32_t processes;	/* that had the library */
	uint32_t own_allocator; /* of them, with a malloc of their own, which it does not see */
	bool began_before;	/* they ran before the recording did */
	uint64_t live_objects;	/* sampled ones that were in use at the end */
	int64_t inuse_objects, inuse_bytes, alloc_objects, alloc_bytes; /* estimates of all */
	uint64_t lost, untracked, refused; /* samples, see struct heap_region */
	/*
	 * Objects weigh differently. The share of the live sampled ones that as many of equal weight would
	 * have to be to say as much; 0: there is none.
	 */
	double evenness;
};

struct heap;

void heap_summarize(const struct recording *recording, struct heap_summary *ret);
/* What was found, in a sentence, without "profd: " and newline. */
void heap_sentence(const struct heap_summary *summary, struct bytes *ret);
/* What it cannot know, or "". */
void heap_caveats(const struct heap_summary *summary, struct bytes *ret);
void heap_json(const struct heap_summary *summary, struct json *json);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event `heap`: the objects that processes sample which have loaded libprofd-heap.so
 * (src/preload). The command that is started gets it by LD_PRELOAD, with all its children. A process
 * that is named and was not started with it is followed by probes, where these cost little.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "bpf/wire.h"

struct json;
struct recording;

enum heap_follow_end {
	HEAP_FOLLOW_WHOLE,    /* it was followed to the recording's end */
	HEAP_FOLLOW_ENDED,    /* it ended before */
	HEAP_FOLLOW_REPLACED, /* by exec: what it had is gone */
	HEAP_FOLLOW_TOO_DEAR, /* it began to call more often than is allowed: objects are as of then */
	HEAP_FOLLOW_REFUSED, /* it was not followed at all */
};

/* A running process without the library. */
struct heap_followed {
	pid_t pid;
	enum heap_follow_end end;
	const char *why; /* of HEAP_FOLLOW_REFUSED; borrowed from the recording */
	double seconds;	 /* for how long it was followed */
	uint64_t calls;	 /* that ran into a probe meanwhile */
	double calls_per_second;
	double cost,
		cap; /* of the probes, a share of the CPU time that it uses itself; what is allowed */
	double of_one_cpu; /* the same cost, of a whole CPU's time */
};

/* How it went. */
struct heap_summary {
	uint64_t interval;	/* mean number of bytes between two samples */
	uint32_t processes;	/* that had the library, or were followed without */
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
	struct heap_followed followed[WIRE_HEAP_PROCESSES];
	uint32_t followed_count;
	bool children;	 /* that they start were asked for, too */
	uint32_t python; /* of them, Python, whose small objects no malloc gives out */
};

struct heap;

void heap_summarize(const struct recording *recording, struct heap_summary *ret);
/* What was found, in a sentence, without "profd: " and newline. */
void heap_sentence(const struct heap_summary *summary, struct bytes *ret);
/* What it cannot know, or "". */
void heap_caveats(const struct heap_summary *summary, struct bytes *ret);
void heap_json(const struct heap_summary *summary, struct json *json);

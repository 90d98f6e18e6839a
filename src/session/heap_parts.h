/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind heap.h know of each other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "session/heap.h"
#include "session/heap_environment.h"
#include "session/heap_objects.h"
#include "source/heap_region.h"
#include "source/heap_socket.h"

/* What ends so long before the recording does counts as if it had ended with it. */
#define HEAP_END_NS 1000000000ULL

enum {
	HEAP_OBJECTS_MAX = 2 << 20, /* 150 MB; a process that is not hostile has 131072 at most */
};

/* A process with the library. */
struct heap_process {
	struct heap_region region; /* its descriptor is -1 once it counts for nothing more */
	int pid_fd;		   /* -1: it has ended, or nothing can be known of that */
	uint64_t ended_ns;	   /* 0: not yet */
	bool replaced;		   /* by exec: what it had is gone */
	bool needed;		   /* by heap_preloaded_forget */
};

struct heap_preloaded {
	struct heap_socket socket; /* on which children of the command call */
	struct heap_environment environment;
	ARRAY_OF(struct heap_process) processes;
	uint32_t processes_seen, own_allocator, forgotten_at;
	uint64_t looked_ns;
	uint64_t lost, untracked, refused; /* of those that are closed */
	unsigned char *buffer;		   /* a sample */
};

struct heap {
	struct recording *recording;
	struct heap_objects objects; /* sampled ones */
	struct heap_preloaded preloaded;
	struct heap_attached *attached; /* NULL: nobody is followed by probes */
	uint32_t dropped_at;
	uint64_t refresh_ns; /* when to look next at what lives */
	uint64_t refused;
	double alloc_objects, alloc_bytes;
};

/* heap_preloaded.c; those that can fail return 0 or a negative errno. */

int heap_preloaded_open(struct heap *heap);
void heap_preloaded_close(struct heap *heap);
enum { HEAP_NOT_PRELOADED = 1 };
/* Returns also HEAP_NOT_PRELOADED: the process has not loaded the library. Logs. */
int heap_preloaded_watch(struct heap *heap, pid_t pid);
int heap_preloaded_switch(struct heap *heap, bool on);
/* What they have written goes into the pipeline. Who has ended is seen, too. */
int heap_preloaded_drain(struct heap *heap);
/* Counts the holders of their objects that live. end_ns: up to when this is to be true. */
int heap_preloaded_hold(struct heap *heap, uint64_t end_ns);
void heap_preloaded_find_replaced(struct heap *heap, uint64_t now_ns);
/* Of many that have ended only those are known on that their children have something from. */
void heap_preloaded_forget(struct heap *heap);
void heap_preloaded_summarize(const struct heap *heap, struct heap_summary *ret);

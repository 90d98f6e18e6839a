/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's side of one process's region (src/preload/region.h). The process may write into it what
 * it likes at any time: every value is copied out first, then checked, and each call does a bounded
 * amount of work.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "preload/region.h"

struct heap_region {
	int fd;		  /* owned; -1: only what was read of it is still known */
	pid_t pid;	  /* as this process sees it */
	uint32_t own_pid; /* as the process itself does */
	uint32_t flags;	  /* enum heap_flags */
	uint64_t nonce, parent_nonce, first_id; /* see struct heap_header */
	/* Counted by the process. */
	uint64_t lost, untracked, nested;
	uint64_t refused; /* records that made no sense, or never got ready */
	/* The reader's place. */
	uint64_t tail;
	uint64_t waits_since_ns; /* for the record at tail; 0: it does not wait */
};

/* A checked sample, borrowed. */
struct heap_sample {
	const struct heap_region *region;
	const struct heap_record *record;
	const unsigned char *stack; /* record->stack_bytes from record->sp on */
};

enum { HEAP_REGION_REFUSED = 1 };
/*
 * Takes the descriptor, also when it fails. pid: whose it is. Returns 0, HEAP_REGION_REFUSED when it
 * is no such region (of this version), or a negative errno.
 */
int heap_region_open(struct heap_region *ret, int fd, pid_t pid);
void heap_region_close(struct heap_region *region);

/* Switches sampling on, with this mean gap, or off. Returns 0 or a negative errno. */
int heap_region_switch(struct heap_region *region, bool on, uint64_t interval);

/* Instead of a time: nobody writes any more, so that nothing is waited for. */
#define HEAP_REGION_ENDED UINT64_MAX

/*
 * Hands over what is in the ring. now_ns: CLOCK_MONOTONIC; a record that is not ready holds up those
 * behind it for a second. A negative result of `handle` ends it and is returned. Returns 0, 1 when
 * there is more, or a negative errno.
 */
int heap_region_drain(struct heap_region *region, uint64_t now_ns,
		      int (*handle)(void *context, const struct heap_sample *sample),
		      void *context);

/*
 * Calls `handle` with the id of each sampled object that lives. A negative result ends it and is
 * returned. Returns 0 or a negative errno.
 */
int heap_region_live(const struct heap_region *region, int (*handle)(void *context, uint64_t id),
		     void *context);

/*
 * How many bytes and objects a sampled object stands for: on average what there is, whatever the size.
 * id: of the object, by which the fraction of an object is rounded up or down. Finite also for sizes
 * and intervals that make no sense.
 */
struct heap_weight {
	int64_t bytes, objects;
};
struct heap_weight heap_weight(uint64_t size, uint64_t interval, uint64_t id);

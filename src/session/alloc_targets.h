/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the processes of a recording allocate: for each the objects whose functions it really calls, and
 * the places in them that can be probed.
 *
 * Which of several objects with a malloc a process uses is read from its own pointers to malloc, which
 * ld.so has set.
 */
#pragma once

#include "base/bytes.h"
#include "elf/allocator.h"
#include "session/pipeline.h"
#include "source/alloc.h"

struct alloc_targets;

int alloc_targets_new(struct alloc_targets **ret);
void alloc_targets_free(struct alloc_targets *targets);
/*
 * The probes for all processes that the pipeline knows and that still live. *ret_changed: they are others
 * than the last time, or the first ones; else *ret stays as it is. Returns 0 or a negative errno.
 */
int alloc_targets_find(struct alloc_targets *targets, struct pipeline *pipeline,
		       struct alloc_probes *ret, bool *ret_changed);

/* An object whose functions a process calls for its memory; all borrowed, until another process is asked for. */
struct alloc_use {
	struct object *object;
	const struct allocator *allocator;
	int file; /* where its file lies, for probes; -1: nowhere where that is sure to be answered */
};

struct alloc_used {
	ARRAY_OF(struct alloc_use) of;
	bool calls_new; /* some object of the process calls another one's operator new */
};

/* Those of one process; the array is the caller's. Returns 0 or a negative errno. */
int alloc_targets_of(struct alloc_targets *targets, struct pipeline *pipeline,
		     const struct process *process, struct alloc_used *ret);
/* Where in the object's file a site is, and what its probe is to know; false: the file has no such place. */
bool alloc_site_place(const struct allocation_site *site, const struct object *object,
		      uint64_t *ret_offset, uint64_t *ret_cookie);

/*
 * Has its first thread ended before others? The kernel looks for the memory to probe there, finds none, and says
 * nothing.
 */
bool alloc_targets_out_of_reach(const struct process *process);

/* Why there is nothing to probe, in words; "" if there is or nobody knows. Borrowed. */
const char *alloc_targets_trouble(const struct alloc_targets *targets);

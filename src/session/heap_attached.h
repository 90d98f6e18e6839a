/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of processes that run without libprofd-heap.so: followed by probes, where these cost less than
 * --alloc-overhead. First their calls are only counted; who calls too often is not followed, and who does so
 * later is followed no longer: what it had in use by then is what is told of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "session/heap.h"

struct heap;
struct heap_attached;

/* Those that can fail return 0 or a negative errno, and have logged then. heap->attached NULL: there is none. */

/* The process is to be followed, if that can be. */
int heap_attached_watch(struct heap *heap, pid_t pid);
/* Counts calls until it is known whom to follow. Fails when there is nobody. */
int heap_attached_choose(struct heap *heap);
/* Objects are sampled from now on, or not any more. */
void heap_attached_switch(struct heap *heap, bool on);
/* Looks at what the probes cost, and who has ended. */
int heap_attached_turn(struct heap *heap);
/* Is this the nonce of a process that is followed? */
bool heap_attached_owns(const struct heap *heap, uint64_t nonce);
/* Counts the holders of objects that live. end_ns: up to when this is to be true. */
int heap_attached_hold(struct heap *heap, uint64_t end_ns);
/* All probes go. */
void heap_attached_release(struct heap *heap);
void heap_attached_summarize(const struct heap *heap, struct heap_summary *ret);
void heap_attached_close(struct heap *heap);

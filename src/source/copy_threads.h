/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large the copies of each thread's stack are, where threads have events of their own: a thread whose
 * walks end where their copies do gets larger ones, and the room in the ring that all others take stays
 * what it was.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"

struct copy_thread {
	pid_t tid;
	uint32_t bytes;
};

struct copy_threads {
	uint32_t bytes;	 /* of those that have none of their own */
	uint32_t rounds; /* in which single ones have grown */
	ARRAY_OF(struct copy_thread) grown;
};

void copy_threads_fini(struct copy_threads *threads);
/* Of that thread's copies. */
uint32_t copy_threads_bytes(const struct copy_threads *threads, pid_t tid);
/* The most that any has. */
uint32_t copy_threads_most(const struct copy_threads *threads);
/*
 * A walk of the thread ended where its copy of `copied` bytes did; `ring`: the smallest, in bytes. Returns
 * 1 when its copies, or those of all, have become larger, 0 when they have been since, or are as large as
 * they can be, or -ENOMEM.
 */
int copy_threads_grow(struct copy_threads *threads, pid_t tid, uint32_t copied, uint32_t ring);

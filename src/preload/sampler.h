/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which allocations are sampled, and what is done about them then.
 *
 * What runs in the program's threads here may be called from anywhere: from within the dynamic
 * loader, a signal handler, a child of vfork. So it takes no locks, allocates nothing, calls nothing
 * in the C library but clock_gettime, unwinds nothing and changes no errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/machine.h"
#include "preload/objects.h"

struct sampler_thread {
	uint64_t countdown; /* bytes until the next sample */
	uint64_t interval;  /* the mean it was drawn with */
	uint64_t random;    /* 0: nothing was drawn yet */
	uintptr_t busy;	    /* where on the stack a sample is being taken; 0: none is */
};

extern __thread struct sampler_thread sampler_thread
	__attribute__((visibility("hidden"), tls_model("initial-exec")));

/* Counts the object, unless it is to be looked at: returns whether sampler_crosses is to be asked. */
static inline bool sampler_counts(size_t size)
{
	if (__builtin_expect(size > sampler_thread.countdown, 0))
		return true;
	sampler_thread.countdown -= size;
	return false;
}

/* What the caller of an allocator's function looks like when it goes on. */
struct sampler_place {
	uint64_t ip, sp, bp, bx;
	uint64_t interval; /* filled in by sampler_crosses */
	uint32_t flags;	   /* of struct heap_record */
};

/*
 * The caller of this function, and if it was itself jumped to as the last act of another one, that
 * one's caller.
 */
#define SAMPLER_PLACE(bx_value)                                                                    \
	{                                                                                          \
		.ip = MACHINE_CALLER_IP(), .sp = MACHINE_CALLER_SP(),                              \
		.bp = ((const uint64_t *)__builtin_frame_address(0))[0], .bx = (bx_value),         \
	}

/* Draws the next gap. Returns whether the object of this size, if it is given, is to be sampled. */
bool sampler_crosses(size_t size, struct sampler_place *place);
/* Takes the sample. */
void sampler_take(const void *object, size_t size, const struct sampler_place *place);
/* The object is about to be freed, and may be a sampled one. Returns its id, or 0. */
uint64_t sampler_forget(const void *object);
/* It was not freed after all. */
void sampler_remember(const void *object, uint64_t id);

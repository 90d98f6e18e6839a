/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the target uses, as the kernel counts it (proc(5)): not from samples, so that it is there
 * before the first of them, and says what they do not, as how much of it is in the kernel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/hash.h"

/* What is watched. */
struct usage_target {
	ARRAY_OF(pid_t) pids; /* processes, or threads with by_thread */
	bool by_thread;
	bool everything; /* the machine: `pids` is not looked at */
	bool children;	 /* also what comes and goes between two readings */
};

/* CPU time. */
struct usage_ticks {
	uint64_t all, system;
};

struct usage_known {
	pid_t pid;
	uint64_t start_time;
	struct usage_ticks own, children; /* of those that were waited for */
	uint32_t round;			  /* when it was seen last */
};

struct usage {
	ARRAY_OF(struct usage_known) known;
	struct hash_index index; /* by pid */
	uint32_t round;
	uint64_t read_ns;		       /* 0: never */
	uint64_t machine_user, machine_system; /* ticks of all CPUs so far */
	uint32_t
		rest; /* how many readings to leave the states of threads out of, for they cost much */

	/* Since the reading before this one; percent of one CPU. -1: not known yet. */
	double user_percent, system_percent;
	uint64_t resident_bytes;	      /* of the machine: memory that is in use */
	uint32_t processes, threads, running; /* waiting is what does not run */
	bool states_known; /* `running` was read; else it is that of an earlier reading */
};

void usage_fini(struct usage *usage);
/*
 * Reads it anew; what has gone counts no more. now_ns: CLOCK_MONOTONIC. Returns 0 or a negative errno.
 */
int usage_read(struct usage *usage, const struct usage_target *target, uint64_t now_ns);

/* The first line of /proc/stat: ticks of all CPUs; pure. Returns 0 or -EINVAL. */
int usage_parse_machine(uint64_t *ret_user, uint64_t *ret_system, const char *text);

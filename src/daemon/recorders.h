/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recordings of other events than CPU time, which somebody asked for. Each is made by a process of its own,
 * `profd record`: what it costs ends with it, and whatever goes wrong there is that one's affair.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/bytes.h"
#include "server/control_protocol.h"

enum { RECORDERS_AT_ONCE = 2 };

struct recorder {
	uint64_t id; /* as it was asked for; 0: nobody waits for it any more */
	pid_t pid;
	int output, errors;   /* files in memory: the profile; what the process said */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; then it is ended by force */
};

struct recorders {
	const char *symbol_cache; /* as --symbol-cache has it; borrowed; NULL: the usual one */
	ARRAY_OF(struct recorder) list;
	uint64_t ended_cpu_ns; /* of those that have ended */
};

/* Ends them all, and waits for them. */
void recorders_fini(struct recorders *recorders);
/* asked: a CONTROL_RECORD. Returns 0, -EAGAIN (there are too many) or another negative errno. */
int recorders_start(struct recorders *recorders, const struct control_request *asked);
/* Ended early, without an answer; unknown ids are no mistake. */
void recorders_cancel(struct recorders *recorders, uint64_t id);
/* The same of all. */
void recorders_cancel_all(struct recorders *recorders);
/*
 * The answer of one that has ended: CONTROL_RECORDED with *fd, which is the caller's then, else -1, and
 * words in `words`, to which ret->text points. Returns whether there was one.
 */
bool recorders_take(struct recorders *recorders, struct control_answer *ret, int *fd,
		    struct bytes *words);

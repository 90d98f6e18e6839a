/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stretches of time that somebody asked for, in which a target is sampled more closely than all
 * others. Windows are cut where a stretch begins and ends, so the history holds just it.
 *
 * A process is recognised by the labels of its first sample; from then on the kernel half takes each
 * tick of it. What samples weigh says at which rate they were taken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "server/control_protocol.h"

struct cpu_source;
struct group_identity;

struct capture {
	struct control_request asked;
	enum capture_state {
		CAPTURE_WAITS,	 /* for a cut */
		CAPTURE_RUNS,
		CAPTURE_ENDS,	 /* for a cut again */
		CAPTURE_WRITTEN, /* soon: when window `number` is in the history */
	} state;
	uint64_t until_ns;	  /* CLOCK_MONOTONIC */
	int64_t from_wall, until_wall; /* CLOCK_REALTIME */
	uint64_t number;
	ARRAY_OF(pid_t) pids; /* that are looked at closely because of it */
};

struct captures {
	struct cpu_source *source; /* borrowed */
	double slowed; /* what the governor has left of the rates that are asked for; 0: all */
	ARRAY_OF(struct capture) list;
};

void captures_fini(struct captures *captures);
/*
 * Returns 0, -EAGAIN (there are too many), -ESRCH (there is no such process) or another negative errno.
 */
int captures_add(struct captures *captures, const struct control_request *asked);
/* Nobody waits for it any more; unknown ids are no mistake. */
void captures_cancel(struct captures *captures, uint64_t id);
/* A process was sampled: its labels. group: NULL: not known. */
void captures_meet(struct captures *captures, pid_t pid, const char *comm,
		   const struct group_identity *group);
/* Whether the windows should be cut now, for one to begin or to end. */
bool captures_want_cut(struct captures *captures, uint64_t now_ns);
/*
 * A cut was made: those that waited for one begin, or have ended with window `number`. wall_ns: when,
 * CLOCK_REALTIME.
 */
void captures_cut(struct captures *captures, uint64_t now_ns, int64_t wall_ns, uint64_t number);
/*
 * One whose windows up to `written` are in the history by now: taken off the list. Returns whether
 * there was one.
 */
bool captures_take(struct captures *captures, struct capture *ret, uint64_t written);
/* The soonest end of one that runs, CLOCK_MONOTONIC; UINT64_MAX: none does. */
uint64_t captures_next_end(const struct captures *captures);
/* Takes one off the list that is not whole. Returns whether there was one; then *id is its id. */
bool captures_break_off(struct captures *captures, uint64_t *id);
/* Everything asked for is over. */
void captures_drop_all(struct captures *captures);

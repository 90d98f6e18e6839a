/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flight recorder: of a recording that goes on, only the last minutes are kept, as windows each of
 * which is a profile of its own; the oldest are dropped, and all that are left are put together when
 * somebody asks. What is kept reaches back at least as far as was asked for, and a window farther at
 * most.
 */
#pragma once

#include "session/recording.h"

struct last_window {
	struct profile *profile; /* owned */
	uint64_t began_ns, ended_ns; /* CLOCK_MONOTONIC */
	int64_t began_wall_ns;	 /* CLOCK_REALTIME */
	struct health before; /* figures of the recording when it began */
};

struct last {
	struct recording *recording; /* borrowed */
	ARRAY_OF(struct last_window) windows; /* oldest first */
	struct last_window next; /* under way; its profile is that of the pipeline */
	uint64_t window_ns;
	bool asked; /* SIGUSR1 came */
	/* What is done about that: writes the profile, which it does not keep. Logs. */
	void (*write)(void *context, struct profile *profile, const struct health *health);
	void *context;
};

/* For a recording that was opened, with config.last_ns. Sets its hooks. */
void last_init(struct last *last, struct recording *recording,
	       void (*write)(void *context, struct profile *profile, const struct health *health),
	       void *context);
void last_fini(struct last *last);
/*
 * Everything that is kept as one profile, which is the caller's, and its figures. Returns 0 or a
 * negative errno.
 */
int last_take(struct last *last, struct profile **ret, struct health *health);

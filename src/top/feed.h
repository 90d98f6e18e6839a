/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the thread that samples and the one that draws. The second asks, the first answers in its
 * next turn, and neither ever waits for the other: while nothing is asked for, what was handed over
 * belongs to whoever draws, and afterwards, until it is ready, to whoever samples.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "session/growth.h"
#include "session/recording.h"
#include "top/mirror.h"
#include "top/usage.h"

enum feed_state {
	FEED_TAKEN,  /* belongs to whoever draws */
	FEED_WANTED, /* belongs to whoever samples */
	FEED_READY,
};

struct feed {
	struct recording *recording;
	_Atomic(enum feed_state) state;
	_Atomic(bool) leave; /* the screen is to be left */
	int ready_fd;	     /* polls readable when something is ready, or it is to be left */
	int want_fd;	     /* the same when something is wanted */
	bool finished; /* of whoever samples: the recording has ended, all is counted and named */

	/* What is handed over. */
	struct mirror mirror;
	struct usage_target target;
	uint64_t taken_ns; /* CLOCK_MONOTONIC */
	uint64_t counters[COUNT_COUNTERS];
	uint64_t own_cpu_ns; /* of profd's processes, BPF programs included, since they began */
	uint64_t wanted_ns;  /* since when something is, CLOCK_MONOTONIC */
	struct growth_summary growth; /* where that is measured */
	bool with_words;     /* asked for: the words below are wanted, too */
	bool has_words;
	struct profile *words; /* a profile whose meta has title, subtitle and quality */
	bool last;	       /* the recording has ended: nothing more comes */
	enum recording_end end;
};

/* Returns 0 or a negative errno. */
int feed_init(struct feed *feed, struct recording *recording);
void feed_fini(struct feed *feed);

/* ---- whoever draws ---- */

/* Asks for what there is by then; with_words: for those of a file, too. Only when FEED_TAKEN. */
void feed_want(struct feed *feed, bool with_words);
/* Whether something new is there, which is then taken. */
bool feed_take(struct feed *feed);

/* ---- whoever samples ---- */

/* For recording.watch; the context is the feed. */
void feed_watch(void *feed, bool asking);
/*
 * The recording has ended, all is counted and named: goes on answering, until recording_stop or a
 * signal that ends profd.
 */
void feed_serve(struct feed *feed);
/* Whoever draws is to come to an end. */
void feed_leave(struct feed *feed);

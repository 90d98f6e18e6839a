/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug files that are downloaded while recording: of objects that have samples, a build ID and no
 * debug information on this machine. Each comes by a process of its own (fetch/fetcher.h), a few at a
 * time; nothing here ever waits for one. What has names by then keeps them until the file is there, and
 * gets others from it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/json.h"
#include "elf/object.h"

struct naming;
struct workers;

enum fetch_state {
	FETCH_WAITS,
	FETCH_RUNS,
	/* Over: */
	FETCH_FOUND,
	FETCH_NOT_FOUND, /* no server has it */
	FETCH_FAILED,
	FETCH_GIVEN_UP, /* it took too long, or profd is about to end */
	FETCH_STATES
};

/* One build ID. */
struct fetch {
	char build_id[2 * OBJECT_BUILD_ID_MAX + 1];
	char *path; /* of the first such object; for people */
	enum fetch_state state;
	const char *why; /* FETCH_FAILED: a text that lives for ever; NULL: `error` says it */
	int error;	 /* a negative errno */
	bool from_cache;
	uint64_t begun_ns, ended_ns;	   /* CLOCK_MONOTONIC; 0: not yet */
	uint64_t done, total;		   /* bytes; total 0: not known */
	uint64_t got_on, got_on_ns;	   /* bytes by which it has got on, and when that was */
	pid_t pid;			   /* 0: no process */
	uint64_t told_ns;		   /* when it was told to give up; 0: it was not */
	int status, parcel;		   /* -1: none */
	ARRAY_OF(struct object *) objects; /* references */
	uint32_t delivered;		   /* so many of them know their file */
};

static inline bool fetch_is_over(const struct fetch *fetch)
{
	return fetch->state >= FETCH_FOUND;
}

struct fetches {
	ARRAY_OF(struct fetch) list;
	ARRAY_OF(char *) environment; /* of the processes; the first one is ours */
	uint64_t file_limit_ns;	      /* for one file that does not get on */
	uint32_t silent;	      /* given up in a row */
	bool no_more;		      /* nothing new is asked for */
	uint64_t refused;	      /* objects that came when no more were asked for */
	uint64_t cpu_ns;	      /* of processes that have ended */
};

/* servers: as DEBUGINFOD_URLS holds them. Returns 0 or -ENOMEM. */
int fetches_init(struct fetches *fetches, const char *servers, uint64_t file_limit_ns);
/* Ends what still runs, within a moment. Harmless when all is zero. */
void fetches_fini(struct fetches *fetches);
/*
 * The object has just been asked about: wants its debug file if it has none. Returns 0 or -ENOMEM.
 */
int fetches_want(struct fetches *fetches, struct object *object);
/*
 * Starts, follows and ends processes; hands what has come to its objects, whose locations wait for
 * their names again then (naming_again). Never waits.
 */
void fetches_advance(struct fetches *fetches, struct workers *workers, struct naming *naming);
/* Is anything still to come? */
bool fetches_pending(const struct fetches *fetches);
/* Waits for news of any process, or for another descriptor to be readable; -1: none. */
void fetches_wait(const struct fetches *fetches, int other_fd, int timeout_ms);
/* Whatever has not come by now. Nothing more is asked for. */
void fetches_give_up(struct fetches *fetches);
/* "libfoo.so 3.1 of 80.0 MB, 2 more" of what is under way; nothing when there is nothing. */
void fetches_progress(const struct fetches *fetches, struct bytes *ret);
/*
 * One line for each way in which it ended: "2 found (1 in the cache)", "1 failed: libfoo.so:
 * Connection refused". Returns false, with nothing added, when none ended so.
 */
bool fetches_outcome(const struct fetches *fetches, enum fetch_state state, struct bytes *ret);
void fetches_json(const struct fetches *fetches, struct json *json);

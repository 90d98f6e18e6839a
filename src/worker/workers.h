/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker processes that a session has, and what they could not cope with.
 *
 * A file that ends the reader twice in a row, the second time as the first thing that a new process
 * looked at, is to blame for it: it is given up, named at the end, and never asked about again.
 */
#pragma once

#include "base/array.h"
#include "base/hash.h"
#include "elf/object.h"
#include "worker/patience.h"
#include "worker/symbol_cache.h"
#include "worker/worker.h"

struct casualty {
	char *path;
	const char *why; /* a text that lives for ever */
};

/* A file system that did not answer is left alone for a while: each try costs seconds. */
struct stuck_device {
	uint64_t device; /* as in struct object_identity */
	uint64_t until_ns; /* CLOCK_MONOTONIC */
};

enum {
	MAX_CASUALTIES = 64, /* that are named */
	MAX_GIVEN_UP = 65536, /* that are counted, each once, however often it is tried */
};

struct workers {
	struct worker reader; /* unprivileged: parses */
	/*
	 * Another reader, for source lines: debug information is large, and a hostile file's can take
	 * any time. Nothing else waits for it, and what it may take is its own.
	 */
	struct worker liner;
	struct worker walker; /* another one, for stacks that libunwind walks */
	struct worker opener; /* privileged: opens, and may hang */
	ARRAY_OF(struct casualty) casualties;
	uint32_t given_up;
	bool more_given_up; /* than that */
	struct hash_index given_up_paths; /* hashes of all that were counted */
	ARRAY_OF(struct stuck_device) stuck;
	bool wants_debug_files; /* object.lacks_debug_info and its neighbour are to be found out */
	struct symbol_cache symbol_cache; /* closed, unless whoever has them opens it */
	struct patience patience, lines_patience;
	struct hurry hurry, lines_hurry;
};

/* They stay where they are until workers_fini. */
void workers_init(struct workers *workers);
void workers_fini(struct workers *workers);
/* Both processes, ahead of the first question. Returns 0 or a negative errno. */
int workers_start(struct workers *workers);
/* Whether both are there and ready. Returns 0 or a negative errno. */
int workers_check(struct workers *workers);
/* See struct worker. */
void workers_set_meanwhile(struct workers *workers, void (*meanwhile)(void *context),
			   void *context);
void workers_set_priority(struct workers *workers, int nice);
/* See worker_tidy. */
void workers_tidy(struct workers *workers);
uint64_t workers_cpu_ns(const struct workers *workers);
uint64_t workers_peak_bytes(const struct workers *workers);
/*
 * As worker_ask, on account of a payer: not asked when that has nothing left, and ended when it takes
 * too much of it.
 */
int workers_ask(struct workers *workers, struct worker *worker, const struct payer *payer,
		struct answer *ret, struct question question, const void *payload, size_t size,
		const int *fds, unsigned fd_count);
/*
 * The recording is over: a few seconds are left for all that is still to be asked. May be called
 * while a question is under way.
 */
void workers_hurry(struct workers *workers);
/* Nothing is left. */
void workers_wait_no_more(struct workers *workers);
void workers_note_stuck(struct workers *workers, uint64_t device);
bool workers_is_stuck(const struct workers *workers, uint64_t device);
/* Counts the file, if that was not done. why: a text that lives for ever. */
void workers_give_up(struct workers *workers, const char *path, const char *why);

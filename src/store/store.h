/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history: windows of what was measured, in one SQLite file that only one profd writes.
 *
 * FOLDER/history.db is in WAL mode: who reads never waits for who writes. A window is written whole
 * or not at all; what is once written survives the death of profd at any moment (and all but the
 * last seconds survive that of the machine: synchronous=NORMAL). See schema.c for what it holds,
 * reader.h for reading, tidy.h for what makes old windows small and drops the oldest.
 *
 * A store belongs to one thread at a time. Everything here may wait for the disk.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "profile/profile.h"

struct store;

#define STORE_DEFAULT_FOLDER "/var/lib/profd"

enum { STORE_DEFAULT_AGE_DAYS = 7 };
#define STORE_DEFAULT_BYTES (1ULL << 30)
#define STORE_DEFAULT_AGE_NS (STORE_DEFAULT_AGE_DAYS * 86400ULL * 1000000000ULL)

struct store_options {
	const char *folder;  /* made when it is not there, 0750; its parent must be */
	uint64_t max_bytes;  /* of the file; 0: STORE_DEFAULT_BYTES */
	uint64_t max_age_ns; /* of windows; 0: STORE_DEFAULT_AGE_NS */
	const char *group;   /* whose members may read it; NULL: that of profd itself */
};

/* Named outcomes. */
enum store_outcome {
	STORE_OK,
	STORE_BUSY,  /* another profd writes it */
	STORE_NEWER, /* a newer profd has made it: it is left alone */
	/*
	 * It was damaged and is now history.db.damaged-DATE, or somebody removed it: a new one was
	 * begun.
	 */
	STORE_SET_ASIDE,
	STORE_MISSING,	 /* reading: there is no history in the folder */
	STORE_DAMAGED,	 /* reading: the file is not what it should be */
	STORE_TOO_LARGE, /* reading: more than the limit on memory */
	STORE_ABSENT,	 /* profd was built without the history */
};

/* What a profile does not say about its window. */
struct store_health {
	uint64_t lost; /* samples that were lost */
	uint32_t cpus; /* CPUs that were sampled; 0: not known */
};

/*
 * Opens the history for writing. Returns 0, STORE_SET_ASIDE (it is open all the same), STORE_BUSY,
 * STORE_NEWER, STORE_ABSENT or a negative errno. Whenever it is not 0, *why has a line for a
 * person, without "profd: " and newline.
 */
int store_open(struct store **ret, const struct store_options *options, struct bytes *why);
/*
 * Adds a window: a profile, frozen or not, with the types samples/count and cpu/nanoseconds, in
 * this order; meta.time_ns (CLOCK_REALTIME of its begin), duration_ns and period (ns) filled.
 * Labels that are kept: comm, pid, exe, build_id, user, uid, cgroup, unit, container, pod. A
 * location without a name keeps the one that the history knows; one with more than that replaces
 * it.
 *
 * health: NULL: nothing was lost. Returns 0; STORE_SET_ASIDE: the history was damaged, the window
 * is in the new one; -EINVAL: not such a profile; or another negative errno (-ENOSPC, -EROFS, ...):
 * this window is not in the history, and the next one may be tried. Whenever it is not 0, *why has
 * a line for a person.
 */
int store_add_window(struct store *store, const struct profile *window,
		     const struct store_health *health, struct bytes *why);
/* Bytes of the files on disk. */
uint64_t store_bytes(const struct store *store);
/* Accepts NULL. */
void store_close(struct store *store);
DEFINE_CLEANUP(struct store, store_close);

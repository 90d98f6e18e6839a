/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows on their way from the thread that records to the history: a short queue, and the thread
 * that writes, which may wait for the disk as long as it takes. When the queue is full the oldest
 * window is lost, and counted; recording never waits.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "profile/profile.h"
#include "store/store.h"

struct window {
	struct profile *profile; /* owned */
	struct store_health health;
	uint64_t number; /* from 1 */
};

struct windows_figures {
	uint64_t written, lost; /* windows */
	uint64_t written_number; /* of the last one that was written, or lost */
	uint64_t store_bytes;
	bool names_lost;  /* since the last call: names that were told are not in the history */
	char trouble[256]; /* why the last window was not written; "": it was */
};

struct windows {
	struct store_options options; /* texts borrowed */
	struct store *store;	      /* of the thread; NULL: not open */
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t filled;
	ARRAY_OF(struct window) queue; /* oldest first */
	uint64_t numbered;
	bool ending;
	struct windows_figures figures;
	int done_fd; /* readable once a window was written, or lost */
};

/*
 * Opens the history and starts the thread. Returns 0, also when the history cannot be written for now
 * (logged; it is tried again with each window), or what store_open refuses for good: STORE_BUSY,
 * STORE_NEWER, STORE_ABSENT (logged), or a negative errno (logged).
 */
int windows_open(struct windows *ret, const struct store_options *options);
/* Takes the profile over. Returns its number. Never waits for the disk. */
uint64_t windows_add(struct windows *windows, struct profile *profile,
		     const struct store_health *health);
void windows_look(struct windows *windows, struct windows_figures *ret);
/* New limits, for windows to come. */
void windows_set_limits(struct windows *windows, uint64_t max_bytes, uint64_t max_age_ns);
/* Writes what is waiting, for `wait_ms` at most. Also for one that could not be opened. */
void windows_close(struct windows *windows, unsigned wait_ms);

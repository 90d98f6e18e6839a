/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a worker's answer, and telling one that is stuck from one that waits for its turn. */
#pragma once

#include "worker/worker.h"

enum { WORKER_MEANWHILE_MS = 10 };

/*
 * Waits until there is something to receive, and counts what that takes (worker.waited_ns, used_ns, hurry).
 * Returns 0 or a worker_outcome.
 */
int worker_await(struct worker *worker);
/* Was profd told to end, and is there no time left for further questions? */
bool worker_has_no_time(const struct worker *worker);
/* Calls worker.meanwhile. now: CLOCK_MONOTONIC. */
void worker_do_meanwhile(struct worker *worker, uint64_t now);

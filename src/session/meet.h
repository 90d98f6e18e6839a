/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that the stream of events has not shown from their beginning, or not all of: what they
 * have mapped is looked up in /proc. That tells of now, and samples tell of a while ago; so it is
 * done between two drains of the events: whatever happened until the look is known afterwards, and
 * what is older than that is not read with it.
 */
#pragma once

#include "session/pipeline.h"

/*
 * Looks at every process that waiting samples or forks are about and that is not known, or doubted
 * since events were lost. Drain the events once more if the result is not 0.
 * Returns how many processes were looked at, or a negative errno.
 */
int meet_strangers(struct pipeline *pipeline);
/* An event has come in. Was it before the look at its process, and what is known only since? */
void meet_note_event(struct process *process, const struct lifecycle_event *event);
/*
 * Is what is known of the process true of a moment (CLOCK_MONOTONIC)? Not before it was looked at
 * and changed, and not after events were lost.
 */
bool meet_knows(const struct pipeline *pipeline, const struct process *process, uint64_t time_ns);
/* After a loss of events: those who have ended unseen are dead. */
void meet_count_the_living(struct pipeline *pipeline);

/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind recording.h know of each other. */
#pragma once

#include "session/recording.h"

/* Epoll data. Targets' pidfds carry their index. */
#define WAKE_SIGNAL UINT64_MAX
#define WAKE_STREAM (UINT64_MAX - 1)
#define WAKE_LAUNCH (UINT64_MAX - 2)
#define WAKE_STOP (UINT64_MAX - 3)
#define WAKE_WATCHER (UINT64_MAX - 4)

/* recording_open.c */

/* Says that a recording cannot be made, what failed, why, and what to do. Returns r. */
int recording_complain(int r, const char *what);
/* That stacks are copied though nobody asked for it, and why, unless the configuration wants no such lines. */
void recording_say_why_copies(const struct recording *rec);

/* recording.c */

/* Takes samples, events and signals in while a worker is asked. */
void recording_collect(void *recording);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that nobody had mapped before are opened as soon as an event tells of them: when the events
 * are used, a few milliseconds later, a program that only ran once may be gone, and deleted.
 */
#pragma once

#include "session/pipeline.h"

/*
 * Opens what the events that came in since the last pipeline_advance tell of: of processes that are
 * followed, and with `everything` of those that have samples waiting.
 * Returns 0 or a negative errno.
 */
int new_files_open(struct pipeline *pipeline);

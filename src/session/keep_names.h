/* SPDX-License-Identifier: Apache-2.0 */
/* The symbol cache of a command: opened before programs are read, filled once its results are written. */
#pragma once

#include "session/pipeline.h"

/*
 * folder: as --symbol-cache has it, NULL: the usual one, which is nice to have; only a folder that was asked
 * for must be there. Logs. Returns 0 or a negative errno.
 */
int keep_names_open(struct workers *workers, const char *folder);
/* Puts what was found out about programs into the cache. */
void keep_names(struct pipeline *pipeline);

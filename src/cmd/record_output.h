/* SPDX-License-Identifier: Apache-2.0 */
/* Where `profd record` writes: the name nobody gave, and whether names can be written at all. */
#pragma once

#include <stdint.h>
#include <time.h>

#include "session/config.h"

/*
 * When the config has no output: makes config->default_path, profd-COMM-PID-DATE and the first
 * extension of `writer` (with -2, -3 ... before it when that exists), and its output entry. PID is
 * left out when there is not exactly one. now: seconds since the epoch, shown as local time.
 * Returns 0, -EEXIST when a thousand such names exist, or -ENOMEM.
 */
int record_output_default(struct config *config, const struct writer *writer, time_t now);

/*
 * Whether every output and the summary can be created, found out by creating a file without a
 * name: minutes of recording are not to be lost to a mistyped folder. Nothing is left behind.
 * Returns 0 or -errno, with one line logged.
 */
int record_output_check(const struct config *config);

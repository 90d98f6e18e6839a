/* SPDX-License-Identifier: Apache-2.0 */
/* Names for files that nobody gave a name: profd-COMM-PID-DATE, never of a file that is there. */
#pragma once

#include <stddef.h>
#include <time.h>

#include "session/config.h"

/*
 * The name in the current folder for a file about this target at this time. extension: with its dot,
 * or "". *ret is malloc'ed. Returns 0, -EEXIST when a thousand of them are taken, or -ENOMEM.
 */
int default_name(char **ret, const struct target *target, const char *extension, time_t now);
/* Copies a name with everything but [A-Za-z0-9._-] made '_', cut to size; "" becomes "unknown". */
void default_name_clean(char *ret, size_t size, const char *name);

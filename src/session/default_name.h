/* SPDX-License-Identifier: Apache-2.0 */
/* Names for files that nobody gave a name: profd-COMM-PID-DATE, never of a file that is there. */
#pragma once

#include <stddef.h>
#include <time.h>

#include "session/config.h"

enum { DEFAULT_NAME_BYTES = 48 };

/*
 * What it is of, in one word: a process's name, a program, "all". Processes are asked for it, so this is
 * for while they live.
 */
void default_name_word(char ret[DEFAULT_NAME_BYTES], const struct target *target);
/*
 * The name in the current folder for a file about this target, with its word, at this time. extension: with its dot,
 * or "". *ret is malloc'ed. Returns 0, -EEXIST when a thousand of them are taken, or -ENOMEM.
 */
int default_name(char **ret, const struct target *target, const char *word, const char *extension,
		 time_t now);
/*
 * "out.svg" → "out.20260131-235959.svg" (local time), for one of several: the time goes before what the
 * writer's names end with, or else at the end; of several in one second the second one gets "-2"
 * behind it. "-" stays. malloc'ed, or NULL.
 */
char *dated_name(const char *path, const struct writer *writer, time_t now);
/* Copies a name with everything but [A-Za-z0-9._-] made '_', cut to size; "" becomes "unknown". */
void default_name_clean(char *ret, size_t size, const char *name);

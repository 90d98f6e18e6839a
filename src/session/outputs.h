/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a frozen profile to every output of the config, each whole or not at all. */
#pragma once

#include "profile/profile.h"
#include "session/config.h"

/* Logs one line for each output that fails, and goes on. Returns 0 or the first negative errno. */
int outputs_write(const struct config *config, const struct profile *profile);
/*
 * Writes it to one output. exclusive: never over a file that is there (-EEXIST). Logs nothing. Returns 0
 * or a negative errno.
 */
int outputs_write_one(const struct config_output *output, const struct profile *profile,
		      bool exclusive);
/* Writes text to a file, or to stdout for "-". Logs on failure. Returns 0 or a negative errno. */
int outputs_write_text(const char *path, const void *text, size_t size);

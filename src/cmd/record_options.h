/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `profd record` as a session's config. */
#pragma once

#include "cmd/measure_options.h"

extern const struct option_row record_option_rows[];

/*
 * Fills an initialised config from argv: targets, numbers and formats are checked, files are not
 * touched. `command` is whose help errors point to. The config borrows from argv. *format: what
 * an output that nobody named is to be.
 * Returns an options_outcome or -ENOMEM; whatever is wrong has been logged.
 */
int record_options_parse(struct config *config, const struct writer **format,
			 const struct command *command, int argc, char **argv,
			 const struct record_limits *limits);

/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `profd record` as a session's config. */
#pragma once

#include <stdint.h>

#include "cmd/options.h"
#include "session/config.h"

extern const struct option_row record_option_rows[];

/* What the machine allows; a struct, so that tests can say it. */
struct record_limits {
	uint64_t max_rate_hz; /* kernel.perf_event_max_sample_rate; 0: could not be read */
};

void record_limits_read(struct record_limits *ret);

/*
 * Fills an initialised config from argv: targets, numbers and formats are checked, files are not
 * touched. `command` is whose help errors point to. The config borrows from argv. *format: what
 * an output that nobody named is to be.
 * Returns an options_outcome or -ENOMEM; whatever is wrong has been logged.
 */
int record_options_parse(struct config *config, const struct writer **format,
			 const struct command *command, int argc, char **argv,
			 const struct record_limits *limits);

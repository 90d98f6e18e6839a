/* SPDX-License-Identifier: Apache-2.0 */
/* -o and -f, which every command has that writes profiles. */
#pragma once

#include "base/array.h"
#include "cmd/options.h"
#include "output/writer.h"
#include "session/config.h"

struct output_options {
	ARRAY_OF(const char *) paths; /* borrowed from the command line */
	const struct writer *format;  /* -f; NULL: the names say it */
};

/* For apply functions, which return what these do. */
int output_options_path(struct output_options *outputs, const char *argument,
			struct options_reason *reason);
int output_options_format(struct output_options *outputs, const char *argument,
			  struct options_reason *reason);
/*
 * Puts an output for each path into the config. for_stdout: the format of "-" without -f, NULL: it must
 * be said. Returns 0, OPTIONS_USAGE, with a line logged, when a
 * name says no format, or -ENOMEM.
 */
int output_options_complete(const struct output_options *outputs, struct config *config,
			    const struct command *command, const struct writer *for_stdout);
void output_options_fini(struct output_options *outputs);

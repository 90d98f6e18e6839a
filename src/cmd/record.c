// SPDX-License-Identifier: Apache-2.0
#include "session/record.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cmd/command.h"
#include "cmd/record_options.h"
#include "cmd/record_output.h"

static void config_fini_cleanup(struct config *config)
{
	config_fini(config);
}

static int run(int argc, char **argv)
{
	cleanup(config_fini) struct config config;
	const struct writer *format;
	struct record_limits limits;
	int r;

	config_init(&config);
	record_limits_read(&limits);
	r = record_options_parse(&config, &format, &command_record, argc, argv, &limits);
	if (r != 0)
		return options_exit_status(r);
	r = record_output_default(&config, format, time(NULL));
	if (r < 0) {
		log_error("cannot choose a name for the output: %s; name it with -o", strerror(-r));
		return 1;
	}
	if (record_output_check(&config) < 0)
		return 1;
	return session_record(&config);
}

const struct command command_record = {
	.name = "record",
	.summary = "record where CPU time or memory goes, then write a flame graph",
	.usage = { "[-p PID | --tid TID | -a | FILTER]... [OPTION]...",
		   "[OPTION]... -- COMMAND [ARG]...", NULL },
	.description =
		"Records the stacks of running programs, and writes them as a flame graph "
		"(SVG), pprof, folded stacks or text. The programs are not stopped, restarted "
		"or changed, and need no frame pointers. Needs root, or CAP_BPF and "
		"CAP_PERFMON; 'profd doctor' says what is missing.",
	.options = record_option_rows,
	.starts_command = true,
	.run = run,
};

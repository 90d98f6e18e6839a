// SPDX-License-Identifier: Apache-2.0
#include "session/dump.h"

#include <limits.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "cmd/command.h"

#define STOP_NS 1000000000ULL
#define STOP_MIN_NS 10000000ULL
#define STOP_MAX_NS 10000000000ULL

static int apply_pid(void *context, const char *argument, struct options_reason *reason)
{
	struct dump_config *config = context;
	uint64_t pid;

	if (parse_u64(&pid, argument, INT_MAX) < 0 || pid == 0)
		return options_bad(reason, "not a process id");
	config->pid = (pid_t)pid;
	return 0;
}

static int apply_all(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	(void)reason;
	((struct dump_config *)context)->each = true;
	return 0;
}

static int apply_json(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	(void)reason;
	((struct dump_config *)context)->json = true;
	return 0;
}

static int apply_no_kernel(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	(void)reason;
	((struct dump_config *)context)->no_kernel = true;
	return 0;
}

static int apply_no_inline(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	(void)reason;
	((struct dump_config *)context)->no_inline = true;
	return 0;
}

static int apply_stop(void *context, const char *argument, struct options_reason *reason)
{
	struct dump_config *config = context;

	config->stop_ns = STOP_NS;
	if (argument && parse_duration(&config->stop_ns, argument) < 0)
		return options_bad(reason, "not a time, as 200ms");
	if (config->stop_ns < STOP_MIN_NS || config->stop_ns > STOP_MAX_NS)
		return options_bad(reason, "a process is stopped for 10ms to 10s");
	return 0;
}

static int apply_symbol_cache(void *context, const char *argument, struct options_reason *reason)
{
	if (!*argument)
		return options_bad(reason, "name a folder, or none");
	((struct dump_config *)context)->symbol_cache = argument;
	return 0;
}

static int apply_verbose(void *context, const char *argument, struct options_reason *reason)
{
	(void)context;
	(void)argument;
	(void)reason;
	log_set_level(LOG_DEBUG);
	return 0;
}

static const struct option_row rows[] = {
	{ "pid", 'p', "PID", "the process", apply_pid, VALUE_PIDS },
	{ "all", 'a', NULL, "each thread for itself, in the order of their ids", apply_all },
	{ "json", 'j', NULL, "one JSON object instead of text", apply_json },
	{ "no-kernel", 0, NULL, "leave kernel frames out", apply_no_kernel },
	{ "no-inline", 0, NULL, "leave inlined functions out", apply_no_inline },
	{ "stop", 0, NULL,
	  "stop the process meanwhile, for TIME (1s) at most, where the kernel cannot show its "
	  "threads otherwise",
	  apply_stop, .optional = "TIME" },
	{ "symbol-cache", 0, "FOLDER", "where to keep what was found out about programs, or none",
	  apply_symbol_cache, VALUE_FILE },
	{ "verbose", 'v', NULL, "say more about what is done", apply_verbose },
	OPTION_ROW_HELP,
	{},
};

static int run(int argc, char **argv)
{
	struct dump_config config = {};
	struct options_result words;
	int r = options_parse(&command_dump, &config, argc, argv, &words);

	if (r == 0 && (words.word_count || words.rest))
		r = options_usage_error(&command_dump,
					"'%.64s' is not an option; name a process with -p",
					words.word_count ? words.words[0] : "--");
	if (r == 0 && !config.pid)
		r = options_usage_error(&command_dump, "name a process with -p PID");
	return r != 0 ? options_exit_status(r) : session_dump(&config);
}

const struct command command_dump = {
	.name = "dump",
	.summary = "every thread's stack once, without stopping the process",
	.usage = { "-p PID [OPTION]...", NULL },
	.description =
		"Shows where each thread of a process is: its stack with inlined functions and "
		"source lines, its state, and what it waits in and since when. Threads with the "
		"same stack are shown together. The process is not stopped: sleeping threads are "
		"read while they sleep, running ones are sampled. Needs root, or CAP_BPF, "
		"CAP_PERFMON and CAP_SYS_PTRACE; with --stop, CAP_SYS_PTRACE.",
	.options = rows,
	.run = run,
};

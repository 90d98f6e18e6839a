// SPDX-License-Identifier: Apache-2.0
#include "top/top.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "cmd/command.h"
#include "cmd/measure_options.h"

#define MIN_INTERVAL_NS 100000000ULL
#define MAX_INTERVAL_NS (60 * 1000000000ULL)

struct request {
	struct measure_request measure; /* first: its rows find it here */
	struct top_config *top;
	bool has_interval;
};

static int apply_once(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	(void)reason;
	((struct request *)context)->top->once = true;
	return 0;
}

static int apply_json(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	(void)argument;
	(void)reason;
	request->top->once = request->top->json = true;
	return 0;
}

static int apply_interval(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	uint64_t ns;

	if (parse_duration(&ns, argument) < 0 || ns < MIN_INTERVAL_NS || ns > MAX_INTERVAL_NS)
		return options_bad(reason, "not a time between 100ms and 60s");
	request->top->interval_ns = ns;
	request->has_interval = true;
	return 0;
}

static const struct option_row rows[] = {
	MEASURE_OPTION_ROWS,
	{ .help = "View" },
	{ "interval", 0, "TIME", "between two looks (default 1s)", apply_interval, VALUE_TEXT },
	{ "once", 0, NULL, "print one interval as text: 5 s, or as long as -d says", apply_once },
	{ "json", 'j', NULL, "the same as one JSON object", apply_json },
	{ "symbol-cache", 0, "DIR", "keep what was read here for the next time; or 'none'",
	  measure_apply_symbol_cache, VALUE_FILE },
	{ "verbose", 'v', NULL, "say what is being done", measure_apply_verbose },
	OPTION_ROW_HELP,
	{},
};

static int complete(struct request *request, const struct options_result *words)
{
	struct top_config *top = request->top;
	int r = measure_complete(&request->measure, &command_top, words);

	if (r == 0)
		r = measure_only_one(&top->record, &command_top);
	if (r == 0 && top->once && request->has_interval)
		r = options_usage_error(&command_top, "--interval is of the live view: with --once "
						      "and --json, -d says how long");
	if (r != 0)
		return r;
	if (top->once && !top->record.duration_ns)
		top->record.duration_ns = TOP_ONCE_S * 1000000000ULL;
	if (request->measure.verbose)
		log_set_level(LOG_DEBUG);
	return 0;
}

static void config_fini_cleanup(struct top_config *config)
{
	config_fini(&config->record);
}

static int run(int argc, char **argv)
{
	cleanup(config_fini) struct top_config config = { .interval_ns = 1000000000 };
	struct request request = { .measure = { .config = &config.record }, .top = &config };
	struct options_result words;
	struct record_limits limits;
	int r;

	config_init(&config.record);
	record_limits_read(&limits);
	request.measure.limits = &limits;
	r = options_parse(&command_top, &request, argc, argv, &words);
	if (r == 0)
		r = complete(&request, &words);
	return r != 0 ? options_exit_status(r) : top_run(&config);
}

const struct command command_top = {
	.name = "top",
	.summary = "what a program does now, live in the terminal",
	.usage = { "[-p PID | --tid TID | -a | FILTER]... [OPTION]...",
		   "[OPTION]... -- COMMAND [ARG]...", NULL },
	.description =
		"Shows while it runs what the target's CPU time goes into, or its memory: functions, the call tree, "
		"a flame graph, source lines, threads and processes; '?' lists the keys. --once and "
		"--json print one interval for scripts instead, and need no terminal. Needs root, or "
		"CAP_BPF and CAP_PERFMON.",
	.options = rows,
	.starts_command = true,
	.run = run,
};

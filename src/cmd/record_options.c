// SPDX-License-Identifier: Apache-2.0
#include "cmd/record_options.h"

#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "cmd/command.h"
#include "cmd/output_options.h"
#include "session/measures.h"

#define LAST_MIN_NS 1000000000ULL

struct request {
	struct measure_request measure; /* first: its rows find it here */
	struct output_options outputs;
};

static int apply_output(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return output_options_path(&request->outputs, argument, reason);
}

static int apply_format(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return output_options_format(&request->outputs, argument, reason);
}

static int apply_summary(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	if (!argument[0])
		return options_bad(reason, "needs the name of a file");
	if (request->measure.config->summary_path)
		return options_bad(reason, "was given already, as '%.64s': there can be one",
				   request->measure.config->summary_path);
	request->measure.config->summary_path = argument;
	return 0;
}

static int apply_last(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	uint64_t ns;

	if (parse_duration(&ns, argument) < 0)
		return options_bad(reason, "not a time: write 30, 30s, 500ms, 5m or 1h");
	if (ns < LAST_MIN_NS)
		return options_bad(reason, "keeps whole seconds only: write 1s or more");
	request->measure.config->last_ns = ns;
	return 0;
}

static int apply_quiet(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	(void)argument;
	(void)reason;
	request->measure.config->quiet = true;
	return 0;
}

/* What people type from habit and what profd always does. */
static int apply_habit(void *context, const char *argument, struct options_reason *reason)
{
	(void)context;
	(void)argument;
	(void)reason;
	return 0;
}

const struct option_row record_option_rows[] = {
	MEASURE_OPTION_ROWS,
	{ .help = "Flight recorder" },
	{ "last", 0, "TIME",
	  "keep only so much in memory; SIGUSR1 writes it, with the time in the name, and goes on",
	  apply_last, VALUE_TEXT },
	{ .help = "Output" },
	{ "output", 'o', "FILE",
	  "as often as wanted; the format follows the name (.svg, .html, .pb.gz, .folded, "
	  ".speedscope.json, .firefox.json, .cpuprofile, .txt); - is stdout; default profd-COMM-PID-DATE.svg",
	  apply_output, VALUE_PROFILE },
	{ "format", 'f', "FORMAT", 
	  "flamegraph, html, pprof, folded, speedscope, firefox, cpuprofile or text, whatever the "
	  "name",
	  apply_format, VALUE_FORMAT },
	{ "summary", 0, "FILE", "the closing summary as one JSON object; - is stdout",
	  apply_summary, VALUE_FILE },
	{ "symbol-cache", 0, "DIR", "keep what was read here for the next time; or 'none'",
	  measure_apply_symbol_cache, VALUE_FILE },
	{ "quiet", 'q', NULL, "say nothing but errors and warnings", apply_quiet },
	{ "verbose", 'v', NULL, "say what is being done", measure_apply_verbose },
	OPTION_ROW_HELP,
	{ .help = "Habits of perf and py-spy, accepted without effect: always so here" },
	{ NULL, 'n', NULL, "do not aggregate by default", apply_habit },
	{ NULL, 'g', NULL, "record stacks", apply_habit },
	{ "nonblocking", 0, NULL, "do not stop the target", apply_habit },
	{ "native", 0, NULL, "show native frames", apply_habit },
	{},
};

/* The rest of the checks, and the formats. */
static int complete(struct request *request, const struct command *command,
		    const struct options_result *result)
{
	struct config *config = request->measure.config;
	bool to_stdout = false;
	int r = measure_complete(&request->measure, command, result);

	if (r == 0 && config->quiet && request->measure.verbose)
		r = options_usage_error(command, "-q and -v exclude each other");
	/* What stayed, and what samples of calls stand for, is known at the end only. */
	if (r == 0 && config->last_ns && config->events & ~EVENT_BIT(EVENT_CPU))
		r = options_usage_error(command, "--last keeps CPU time only, no other event");
	/* Both fill in the same values, each for itself. */
	if (r == 0 && config->events & EVENT_BIT(EVENT_ALLOC) && config->events & EVENT_BIT(EVENT_HEAP))
		r = options_usage_error(command, "-e alloc and heap exclude each other: heap has "
						 "what was allocated, too");
	if (r == 0)
		r = output_options_complete(&request->outputs, config, command, NULL);
	if (r != 0)
		return r;
	for (uint32_t i = 0; i < config->outputs.count; i++)
		to_stdout |= strcmp(config->outputs.at[i].path, "-") == 0;
	if (config->summary_path && to_stdout && strcmp(config->summary_path, "-") == 0)
		return options_usage_error(command, "-o - and --summary - exclude each other");
	return 0;
}

int record_options_parse(struct config *config, const struct writer **format,
			 const struct command *command, int argc, char **argv,
			 const struct record_limits *limits)
{
	struct request request = { .measure = { .config = config, .limits = limits } };
	struct options_result result;
	int r = options_parse(command, &request, argc, argv, &result);

	if (r == 0)
		r = complete(&request, command, &result);
	if (r == 0 && config->quiet)
		log_set_level(LOG_WARNING);
	if (r == 0 && request.measure.verbose)
		log_set_level(LOG_DEBUG);
	*format = request.outputs.format ? request.outputs.format : writer_by_name("flamegraph");
	output_options_fini(&request.outputs);
	return r;
}

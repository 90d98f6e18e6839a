// SPDX-License-Identifier: Apache-2.0
/*
 * Reads a profile of any readable format and writes it in any writable one. Needs no privileges:
 * nothing but the named files is opened.
 */
#include <inttypes.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/output_options.h"
#include "cmd/read_profile.h"
#include "cmd/record_output.h"
#include "output/writer.h"
#include "profile/weights.h"
#include "session/outputs.h"

struct request {
	struct output_options outputs;
	struct config config;
	const char *type; /* --type, borrowed; NULL: the profile says it */
};

static void request_fini_cleanup(struct request *request)
{
	output_options_fini(&request->outputs);
	config_fini(&request->config);
}

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

static int apply_type(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return read_profile_type(&request->type, argument, reason);
}

static const struct option_row rows[] = {
	{ "output", 'o', "FILE",
	  "as often as wanted; the format follows the name (.svg, .html, .pb.gz, .folded, "
	  ".speedscope.json, .firefox.json, .cpuprofile, .txt); - is stdout, the default where "
	  "that is no terminal",
	  apply_output, VALUE_PROFILE },
	{ "format", 'f', "FORMAT",
	  "flamegraph, html, pprof, folded, speedscope, firefox, cpuprofile or text, whatever the "
	  "name; on stdout flamegraph is the default",
	  apply_format, VALUE_FORMAT },
	OPTION_ROW_TYPE(apply_type),
	OPTION_ROW_HELP,
	{},
};

static int parse(struct request *request, const char **ret_path, int argc, char **argv)
{
	struct output_options *outputs = &request->outputs;
	struct options_result words;
	int r = options_parse(&command_convert, request, argc, argv, &words);

	if (r == 0)
		r = read_profile_operand(ret_path, &command_convert, &words);
	if (r != 0)
		return r;
	if (!outputs->paths.count) {
		struct options_reason reason;

		if (!outputs->format && isatty(STDOUT_FILENO))
			return options_usage_error(&command_convert,
						   "name a file to write with -o");
		r = output_options_path(outputs, "-", &reason);
	}
	return r ? r
		 : output_options_complete(outputs, &request->config, &command_convert,
					   writer_by_name("flamegraph"));
}

/* What the formats that are written cannot hold, on stderr: a difference of profiles has such values. */
static void warn(const struct config *config, const struct profile *profile, const char *path)
{
	const struct writer *pprof = writer_by_name("pprof");
	bool is_lossy = false;
	uint64_t below;

	for (uint32_t i = 0; i < config->outputs.count; i++)
		is_lossy |= config->outputs.at[i].writer != pprof;
	weights_values(profile, profile->meta.main_type, &below);
	if (is_lossy && below)
		log_warning("%s: %" PRIu64 " %s below 0: only pprof can hold that, other formats "
			    "leave it out",
			    path, below, below == 1 ? "value is" : "values are");
}

static int run(int argc, char **argv)
{
	cleanup(request_fini) struct request request = {};
	cleanup(profile_free) struct profile *profile = NULL;
	const char *path = NULL;
	int r = parse(&request, &path, argc, argv);

	if (r != 0)
		return options_exit_status(r);
	if (record_output_check(&request.config) < 0)
		return 1;
	if (read_profile(&profile, path, request.type) != 0)
		return 1;
	warn(&request.config, profile, path);
	return outputs_write(&request.config, profile) < 0;
}

const struct command command_convert = {
	.name = "convert",
	.summary = "turn any profile into a flame graph, pprof or another format",
	.usage = { "IN [-o OUT]... [-f FORMAT] [--type NAME]", NULL },
	.description =
		"Reads a profile, and writes it in other formats. IN is pprof, as profd, Go and most "
		"profilers write it, what perf script prints, a file of speedscope, or holds folded "
		"stacks, as the stackcollapse scripts do: a line for each, \"root;...;leaf COUNT\"; "
		"- is stdin. Needs no privileges.",
	.options = rows,
	.operand = VALUE_FILE,
	.run = run,
};

// SPDX-License-Identifier: Apache-2.0
/*
 * Reads a profile of any readable format and writes it in any writable one. Needs no privileges:
 * nothing but the named files is opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/output_options.h"
#include "cmd/record_output.h"
#include "input/input.h"
#include "session/outputs.h"

/* Writing takes about as much once more. */
#define PROFILE_BYTES_MAX (2ULL << 30)
#define PROFILE_PART 4 /* of all memory */

struct request {
	struct output_options outputs;
	struct config config;
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

static const struct option_row rows[] = {
	{ "output", 'o', "FILE",
	  "as often as wanted; the format follows the name (.svg, .pb.gz, .folded, .txt); - is "
	  "stdout, the default where that is no terminal",
	  apply_output, VALUE_PROFILE },
	{ "format", 'f', "FORMAT",
	  "flamegraph, pprof, folded or text, whatever the name; on stdout flamegraph is the default",
	  apply_format, VALUE_FORMAT },
	OPTION_ROW_HELP,
	{},
};

/* A name for where the profile comes from. */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (strcmp(path, "-") == 0)
		return "standard input";
	return slash && slash[1] ? slash + 1 : path;
}

/* Puts what was found into the profile's texts, and what is missing on stderr, too. */
static int describe(struct profile *profile, const char *path, const struct input_report *report)
{
	struct profile_meta *meta = &profile->meta;
	int64_t samples = profile_total(profile, meta->count_type);
	char missing[128] = "";

	if (report->cut_stacks)
		log_warning("%s: %" PRIu64 " lines have stacks too deep: their innermost frames "
			    "are left out",
			    path, report->cut_stacks);
	if (report->rounded)
		log_warning("%s: %" PRIu64 " counts have fractions: they are rounded", path,
			    report->rounded);
	if (report->left_out) {
		log_warning("%s: too many different stacks for this machine's memory: those of "
			    "%" PRIu64 " lines became " INPUT_FULL_NAME,
			    path, report->left_out);
		snprintf(missing, sizeof(missing), "; %" PRIu64 " lines without their stacks",
			 report->left_out);
	}
	meta->title = strdup(name_of(path));
	if (asprintf(&meta->quality, "%" PRId64 " sample%s, %u different stack%s%s", samples,
		     samples == 1 ? "" : "s", profile->stacks.count,
		     profile->stacks.count == 1 ? "" : "s", missing) < 0)
		meta->quality = NULL;
	return meta->title && meta->quality ? 0 : -ENOMEM;
}

static int read_profile(struct profile **ret, const char *path)
{
	cleanup(profile_free) struct profile *profile = NULL;
	struct budget budget = budget_of(PROFILE_BYTES_MAX, PROFILE_PART);
	cleanup(close) int opened = -1;
	struct input_report report;
	int fd = STDIN_FILENO, r;

	if (strcmp(path, "-") != 0)
		fd = opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	r = fd < 0 ? -errno : input_read(&profile, fd, budget.limit, &report);
	if (r == INPUT_REFUSED) {
		log_error("cannot read %s%s", path, report.reason);
		return r;
	}
	if (r == 0)
		r = profile_freeze(profile);
	if (r == 0)
		r = describe(profile, path, &report);
	if (r < 0)
		log_error("cannot read %s: %s", path, strerror(-r));
	else
		*ret = TAKE_PTR(profile);
	return r;
}

static int parse(struct request *request, const char **ret_path, int argc, char **argv)
{
	struct output_options *outputs = &request->outputs;
	struct options_result words;
	int r = options_parse(&command_convert, request, argc, argv, &words);
	size_t count;

	if (r != 0)
		return r;
	/* Behind "--" there are words, too, even if they begin with a dash. */
	count = (size_t)words.word_count;
	*ret_path = count ? words.words[0] : NULL;
	for (char **word = words.rest; word && *word; word++, count++)
		if (!count)
			*ret_path = *word;
	if (count != 1)
		return options_usage_error(&command_convert,
					   count ? "one profile is read at a time"
						 : "name the profile to read, or - for stdin");
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
	if (read_profile(&profile, path) != 0)
		return 1;
	return outputs_write(&request.config, profile) < 0;
}

const struct command command_convert = {
	.name = "convert",
	.summary = "turn folded stacks into a flame graph, pprof or text",
	.usage = { "IN [-o OUT]... [-f FORMAT]", NULL },
	.description =
		"Reads a profile, and writes it in other formats. IN holds folded stacks, as the "
		"stackcollapse scripts, profd and many profilers write them: a line for each, "
		"\"root;...;leaf COUNT\"; - is stdin. Needs no privileges.",
	.options = rows,
	.operand = VALUE_FILE,
	.run = run,
};

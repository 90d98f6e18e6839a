// SPDX-License-Identifier: Apache-2.0
/* What changed between two profiles, or two sides of several each. Needs no privileges. */
#include "diff/diff.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/change_output.h"
#include "cmd/command.h"
#include "cmd/filter_options.h"
#include "cmd/read_profile.h"
#include "cmd/read_sides.h"

struct request {
	struct side base, new;
	struct filter filter;
	ARRAY_OF(const char *) outputs;
	const struct diff_writer *format;
	const char *type; /* borrowed; NULL: the profiles say it */
	enum diff_per per;
};

static void request_fini_cleanup(struct request *request)
{
	side_fini(&request->base);
	side_fini(&request->new);
	filter_fini(&request->filter);
	array_fini(&request->outputs);
}

DEFINE_FILTER_OPTIONS(struct request);

static const char *const pers[] = { [DIFF_PER_SAMPLES] = "samples",
				    [DIFF_PER_SECONDS] = "seconds",
				    [DIFF_PER_CPU_SECONDS] = "cpu-seconds",
				    [DIFF_PER_RUN] = "run",
				    NULL };

static const char *const formats[] = { "text", "json", "flamegraph", "folded", "pprof", NULL };

static int apply_base(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return side_add(&request->base, argument, reason);
}

static int apply_new(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return side_add(&request->new, argument, reason);
}

static int apply_type(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return read_profile_type(&request->type, argument, reason);
}

static int apply_per(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	for (int i = 0; pers[i]; i++) {
		if (strcmp(pers[i], argument) != 0)
			continue;
		request->per = (enum diff_per)i;
		return 0;
	}
	return options_bad(reason, "is none of samples, seconds, cpu-seconds, run");
}

static int apply_output(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	const char **added;

	if (!*argument)
		return options_bad(reason, "needs the name of a file");
	for (uint32_t i = 0; i < request->outputs.count; i++)
		if (strcmp(request->outputs.at[i], argument) == 0)
			return options_bad(reason, "named twice");
	added = array_push(&request->outputs);
	if (!added)
		return -ENOMEM;
	*added = argument;
	return 0;
}

static int set_format(struct request *request, const char *name, struct options_reason *reason)
{
	const struct diff_writer *format = diff_writer_by_name(name);
	cleanup(bytes_fini) struct bytes names = {};

	if (format && request->format && format != request->format)
		return options_bad(reason, "there is '%s' already: there can be one format",
				   request->format->name);
	if (format) {
		request->format = format;
		return 0;
	}
	change_output_formats(&names);
	return options_bad(reason, "no such format; there are: %s",
			   bytes_str(&names) ? names.at : "");
}

static int apply_format(void *context, const char *argument, struct options_reason *reason)
{
	return set_format(context, argument, reason);
}

static int apply_json(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	return set_format(context, "json", reason);
}

static const struct option_row rows[] = {
	{ .help = "What to compare" },
	{ "base", 0, "FILE...", "recordings of how it was, up to the next option", apply_base,
	  VALUE_FILE },
	{ "new", 0, "FILE...", "recordings of how it is now, up to the next option", apply_new,
	  VALUE_FILE },
	{ "per", 0, "WORK",
	  "related to what: samples (shares of the whole; the default), seconds of recording, "
	  "cpu-seconds used, or run: amounts as they are (the default of memory)",
	  apply_per, VALUE_TEXT, pers },
	OPTION_ROW_TYPE(apply_type),
	FILTER_ROWS,
	{ .help = "How" },
	{ "output", 'o', "FILE",
	  "as often as wanted; the format follows the name (.txt, .json, .svg, .folded, .pb.gz); - is "
	  "stdout, the default",
	  apply_output, VALUE_FILE },
	{ "format", 'f', "FORMAT", "text, json, flamegraph, folded or pprof, whatever the name",
	  apply_format, VALUE_TEXT, formats },
	{ "json", 0, NULL, "the same as -f json", apply_json },
	OPTION_ROW_HELP,
	{},
};

static const char *const sides[] = { "--base", "--new", NULL };

/* BASE NEW, or those of the options. */
static int take_words(struct request *request, const struct options_result *words)
{
	struct options_reason reason = {};
	const char *paths[2] = {};
	size_t count = 0;
	int r;

	for (int i = 0; i < words->word_count; i++, count++)
		if (count < 2)
			paths[count] = words->words[i];
	for (char **word = words->rest; word && *word; word++, count++)
		if (count < 2)
			paths[count] = *word;
	if (request->base.paths.count || request->new.paths.count) {
		if (count)
			return options_usage_error(
				&command_diff, "%.64s: say of which side it is, --base or --new",
				paths[0]);
		if (!request->base.paths.count || !request->new.paths.count)
			return options_usage_error(&command_diff,
						   "name the other side, too, with %s",
						   request->base.paths.count ? "--new" : "--base");
		return 0;
	}
	if (count != 2)
		return options_usage_error(&command_diff,
					   count < 2 ? "name two profiles, BASE and NEW"
						     : "more than two profiles: say which are of "
						       "which side, --base A B --new C D");
	r = side_add(&request->base, paths[0], &reason);
	return r == 0 ? side_add(&request->new, paths[1], &reason) : r;
}

static int check(struct request *request)
{
	uint32_t stdins = 0;
	struct options_reason reason;
	int r = 0;

	for (uint32_t i = 0; i < request->base.paths.count; i++) {
		stdins += strcmp(request->base.paths.at[i], "-") == 0;
		if (side_holds(&request->new, request->base.paths.at[i]))
			return options_usage_error(&command_diff, "%.64s is on both sides",
						   request->base.paths.at[i]);
	}
	for (uint32_t i = 0; i < request->new.paths.count; i++)
		stdins += strcmp(request->new.paths.at[i], "-") == 0;
	if (stdins > 1)
		return options_usage_error(&command_diff, "only one profile can be on stdin");
	for (uint32_t i = 0; i < request->outputs.count; i++)
		if (strcmp(request->outputs.at[i], "-") != 0 &&
		    (side_holds(&request->base, request->outputs.at[i]) ||
		     side_holds(&request->new, request->outputs.at[i])))
			return options_usage_error(&command_diff,
						   "-o %.64s is one of the profiles to compare",
						   request->outputs.at[i]);
	for (uint32_t i = 0; r == 0 && i < request->outputs.count; i++)
		r = change_output_check(&command_diff, request->format, request->outputs.at[i]);
	if (r != 0)
		return r;
	return request->outputs.count ? 0 : apply_output(request, "-", &reason);
}

static int filter_sides(struct request *request)
{
	struct side *both[] = { &request->base, &request->new };
	struct profile *profiles[2 * SIDE_MAX_FILES];
	uint32_t count = 0;
	int r;

	for (int k = 0; k < 2; k++)
		for (uint32_t i = 0; i < both[k]->profiles.count; i++)
			profiles[count++] = both[k]->profiles.at[i];
	r = filter_options_apply(profiles, count, &request->filter);
	count = 0;
	for (int k = 0; k < 2; k++)
		for (uint32_t i = 0; i < both[k]->profiles.count; i++) {
			both[k]->profiles.at[i] = profiles[count++];
			if (r < 0 || filter_is_empty(&request->filter) ||
			    both[k]->profiles.at[i]->samples.count)
				continue;
			log_error("of %s nothing is left to compare", both[k]->paths.at[i]);
			r = -EINVAL;
		}
	return r;
}

static int parse(struct request *request, int argc, char **argv)
{
	cleanup(free) char **spread = NULL;
	struct options_result words;
	int count = sides_spread(&spread, argc, argv, sides), r;

	if (count < 0)
		return count;
	r = options_parse(&command_diff, request, count, spread, &words);
	if (r == 0)
		r = take_words(request, &words);
	return r == 0 ? check(request) : r;
}

static int run(int argc, char **argv)
{
	cleanup(request_fini) struct request request = { .per = DIFF_PER_KIND };
	cleanup(diff_free) struct diff *diff = NULL;
	int r = parse(&request, argc, argv), status = 0;

	if (r != 0)
		return options_exit_status(r);
	(void)signal(SIGPIPE, SIG_IGN);
	if (side_read(&request.base, request.type) < 0 ||
	    side_read(&request.new, request.type) < 0 || filter_sides(&request) < 0)
		return 1;
	if (sides_compare(&diff, &request.base, &request.new, request.type, request.per) != 0)
		return 1;
	for (uint32_t i = 0; i < request.outputs.count; i++)
		if (change_output_write(diff, request.format, request.outputs.at[i], NULL) < 0)
			status = 1;
	return status;
}

const struct command command_diff = {
	.name = "diff",
	.summary = "say what changed between profiles, by more than noise",
	.usage = { "BASE NEW [OPTION]...", "--base FILE... --new FILE... [OPTION]...", NULL },
	.description =
		"Compares two profiles of any readable format (see 'profd help convert'), or several of "
		"either side, function by function and stack by stack, and marks what changed by more "
		"than noise: of all marks at most 5 % are false. - is stdin. Needs no privileges.",
	.options = rows,
	.operand = VALUE_FILE,
	.run = run,
};

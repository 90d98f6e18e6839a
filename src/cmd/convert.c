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
#include "output/escape.h"
#include "session/outputs.h"

/* Writing takes about as much once more. */
#define PROFILE_BYTES_MAX (2ULL << 30)
#define PROFILE_PART 4 /* of all memory */

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

	if (!*argument)
		return options_bad(reason, "needs the name of a type, as cpu or inuse_space");
	request->type = argument;
	return 0;
}

static const struct option_row rows[] = {
	{ "output", 'o', "FILE",
	  "as often as wanted; the format follows the name (.svg, .pb.gz, .folded, .txt); - is "
	  "stdout, the default where that is no terminal",
	  apply_output, VALUE_PROFILE },
	{ "format", 'f', "FORMAT",
	  "flamegraph, pprof, folded or text, whatever the name; on stdout flamegraph is the default",
	  apply_format, VALUE_FORMAT },
	{ "type", 0, "NAME",
	  "which type of values pictures and texts show, where a pprof profile has several, as cpu or "
	  "alloc_space; a wrong one lists them",
	  apply_type, VALUE_TEXT },
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

static bool is_type(const struct profile *profile, const struct profile_type *type,
		    const char *name)
{
	const char *of_type = profile_text(profile, type->name);
	size_t size = strlen(of_type);

	return strncmp(name, of_type, size) == 0 &&
	       (!name[size] || (name[size] == '/' &&
				strcmp(name + size + 1, profile_text(profile, type->unit)) == 0));
}

/* Has the type of this name shown. Returns 0 or -EINVAL, logged. */
static int choose_type(struct profile *profile, const char *path, const char *name)
{
	cleanup(bytes_fini) struct bytes names = {};

	for (uint32_t i = 0; i < profile->types.count; i++) {
		const struct profile_type *type = &profile->types.at[i];

		if (is_type(profile, type, name)) {
			profile->meta.main_type = i;
			return 0;
		}
		bytes_add_str(&names, i ? ", " : "");
		escape_clean(&names, profile_text(profile, type->name));
	}
	log_error("%s has no values of the type '%s'; there are: %s", path, name,
		  bytes_str(&names) ? names.at : "");
	return -EINVAL;
}

/* What is missing, on stderr. */
static void warn(const char *path, const struct input_report *report)
{
	if (report->cut_stacks)
		log_warning("%s: %" PRIu64 " %s have stacks too deep: their innermost frames "
			    "are left out",
			    path, report->cut_stacks, report->items);
	if (report->rounded)
		log_warning("%s: %" PRIu64 " counts have fractions: they are rounded", path,
			    report->rounded);
	if (report->left_out)
		log_warning("%s: too many different stacks for this machine's memory: those of "
			    "%" PRIu64 " %s became " INPUT_FULL_NAME,
			    path, report->left_out, report->items);
}

/* The name of the file and, where there may be another one, the type of its values. */
static int add_title(struct profile *profile, const char *path, bool is_chosen)
{
	struct profile_meta *meta = &profile->meta;
	const struct profile_type *type = &profile->types.at[meta->main_type];
	cleanup(free) char *known = TAKE_PTR(meta->title);
	const char *title = known ? known : name_of(path);

	/* A recording's own title stands for what that shows. */
	if (is_chosen || (!known && profile->types.count > 1)) {
		if (asprintf(&meta->title, "%s: %s", title, profile_text(profile, type->name)) < 0)
			meta->title = NULL;
	} else {
		meta->title = known ? TAKE_PTR(known) : strdup(title);
	}
	return meta->title ? 0 : -ENOMEM;
}

/* What was found, unless the recorder has said it, and what is missing. */
static int describe(struct profile *profile, const struct input_report *report)
{
	struct profile_meta *meta = &profile->meta;
	cleanup(bytes_fini) struct bytes line = {};

	if (meta->quality) {
		bytes_add_str(&line, meta->quality);
	} else {
		if (meta->count_type != PROFILE_NO_TYPE) {
			int64_t samples = profile_total(profile, meta->count_type);

			bytes_add_format(&line, "%" PRId64 " sample%s, ", samples,
					 samples == 1 ? "" : "s");
		}
		bytes_add_format(&line, "%u different stack%s", profile->stacks.count,
				 profile->stacks.count == 1 ? "" : "s");
	}
	if (report->left_out)
		bytes_add_format(&line, "; %" PRIu64 " %s without their stacks", report->left_out,
				 report->items);
	if (!bytes_str(&line))
		return -ENOMEM;
	free(meta->quality);
	meta->quality = strdup(line.at);
	return meta->quality ? 0 : -ENOMEM;
}

/* type: what to show; NULL: what the profile says. */
static int read_profile(struct profile **ret, const char *path, const char *type)
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
	if (r == 0 && type && choose_type(profile, path, type) < 0)
		return 1;
	if (r == 0)
		warn(path, &report);
	if (r == 0)
		r = profile_freeze(profile);
	if (r == 0)
		r = add_title(profile, path, type != NULL);
	if (r == 0)
		r = describe(profile, &report);
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
	if (read_profile(&profile, path, request.type) != 0)
		return 1;
	return outputs_write(&request.config, profile) < 0;
}

const struct command command_convert = {
	.name = "convert",
	.summary = "turn pprof or folded stacks into a flame graph, pprof or text",
	.usage = { "IN [-o OUT]... [-f FORMAT] [--type NAME]", NULL },
	.description =
		"Reads a profile, and writes it in other formats. IN is pprof, as profd, Go and most "
		"profilers write it, or holds folded stacks, as the stackcollapse scripts do: a line "
		"for each, \"root;...;leaf COUNT\"; - is stdin. Needs no privileges.",
	.options = rows,
	.operand = VALUE_FILE,
	.run = run,
};

// SPDX-License-Identifier: Apache-2.0
/* A profile of any readable format as text. Needs no privileges. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/filter_options.h"
#include "cmd/read_profile.h"
#include "cmd/table_options.h"
#include "report/report.h"

struct request {
	struct filter filter;
	struct table_options table;
	struct report_options report;
	ARRAY_OF(char *) functions; /* owned; of report.changes */
	const char *type;	    /* borrowed; NULL: the profile says it */
	const char *view;	    /* the option that has chosen it, borrowed; NULL: none has */
	bool is_relative, as_json;
};

static void request_fini_cleanup(struct request *request)
{
	filter_fini(&request->filter);
	array_fini(&request->report.changes);
	for (uint32_t i = 0; i < request->functions.count; i++)
		free(request->functions.at[i]);
	array_fini(&request->functions);
}

DEFINE_FILTER_OPTIONS(struct request);
DEFINE_TABLE_OPTIONS(struct request);

/* One view at a time. */
static int set_view(struct request *request, enum report_view view, const char *option,
		    struct options_reason *reason)
{
	if (request->view && strcmp(request->view, option) != 0)
		return options_bad(reason, "there is --%s already: one view at a time",
				   request->view);
	request->view = option;
	request->report.view = view;
	return 0;
}

static int set_function(struct request *request, enum report_view view, const char *option,
			const char *argument, struct options_reason *reason)
{
	if (!*argument)
		return options_bad(reason, "needs the name of a function, or a regular expression");
	request->report.function = argument;
	return set_view(request, view, option, reason);
}

static int apply_tree(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	return set_view(context, REPORT_TREE, "tree", reason);
}

static int apply_callers(void *context, const char *argument, struct options_reason *reason)
{
	return set_function(context, REPORT_CALLERS, "callers", argument, reason);
}

static int apply_callees(void *context, const char *argument, struct options_reason *reason)
{
	return set_function(context, REPORT_CALLEES, "callees", argument, reason);
}

static int apply_peek(void *context, const char *argument, struct options_reason *reason)
{
	return set_function(context, REPORT_PEEK, "peek", argument, reason);
}

static int apply_lines(void *context, const char *argument, struct options_reason *reason)
{
	return set_function(context, REPORT_LINES, "lines", argument, reason);
}

static int apply_annotate(void *context, const char *argument, struct options_reason *reason)
{
	return set_function(context, REPORT_ANNOTATE, "annotate", argument, reason);
}

static int apply_by(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	struct report_options *report = &request->report;

	if (strcmp(argument, "module") == 0) {
		report->group = GROUP_MODULE;
	} else if (strcmp(argument, "process") == 0) {
		report->group = GROUP_PROCESS;
	} else if (strcmp(argument, "thread") == 0) {
		report->group = GROUP_THREAD;
	} else {
		report->group = GROUP_LABEL;
		report->label = strncmp(argument, "label:", 6) == 0 ? argument + 6 : argument;
		if (!*report->label)
			return options_bad(reason,
					   "needs module, process, thread, or a label's key");
	}
	return set_view(request, REPORT_GROUPS, "by", reason);
}

/* "2x", "50%", "0", "remove": what is left of a function's time, 0 .. 1. */
static int parse_change(double *ret, const char *text)
{
	double number;
	char *end;

	if (strcmp(text, "remove") == 0) {
		*ret = 0;
		return 0;
	}
	if (*text < '0' || *text > '9')
		return -EINVAL;
	number = strtod(text, &end);
	if (strcmp(end, "x") == 0)
		*ret = 1 / number;
	else if (strcmp(end, "%") == 0)
		*ret = number / 100;
	else if (!*end && number == 0)
		*ret = 0;
	else
		return -EINVAL;
	return isfinite(*ret) && *ret <= 1 ? 0 : -ERANGE;
}

static int apply_what_if(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	/* A function's name may hold one, as operator== does. */
	const char *equals = strrchr(argument, '=');
	struct what_if *change;
	char **function;
	double left;
	int r = equals && equals > argument ? parse_change(&left, equals + 1) : -EINVAL;

	if (r == -EINVAL)
		return options_bad(reason,
				   "is not FUNC=2x (twice as fast), FUNC=50%% (of its time) or "
				   "FUNC=0 (gone)");
	if (r < 0)
		return options_bad(reason, "makes the function slower");
	function = array_push(&request->functions);
	change = array_push(&request->report.changes);
	if (!function || !change)
		return -ENOMEM;
	*function = strndup(argument, (size_t)(equals - argument));
	if (!*function)
		return -ENOMEM;
	*change = (struct what_if){ *function, left };
	return set_view(request, REPORT_WHAT_IF, "what-if", reason);
}

static int apply_type(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return read_profile_type(&request->type, argument, reason);
}

static int apply_relative(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	(void)argument;
	(void)reason;
	request->is_relative = true;
	return 0;
}

static const char *const groups[] = { "module", "process", "thread", NULL };

static int apply_binary(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	(void)reason;
	request->report.binary = argument;
	return 0;
}

static int apply_source_path(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	(void)reason;
	request->report.sources.search = argument;
	return 0;
}

static int apply_trim_path(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	(void)reason;
	request->report.sources.trim = argument;
	return 0;
}

static int apply_json(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	(void)argument;
	(void)reason;
	request->as_json = true;
	return 0;
}

static const struct option_row rows[] = {
	{ .help = "What to show, instead of a table of functions" },
	{ "tree", 0, NULL, "the call tree, heaviest first", apply_tree },
	{ "callers", 0, "FUNC", "what calls a function; FUNC is its name, or else a REGEX",
	  apply_callers, VALUE_TEXT },
	{ "callees", 0, "FUNC", "what a function calls", apply_callees, VALUE_TEXT },
	{ "peek", 0, "FUNC", "both", apply_peek, VALUE_TEXT },
	{ "lines", 0, "FUNC", "what each line of a function used, beside its source", apply_lines,
	  VALUE_TEXT },
	{ "annotate", 0, "FUNC", "what each of its instructions used", apply_annotate, VALUE_TEXT },
	{ "by", 0, "KEY", "what each module, process, thread, or value of the label KEY used",
	  apply_by, VALUE_TEXT, groups },
	{ "what-if", 0, "FUNC=CHANGE",
	  "what it is worth if FUNC, with all that it calls, were 2x as fast, took 50% of its time, or "
	  "0; as often as wanted",
	  apply_what_if, VALUE_TEXT },
	{ .help = "What of the profile" },
	OPTION_ROW_TYPE(apply_type),
	FILTER_ROWS,
	{ "relative-percentages", 0, NULL, "shares are of what is left, not of the whole profile",
	  apply_relative },
	{ .help = "How" },
	TABLE_ROW_SORT,
	TABLE_ROW_LIMIT("at most so many rows, or callees of a function in the tree"),
	TABLE_ROW_PERCENT("sum up what has a smaller share; 0.05 in the table, 0.5 in the tree"),
	TABLE_ROW_WIDTH,
	{ "binary", 0, "FILE", "the program to annotate, where it is not as recorded", apply_binary,
	  VALUE_FILE },
	{ "source-path", 0, "DIR[:DIR...]", "where to look for sources", apply_source_path,
	  VALUE_FILE },
	{ "trim-path", 0, "DIR[:DIR...]", "beginnings of recorded paths to cut off before",
	  apply_trim_path, VALUE_TEXT },
	TABLE_ROW_COLOUR,
	{ "json", 0, NULL, "one JSON object, for programs", apply_json },
	OPTION_ROW_HELP,
	{},
};

static int write_report(const struct request *request, const struct profile *profile,
			const struct whole *whole)
{
	struct report_reason reason = {};
	struct stream stream;
	int r, finished;

	stream_init(&stream, STDOUT_FILENO);
	r = report_write(&stream, profile, whole, &request->report, request->as_json, &reason);
	finished = r == 0 ? stream_finish(&stream) : 0;
	stream_fini(&stream);
	if (r == REPORT_REFUSED) {
		log_error("%s", reason.text);
		return 1;
	}
	if (r == 0)
		r = finished;
	/* A reader that has seen enough is no failure. */
	if (r == 0 || r == -EPIPE)
		return 0;
	log_error("cannot write the report: %s", strerror(-r));
	return 1;
}

static int run(int argc, char **argv)
{
	cleanup(request_fini) struct request request = {};
	cleanup(profile_free) struct profile *profile = NULL;
	struct options_result words;
	struct weights weights;
	struct whole whole;
	const char *path;
	int r = options_parse(&command_report, &request, argc, argv, &words);

	if (r == 0)
		r = read_profile_operand(&path, &command_report, &words);
	if (r != 0)
		return options_exit_status(r);
	(void)signal(SIGPIPE, SIG_IGN);
	table_options_apply(&request.table, &request.report,
			    request.report.view == REPORT_LINES ||
				    request.report.view == REPORT_ANNOTATE);
	if (read_profile(&profile, path, request.type) != 0)
		return 1;
	if (weights_of(&weights, profile, profile->meta.main_type) < 0) {
		log_error("%s holds no values", path);
		return 1;
	}
	whole = weights_add_up(&weights);
	if (filter_options_apply(&profile, 1, &request.filter) < 0)
		return 1;
	return write_report(&request, profile,
			    filter_is_empty(&request.filter) || request.is_relative ? NULL
										    : &whole);
}

const struct command command_report = {
	.name = "report",
	.summary = "show a profile as text: functions, call tree, callers, what-if",
	.usage = { "FILE [OPTION]...", NULL },
	.description =
		"Shows a profile of any readable format (see 'profd help convert') as text: what each "
		"function used itself and with all that it called, each share with its 95 % interval, "
		"or one of the views below. - is stdin. Needs no privileges.",
	.options = rows,
	.operand = VALUE_FILE,
	.run = run,
};

// SPDX-License-Identifier: Apache-2.0
/* Budgets for builds: whether profiles keep to limits. Needs no privileges. */
#include "diff/check.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/read_profile.h"
#include "cmd/read_sides.h"
#include "session/outputs.h"

enum { STATUS_BROKEN = 1, STATUS_CANNOT_JUDGE = 3 };

struct request {
	struct side files, baseline;
	ARRAY_OF(struct budget_rule) rules;
	const char *type, *junit; /* borrowed */
	bool as_json, for_github;
};

static void request_fini_cleanup(struct request *request)
{
	side_fini(&request->files);
	side_fini(&request->baseline);
	for (uint32_t i = 0; i < request->rules.count; i++)
		pattern_free(request->rules.at[i].pattern);
	array_fini(&request->rules);
}

/* "5%" or "5": 0 .. 100. */
static int parse_percent(double *ret, const char *text)
{
	double number;
	char *end;

	/* Not "0x5", nor "inf". */
	if (*text < '0' || *text > '9' || text[strspn(text, "0123456789.%")])
		return -EINVAL;
	number = strtod(text, &end);
	if (end == text || (*end && strcmp(end, "%") != 0) || !(number >= 0 && number <= 100))
		return -EINVAL;
	*ret = number / 100;
	return 0;
}

/* "[self:]REGEX=5%"; of growth the REGEX may be left out. */
static int add_rule(struct request *request, const char *argument, bool is_growth,
		    struct options_reason *reason)
{
	struct budget_rule rule = { .text = argument, .is_growth = is_growth };
	const char *expression = argument, *equals;
	cleanup(free) char *copy = NULL;
	struct pattern_reason why;
	struct budget_rule *added;
	int r;

	if (strncmp(expression, "self:", 5) == 0) {
		rule.is_self = true;
		expression += 5;
	}
	/* A function's name may hold one, as operator== does. */
	equals = strrchr(expression, '=');
	if ((!equals && !is_growth) || equals == expression ||
	    parse_percent(&rule.limit, equals ? equals + 1 : expression) < 0)
		return options_bad(reason, is_growth
						   ? "is neither 2%% nor REGEX=2%%, with 0 to 100%%"
						   : "is not REGEX=5%%, with 0 to 100%%");
	if (!is_growth && rule.limit == 0)
		return options_bad(reason, "no number of samples shows that there is none: allow "
					   "a little, as 0.1%%");
	if (equals) {
		copy = strndup(expression, (size_t)(equals - expression));
		r = copy ? pattern_new(&rule.pattern, copy, false, &why) : -ENOMEM;
		if (r == -EINVAL)
			return options_bad(reason, "%s", why.text);
		if (r < 0)
			return r;
	}
	added = array_push(&request->rules);
	if (!added) {
		pattern_free(rule.pattern);
		return -ENOMEM;
	}
	*added = rule;
	return 0;
}

static int apply_max(void *context, const char *argument, struct options_reason *reason)
{
	return add_rule(context, argument, false, reason);
}

static int apply_growth(void *context, const char *argument, struct options_reason *reason)
{
	return add_rule(context, argument, true, reason);
}

static int apply_baseline(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return side_add(&request->baseline, argument, reason);
}

static int apply_type(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return read_profile_type(&request->type, argument, reason);
}

static int apply_junit(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	if (!*argument || strcmp(argument, "-") == 0)
		return options_bad(reason, "needs the name of a file");
	request->junit = argument;
	return 0;
}

static int apply_github(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	(void)argument;
	(void)reason;
	request->for_github = true;
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
	{ .help = "Limits, as often as wanted" },
	{ "max", 0, "[self:]REGEX=PCT",
	  "functions that match, with all that they call, may have this share, all together; self: "
	  "by themselves",
	  apply_max, VALUE_TEXT },
	{ "max-growth", 0, "[self:][REGEX=]PCT",
	  "no function (that matches) may have grown by more points than this over the baseline",
	  apply_growth, VALUE_TEXT },
	{ "baseline", 0, "FILE...", "recordings to compare with, up to the next option",
	  apply_baseline, VALUE_FILE },
	{ .help = "How" },
	OPTION_ROW_TYPE(apply_type),
	{ "json", 0, NULL, "one JSON object, for programs", apply_json },
	{ "junit", 0, "FILE", "write the verdicts as JUnit's XML, too", apply_junit, VALUE_FILE },
	{ "github", 0, NULL, "say what is not within as annotations of GitHub, too", apply_github },
	OPTION_ROW_HELP,
	{},
};

static const char *const spread_options[] = { "--baseline", NULL };

static int take_words(struct request *request, const struct options_result *words)
{
	struct options_reason reason = {};
	int r = 0;

	for (int i = 0; r == 0 && i < words->word_count; i++)
		r = side_add(&request->files, words->words[i], &reason);
	for (char **word = words->rest; r == 0 && word && *word; word++)
		r = side_add(&request->files, *word, &reason);
	if (r == OPTIONS_USAGE)
		return options_usage_error(&command_check, "the profiles: %s", reason.text);
	return r;
}

static int check(const struct request *request)
{
	bool has_growth = false;

	for (uint32_t i = 0; i < request->rules.count; i++)
		has_growth |= request->rules.at[i].is_growth;
	if (!request->files.paths.count)
		return options_usage_error(&command_check,
					   "name the profile to check, or - for stdin");
	if (!request->rules.count)
		return options_usage_error(&command_check,
					   "set a limit with --max or --max-growth");
	if (has_growth && !request->baseline.paths.count)
		return options_usage_error(&command_check, "--max-growth needs a --baseline");
	if (!has_growth && request->baseline.paths.count)
		return options_usage_error(&command_check, "--baseline is for --max-growth");
	if (request->as_json && request->for_github)
		return options_usage_error(&command_check, "--json and --github both want stdout");
	for (uint32_t i = 0; i < request->baseline.paths.count; i++)
		if (side_holds(&request->files, request->baseline.paths.at[i]))
			return options_usage_error(&command_check, "%.64s is compared with itself",
						   request->baseline.paths.at[i]);
	if (request->junit && (side_holds(&request->files, request->junit) ||
			       side_holds(&request->baseline, request->junit)))
		return options_usage_error(&command_check, "--junit %.64s is one of the profiles",
					   request->junit);
	return 0;
}

static int parse(struct request *request, int argc, char **argv)
{
	cleanup(free) char **spread = NULL;
	struct options_result words;
	int count = sides_spread(&spread, argc, argv, spread_options), r;

	if (count < 0)
		return count;
	r = options_parse(&command_check, request, count, spread, &words);
	if (r == 0)
		r = take_words(request, &words);
	return r == 0 ? check(request) : r;
}

static int judge(struct verdicts *verdicts, const struct request *request)
{
	uint32_t count = request->files.paths.count;
	cleanup(free) struct diff_input *inputs = calloc(count, sizeof(*inputs));
	cleanup(diff_free) struct diff *diff = NULL;
	struct diff_reason reason;
	int r = inputs ? 0 : -ENOMEM;

	if (r == 0 && request->baseline.paths.count &&
	    sides_compare(&diff, &request->baseline, &request->files, request->type,
			  DIFF_PER_SAMPLES) != 0)
		return -EINVAL;
	for (uint32_t i = 0; r == 0 && i < count; i++)
		inputs[i] = (struct diff_input){ request->files.profiles.at[i],
						 request->files.paths.at[i],
						 request->files.profiles.at[i]->meta.main_type };
	if (r == 0)
		r = diff_choose_types(inputs, count, request->type, &reason);
	for (uint32_t i = 0; r == 0 && i < request->rules.count; i++) {
		const struct budget_rule *rule = &request->rules.at[i];

		r = rule->is_growth ? check_growth(verdicts, rule, diff, &reason)
				    : check_share(verdicts, rule, inputs, count, &reason);
	}
	if (r == DIFF_REFUSED)
		log_error("%s", reason.text);
	else if (r < 0)
		log_error("cannot judge: %s", strerror(-r));
	return r ? -EINVAL : 0;
}

static const char *what_of(const struct request *request)
{
	const struct profile *profile = request->files.profiles.at[0];
	const char *name = profile_text(profile, profile->types.at[profile->meta.main_type].name);

	return strcmp(name, "cpu") == 0 ? "CPU" : name;
}

/* Returns 0 or a negative errno, logged. */
static int show(const struct request *request, const struct verdicts *verdicts)
{
	cleanup(bytes_fini) struct bytes out = {}, junit = {};
	const char *what = what_of(request);
	int r;

	if (request->as_json)
		verdicts_add_json(&out, verdicts, what);
	else
		verdicts_add_text(&out, verdicts, what);
	if (request->for_github)
		verdicts_add_github(&out, verdicts, what);
	verdicts_add_junit(&junit, verdicts, what, request->files.paths.at[0]);
	r = out.failed || junit.failed ? -ENOMEM : fs_write_all(STDOUT_FILENO, out.at, out.size);
	if (r < 0 && r != -EPIPE) {
		log_error("cannot write the verdicts: %s", strerror(-r));
		return r;
	}
	return request->junit ? outputs_write_text(request->junit, junit.at, junit.size) : 0;
}

static int run(int argc, char **argv)
{
	cleanup(request_fini) struct request request = {};
	cleanup(verdicts_fini) struct verdicts verdicts = {};
	int r = parse(&request, argc, argv);

	if (r < 0 || r == OPTIONS_REFUSED)
		return options_exit_status(r) ? STATUS_CANNOT_JUDGE : 0;
	if (r != 0)
		return options_exit_status(r);
	(void)signal(SIGPIPE, SIG_IGN);
	if (side_read(&request.files, request.type) < 0 ||
	    side_read(&request.baseline, request.type) < 0 || judge(&verdicts, &request) < 0)
		return STATUS_CANNOT_JUDGE;
	/* What could not be written is no reason to let through what is broken. */
	r = show(&request, &verdicts);
	if (verdicts.broken)
		return STATUS_BROKEN;
	return r < 0 || verdicts.undecided ? STATUS_CANNOT_JUDGE : 0;
}

const struct command command_check = {
	.name = "check",
	.summary = "hold profiles against limits, for builds that must not get slower",
	.usage = { "FILE... --max REGEX=5%... [OPTION]...",
		   "FILE... --baseline FILE... --max-growth 2%... [OPTION]...", NULL },
	.description =
		"Says whether functions keep to their share, or have not grown by more than allowed. "
		"Several FILEs are runs of the same program. Exits with 0: within all limits, 1: one is "
		"broken, 3: cannot judge, as there are too few samples; how many would do is said. "
		"- is stdin. Needs no privileges.",
	.options = rows,
	.operand = VALUE_FILE,
	.run = run,
};

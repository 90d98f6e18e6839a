// SPDX-License-Identifier: Apache-2.0
#include "cmd/query_request.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "cmd/change_output.h"
#include "cmd/command.h"
#include "cmd/filter_options.h"
#include "query/listing.h"
#include "query/timeline.h"

enum {
	MAX_PID = 1 << 22,
	DEFAULT_LISTS = 0x0f, /* units, commands, executables, containers */
};

#define DEFAULT_SINCE "10m"

void query_request_fini(struct query_request *request)
{
	filter_fini(&request->filter);
	output_options_fini(&request->outputs);
	config_fini(&request->config);
	array_fini(&request->pids);
	free(request->cgroup);
}

DEFINE_FILTER_OPTIONS(struct query_request);
DEFINE_TABLE_OPTIONS(struct query_request);

/* The last would win over what was wanted, too. */
static int set_once(const char **to, const char *argument, const char *needs,
		    struct options_reason *reason)
{
	if (!*argument)
		return options_bad(reason, "needs %s", needs);
	if (*to)
		return options_bad(reason, "was given already, as '%.64s': there can be one", *to);
	*to = argument;
	return 0;
}

#define SETTER(name, member, needs)                                                                \
	static int apply_##name(void *context, const char *argument,                               \
				struct options_reason *reason)                                     \
	{                                                                                          \
		return set_once(&((struct query_request *)context)->member, argument, needs,       \
				reason);                                                           \
	}
SETTER(since, since, "a time, as 10m or 14:02")
SETTER(until, until, "a time, as 5m or 14:06")
SETTER(baseline, since_baseline, "an interval, as 1h-ago, yesterday or 13:02..13:06")
SETTER(comm, chosen.comm, "a pattern for names, as 'nginx*'")
SETTER(unit, chosen.unit, "the name of a unit, as nginx.service")
SETTER(container, chosen.container, "the id of a container, or its beginning")
SETTER(pod, chosen.pod, "the uid of a pod")
SETTER(exe, chosen.exe, "a program's path, or a pattern for it")
SETTER(build_id, chosen.build_id, "a build ID")
SETTER(store, folder, "the folder of a history")
SETTER(format, format, "the name of a format")

static int apply_cgroup(void *context, const char *argument, struct options_reason *reason)
{
	static const char mount[] = "/sys/fs/cgroup/";
	struct query_request *request = context;
	size_t size;

	if (request->cgroup)
		return options_bad(reason, "was given already, as '%.64s': there can be one",
				   request->cgroup);
	if (strncmp(argument, mount, sizeof(mount) - 1) == 0)
		argument += sizeof(mount) - 1;
	while (*argument == '/')
		argument++;
	size = strlen(argument);
	while (size && argument[size - 1] == '/')
		size--;
	if (!size)
		return options_bad(reason, "needs the path of a control group below the root");
	request->cgroup = malloc(size + 2);
	if (!request->cgroup)
		return -ENOMEM;
	request->cgroup[0] = '/';
	memcpy(request->cgroup + 1, argument, size);
	request->cgroup[size + 1] = '\0';
	return 0;
}

static int apply_pid(void *context, const char *argument, struct options_reason *reason)
{
	struct query_request *request = context;

	for (const char *at = argument;; at++) {
		size_t size = strcspn(at, ",");
		char number[16];
		int32_t *added;
		uint64_t pid;

		if (size >= sizeof(number))
			return options_bad(reason, "not a process id");
		memcpy(number, at, size);
		number[size] = '\0';
		if (parse_u64(&pid, number, MAX_PID) < 0 || !pid)
			return options_bad(reason, "'%s' is not a process id (1..%d)", number,
					   MAX_PID);
		added = array_push(&request->pids);
		if (!added)
			return -ENOMEM;
		*added = (int32_t)pid;
		at += size;
		if (!*at)
			return 0;
	}
}

/* A user who is gone from this machine keeps his name in the history. */
static int apply_uid(void *context, const char *argument, struct options_reason *reason)
{
	struct query_request *request = context;
	uint64_t uid;

	if (request->chosen.user || request->chosen.has_uid)
		return options_bad(reason, "was given already: there can be one");
	if (!isdigit((unsigned char)*argument))
		return set_once(&request->chosen.user, argument, "a user's name or number", reason);
	if (parse_u64(&uid, argument, UINT32_MAX - 1) < 0)
		return options_bad(reason, "is not a user's number");
	request->chosen.has_uid = true;
	request->chosen.uid = (uint32_t)uid;
	return 0;
}

static int find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

static int apply_list(void *context, const char *argument, struct options_reason *reason)
{
	struct query_request *request = context;
	int list;

	if (!argument) {
		request->lists |= DEFAULT_LISTS;
		return 0;
	}
	list = find_word(listing_names, argument);
	if (list < 0)
		return options_bad(reason,
				   "there are lists of units, commands, executables, "
				   "containers, pods, users, cgroups, processes and builds");
	request->lists |= 1U << list;
	return 0;
}

static const char *const pers[] = {
	[DIFF_PER_SAMPLES] = "samples", [DIFF_PER_SECONDS] = "seconds", NULL
};

static int apply_per(void *context, const char *argument, struct options_reason *reason)
{
	struct query_request *request = context;
	int per = find_word(pers, argument);

	if (per < 0)
		return options_bad(reason, "is none of samples, seconds");
	request->per = (enum diff_per)per;
	request->has_per = true;
	return 0;
}

static int apply_output(void *context, const char *argument, struct options_reason *reason)
{
	struct query_request *request = context;

	return output_options_path(&request->outputs, argument, reason);
}

#define FLAG(name, member)                                                                         \
	static int apply_##name(void *context, const char *argument,                               \
				struct options_reason *reason)                                     \
	{                                                                                          \
		(void)argument;                                                                    \
		(void)reason;                                                                      \
		((struct query_request *)context)->member = true;                                  \
		return 0;                                                                          \
	}
static int apply_every(void *context, const char *argument, struct options_reason *reason)
{
	struct query_request *request = context;

	if (parse_duration(&request->step_ns, argument) < 0 || request->step_ns < 1000000000ULL)
		return options_bad(reason, "write a time, 1s or more");
	return 0;
}

FLAG(all, everything)
FLAG(deploys, has_deploys)
FLAG(json, as_json)

const struct option_row query_option_rows[] = {
	{ .help = "When" },
	{ "since", 0, "TIME",
	  "from when on: 10m (ago; the default), 14:02, 'yesterday 14:02', 2026-11-26T14:02, @UNIX",
	  apply_since, VALUE_TEXT },
	{ "until", 0, "TIME", "to when (default now); +4m is so long after the beginning",
	  apply_until, VALUE_TEXT },
	{ "baseline", 0, "WHEN",
	  "compare with 1h-ago, yesterday, last-week (the same stretch of time then), or with an "
	  "interval: 13:02..13:06",
	  apply_baseline, VALUE_TEXT },
	{ "per", 0, "WORK",
	  "with --baseline, related to what: samples (shares of the whole; the default) or seconds "
	  "(cores)",
	  apply_per, VALUE_TEXT, pers },
	{ .help = "Of what: all that is said here must hold" },
	{ "pid", 'p', "PID[,PID...]", "these processes", apply_pid, VALUE_PIDS },
	{ "all", 'a', NULL, "the whole machine (the default)", apply_all },
	{ "comm", 0, "GLOB", "threads whose name matches, as 'nginx*'", apply_comm, VALUE_COMM },
	{ "cgroup", 0, "PATH", "what ran in this control group, or below it", apply_cgroup,
	  VALUE_CGROUP },
	{ "unit", 0, "NAME", "what ran in this systemd unit, as nginx.service or 'app@*.service'",
	  apply_unit, VALUE_TEXT },
	{ "container", 0, "ID", "what ran in this container: its id, or 6 digits or more of it",
	  apply_container, VALUE_TEXT },
	{ "pod", 0, "UID", "what ran in this pod of Kubernetes", apply_pod, VALUE_TEXT },
	{ "uid", 0, "USER", "what ran as this user (a name or a number)", apply_uid, VALUE_USER },
	{ "exe", 0, "PATH", "this program, as /usr/sbin/nginx, nginx or '/opt/*/bin/*'", apply_exe,
	  VALUE_FILE },
	{ "build-id", 0, "ID", "programs of this build", apply_build_id, VALUE_TEXT },
	FILTER_ROWS,
	{ .help = "What to show, instead of a table of functions" },
	{ "list", 0, NULL,
	  "what used the machine: units, commands, executables and containers, or one of these, "
	  "or pods, users, cgroups, processes, builds",
	  apply_list, .optional = "WHAT" },
	{ "every", 0, "TIME",
	  "with --json and one list: how it changes over time, in steps of this length",
	  apply_every, VALUE_TEXT },
	{ "deploys", 0, NULL,
	  "new versions of programs, and what each has changed; of all times without --since",
	  apply_deploys },
	{ .help = "How" },
	{ "output", 'o', "FILE",
	  "as often as wanted; the format follows the name (.svg, .html, .pb.gz, .folded, "
	  ".speedscope.json, .firefox.json, .cpuprofile, .txt); - is stdout",
	  apply_output, VALUE_PROFILE },
	{ "format", 'f', "FORMAT",
	  "flamegraph, html, pprof, folded, speedscope, firefox, cpuprofile or text, whatever the "
	  "name; with --baseline text, json, flamegraph, folded or pprof",
	  apply_format, VALUE_FORMAT },
	{ "json", 0, NULL, "one JSON object, for programs", apply_json },
	TABLE_ROW_SORT,
	TABLE_ROW_LIMIT("at most so many rows"),
	TABLE_ROW_PERCENT("sum up what has a smaller share (0.05)"),
	TABLE_ROW_WIDTH,
	TABLE_ROW_COLOUR,
	{ "store", 0, "FOLDER", "where the history is (default " STORE_DEFAULT_FOLDER ")",
	  apply_store, VALUE_FILE },
	OPTION_ROW_HELP,
	{},
};

static int bad_time(const struct command *command, const char *option, const char *text, int r)
{
	if (r == -ERANGE)
		return options_usage_error(command, "--%s %.64s: is out of range", option, text);
	return options_usage_error(command, "--%s %.64s: is no time: write " WHEN_FORMS, option,
				   text);
}

static int take_interval(struct query_request *request, const struct command *command)
{
	struct interval *interval = &request->interval;
	const char *since = request->since;
	int64_t now_ns = request->now_ns;
	int r;

	if (!since && request->view == QUERY_DEPLOYS)
		since = "@0";
	r = when_parse(&interval->from_ns, since ? since : DEFAULT_SINCE, now_ns);
	if (r < 0)
		return bad_time(command, "since", since, r);
	interval->until_ns = now_ns;
	if (request->until)
		r = when_parse_end(&interval->until_ns, request->until, now_ns, interval->from_ns);
	if (r < 0)
		return bad_time(command, "until", request->until, r);
	if (interval->until_ns > interval->from_ns)
		return 0;
	return request->until
		       ? options_usage_error(command, "--until %.64s: is not after --since %.64s",
					     request->until, since ? since : DEFAULT_SINCE)
		       : options_usage_error(command, "--since %.64s: is still to come", since);
}

static int take_baseline(struct query_request *request, const struct command *command)
{
	const char *text = request->since_baseline;
	int r;

	if (!text)
		return request->has_per
			       ? options_usage_error(command, "--per goes with --baseline only")
			       : 0;
	r = when_parse_baseline(&request->baseline, text, &request->interval, request->now_ns);
	if (r == -ERANGE)
		return options_usage_error(command, "--baseline %.64s: is out of range", text);
	if (r < 0)
		return options_usage_error(command,
					   "--baseline %.64s: write 1h-ago, yesterday, last-week, "
					   "or an interval: 13:02..13:06",
					   text);
	if (interval_overlap(&request->interval, &request->baseline))
		return options_usage_error(
			command, "--baseline %.64s: overlaps what is to be compared with it", text);
	return 0;
}

static int take_view(struct query_request *request, const struct command *command)
{
	if (request->lists && request->has_deploys)
		return options_usage_error(command, "--list and --deploys exclude each other");
	if (request->since_baseline && (request->lists || request->has_deploys))
		return options_usage_error(command, "--baseline and --%s exclude each other",
					   request->lists ? "list" : "deploys");
	request->view = request->lists		  ? QUERY_LIST
			: request->has_deploys	  ? QUERY_DEPLOYS
			: request->since_baseline ? QUERY_CHANGE
						  : QUERY_PROFILE;
	return 0;
}

static int take_chosen(struct query_request *request, const struct command *command)
{
	struct store_query *chosen = &request->chosen;

	chosen->from_ns = request->interval.from_ns;
	chosen->until_ns = request->interval.until_ns;
	chosen->pids = request->pids.at;
	chosen->pid_count = request->pids.count;
	chosen->cgroup = request->cgroup;
	if (request->everything &&
	    (chosen->pid_count || chosen->comm || chosen->exe || chosen->unit ||
	     chosen->container || chosen->pod || chosen->user || chosen->has_uid ||
	     chosen->cgroup || chosen->build_id))
		return options_usage_error(command, "-a and a part of the machine exclude each "
						    "other");
	if (request->view == QUERY_DEPLOYS &&
	    (chosen->pid_count || chosen->comm || chosen->container || chosen->pod ||
	     chosen->user || chosen->has_uid || chosen->cgroup))
		return options_usage_error(command, "--deploys goes with --unit, --exe and "
						    "--build-id only: versions are those of "
						    "programs in units");
	if (!filter_is_empty(&request->filter) &&
	    (request->view == QUERY_LIST || request->view == QUERY_DEPLOYS))
		return options_usage_error(
			command, "--focus and its like choose stacks: they do not go with --%s",
			request->view == QUERY_LIST ? "list" : "deploys");
	return 0;
}

/* --every, which needs a list of one kind and some steps. */
static int check_steps(const struct query_request *request, const struct command *command)
{
	int64_t length_ns = request->interval.until_ns - request->interval.from_ns;

	if (!request->step_ns)
		return 0;
	if (!request->as_json || !request->lists || request->lists & (request->lists - 1))
		return options_usage_error(command, "--every goes with --json and one list, as "
						    "--list=units");
	if (length_ns / TIMELINE_STEPS_MAX >= (int64_t)request->step_ns)
		return options_usage_error(command, "--every: there would be more than %d steps",
					   TIMELINE_STEPS_MAX);
	return 0;
}

/* -o and -f, of a comparison. */
static int take_changes(struct query_request *request, const struct command *command)
{
	cleanup(bytes_fini) struct bytes names = {};
	const char *format = request->format ? request->format : request->as_json ? "json" : NULL;
	struct options_reason reason;
	int r = 0;

	if (request->format && request->as_json && strcmp(request->format, "json") != 0)
		return options_usage_error(command, "--json and -f %.64s exclude each other",
					   request->format);
	request->changes = format ? diff_writer_by_name(format) : NULL;
	if (format && !request->changes) {
		change_output_formats(&names);
		return options_usage_error(command, "-f %.64s: with --baseline there are: %s",
					   format, bytes_str(&names) ? names.at : "");
	}
	for (uint32_t i = 0; r == 0 && i < request->outputs.paths.count; i++)
		r = change_output_check(command, request->changes, request->outputs.paths.at[i]);
	if (r == 0 && !request->outputs.paths.count)
		r = output_options_path(&request->outputs, "-", &reason);
	return r;
}

/* -o and -f, of a profile: without either it is a table on stdout. */
static int take_outputs(struct query_request *request, const struct command *command)
{
	struct output_options *outputs = &request->outputs;
	struct options_reason reason;
	int r;

	if (request->format && strcmp(request->format, "json") == 0) {
		request->as_json = true;
		request->format = NULL;
	}
	if (request->as_json && (request->format || outputs->paths.count))
		return options_usage_error(command, "--json is for stdout, without -o and -f");
	if (request->view != QUERY_PROFILE && (request->format || outputs->paths.count))
		return options_usage_error(command,
					   "--%s is text or --json on stdout, without -o "
					   "and -f",
					   request->view == QUERY_LIST ? "list" : "deploys");
	if (request->format) {
		r = output_options_format(outputs, request->format, &reason);
		if (r != 0)
			return r == OPTIONS_USAGE
				       ? options_usage_error(command, "-f %.64s: %s",
							     request->format, reason.text)
				       : r;
		r = outputs->paths.count ? 0 : output_options_path(outputs, "-", &reason);
		if (r != 0)
			return r;
	}
	return output_options_complete(outputs, &request->config, command, writer_by_name("text"));
}

/* Nothing is asked for in vain. */
static int check_table(const struct query_request *request, const struct command *command)
{
	const struct table_options *table = &request->table;
	bool is_file = request->view == QUERY_CHANGE || request->config.outputs.count;

	if ((is_file || request->view != QUERY_PROFILE) &&
	    (table->order != FUNCTIONS_BY_SELF || table->has_smallest ||
	     table->colour != COLOUR_AUTO))
		return options_usage_error(command, "--sort, --percent-limit and --color are for "
						    "the table of functions");
	if (is_file && (table->limit || table->has_width))
		return options_usage_error(command, "-n and -w are for tables on stdout, without "
						    "-o, -f and --baseline");
	return 0;
}

int query_request_parse(struct query_request *request, const struct command *command, int argc,
			char **argv, int64_t now_ns)
{
	struct options_result words;
	int r = options_parse(command, request, argc, argv, &words);

	if (r != 0)
		return r;
	if (words.word_count || words.rest)
		return options_usage_error(command, "unexpected '%.64s'",
					   words.word_count ? words.words[0] : "--");
	request->now_ns = now_ns;
	r = take_view(request, command);
	if (r == 0)
		r = take_interval(request, command);
	if (r == 0)
		r = take_baseline(request, command);
	if (r == 0)
		r = take_chosen(request, command);
	if (r != 0)
		return r;
	r = request->view == QUERY_CHANGE ? take_changes(request, command)
					  : take_outputs(request, command);
	if (r == 0)
		r = check_steps(request, command);
	return r == 0 ? check_table(request, command) : r;
}

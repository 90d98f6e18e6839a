// SPDX-License-Identifier: Apache-2.0
/*
 * Each option is checked when it is read, so the message can name it; what options mean together
 * is checked once at the end. A config that comes out of here contradicts itself nowhere.
 */
#include "cmd/measure_options.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/parse.h"
#include "cmd/command.h"
#include "fetch/library.h"
#include "fetch/servers.h"
#include "preload/region.h"
#include "session/group.h"
#include "session/measures.h"
#include "source/comm_glob.h"

#define MAX_RATE_HZ 10000
#define MIN_PERIOD_NS (1000000000ULL / MAX_RATE_HZ)
#define MAX_PERIOD_NS (3600 * 1000000000ULL)
#define MAX_PERIOD_EVENTS (INT64_MAX / 1000000) /* a million samples can be added up */
#define MAX_DEBUGINFOD_NS (24 * 3600 * 1000000000ULL)
#define MAX_PID 4194304 /* PID_MAX_LIMIT, include/linux/threads.h */
#define MAX_RATE_PATH "/proc/sys/kernel/perf_event_max_sample_rate"

/* What can be measured, by enum wire_event: the names that event_name gives them. */
const char *const measure_events[] = { "cpu",
				       "growth",
				       "alloc",
				       "heap",
				       "cycles",
				       "instructions",
				       "cache-references",
				       "cache-misses",
				       "branches",
				       "branch-misses",
				       "bus-cycles",
				       "ref-cycles",
				       "page-faults",
				       "minor-faults",
				       "major-faults",
				       "context-switches",
				       "cpu-migrations",
				       NULL };
_Static_assert(ARRAY_SIZE(measure_events) == EVENTS + 1, "each event can be asked for");
/* How stacks can be walked, by enum unwind_choice. */
const char *const measure_unwind_ways[] = {
	[UNWIND_AUTO] = "auto", [UNWIND_TABLE] = "table", [UNWIND_FP] = "fp", [UNWIND_COPY] = "copy", NULL
};

/* The place of a word among `words`, or -1. */
static int find_word(const char *const *words, const char *word, size_t size)
{
	for (int i = 0; words[i]; i++)
		if (strlen(words[i]) == size && memcmp(words[i], word, size) == 0)
			return i;
	return -1;
}

/* The elements of a comma-separated list, one after another; false at its end. */
static bool next_element(const char **list, const char **ret, size_t *size)
{
	if (!*list)
		return false;
	*ret = *list;
	*size = strcspn(*list, ",");
	*list = (*list)[*size] == ',' ? *list + *size + 1 : NULL;
	return true;
}

static int parse_id(pid_t *ret, const char *text, size_t size, struct options_reason *reason)
{
	char copy[32];
	uint64_t id;

	if (size >= sizeof(copy))
		return options_bad(reason, "not a process id");
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (parse_u64(&id, copy, MAX_PID) < 0 || id == 0)
		return options_bad(reason, "'%s' is not a process id (1..%d)", copy, MAX_PID);
	*ret = (pid_t)id;
	return 0;
}

/* One macro for both lists, which have types of their own. */
#define ADD_IDS(array, list, reason)                                                               \
	({                                                                                         \
		const char *left_ = (list), *at_;                                                  \
		size_t size_;                                                                      \
		int r_ = 0;                                                                        \
		while (r_ == 0 && next_element(&left_, &at_, &size_)) {                            \
			pid_t id_, *added_;                                                        \
			r_ = parse_id(&id_, at_, size_, (reason));                                 \
			if (r_ != 0)                                                               \
				break;                                                             \
			added_ = array_push(array);                                                \
			if (added_)                                                                \
				*added_ = id_;                                                     \
			else                                                                       \
				r_ = -ENOMEM;                                                      \
		}                                                                                  \
		r_;                                                                                \
	})

int measure_apply_pid(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;

	return ADD_IDS(&request->config->target.pids, argument, reason);
}

int measure_apply_tid(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;

	return ADD_IDS(&request->config->target.tids, argument, reason);
}

/* Of what narrows the target, or names a file: the last would win over what was wanted, too. */
static int refuse_twice(struct options_reason *reason, const char *before)
{
	return options_bad(reason, "was given already, as '%.64s': there can be one", before);
}

int measure_apply_comm(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;
	struct wire_glob glob;
	int r = comm_glob_compile(&glob, argument);

	if (!argument[0])
		return options_bad(reason, "an empty pattern matches nothing");
	if (r < 0)
		return options_bad(reason, r == -E2BIG ? "the pattern is too long"
						       : "a bracket is not closed");
	if (request->config->target.comm)
		return refuse_twice(reason, request->config->target.comm);
	request->config->target.comm = argument;
	return 0;
}

/* There is one, whichever way it is named. */
static int choose_group(struct measure_request *request, enum target_group is, const char *argument,
			struct options_reason *reason)
{
	struct target *target = &request->config->target;

	if (target->group && target->group_is != is)
		return options_bad(reason, "excludes --%s", group_option(target->group_is));
	if (target->group)
		return refuse_twice(reason, target->group);
	target->group = argument;
	target->group_is = is;
	return 0;
}

int measure_apply_cgroup(void *context, const char *argument, struct options_reason *reason)
{
	if (!argument[0])
		return options_bad(reason, "needs the path of a control group");
	return choose_group(context, GROUP_PATH, argument, reason);
}

int measure_apply_unit(void *context, const char *argument, struct options_reason *reason)
{
	if (!argument[0])
		return options_bad(reason, "needs the name of a unit, as nginx.service");
	return choose_group(context, GROUP_UNIT, argument, reason);
}

int measure_apply_container(void *context, const char *argument, struct options_reason *reason)
{
	if (!argument[0])
		return options_bad(reason, "needs the id of a container, or its beginning");
	return choose_group(context, GROUP_CONTAINER, argument, reason);
}

int measure_apply_uid(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;
	const struct passwd *passwd;
	uint64_t uid;

	/* (uid_t)-1 is nobody's. */
	if (parse_u64(&uid, argument, UINT32_MAX - 1) < 0) {
		if (!argument[0])
			return options_bad(reason, "needs a user's name or number");
		passwd = getpwnam(argument);
		if (!passwd)
			return options_refuse(reason, "no such user");
		uid = passwd->pw_uid;
	}
	if (request->user)
		return refuse_twice(reason, request->user);
	request->user = argument;
	request->config->target.uid = (uid_t)uid;
	request->config->target.has_uid = true;
	return 0;
}

static int refuse_event(struct options_reason *reason, const char *event, size_t size)
{
	cleanup(bytes_fini) struct bytes all = {};

	for (unsigned i = 0; measure_events[i]; i++)
		bytes_add_format(&all, "%s%s", i ? ", " : "", measure_events[i]);
	return options_refuse(reason, "event '%.*s' is not in this build, which measures: %s",
			      (int)(size < 64 ? size : 64), event, bytes_str(&all) ? all.at : "");
}

int measure_apply_event(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;
	enum wire_event found;
	const char *event;
	size_t size;

	if (!request->has_event)
		request->config->events = 0;
	request->has_event = true;
	while (next_element(&argument, &event, &size)) {
		if (size == 0)
			return options_bad(reason, "needs the name of an event");
		found = event_find(event, size);
		if (found == EVENTS)
			return refuse_event(reason, event, size);
		request->config->events |= EVENT_BIT(found);
	}
	return 0;
}

int measure_apply_heap_interval(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;
	uint64_t bytes;

	if (parse_size(&bytes, argument) < 0 || bytes < HEAP_INTERVAL_MIN ||
	    bytes > HEAP_INTERVAL_MAX)
		return options_bad(reason, "not a number of bytes: 1K..1G, as 512K");
	request->config->heap_interval = bytes;
	request->has_heap_interval = true;
	return 0;
}

int measure_apply_alloc_overhead(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;
	char *end;
	double percent = strtod(argument, &end);

	/* strtod would also take "inf", "nan", hexadecimal and leading blanks. */
	if (argument[0] < '0' || argument[0] > '9' || argument[1] == 'x' || argument[1] == 'X' ||
	    (*end && strcmp(end, "%") != 0) || percent < 0.01 || percent > 50)
		return options_bad(reason, "not a part of the target's CPU time: 0.01%%..50%%");
	request->config->alloc_overhead_percent = percent;
	request->has_alloc_overhead = true;
	return 0;
}

static int parse_time(uint64_t *ret_ns, const char *text, struct options_reason *reason)
{
	if (parse_duration(ret_ns, text) < 0)
		return options_bad(reason, "not a time: write 30, 30s, 500ms, 5m or 1h");
	return 0;
}

int measure_apply_duration(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;
	uint64_t ns = 0;
	int r = 0;

	if (strcmp(argument, "unlimited") != 0) {
		r = parse_time(&ns, argument, reason);
		if (r == 0 && ns == 0)
			r = options_bad(reason, "nothing can be recorded in no time");
	}
	if (r == 0)
		request->config->duration_ns = ns;
	return r;
}

int measure_apply_delay(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;

	return parse_time(&request->config->delay_ns, argument, reason);
}

int measure_apply_rate(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;
	uint64_t hz, limit = request->limits->max_rate_hz;

	if (strcmp(argument, "max") == 0) {
		if (limit == 0)
			return options_refuse(reason, "cannot read " MAX_RATE_PATH);
		/* Past that a timer has hardly time for anything but samples. */
		hz = limit < MAX_RATE_HZ ? limit : MAX_RATE_HZ;
	} else if (parse_u64(&hz, argument, MAX_RATE_HZ) < 0 || hz == 0) {
		return options_bad(reason, "not a rate: 1..%d per second, or max", MAX_RATE_HZ);
	}
	if (limit && hz > limit)
		return options_refuse(reason,
				      "this kernel allows %llu per second; raise it with 'sysctl "
				      "kernel.perf_event_max_sample_rate=%llu'",
				      (unsigned long long)limit, (unsigned long long)hz);
	request->config->frequency_hz = (uint32_t)hz;
	request->has_rate = true;
	return 0;
}

int measure_apply_period(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;

	/* Of time or of events, which is known when all options are: see apply_period. */
	if (parse_u64(&request->period, argument, MAX_PERIOD_EVENTS) < 0 || request->period == 0)
		return options_bad(reason, "not a number of nanoseconds, or of events");
	request->has_period = true;
	return 0;
}

int measure_apply_unwind(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;
	int way = find_word(measure_unwind_ways, argument, strlen(argument));

	if (way >= 0)
		request->config->unwind = (enum unwind_choice)way;
	else
		return options_bad(reason, "no such way; there are: auto, table, fp, copy");
	return 0;
}

int measure_apply_max_depth(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;
	uint64_t depth;

	if (parse_u64(&depth, argument, 1024) < 0 || depth == 0)
		return options_bad(reason, "not a number of frames: 1..1024");
	request->config->max_depth = (uint32_t)depth;
	return 0;
}

int measure_apply_debuginfod(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;

	if (argument && !servers_are_good(argument))
		return options_bad(reason,
				   "not a server: write https://debuginfod.example.org, and "
				   "several with blanks between them");
	if (!library_is_built_in())
		return options_refuse(reason, "this build of profd is without libdebuginfod");
	if (argument)
		request->servers = argument;
	request->has_debuginfod = true;
	return 0;
}

int measure_apply_debuginfod_timeout(void *context, const char *argument,
				     struct options_reason *reason)
{
	struct measure_request *request = context;
	uint64_t *ns = &request->config->debuginfod_wait_ns;
	int r = parse_time(ns, argument, reason);

	request->has_debuginfod_timeout = true;
	return r == 0 && *ns > MAX_DEBUGINFOD_NS ? options_bad(reason, "nobody waits for so long")
						 : r;
}

int measure_apply_symbol_cache(void *context, const char *argument, struct options_reason *reason)
{
	struct measure_request *request = context;

	if (!argument[0])
		return options_bad(reason, "needs a folder, or 'none'");
	if (request->config->symbol_cache)
		return refuse_twice(reason, request->config->symbol_cache);
	request->config->symbol_cache = argument;
	return 0;
}

#define SETTER(name, assignment)                                                                   \
	int measure_apply_##name(void *context, const char *argument,                              \
				 struct options_reason *reason)                                    \
	{                                                                                          \
		struct measure_request *request = context;                                         \
		(void)argument;                                                                    \
		(void)reason;                                                                      \
		request->assignment;                                                               \
		return 0;                                                                          \
	}
SETTER(all, config->target.everything = true)
SETTER(subprocesses, config->target.children = true)
SETTER(kernel, config->no_kernel = false)
SETTER(no_kernel, config->no_kernel = true)
SETTER(no_inline, config->no_inline = true)
SETTER(threads, config->threads = true)
SETTER(idle, config->idle = true)
SETTER(verbose, verbose = true)
#undef SETTER

const char *const measure_duration_words[] = { "unlimited", NULL };
const char *const measure_rate_words[] = { "max", NULL };

void record_limits_read(struct record_limits *ret)
{
	cleanup(bytes_fini) struct bytes text = {};

	*ret = (struct record_limits){};
	if (fs_read(&text, -1, MAX_RATE_PATH, 64) < 0 || !bytes_str(&text))
		return;
	text.at[strcspn(text.at, "\n")] = '\0';
	if (parse_u64(&ret->max_rate_hz, text.at, UINT32_MAX) < 0)
		ret->max_rate_hz = 0;
}

static int check_target(const struct config *config, const struct command *command,
			const struct options_result *result)
{
	const struct target *target = &config->target;
	bool filtered = target->comm || target->group || target->has_uid;

	if (result->word_count)
		return options_usage_error(command, "unexpected '%.64s': a command goes behind --",
					   result->words[0]);
	if (result->rest && !result->rest[0])
		return options_usage_error(command, "no command behind --");
	if (result->rest && (target->pids.count || target->tids.count || target->everything))
		return options_usage_error(command, "a command and %s exclude each other",
					   target->pids.count	? "-p"
					   : target->tids.count ? "--tid"
								: "-a");
	if (target->pids.count && target->everything)
		return options_usage_error(command, "-p and -a exclude each other");
	if (target->tids.count && target->everything)
		return options_usage_error(command, "--tid and -a exclude each other");
	if (target->pids.count && target->tids.count)
		return options_usage_error(command, "-p and --tid exclude each other");
	if (target->tids.count && target->children)
		return options_usage_error(command, "--tid and -s exclude each other: "
						    "threads alone have no subprocesses");
	if (!result->rest && !target->pids.count && !target->tids.count && !target->everything &&
	    !filtered)
		return options_usage_error(command, "nothing to record: name a target with -p PID, "
						    "-a, or -- COMMAND");
	if (config->idle && (result->rest || target->pids.count || target->tids.count))
		return options_usage_error(command, "-i goes with -a or a filter only: "
						    "a waiting thread uses no CPU time");
	return 0;
}

/* sudo takes the variable away, so that there are none is what most people see first. Logs. */
static int find_servers(const struct measure_request *request)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct bytes servers = {};

	if (servers_find(&servers, request->servers, urls, SERVERS_FOLDER) == SERVERS_NONE) {
		bytes_fini(&servers);
		log_error("--debuginfod: no server is known: DEBUGINFOD_URLS is %s; write "
			  "--debuginfod=https://SERVER%s",
			  urls ? "empty" : "not set, and " SERVERS_FOLDER " has no list of them",
			  getenv("SUDO_UID") && !urls ? ", or sudo --preserve-env=DEBUGINFOD_URLS"
						      : "");
		return OPTIONS_REFUSED;
	}
	if (!bytes_str(&servers)) {
		bytes_fini(&servers);
		return -ENOMEM;
	}
	request->config->debuginfod_servers = servers.at;
	return 0;
}

int measure_only_one(const struct config *config, const struct command *command)
{
	if ((config->events & (config->events - 1)) == 0)
		return 0;
	return options_usage_error(command, "%s shows one event: 'profd record' takes several",
				   command->name);
}

/*
 * -c counts what is sampled. Beside events that are counted, `cpu` goes on at its rate, for their number says
 * nothing about time.
 */
static int apply_period(struct measure_request *request, const struct command *command)
{
	struct config *config = request->config;

	if (config->events & EVENTS_COUNTED_BITS) {
		config->counted_period = request->period;
		return 0;
	}
	if (request->period < MIN_PERIOD_NS || request->period > MAX_PERIOD_NS)
		return options_usage_error(
			command, "--period '%llu': not a period: %llu..%llu nanoseconds of CPU time",
			(unsigned long long)request->period, MIN_PERIOD_NS, MAX_PERIOD_NS);
	config->period_ns = request->period;
	config->frequency_hz = 0;
	return 0;
}

static int check_events(const struct measure_request *request, const struct command *command)
{
	uint32_t events = request->config->events, timed = EVENT_BIT(EVENT_CPU) | EVENTS_COUNTED_BITS;
	bool both = events & EVENT_BIT(EVENT_CPU) && events & EVENTS_COUNTED_BITS;

	if (request->has_rate && request->has_period && !both)
		return options_usage_error(command, "-F and -c exclude each other");
	if ((request->has_rate || request->has_period) && !(events & timed))
		return options_usage_error(command, "%s goes with -e cpu, or what is counted (cycles, "
						    "page-faults, ...)",
					   request->has_rate ? "-F" : "-c");
	if (measures_count(events) > PROFILE_MAX_TYPES)
		return options_usage_error(command, "so many events are too many for one profile");
	return 0;
}

int measure_complete(struct measure_request *request, const struct command *command,
		     const struct options_result *result)
{
	struct config *config = request->config;
	int r = check_target(config, command, result);

	if (r == 0)
		r = check_events(request, command);
	if (r == 0 && request->has_debuginfod_timeout && !request->has_debuginfod)
		r = options_usage_error(command, "--debuginfod-timeout goes with --debuginfod");
	if (r == 0 && request->has_debuginfod)
		r = find_servers(request);
	if (r != 0)
		return r;
	if (request->has_heap_interval && !(config->events & EVENT_BIT(EVENT_HEAP)))
		r = options_usage_error(command, "--heap-interval goes with -e heap");
	if (r == 0 && request->has_alloc_overhead &&
	    !(config->events & (EVENT_BIT(EVENT_ALLOC) | EVENT_BIT(EVENT_HEAP))))
		r = options_usage_error(command, "--alloc-overhead goes with -e alloc or heap");
	if (r != 0)
		return r;
	if (request->has_period && (r = apply_period(request, command)) != 0)
		return r;
	if (result->rest) {
		config->target.command = result->rest;
		config->target.children = true;
	}
	/* Only filters: they choose from everything that runs. */
	if (!result->rest && !config->target.pids.count && !config->target.tids.count)
		config->target.everything = true;
	/* The rate nobody asked for gives way to the kernel's limit; a wanted one is refused. */
	if (!request->has_rate && request->limits->max_rate_hz &&
	    config->frequency_hz > request->limits->max_rate_hz) {
		config->frequency_hz = (uint32_t)request->limits->max_rate_hz;
		log_warning("kernel.perf_event_max_sample_rate is %u: recording at that rate",
			    config->frequency_hz);
	}
	return 0;
}
